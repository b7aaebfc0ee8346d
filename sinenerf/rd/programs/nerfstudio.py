"""Program for photographs: nerfstudio's own methods, with the same budget, scored on the same held-out views."""

import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sinenerf.codec.container import LARGEST_COUNT, Container, pack
from sinenerf.codec.tensors import QuantisedTensor, nearest_step, values_of
from sinenerf.common.files import replacing
from sinenerf.photographs.reading import read_cameras_of
from sinenerf.plugin.nerfstudio_methods import configure, largest_model
from sinenerf.plugin.scoring import model_renderer, score_held_out
from sinenerf.radiance.evaluate import mean_metrics
from sinenerf.radiance.placement import corner_angles, place
from sinenerf.rd.programs.radiance import check_budget, parser_settings, save_picture, scene_files, train_within
from sinenerf.rd.results import Measurement, Settings, working_folder

METHODS = ("vanilla-nerf", "nerfacto", "tensorf")
DEFAULTS: Settings = {
    "method": None,
    "options": {},
    "bits": 32,
    "stride": 1,
    "minutes": None,
    "steps": None,
    "clock": "wall",
    "downscale": None,
    "seed": 0,
}
NOT_RENDERED = ("camera_optimizer.", "lpips.")
"""Prefixes of weights that rendering does not need."""
FOREIGN_KIND = 255
"""Kind of a .sine file that holds none of our fields."""
LARGEST_INTEGER = 127
"""Largest 8-bit integer."""


class NerfstudioProgram:
    """A method of nerfstudio: its weights in float32, or rounded to 8 bits and entropy-coded by our codec.

    Settings: method; options, its nerfstudio settings that differ from the defaults, by dotted names; bits, 32 or 8;
    stride, n to score the held-out views at every n-th pixel, since some methods need an hour for whole views on a CPU;
    minutes or steps; clock; downscale, the N of images_N; seed.
    """

    trains = True

    def resolve(self, given: Settings) -> Settings:
        if unknown := set(given) - set(DEFAULTS):
            raise ValueError(f"no setting is called {sorted(unknown)[0]!r}: there are {', '.join(sorted(DEFAULTS))}")
        settings = {**DEFAULTS, **given}
        if settings["method"] not in METHODS:
            raise ValueError(f"method is {settings['method']!r}: choose {', '.join(METHODS)}")
        if settings["bits"] not in (8, 32):
            raise ValueError(f"bits is {settings['bits']}: weights are stored in 8 or 32")
        if not (isinstance(settings["stride"], int) and settings["stride"] > 0):
            raise ValueError(f"stride is {settings['stride']}: it must be a whole number of at least 1")
        if not isinstance(settings["options"], dict):
            raise ValueError(f"options is {settings['options']!r}: it must be a table")
        check_budget(settings)
        config = configure(settings["method"], Path(), Path(), settings["options"], {})
        if settings["bits"] == 8:
            _check_fits(settings["method"], count_weights(largest_model(config)))
        return settings

    def estimate(self, settings: Settings) -> float | None:
        return None if settings["minutes"] is None else 60 * settings["minutes"] + 120  # with setting up and scoring

    def files(self, scene: Path, settings: Settings) -> list[Path]:
        return scene_files(scene, settings["downscale"])

    def run(self, scene: Path, settings: Settings, artefact: Path) -> Measurement | None:
        folder = working_folder(artefact)
        parser = parser_settings(settings["downscale"])
        planes = {"pipeline.model.collider_params": scene_planes(scene)} if settings["method"] == "vanilla-nerf" else {}
        config = configure(settings["method"], scene, folder, planes | settings["options"], parser)
        training = train_within(config, settings, folder, look_stride=4 * settings["stride"])
        if training is None:
            return None
        pipeline = training.trainer.pipeline
        data = pack_weights(pipeline.model, settings["bits"])
        unpack_weights(pipeline.model, data, settings["bits"])  # the file's weights are scored
        with replacing(artefact.with_suffix(".weights")) as partial:
            partial.write_bytes(data)
        scores = score_held_out(pipeline, model_renderer(pipeline), settings["stride"])
        save_picture(scores[0].rendering, artefact)
        quality: dict[str, float | None] = dict(mean_metrics([score.metrics for score in scores]))
        count, seconds = count_weights(pipeline.model), round(training.seconds, 2)
        return Measurement(quality, {"total": len(data)}, count, seconds, training.history)


def scene_planes(scene: Path) -> dict[str, float]:
    """Near and far planes around the scene's depths, for vanilla-nerf: its own, 2 and 6, suit Blender's objects."""
    views = read_cameras_of(scene)
    corners = corner_angles(views)
    placement = place(views.camera_to_world, views.tangents, views.points, views.bounds, "ndc", corners=corners)
    return {"near_plane": 1.0, "far_plane": -1.1 * float(placement.extent[0, 2])}


def rendering_weights(model: torch.nn.Module) -> dict[str, Tensor]:
    """The weights that a model needs to render: neither camera corrections nor LPIPS."""
    return {name: p.detach() for name, p in model.named_parameters() if p.numel() and not name.startswith(NOT_RENDERED)}


def count_weights(model: torch.nn.Module) -> int:
    """Number of parameters that a model needs to render."""
    return sum(values.numel() for values in rendering_weights(model).values())


def _check_fits(method: str, count: int) -> None:
    if count > LARGEST_COUNT:
        raise ValueError(
            f"{method} has up to {count:,} parameters, and an 8-bit file holds at most {LARGEST_COUNT:,}: "
            "choose bits = 32, or make it smaller by options"
        )


def pack_weights(model: torch.nn.Module, bits: int) -> bytes:
    """The weights as a file: a PyTorch checkpoint; or, with 8 bits, integers from -127 to 127, one step per tensor."""
    weights = {name: values.cpu().float() for name, values in rendering_weights(model).items()}
    if bits == 32:
        buffer = io.BytesIO()
        torch.save(weights, buffer)
        return buffer.getvalue()
    return pack(FOREIGN_KIND, b"", [_rounded(values) for values in weights.values()])


def _rounded(values: Tensor) -> QuantisedTensor:
    step = float(nearest_step(values.abs().max() / LARGEST_INTEGER))
    integers = (values / step).round().clamp(-LARGEST_INTEGER, LARGEST_INTEGER).long()
    return QuantisedTensor(np.asarray(integers.numpy()), step)


@torch.no_grad()
def unpack_weights(model: torch.nn.Module, data: bytes, bits: int) -> None:
    """Load the weights of a file into a model of the same method."""
    weights = rendering_weights(model)
    if bits == 32:
        read = torch.load(io.BytesIO(data), weights_only=True)
    else:
        stored = Container.parse(data).tensors([tuple(values.shape) for values in weights.values()])
        read = {name: torch.from_numpy(values_of(t)) for name, t in zip(weights, stored, strict=True)}
    for name, values in weights.items():
        values.copy_(read[name])
