"""The pages name only files, modules and commands that exist, and the README's Python runs as copied."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sinenerf.cli import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("*/README.md")),
]
PATH = re.compile(r"(?<![\w/.-])(?:(?:sinenerf|tests|configs|scripts|results)/[\w./-]*\w|\w+(?:/\w+)*/\w+\.py)")
COMMAND = re.compile(r"(?:^|[`/]|&& )sinenerf ([a-z][a-z-]*)\b", flags=re.MULTILINE)
NAME = re.compile(r"\bsinenerf(?:\.[a-z_]+)+\b")


def code_of(page: Path) -> str:
    """Everything of a page that is set as code: blocks, indented lines and spans, a line each."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^ *```\w*\n.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}.*", text, flags=re.MULTILINE)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]
    return "\n".join([*blocks, *indented, *spans])


def named(pattern: re.Pattern[str]) -> dict[str, str]:
    """Every match in the code of all pages, and a page that has it."""
    return {match: page.name for page in PAGES for match in pattern.findall(code_of(page))}


def test_the_paths_exist():
    for path, page in named(PATH).items():
        found = (ROOT / path).exists() or (ROOT / "sinenerf" / path).exists()
        assert found or path == "configs/FILE", f"{page}: {path}"


def test_the_modules_exist():
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in ROOT.glob("sinenerf/**/*.py")}
    packages = {name.removesuffix(".__init__") for name in modules}
    unknown = {}
    for name, page in named(NAME).items():
        parent, _, attribute = name.rpartition(".")
        if name not in packages and not (parent in packages and attribute in source_of(parent)):
            unknown[name] = page
    assert not unknown


def source_of(module: str) -> str:
    path = ROOT / module.replace(".", "/")
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")


def test_the_commands_exist():
    unknown = {command: page for command, page in named(COMMAND).items() if command not in COMMANDS}
    assert not unknown


def test_every_picture_is_shown_on_a_page():
    shown = {
        name for page in PAGES for name in re.findall(r"!\[[^\]]*\]\((?:docs/)?([^)]+)\)", page.read_text("utf-8"))
    }
    pictures = {path.name for path in (ROOT / "docs").iterdir() if path.suffix in (".jpg", ".png", ".svg")}
    assert shown == pictures


README_PYTHON = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("block", README_PYTHON)
def test_the_readmes_python_runs_as_copied(block, tmp_path):
    if "import peft" in block:
        pytest.importorskip("peft")
    result = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
