# Three commands for a newcomer. Each sets up what is missing, and is safe to run again.
.PHONY: demo test setup

SCENE ?=

demo: setup
	@echo "== demo: trains sine-nerf-small on a small scene, scores it and renders a film; under 10 minutes on 2 CPU cores"
	@.venv/bin/sinenerf demo $(if $(SCENE),--scene "$(SCENE)")

test: setup
	@echo "== test: lint, types, and every test, with the real commands; 14 to 20 minutes on 2 CPU cores"
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

setup:
	@bash scripts/setup.sh
