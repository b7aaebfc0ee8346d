"""Settings of a radiance field."""

from dataclasses import fields, replace

import pytest

from sinenerf.radiance.architecture import build_networks, tensors_of
from sinenerf.radiance.config import RadianceConfig

NUMERIC_FIELDS = [f for f in fields(RadianceConfig) if f.type in (int, float)]


@pytest.mark.parametrize("field", NUMERIC_FIELDS, ids=lambda f: f.name)
def test_error_names_the_setting_that_is_out_of_bounds(field):
    smallest = 1 if field.metadata["positive"] else field.metadata["at_least"]
    replace(RadianceConfig(), **{field.name: smallest}).check()
    config = replace(RadianceConfig(), **{field.name: smallest - 1})
    for check in (config.check, lambda: build_networks(config), lambda: tensors_of(config)):
        with pytest.raises(ValueError, match=rf"^{field.name} is {smallest - 1}: it must be "):
            check()


def test_skips_are_counted_from_0():
    with pytest.raises(ValueError, match=r"^entry of skips is -1: it must be 0 or more"):
        replace(RadianceConfig(), skips=(2, -1)).check()
