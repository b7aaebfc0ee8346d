"""Program for photographs: sine-nerf-small with any layer, trained within a budget and scored by its own file."""

import shutil
import warnings
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from sinenerf.codec.quantise import file_size
from sinenerf.files import replacing
from sinenerf.rd.results import Result, Settings

OWN = {"minutes": None, "steps": None, "learning_rate": 2e-3, "bits": None, "bytes": None, "seed": 0}
"""Settings beside the model's own, with their defaults; without bits and bytes 8 bits a parameter."""


def find_scene(folder: Path, name: str) -> Path:
    """Where a scene lies."""
    return folder / name


class NerfProgram:
    """sine-nerf-small on an LLFF scene, every 8th view held out: settings are those of its model, and OWN."""

    trains = True

    def resolve(self, given: Settings) -> Settings:
        from sinenerf.nerf.configs import sine_nerf_small

        model = sine_nerf_small.config.pipeline.model
        names = [f.name for f in fields(model)]
        known = {name: getattr(model, name) for name in names[names.index("layer") :] if name not in OWN}
        if unknown := set(given) - set(known) - set(OWN):
            raise ValueError(
                f"no setting is called {sorted(unknown)[0]!r}: there are {', '.join(sorted({**known, **OWN}))}"
            )
        settings = {**known, **OWN, **given}
        if (settings["minutes"] is None) == (settings["steps"] is None):
            raise ValueError("give minutes or steps, one of them")
        if not all((settings[name] or 1) > 0 for name in ("minutes", "steps", "learning_rate")):
            raise ValueError("minutes, steps and the learning rate must be positive")
        if settings["bits"] is None and settings["bytes"] is None:
            settings["bits"] = 8
        file_size(1, settings["bits"], settings["bytes"])
        replace(model, **{name: settings[name] for name in known}).architecture(ndc=True).networks()
        # as JSON has them
        return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}

    def estimate(self, settings: Settings) -> float:
        # 20 steps a second in training is what two shared cores make
        return 40 + (60 * settings["minutes"] if settings["minutes"] is not None else settings["steps"] / 20)

    def run(self, scene: Path, settings: Settings, artefact: Path) -> Result | None:
        warnings.simplefilter("ignore")  # nerfstudio's and its libraries' own, on import and later
        from sinenerf.fields import describe
        from sinenerf.nerf.pack import field_of
        from sinenerf.nerf.training import make_trainer, plan_steps, train

        folder = artefact.with_name(f".{artefact.stem}")
        model = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items() if k not in OWN}
        model |= {"bits": settings["bits"], "bytes": settings["bytes"]}
        wanted = settings["steps"] or 2**30
        try:
            trainer = make_trainer(scene, folder, wanted, model, settings["learning_rate"])
            steps = wanted if settings["minutes"] is None else plan_steps(trainer, wanted, settings["minutes"])
            seconds = train(trainer, steps)
        except SystemExit as stop:  # nerfstudio's way to end: bad input in one line, or Ctrl-C
            if stop.code == 130:
                return None
            raise RuntimeError(str(stop.code).removeprefix("sinenerf: ")) from None
        field_of(trainer.pipeline).save(artefact)
        quality = _score(artefact, trainer.pipeline)
        shutil.rmtree(folder)
        info = describe(artefact)
        tables = sum(tensor.table_bytes for tensor in info.tensors)
        parts: dict[str, float] = {"total": info.bytes, "header": info.header_bytes, "tables": tables}
        parts["numbers"] = info.bytes - info.header_bytes - tables
        return Result("", "", "", "", settings, quality, parts, info.parameters, round(seconds, 2))


def _score(artefact: Path, pipeline: Any) -> dict[str, float | None]:
    """Mean metrics of the file over the held-out views; the first of them is kept as a picture beside it."""
    import torch
    from PIL import Image

    from sinenerf.fields import load
    from sinenerf.nerf.metrics import image_metrics
    from sinenerf.nerf.radiance import RadianceField
    from sinenerf.nerf.views import View

    field = load(artefact)
    metrics: list[dict[str, float]] = []
    assert isinstance(field, RadianceField)
    for camera, batch in pipeline.datamanager.fixed_indices_eval_dataloader:
        lens = (float(getattr(camera, name)) for name in ("fx", "fy", "cx", "cy"))
        pose = camera.camera_to_worlds.reshape(3, 4).cpu().double().numpy()
        fx, fy, cx, cy = lens
        shown = field.render(View(pose, fx, fy, cx, cy, int(camera.width), int(camera.height)))["rgb"]
        truth = batch["image"][..., :3].to(torch.float32).cpu()
        if not metrics:
            with replacing(artefact.with_suffix(".jpg")) as partial:
                Image.fromarray((shown.numpy() * 255).round().astype(np.uint8)).save(partial, quality=85)
        metrics.append(image_metrics(shown, truth))
    return {name: float(np.mean([m[name] for m in metrics])) for name in metrics[0]}
