# The commands for a newcomer. Each one first sets up what is missing, and can be repeated safely.
.PHONY: demo test test-quick lint docs setup

# photographs: a folder of them, a film, or a folder with cameras; by default a small scene is generated
PHOTOS ?=
VIDEO ?=
SCENE ?=
# minutes of training; by default 5 for the generated scene and 10 for others
MINUTES ?=
PYTEST = .venv/bin/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations=15

demo: setup
	@echo "== demo: makes a scene of photographs, a film and a page; under 10 minutes on 2 CPU cores for the generated ones"
	@mkdir -p outputs
ifeq ($(PHOTOS)$(VIDEO)$(SCENE),)
	@.venv/bin/sinenerf make-scene data/demo
	@.venv/bin/sinenerf scene data/demo --output outputs/demo.sine --page outputs/demo.html --minutes $(or $(MINUTES),5)
else
	@source="$(PHOTOS)$(VIDEO)$(SCENE)"; name="$$(basename "$$source")"; name="outputs/$${name%.*}"; \
	.venv/bin/sinenerf scene "$$source" --output "$$name.sine" --page "$$name.html" --minutes $(or $(MINUTES),10)
endif

test: lint docs
	@echo "== test: every test, with the real commands; 20 to 35 minutes on 2 CPU cores"
	@$(PYTEST)

test-quick: lint
	@echo "== test-quick: the tests that are not marked slow; under 2 minutes on 2 CPU cores"
	@$(PYTEST) -m "not slow"

lint: setup
	@echo "== lint: style, format and types"
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

docs: setup
	@echo "== docs: builds the site in build/site and fails on a broken link"
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet --strict

setup:
	@bash scripts/setup.sh
