"""The Blender add-on's modules without Blender, and a Python that has bpy."""

import importlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

ADDON = Path(__file__).parents[2] / "scripts/blender/sine"


def addon_module(name):
    """A module of the add-on, without the package's own module, which needs bpy."""
    if "sine_addon" not in sys.modules:
        package = ModuleType("sine_addon")
        package.__path__ = [str(ADDON)]
        sys.modules["sine_addon"] = package
    return importlib.import_module(f"sine_addon.{name}")


@cache
def python_with_bpy():
    """Path of a Python that has bpy, named by BLENDER_PYTHON or this one; None where there is none."""
    candidate = os.environ.get("BLENDER_PYTHON", sys.executable)
    done = subprocess.run([candidate, "-c", "import bpy"], capture_output=True, check=False)
    return candidate if done.returncode == 0 else None
