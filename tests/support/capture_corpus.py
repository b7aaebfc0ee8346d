"""Strange and broken captures, each made from a good one by a small change, and what reading it must give.

The good capture exists as an LLFF folder, as nerfstudio's transforms.json and as a COLMAP model. A case changes a copy.
"""

from support import (  # noqa: F401  # each of these adds its cases
    captures_of_smaller_pictures,
    captures_of_strange_files,
    captures_of_strange_numbers,
    captures_of_strange_pixels,
)
from support.capture_changes import CASES

__all__ = ["CASES"]
