"""Program for photographs: our presets with any layer, scored by their file; and what all programs for them share."""

import hashlib
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from sinenerf.common.checks import check_choice, check_whole, file_size
from sinenerf.common.files import replacing
from sinenerf.common.settings import Clock, OptimizerKind, Precision
from sinenerf.photographs.pictures import PICTURE_SUFFIXES, list_pictures
from sinenerf.photographs.posed_photographs import VIEWS, PosedPhotographs
from sinenerf.photographs.poses_bounds import TABLE
from sinenerf.plugin.budgeted_training import TimedTraining
from sinenerf.plugin.nerfstudio_methods import build, configure
from sinenerf.plugin.runs import field_of
from sinenerf.plugin.scoring import file_renderer, score_held_out
from sinenerf.radiance.architecture import build_networks
from sinenerf.radiance.config import RadianceNetworks
from sinenerf.radiance.evaluate import mean_metrics
from sinenerf.radiance.image_metrics import Image
from sinenerf.rd.results import DEFAULT_DOWNSCALE, Measurement, Settings, bytes_by_part, working_folder
from sinenerf.sine_file import describe

TRAINING: Settings = {
    "preset": "sine-nerf-small",
    "minutes": None,
    "steps": None,
    "clock": "wall",
    "optimizer": None,
    "learning_rate": None,
    "rays": None,
    "downscale": None,
    "bits": None,
    "bytes": None,
    "seed": 0,
}
"""Settings beside the model's own, with defaults. optimizer, learning_rate and rays default to the preset's; bits to 8
without bytes; downscale, the N of images_N, to 8. Missing images_N are made."""


def parser_settings(downscale: int | None) -> dict[str, Any]:
    """Settings of `sine-data`."""
    return {"downscale_factor": downscale or DEFAULT_DOWNSCALE}


READ_SUFFIXES = {".json", ".npy", ".ply", ".bin", ".txt"} | PICTURE_SUFFIXES
"""Of all that a capture's cameras, points, held-out lists, photographs and masks may be read from."""


def scene_files(scene: Path, downscale: int | None) -> list[Path]:
    """The files of a capture that training may read. Of an LLFF folder without masks the poses and images_N suffice."""
    smaller = list_pictures(scene / f"images_{downscale or DEFAULT_DOWNSCALE}")
    if smaller and (scene / TABLE).is_file() and not (scene / "masks").is_dir():
        return [scene / TABLE, *smaller]
    return [path for path in _files_below(scene) if path.suffix.lower() in READ_SUFFIXES]


def _files_below(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """The files in a folder and its subfolders, also behind links, but not the hidden ones.

    Args:
        above: the folders on the way here, which a link may lead back to.
    """
    here = folder.resolve()
    if here in above or not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _files_below(path, (*above, here))
        elif path.is_file():
            yield path


def fingerprint(views: PosedPhotographs) -> str:
    """Hash of what a training reads, cameras, photographs and masks: while it agrees, the training can resume."""
    digest = hashlib.sha256(repr((views.model, views.named_held_out)).encode())
    for name in (*VIEWS, "points"):
        numbers = getattr(views, name)
        digest.update(name.encode() + (b"" if numbers is None else numbers.tobytes()))
    for path in (*views.paths, *(views.masks or ())):
        digest.update(b"none" if path is None else path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def check_budget(settings: Settings) -> None:
    """Raise ValueError unless one budget is given, by a known clock, numbers are positive, and counts are whole."""
    if (settings["minutes"] is None) == (settings["steps"] is None):
        raise ValueError("give minutes or steps, one of them")
    for name in ("minutes", "steps", "learning_rate", "rays", "downscale"):
        value = settings.get(name)
        if value is not None and not (isinstance(value, int | float) and value > 0):
            raise ValueError(f"{name} is {value}: it must be positive")
    for name in ("steps", "rays", "downscale", "bytes", "seed"):
        check_whole(name, settings.get(name))
    check_choice("clock", settings["clock"], Clock)


def train_within(config: Any, settings: Settings, folder: Path, look_stride: int) -> TimedTraining | None:
    """Train a nerfstudio method within a job's budget, with its checkpoint in `folder`. None after Ctrl-C.

    Args:
        look_stride: the held-out views are scored during training at every n-th pixel, across and down.

    Raises:
        ValueError: the scene cannot be trained on.
        RuntimeError: the loss is not finite.
    """
    minutes, trainer = settings["minutes"], build(config, settings["seed"])
    training = TimedTraining(
        trainer=trainer,
        max_seconds=None if minutes is None else 60.0 * minutes,
        max_steps=settings["steps"],
        clock=settings.get("clock", "wall"),
        checkpoint=folder / "checkpoint.pt",
        fingerprint=fingerprint(trainer.pipeline.datamanager.dataparser.photographs),
        look_stride=look_stride,
        seed=settings["seed"],
    )
    return training if training.run() else None


def save_picture(image: Image, artefact: Path) -> None:
    """Save a held-out view beside its result, for the page of plots."""
    from PIL import Image as Pillow

    with replacing(artefact.with_suffix(".jpg")) as partial:
        Pillow.fromarray((image * 255).round().to(torch.uint8).numpy()).save(partial, quality=85)


class RadianceProgram:
    """One of our presets on a capture, every 8th view held out unless it names a split. The settings are its model's
    and TRAINING."""

    trains = True

    def resolve(self, given: Settings) -> Settings:
        preset = _preset(given.get("preset", "sine-nerf-small"))
        model = preset.pipeline.model
        names = [f.name for f in fields(RadianceNetworks)] + ["precision", "background_color"]
        known = {name: getattr(model, name) for name in names}
        if unknown := set(given) - set(known) - set(TRAINING):
            raise ValueError(
                f"no setting is called {sorted(unknown)[0]!r}: there are {', '.join(sorted({**known, **TRAINING}))}"
            )
        settings = {**known, **TRAINING, **given}
        check_budget(settings)
        if settings["bits"] is None and settings["bytes"] is None:
            settings["bits"] = 8
        optimizer = preset.optimizers["fields"]["optimizer"]
        settings["optimizer"] = settings["optimizer"] or optimizer.kind
        check_choice("optimizer", settings["optimizer"], OptimizerKind)
        check_choice("precision", settings["precision"], Precision)
        settings["learning_rate"] = settings["learning_rate"] or optimizer.lr
        settings["rays"] = settings["rays"] or preset.pipeline.datamanager.train_num_rays_per_batch
        file_size(1, settings["bits"], settings["bytes"])
        build_networks(replace(model, **{name: settings[name] for name in known}).architecture(endless=True))
        # lists, as they are read back from JSON
        return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}

    def estimate(self, settings: Settings) -> float | None:
        return None if settings["minutes"] is None else 60 * settings["minutes"] + 40  # with setting up and scoring

    def files(self, scene: Path, settings: Settings) -> list[Path]:
        return scene_files(scene, settings["downscale"])

    def run(self, scene: Path, settings: Settings, artefact: Path) -> Measurement | None:
        folder = working_folder(artefact)
        parser = parser_settings(settings["downscale"])
        config = configure(settings["preset"], scene, folder, _nerfstudio_options(settings), parser)
        training = train_within(config, settings, folder, look_stride=8)
        if training is None:
            return None
        pipeline = training.trainer.pipeline
        field_of(pipeline).save(artefact)
        scores = score_held_out(pipeline, file_renderer(artefact))
        save_picture(scores[0].rendering, artefact)
        info = describe(artefact)
        quality: dict[str, float | None] = dict(mean_metrics([score.metrics for score in scores]))
        seconds = round(training.seconds, 2)
        return Measurement(quality, bytes_by_part(info), info.parameters, seconds, training.history)


def _preset(name: str) -> Any:
    from sinenerf.plugin import methods

    presets = {"sine-nerf": methods.sine_nerf, "sine-nerf-small": methods.sine_nerf_small}
    if name not in presets:
        raise ValueError(f"no preset is called {name!r}: choose {' or '.join(presets)}")
    return presets[name].config


def _nerfstudio_options(settings: Settings) -> dict[str, Any]:
    """A job's settings as nerfstudio's options."""
    model = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items() if k not in TRAINING}
    model |= {"bits": settings["bits"], "bytes": settings["bytes"]}
    options = {f"pipeline.model.{name}": value for name, value in model.items()}
    options["optimizers.fields.optimizer.kind"] = settings["optimizer"]
    options["optimizers.fields.optimizer.lr"] = settings["learning_rate"]
    options["pipeline.datamanager.train_num_rays_per_batch"] = settings["rays"]
    return options
