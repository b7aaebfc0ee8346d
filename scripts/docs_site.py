"""Hooks for MkDocs: pages from outside docs/, one API page for each module, and links between them.

MkDocs calls the `on_...` functions by their names (https://www.mkdocs.org/user-guide/configuration/#hooks).
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sinenerf"

# file in the repository, page of the site
OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "configs/README.md": "plans.md",
    "data/README.md": "data.md",
}
LINK = re.compile(r"(\]\()([^)\s#]+)")  # of a Markdown link or image: everything from ]( to the target's end or its #


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Replace the placeholder "API: api/" in the navigation by the tree of packages and modules."""
    config.nav = [{"API": _api_navigation()} if entry == {"API": "api/"} else entry for entry in config.nav]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for module in _modules():
        files.append(File.generated(config, _api_page(module), content=f"::: {_dotted(module)}\n"))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links between files of the repository at the pages that show them."""
    source = next(
        (source for source, name in OUTSIDE.items() if name == page.file.src_uri), f"docs/{page.file.src_uri}"
    )

    modules = set(_modules())

    def rewrite(match: re.Match[str]) -> str:
        target = match[2]
        if "://" in target:
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if path in OUTSIDE:
            name = OUTSIDE[path]
        elif (ROOT / path) in modules:
            name = _api_page(ROOT / path)
        elif path.startswith("docs/"):
            name = path.removeprefix("docs/")
        else:
            return match[0]  # MkDocs reports it
        return match[1] + posixpath.relpath(name, posixpath.dirname(page.file.src_uri) or ".")

    return LINK.sub(rewrite, markdown)


def _modules() -> list[Path]:
    """Every public module and package of sinenerf."""
    paths = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__main__.py")
    return [path.parent if path.name == "__init__.py" else path for path in paths]


def _dotted(module: Path) -> str:
    return ".".join(module.relative_to(ROOT).with_suffix("").parts)


def _api_page(module: Path) -> str:
    name = module.relative_to(ROOT).with_suffix("").as_posix()
    return f"api/{name}/index.md" if module.is_dir() else f"api/{name}.md"


def _api_navigation(package: Path = PACKAGE) -> list:
    """The navigation below a package: its own page, its packages, then its modules."""
    inside = [module for module in _modules() if module.parent == package]
    packages = [module for module in inside if module.is_dir()]
    modules = [module for module in inside if not module.is_dir()]
    return [
        _api_page(package),
        *({module.name: _api_navigation(module)} for module in packages),
        *({module.stem: _api_page(module)} for module in modules),
    ]
