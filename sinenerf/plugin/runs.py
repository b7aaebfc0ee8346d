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
        FileNotFoundError: no run there, or none with a checkpoint.
        ValueError: the run is of another method, or cannot be opened.
    """
    config = find_config(run)
    checkpoints = config.parent / "nerfstudio_models"  # wherever the run was moved to
    if not any(checkpoints.glob("step-*.ckpt")):
        raise FileNotFoundError(f"{checkpoints}: no checkpoint there: the run ended before its first one")
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")  # nerfstudio's and its libraries' own, when they are imported
        from nerfstudio.utils.eval_utils import eval_setup

        from sinenerf.plugin.checkpoints import latest_valid_step
        from sinenerf.plugin.model import SineNeRFModel

        def settle(settings):
            settings.get_checkpoint_dir = lambda: checkpoints
            settings.load_step = latest_valid_step(checkpoints)
            return settings

        try:
            _, pipeline, _, _ = eval_setup(config, update_config_callback=settle)
        except (ValueError, OSError, RuntimeError):
            raise
        except Exception as error:  # of nerfstudio's, whose kinds are many: assertions, YAML's, lookups
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ValueError(
                f"{config}: cannot be opened ({reason}). Is it a run of ns-train, and are its photographs where they "
                f"were, seen from this folder?"
            ) from error
    if not isinstance(pipeline.model, SineNeRFModel):
        raise ValueError(f"{config}: a run of {type(pipeline.model).__name__}, where one of sine-nerf is needed")
    return pipeline
