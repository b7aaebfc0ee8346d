"""The extension's zip, and its operators in a real Blender where bpy is installed."""

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from support.blender import ADDON, python_with_bpy
from support.golden_files import GOLDEN

ROOT = Path(__file__).parents[3]
SCRIPT = """
import json, sys
sys.path[:0] = sys.argv[1:3]
import bpy
import sine

def state(result):
    obj = bpy.context.object
    mesh = obj.data
    return {"result": list(result), "object": obj.name, "mesh": mesh.name, "vertices": len(mesh.vertices),
            "quads": len(mesh.polygons), "smooth": all(p.use_smooth for p in mesh.polygons),
            "colours": mesh.color_attributes.keys(), "materials": [m.name for m in mesh.materials],
            "volume": sum(p.normal.dot(p.center) * p.area for p in mesh.polygons) / 3}

sine.register()
states = []
for path in sys.argv[3:]:
    states.append(state(bpy.ops.import_scene.sine(filepath=path, resolution=32)))
    bpy.context.object.location.x = 5
    bpy.context.object.sine.resolution = 16
    states.append(state(bpy.ops.object.sine_remesh()))
    assert bpy.context.object.location.x == 5
refused = []
for path in (__file__, "missing.sine"):
    try:
        bpy.ops.import_scene.sine(filepath=path)
    except RuntimeError as error:
        refused.append(str(error))
sine.unregister()
print("RESULT" + json.dumps([states, refused]))
"""


@pytest.fixture(scope="module")
def extension(tmp_path_factory):
    path = tmp_path_factory.mktemp("extension") / "sine.zip"
    script = ROOT / "scripts/blender/build_extension.py"
    done = subprocess.run([sys.executable, script, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{path.stat().st_size:,} bytes" in done.stdout
    return path


@pytest.mark.slow
def test_the_extension_holds_the_add_on_and_the_reader(extension):
    with zipfile.ZipFile(extension) as archive:
        names = set(archive.namelist())
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
    (wheel,) = manifest["wheels"]
    assert names == {path.name for path in ADDON.glob("*.py")} | {"blender_manifest.toml", wheel.removeprefix("./")}
    assert extension.stat().st_size < 60_000


@pytest.mark.slow
@pytest.mark.skipif(python_with_bpy() is None, reason="needs bpy: BLENDER_PYTHON names a Python that has it")
def test_blender_imports_and_meshes_again(extension, tmp_path):
    with zipfile.ZipFile(extension) as archive:
        archive.extractall(tmp_path / "add-on/sine")
    (wheel,) = (tmp_path / "add-on/sine/wheels").glob("*.whl")
    (tmp_path / "script.py").write_text(SCRIPT)
    files = GOLDEN / "sine.sine", GOLDEN / "scenes/paper.sine"
    line = [python_with_bpy(), tmp_path / "script.py", tmp_path / "add-on", wheel, *files]
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    states, refused = json.loads(done.stdout.split("RESULT")[1])
    for name, (first, again), colours in zip(
        ("sine", "paper"), (states[:2], states[2:]), ([], ["Colour"]), strict=True
    ):
        for state in (first, again):
            assert state["result"] == ["FINISHED"] and state["smooth"]
            assert (state["object"], state["mesh"]) == (name, name)
            assert state["colours"] == state["materials"] == colours
        assert again["quads"] < first["quads"] / 2 and again["volume"] * first["volume"] > 0
    assert "is not a .sine file" in refused[0] and "missing.sine" in refused[1]
