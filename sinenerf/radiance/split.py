"""Which photographs of a capture were held out of a training: the part of it that a .sine file remembers."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

Rule = Literal["none", "every", "spread", "named"]
"""How the held-out views are found among all views of the capture, in the order of their paths as text, as
the readers of captures list them:

none: every view was trained on.
every: views 0, n, 2n, ... were held out.
spread: all but n views, evenly spread from the first to the last, were held out (nerfstudio's default, n = 9/10).
named: the capture itself names them; n is their number.
"""
RULES: tuple[Rule, ...] = get_args(Rule)
LARGEST_PARAMETER = 2**16 - 1
"""Bound on n."""


@dataclass(frozen=True)
class Split:
    """The rule that chose the held-out views, and a checksum of their names."""

    rule: Rule
    parameter: int
    """n of the rule; 0 for "none"."""
    checksum: int
    """CRC-32 of the names of the held-out photographs, see `checksum_of`."""

    @classmethod
    def of(cls, trained: Sequence[Path], held_out: Sequence[Path]) -> "Split":
        """The split of a training: of all rules, the first one that gives exactly these held-out photographs.

        Args:
            trained: paths of the photographs that were trained on, in one capture with those held out.
        """
        if not set(held_out) - set(trained):
            return cls("none", 0, checksum_of([]))
        checksum, paths = checksum_of(held_out), sorted({*trained, *held_out}, key=Path.as_posix)
        wanted = [index for index, path in enumerate(paths) if path in set(held_out)]
        if len(paths) == len(trained) + len(held_out):
            step = wanted[1] if len(wanted) > 1 else len(paths)
            for split in (cls("every", step, checksum), cls("spread", len(trained), checksum)):
                if split.parameter <= LARGEST_PARAMETER and split._apply(len(paths)) == wanted:
                    return split
        return cls("named", min(len(held_out), LARGEST_PARAMETER), checksum)

    def held_out(self, paths: Sequence[Path], named: Sequence[int] | None = None) -> list[int]:
        """Indices of the held-out ones among all photographs of a capture, in their order.

        Args:
            named: indices of those that the capture itself names as held out.

        Raises:
            ValueError: the capture named them in training, and does not now.
        """
        if self.rule == "named":
            if named is not None:
                return sorted(named)
            raise ValueError(
                f"{self.parameter} views were held out that the capture named in training, and it does not now"
            )
        order = sorted(range(len(paths)), key=lambda index: paths[index].as_posix())
        return sorted(order[index] for index in self._apply(len(paths)))

    def _apply(self, count: int) -> list[int]:
        """Indices of the held-out ones among `count` photographs in the order of their paths."""
        if self.rule == "every":
            return list(range(0, count, self.parameter))
        if self.rule == "spread":
            trained = np.linspace(0, count - 1, min(self.parameter, count), dtype=int)  # as nerfstudio computes them
            return sorted(set(range(count)) - set(trained.tolist()))
        return []

    def names_are(self, held_out: Iterable[Path]) -> bool:
        """Whether these are the names of the photographs that were held out of the training."""
        return checksum_of(held_out) == self.checksum

    def __str__(self) -> str:
        n = self.parameter
        return {
            "none": "none: all views were trained on",
            "every": f"every {n}-th view, starting with the first",
            "spread": f"all views but {n} evenly spread ones",
            "named": f"the {n} views that the capture names",
        }[self.rule]


def checksum_of(paths: Iterable[Path]) -> int:
    """CRC-32 of the sorted names of photographs, without folders and extensions, joined by line feeds, in UTF-8."""
    return zlib.crc32("\n".join(sorted(path.stem for path in paths)).encode("utf-8", "surrogateescape"))
