"""Builds the Blender extension, with the wheel of sine_reader in it: Preferences > Get Extensions > Install from Disk.

python scripts/blender/build_extension.py [OUTPUT.zip]
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
READER = HERE.parents[1] / "reader"
SOURCE = HERE / "sine"


def build(output: Path) -> None:
    """Write the extension's zip file.

    Raises:
        RuntimeError: the wheel that was built is not the one that the manifest names.
        subprocess.CalledProcessError: pip cannot build the wheel.
    """
    manifest = tomllib.loads((SOURCE / "blender_manifest.toml").read_text())
    with tempfile.TemporaryDirectory() as folder:
        source = shutil.copytree(READER, Path(folder) / "reader")  # setuptools leaves files behind
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder]
        subprocess.run([*pip, source], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        if manifest["wheels"] != [f"./wheels/{wheel.name}"]:
            raise RuntimeError(f"blender_manifest.toml names {manifest['wheels']}, and pip built {wheel.name}")
        output.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted([*SOURCE.glob("*.py"), *SOURCE.glob("*.toml")]):
                archive.write(path, path.name)
            archive.write(wheel, f"wheels/{wheel.name}")
    print(f"{output}: {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", nargs="?", type=Path, default=HERE.parents[1] / "build" / "sine_blender.zip")
    build(parser.parse_args().output)
