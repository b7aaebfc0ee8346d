"""The structure of the package: what may import what, no import circles, one topic and one name per module.

Imports inside functions and under TYPE_CHECKING count too, unless stated otherwise.
"""

import ast
import subprocess
import sys
from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1] / "sinenerf"

METHOD = {"sinenerf.layers", "sinenerf.factored", "sinenerf.theory", "sinenerf.activations", "sinenerf.networks"}
"""The method itself. The other units are packages, or single modules of the top level."""
BASE = {"method", "common"}
FIELDS = BASE | {"codec", "rounding", "conversion"}
ALL_FIELDS = FIELDS | {"photographs", "radiance", "occupancy", "sinenerf.sine_file"}
MAY_IMPORT = {
    "common": set(),
    "method": {"common"},
    "codec": BASE,
    "conversion": BASE,
    "rounding": BASE | {"codec"},
    "photographs": {"common"},
    "radiance": FIELDS | {"photographs"},
    "occupancy": FIELDS,
    "sinenerf.sine_file": FIELDS | {"radiance", "occupancy"},
    "sinenerf.compat": BASE,
    "capture": BASE,
    "datasets": ALL_FIELDS,
    "adapters": FIELDS,
    "plugin": ALL_FIELDS | {"datasets", "sinenerf.compat"},
    "rd": ALL_FIELDS | {"datasets", "rd.programs"},
    "rd.programs": ALL_FIELDS | {"datasets", "plugin", "rd"},
    "viewer": ALL_FIELDS | {"rd"},
    "scenes": ALL_FIELDS | {"capture", "plugin", "viewer"},
    "cli": ALL_FIELDS
    | {"adapters", "capture", "datasets", "plugin", "rd", "rd.programs", "scenes", "viewer", "sinenerf.compat"},
    "sinenerf.__main__": {"cli"},
}
"""What the modules of a unit import besides each other. Only `sinenerf.__version__` comes from the package itself."""

PAIRS = {"architecture.py", "config.py", "field.py", "header.py", "surface.py", "evaluate.py"}
"""The same things in radiance/ and occupancy/: they have the same names there."""

MIRRORS_NO_MODULE = {
    "cli/test_main.py",  # sinenerf/cli/__init__.py
    "cli/test_meshes_of_scenes.py",  # sinenerf/cli/meshes.py, with a scene or a run
    "plugin/test_nerfstudio_commands.py",  # ns-train, ns-eval, ns-render, ns-export and ns-viewer, end to end
    "scripts/test_help.py",  # every program in scripts/
    "viewer/test_baking.py",  # what a moving camera shows of a scene
    "viewer/test_element.py",  # <sine-view>, in a browser
    "viewer/test_element_loading.py",  # how <sine-view> gets its file, or fails to
    "viewer/test_gestures.py",  # touch and keys on <sine-view>
    "viewer/test_graphics_contexts.py",  # <sine-view> where a browser has few of them
    "viewer/test_frontend.py",  # the JavaScript of viewer/, by its own tests
    "viewer/test_link_page.py",  # the JavaScript of viewer/page, in a browser
    "viewer/test_page.py",  # the JavaScript of viewer/inspector, in a browser
    "viewer/test_webgpu.py",  # scenes in <sine-view> by WebGPU
}
"""Test files that are not named after one module, each with what it tests."""


@cache
def modules() -> dict[str, Path]:
    """Path of each module by its dotted name."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(source: str) -> set[str]:
    """Dotted names of all modules and attributes that a source file imports, wherever in it the import stands."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used in this package"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@cache
def graph() -> dict[str, set[str]]:
    """Which modules of the package each module imports."""
    edges: dict[str, set[str]] = {}
    for module, path in modules().items():
        edges[module] = set()
        for name in imports_of(path.read_text(encoding="utf-8")):
            if name.split(".")[0] == "sinenerf":
                edges[module].add(name if name in modules() else name.rpartition(".")[0])
    return edges


def reachable(start: str) -> set[str]:
    """All modules that a module imports, directly or through others."""
    found, waiting = set(), [start]
    while waiting:
        for module in graph()[waiting.pop()] - found:
            found.add(module)
            waiting.append(module)
    return found


def unit_of(module: str) -> str:
    """The unit of `MAY_IMPORT` that a module belongs to."""
    if module in METHOD:
        return "method"
    inner = module.removeprefix("sinenerf.")
    return max((u for u in MAY_IMPORT if inner == u or inner.startswith(f"{u}.")), key=len, default=module)


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_imports_are_read_wherever_they_stand():
    source = "import a.b\nfrom c import d\nif TYPE_CHECKING:\n    import e\ndef f():\n    from g.h import i, j\n"
    assert imports_of(source) == {"a.b", "c.d", "e", "g.h.i", "g.h.j"}


def test_modules_of_a_scene_a_shape_and_a_file_need_no_nerfstudio():
    packages = ("photographs", "radiance", "occupancy", "codec", "rounding")
    names = [name for name in modules() if name.startswith(tuple(f"sinenerf.{package}" for package in packages))]
    assert len(names) > 40
    code = f"""
import sys
sys.modules["nerfstudio"] = sys.modules["sinenerf.plugin"] = None
from importlib import import_module
for name in {names!r}:
    import_module(name)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_no_import_circles():
    below = {module: reachable(module) for module in modules()}
    circles = {frozenset(m for m in below[module] if module in below[m]) for module in modules()} - {frozenset()}
    assert not [sorted(circle) for circle in circles]


def test_imports_point_down_the_layers():
    wrong = []
    for module, targets in graph().items():
        unit = unit_of(module)
        if module == "sinenerf":
            assert not targets, "import sinenerf loads nothing"
            continue
        assert unit in MAY_IMPORT, f"{module} belongs to no unit: say in MAY_IMPORT what it may import"
        for target in targets - {"sinenerf"}:
            allowed = MAY_IMPORT[unit] | {unit}
            if unit_of(target) not in allowed:
                wrong.append(f"{module} imports {target}")
    assert not wrong


def test_modules_take_only_the_version_from_the_package():
    """Any other name would hide from this test which module it comes from."""
    for module, path in modules().items():
        names = {name for name in imports_of(path.read_text(encoding="utf-8")) if name.count(".") == 1}
        outside = {name for name in names if name.startswith("sinenerf.") and name not in modules()}
        assert outside <= {"sinenerf.__version__"}, module


def test_no_two_modules_share_a_name():
    folders = defaultdict(list)
    for path in modules().values():
        folders[path.name].append(path.parent.relative_to(ROOT).as_posix())
    del folders["__init__.py"]
    for name, where in folders.items():
        outside = [folder for folder in where if folder != "rd/programs"]
        if name in PAIRS:
            assert sorted(outside) == ["occupancy", "radiance"], name
        else:
            assert len(outside) <= 1, f"{name}: {outside}"


def test_modules_are_neither_slivers_nor_too_long():
    sizes = {path.relative_to(ROOT).as_posix(): lines_of(path) for path in modules().values()}
    long = {name for name, size in sizes.items() if size > 250}
    short = {name for name, size in sizes.items() if size < 40 and Path(name).stem not in ("__init__", "__main__")}
    assert not long | short


def test_fields_of_options_and_settings_say_what_they_are():
    """`--help` is made from the strings below them; PEFT's configurations have theirs in the field."""
    sources = [*modules().values(), *(ROOT.parent / "scripts").rglob("*.py")]
    found = [node for path in sources for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    classes = [node for node in found if isinstance(node, ast.ClassDef) and node.name.endswith(("Options", "Config"))]
    assert len(classes) > 20
    assert not [f"{node.name}.{name}" for node in classes if node.decorator_list for name in _undescribed(node)]


def _undescribed(dataclass: ast.ClassDef) -> list[str]:
    """The public fields of a dataclass that have no string below them, and no help."""
    fields = {}
    for node, after in pairwise([*dataclass.body, ast.Pass()]):
        if isinstance(node, ast.AnnAssign):
            described = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            fields[ast.unparse(node.target)] = described or "help" in ast.unparse(node)
    return [name for name, described in fields.items() if not described and not name.startswith("_")]


def test_test_files_are_named_after_the_modules_that_they_test():
    """tests/<package>/test_<module>.py tests sinenerf/<package>/<module>.py, tests/scripts/ tests scripts/, and
    tests/reader/ tests reader/sine_reader/."""
    tests, scripts = Path(__file__).parent, ROOT.parent / "scripts"
    named = {path.relative_to(ROOT).as_posix() for path in modules().values()}
    named |= {path.relative_to(ROOT.parent).as_posix() for path in scripts.rglob("*.py")}
    named |= {f"reader/{path.name}" for path in (ROOT.parent / "reader/sine_reader").glob("*.py")}
    files = [path.relative_to(tests) for path in tests.glob("*/**/test_*.py")]
    tested = {path.as_posix(): path.with_name(path.name.removeprefix("test_")).as_posix() for path in files}
    assert {test for test, module in tested.items() if module not in named} == MIRRORS_NO_MODULE
