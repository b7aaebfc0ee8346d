"""Every program in scripts/ starts, and says how it is called."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
PROGRAMS = [path for path in sorted(SCRIPTS.rglob("*.py")) if '__name__ == "__main__"' in path.read_text()]
ASK = """
import runpy, sys
from pathlib import Path
for name in sys.argv[1:]:
    sys.argv, sys.path[0] = [name, "--help"], str(Path(name).parent)
    try:
        runpy.run_path(name, run_name="__main__")
        print(f"{name}: ran", file=sys.stderr)
    except SystemExit as end:
        if end.code:
            print(f"{name}: {end.code}", file=sys.stderr)
    except Exception as error:
        print(f"{name}: {error!r}", file=sys.stderr)
"""


@pytest.mark.slow
def test_every_program_has_help(tmp_path):
    """All in one process, which loads torch once."""
    for package in ("peft", "timm", "transformers", "playwright"):
        pytest.importorskip(package)
    asked = subprocess.run(
        [sys.executable, "-c", ASK, *map(str, PROGRAMS)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0 and asked.stderr == "" and len(PROGRAMS) > 20, asked.stderr
    assert list(tmp_path.iterdir()) == []
