"""The network of an occupancy field: number, names and shapes of its parameters."""

from hypothesis import given, settings
from hypothesis import strategies as st
from support.stored_values import stored_values

from sinenerf.occupancy.architecture import build_network, tensors_of
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.solid import Placement


def test_the_papers_parameter_counts():
    def count(layer, rank=1, anchored=False):
        config = OccupancyConfig(layer, rank, width=256, anchored=anchored)
        return OccupancyField(config, Placement((0, 0, 0), 1)).parameters_count

    assert count("sine") == count("low-rank") == 2_817
    assert count("dense") == 132_865
    assert count("sine", 4) == 5_889
    assert count("sine", 4, anchored=True) == count("low-rank", 4, anchored=True) == 5_889 - 2 * 4**2


@given(stored_values(OccupancyConfig, width=st.integers(8, 20), depth=st.integers(1, 4), rank=st.integers(1, 8)))
@settings(max_examples=50, deadline=None)
def test_tensors_in_closed_form_are_those_of_the_network(values):
    config = OccupancyConfig(**values)
    network = build_network(config)
    assert tensors_of(config) == {name: tuple(p.shape) for name, p in network.named_parameters()}
