"""Settings that are one of a few words."""

from typing import Any, get_args


def check_choice(name: str, value: Any, kinds: Any) -> None:
    """Raise ValueError unless the value of a setting is one of a Literal's."""
    if value not in get_args(kinds):
        raise ValueError(f"no {name} is called {value!r}: choose {' or '.join(get_args(kinds))}")
