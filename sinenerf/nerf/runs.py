"""Finding and opening a training run that nerfstudio wrote."""

import warnings
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path


def find_config(run: Path) -> Path:
    """The config.yml of a run: the path itself, in it, or the newest below it.

    Raises:
        FileNotFoundError: there is none, in one line.
    """
    if run.is_file() and run.suffix == ".yml":
        return run
    configs = sorted(run.rglob("config.yml"), key=lambda path: path.stat().st_mtime) if run.is_dir() else []
    if not configs:
        raise FileNotFoundError(f"{run}: no run there. Give a folder that ns-train wrote, with config.yml in it")
    return configs[-1]


def open_run(run: Path):
    """The pipeline of a run, ready to render. Open only runs of your own: nerfstudio's config.yml can execute code.

    Raises:
        FileNotFoundError: no run there.
        ValueError: the run is of another method.
    """
    config = find_config(run)
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")  # nerfstudio's and its libraries' own, when they are imported
        from nerfstudio.utils.eval_utils import eval_setup

        from sinenerf.nerf.model import SineNeRFModel

        _, pipeline, _, _ = eval_setup(config)
    if not isinstance(pipeline.model, SineNeRFModel):
        raise ValueError(f"{config}: a run of {type(pipeline.model).__name__}, where one of sine-nerf is needed")
    return pipeline
