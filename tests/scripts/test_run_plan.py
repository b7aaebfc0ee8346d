"""scripts/run_plan.py: what is done stays done, and only by the same settings."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
import run_plan  # noqa: E402

LORA = SCRIPTS.parent / "configs" / "paper" / "lora.toml"
TRAIN = """
import pathlib, sys
run = pathlib.Path(sys.argv[1])
run.mkdir(parents=True, exist_ok=True)
with (run / "trainings").open("a") as file:
    print(*sys.argv[2:], file=file)
"""
SCORE = """
import pathlib, sys
run = pathlib.Path(sys.argv[1])
(run / "scores.json").write_text('{"mean": 50}')
sys.exit(not (run.parent / "tasks").exists())
"""


@pytest.fixture
def options(tmp_path):
    """A plan that trains and then scores; scoring fails until a file called tasks is in its output folder."""
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "score.py").write_text(SCORE)
    commands = [[f"{tmp_path}/train.py", "{run}", "--epochs", "{epochs}"], [f"{tmp_path}/score.py", "{run}"]]
    text = f'output = "unused"\nresult = "scores.json"\ncommands = {commands}\nvalues = {{ epochs = 3 }}\n'
    (tmp_path / "plan.toml").write_text(text + "grid = { rank = [4, 8] }\n")
    return run_plan.Options(tmp_path / "plan.toml", only=("rank=4",), output=tmp_path / "results")


def test_a_command_that_has_ended_is_not_run_again(options, capfd):
    trainings = options.output / "rank-4" / "trainings"
    assert run_plan.main(options) == 1
    assert run_plan.main(options) == 1 and trainings.read_text() == "--epochs 3\n"
    (options.output / "tasks").touch()
    assert run_plan.main(options) == 0 and trainings.read_text() == "--epochs 3\n"
    assert capfd.readouterr().out.endswith(f'score.py {options.output / "rank-4"}\nrank-4: {{"mean": 50}}\n')
    assert run_plan.main(replace(options, dry_run=True)) == 0
    assert capfd.readouterr().out == 'rank-4: {"mean": 50}\n'


def test_a_run_by_other_settings_is_refused(options):
    run_plan.main(replace(options, set=("epochs=10",)))
    with pytest.raises(
        ValueError, match=r"rank-4: was run with '10', where the plan has '3': give the same --set, or an"
    ):
        run_plan.main(replace(options, only=()))
    assert not (options.output / "rank-8").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"set": ("model=m",)}, r"lora\.toml: needs a value: --set data="),
        ({"set": ("model",)}, "--set model: must be NAME=VALUE"),
        (
            {"set": ("model=m", "data=d", "epoch=1")},
            "--set epoch: the plan has data, dtype, epochs, limit, model, omega",
        ),
        ({"set": ("model=m", "data=d", "rank=1")}, "--set rank: the plan has data"),
        ({"only": ("k=4",)}, "--only k: the grid has method, rank"),
        ({"only": ("rank=5",)}, "--only rank=5: no run of the plan has these values"),
        ({"plan": LORA.with_name("nerf.toml")}, "nerf.toml: lacks the key 'commands': a sweep's plan runs by"),
    ],
)
def test_a_plan_that_cannot_run_is_refused(changes, message):
    options = replace(run_plan.Options(LORA, ("model=m", "data=d")), **changes)
    with pytest.raises(ValueError, match=message):
        run_plan.read_runs(options)
