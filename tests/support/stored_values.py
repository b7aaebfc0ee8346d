"""Hypothesis strategies for settings within the bounds of a file, from what their fields declare."""

from typing import Literal, get_args, get_origin

from hypothesis import strategies as st

from sinenerf.common.settings import stored_fields


def stored_values(kind, **chosen):
    """Values of a dataclass's stored settings by name; `chosen` has strategies to use instead of a field's bounds.

    Tests make the dataclass of them: checks of its types draw random numbers, which a strategy must not.
    """
    strategies = {f.name: _values(f.type, stored) for f, stored in stored_fields(kind)}
    return st.fixed_dictionaries(strategies | chosen)


def _values(kind, stored):
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(*stored.bounds)
    if kind is float:  # float32 keeps any decimal of six digits
        return st.floats(*stored.bounds).map(lambda value: float(f"{value:.6g}"))
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    (item, _) = get_args(kind)
    places = list(range(stored.bits)) if item is int else list(get_args(item))
    return st.sets(st.sampled_from(places)).map(lambda chosen: tuple(sorted(chosen, key=places.index)))
