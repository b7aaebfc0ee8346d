"""From a nerfstudio run to a .sine file: what is kept."""

from typing import Any

import torch

from sinenerf.codec.tensors import load_tensors
from sinenerf.radiance.architecture import tensors_of
from sinenerf.radiance.cameras import Camera, Capture, capture_of
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.header import header_of
from sinenerf.radiance.warps import NDC


def capture_of_run(pipeline: Any) -> Capture:
    """What a file keeps of the training photographs' cameras."""
    parsed = pipeline.datamanager.train_dataparser_outputs
    cameras = pipeline.datamanager.train_dataset.cameras
    poses = cameras.camera_to_worlds.cpu().double().numpy()
    fx, fy, cx, cy = (float(getattr(cameras, name)[0]) for name in ("fx", "fy", "cx", "cy"))
    view = Camera(poses[0], fx, fy, cx, cy, int(cameras.width[0]), int(cameras.height[0]))
    motion = parsed.dataparser_transform.double().numpy()
    return capture_of(poses, view, motion, float(parsed.dataparser_scale), isinstance(pipeline.model.warp, NDC))


def field_of(pipeline: Any) -> RadianceField:
    """The field of a run, on the CPU: rounded to its file where it was trained with quantisation."""
    model = pipeline.model
    trained, quantiser = model.field, model.quantiser
    field = RadianceField(trained.config, trained.warp, trained.far, capture_of_run(pipeline))
    field.precision = trained.precision
    if quantiser is None or not quantiser.active:
        values = zip(tensors_of(field.config), _values(model), strict=True)
        load_tensors(field, {name: p.detach().cpu().numpy() for name, p in values})
    else:
        field.coded = load_tensors(field, quantiser.finish())
    return field.eval()


def _values(model: Any) -> list[torch.nn.Parameter]:
    return model.get_param_groups()["fields"]


def header_of_run(pipeline: Any) -> bytes:
    """The header of the file that a run would make.

    Raises:
        CodecError: the format has none for it.
    """
    field = pipeline.model.field
    return header_of(field.config, field.warp, field.far, capture_of_run(pipeline))
