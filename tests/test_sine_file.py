"""Opening any .sine file, and the interface of all fields."""

import pytest
import torch
import trimesh
from support.golden_files import golden, name_of
from support.radiance_fields import a_field

from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.solid import Placement
from sinenerf.sine_file import describe, load


def a_shape():
    return OccupancyField(OccupancyConfig(width=16, rank=2), Placement.of(trimesh.creation.box())).eval()


@pytest.mark.parametrize(("make", "kind"), [(a_shape, "shape"), (a_field, "scene")])
def test_a_field_describes_its_file(make, kind, tmp_path):
    path, field = tmp_path / "x.sine", make()
    field.save(path)
    read = load(path)
    assert type(read) is type(field) and read.kind == field.kind == kind
    info = describe(path)
    assert info == field.describe() == read.describe()
    assert (info.bytes, info.parameters) == (path.stat().st_size, field.parameters_count)
    names = {tensor.name for tensor in info.tensors}
    layers = {f"{name}.{p}" for name, layer in field.linear_layers().items() for p, _ in layer.named_parameters()}
    assert layers == names


@pytest.mark.parametrize("path", [*golden()[:1], *golden("scenes")], ids=name_of)
def test_reading_leaves_the_callers_random_state(path):
    before = torch.get_rng_state()
    load(path)
    describe(path)
    assert torch.equal(torch.get_rng_state(), before)
