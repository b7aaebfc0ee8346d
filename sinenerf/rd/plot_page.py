"""The plot as one self-contained page: pointing at a point shows its settings and its picture."""

import base64
import html
import io
import json
from pathlib import Path

from sinenerf.common.files import replacing
from sinenerf.rd.plot import Axis, figure
from sinenerf.rd.results import Result

PICTURES = {".jpg": "image/jpeg", ".png": "image/png"}
TEMPLATE = Path(__file__).with_name("plot_page.html")


def save_page(results: list[Result], measure: str, output: Path, axes: tuple[Axis, ...]) -> None:
    """Write the page. Pictures are those that lie beside the results, of the same name."""
    sections: list[str] = []
    marks: dict[str, str] = {}
    for axis in axes:
        svg, keys = drawing(results, measure, axis)
        sections.append(f"<section><h2>{html.escape(measure)} against {axis}</h2>{svg}</section>")
        marks |= keys
    content = {
        "marks": marks,
        "notes": {key_of(result): note_of(result) for result in results},
        "pictures": {key_of(result): _picture(result) for result in results},
    }
    # "</" would end the script within a name
    data = json.dumps(content).replace("</", "<\\/")
    page = TEMPLATE.read_text().replace("<!-- plots -->", "\n".join(sections)).replace("/* data */ {}", data)
    with replacing(output) as partial:
        partial.write_text(page)


def drawing(results: list[Result], measure: str, axis: Axis) -> tuple[str, dict[str, str]]:
    """The plot as inline SVG, and by the id of each mark in it the key of its result."""
    made, groups = figure(results, measure, axis)
    buffer = io.StringIO()
    made.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    keys: dict[str, str] = {}
    for group, members in groups.items():
        before, _, rest = svg.partition(f'<g id="{group}">')
        drawn, end, after = rest.partition("</g>\n   </g>")
        pieces = drawn.split("<use ")  # matplotlib draws the marks of a group in their order, one <use> each
        names = [f"{group}-{axis}-{index}" for index in range(len(members))]
        marked = "".join([pieces[0], *(f'<use id="{name}" {use}' for name, use in zip(names, pieces[1:], strict=True))])
        svg = f'{before}<g id="{group}-{axis}">{marked}{end}{after}'
        keys |= dict(zip(names, map(key_of, members), strict=True))
    return svg, keys


def note_of(result: Result) -> dict[str, object]:
    """What the page says of a point."""
    rows: dict[str, float | None] = {name: value for name, value in result.quality.items() if value is not None}
    rows |= {"bytes": result.size, "parameters": result.parameters, "seconds": result.seconds}
    settings = {name: value for name, value in result.settings.items() if value is not None}
    return {"title": f"{result.scene}, {result.method}", "rows": rows, "settings": settings}


def key_of(result: Result) -> str:
    """A name for a result within a page: scenes share the hashes of their settings."""
    stem = "" if result.source is None else result.source.stem
    return f"{result.scene}/{stem}"


def _picture(result: Result) -> str | None:
    """The picture beside a result as a data URL."""
    for suffix, kind in PICTURES.items():
        path = Path(str(result.source)).with_suffix(suffix)
        if path.is_file():
            return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    return None
