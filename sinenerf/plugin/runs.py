"""Training runs that nerfstudio wrote: finding one, opening it, and turning it into a field for a .sine file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from sinenerf.codec.tensors import load_tensors
from sinenerf.photographs.camera_numbers import applied_scale, read_frames
from sinenerf.plugin.checkpoints import latest_valid_step
from sinenerf.plugin.edge import RunError, call_nerfstudio
from sinenerf.radiance.architecture import tensors_of
from sinenerf.radiance.cameras import Camera, Capture, capture_of
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.header import header_of
from sinenerf.radiance.split import Split
from sinenerf.radiance.warps import NDC


def find_config(run: Path) -> Path:
    """The config.yml of a run: the path itself, or the newest file of that name in or below it.

    Raises:
        FileNotFoundError: no config.yml was found.
    """
    if run.is_file() and run.suffix == ".yml":
        return run
    configs = sorted(run.rglob("config.yml"), key=lambda path: path.stat().st_mtime) if run.is_dir() else []
    if not configs:
        raise FileNotFoundError(f"{run}: not a run. Give a folder that ns-train wrote, with a config.yml in it")
    return configs[-1]


def open_run(run: Path) -> Any:
    """The pipeline of a run, ready to render. Open only runs of your own: nerfstudio's config.yml can execute code.

    Raises:
        FileNotFoundError: no run or no checkpoint was found.
        ValueError: the run is of another method, or cannot be opened.
    """
    config = find_config(run)
    checkpoints = config.parent / "nerfstudio_models"  # a run may have been moved since
    if not any(checkpoints.glob("step-*.ckpt")):
        raise FileNotFoundError(f"{checkpoints}: has no checkpoint: the run ended before its first one")
    step = latest_valid_step(checkpoints)

    def point_to_checkpoints(settings):
        settings.relative_model_dir = checkpoints.absolute()  # an absolute path replaces the folder it is joined to
        settings.load_step = step
        return settings

    with call_nerfstudio():
        from nerfstudio.utils.eval_utils import eval_setup

        from sinenerf.plugin.model import SineNeRFModel

        try:
            _, pipeline, _, _ = eval_setup(config, update_config_callback=point_to_checkpoints)
        except (ValueError, OSError, RuntimeError):
            raise
        except Exception as error:  # nerfstudio raises many kinds: assertions, YAML's errors, failed lookups
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise RunError(
                f"{config}: cannot be opened ({reason}). Check that ns-train wrote it, and that its photographs are "
                f"still at the same path, relative to this folder"
            ) from error
    if not isinstance(pipeline.model, SineNeRFModel):
        raise RunError(f"{config}: a run of {type(pipeline.model).__name__}, not of sine-nerf")
    return pipeline


def capture_of_run(pipeline: Any) -> Capture:
    """The cameras of the training photographs, as a file stores them, and which views were held out."""
    data = pipeline.datamanager
    parsed, cameras = data.train_dataparser_outputs, data.train_dataset.cameras
    poses = cameras.camera_to_worlds.cpu().double().numpy()
    widest = int(cameras.width.argmax())  # its width is that to which all photographs were shrunk
    fx, fy, cx, cy = (float(getattr(cameras, name)[widest]) for name in ("fx", "fy", "cx", "cy"))
    lens = Camera(poses[widest], fx, fy, cx, cy, int(cameras.width[widest]), int(cameras.height[widest]))
    motion = parsed.dataparser_transform.double().numpy().copy()
    motion[:, 3] /= _applied_scale(data.config.dataparser)
    capture = capture_of(poses, lens, motion, float(parsed.dataparser_scale), isinstance(pipeline.model.warp, NDC))
    trained, held_out = (part.image_filenames for part in (data.train_dataset, data.eval_dataset))
    return replace(capture, split=Split.of(trained, held_out))


def _applied_scale(parser: Any) -> float:
    """What ns-process-data multiplied a file's positions by: nerfstudio's parser gives the shift in the same units."""
    from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig

    if not isinstance(parser, NerfstudioDataParserConfig):
        return 1.0
    path = parser.data if parser.data.suffix == ".json" else parser.data / "transforms.json"
    return applied_scale(read_frames(path)[0], path)


def field_of(pipeline: Any) -> RadianceField:
    """The field of a run, on the CPU, rounded to its file size if it was trained with quantisation."""
    model = pipeline.model
    trained, quantiser = model.field, model.quantiser
    field = RadianceField(trained.config, trained.warp, trained.far, capture_of_run(pipeline))
    field.precision = trained.precision
    if quantiser is None or not quantiser.active:
        values = zip(tensors_of(field.config), model.get_param_groups()["fields"], strict=True)
        load_tensors(field, {name: p.detach().cpu().numpy() for name, p in values})
    else:
        field.coded = load_tensors(field, quantiser.finish())
    return field.eval()


def header_of_run(pipeline: Any) -> bytes:
    """The header of the run's .sine file.

    Raises:
        CodecError: the format cannot hold this network or capture.
    """
    field = pipeline.model.field
    return header_of(field.config, field.warp, field.far, capture_of_run(pipeline))
