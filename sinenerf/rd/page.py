"""The plot as one self-contained page: pointing at a point shows its settings and its picture."""

import base64
import html
import io
import json
from pathlib import Path

from sinenerf.files import replacing
from sinenerf.rd.plot import Axis, figure
from sinenerf.rd.results import Result

PICTURES = {".jpg": "image/jpeg", ".png": "image/png"}
TEMPLATE = Path(__file__).with_name("page.html")


def save_page(results: list[Result], measure: str, output: Path, axes: tuple[Axis, ...]) -> None:
    """Write the page. Pictures are those that lie beside the results, of the same name."""
    sections: list[str] = []
    notes: dict[str, dict[str, object]] = {}
    for axis in axes:
        svg, noted = drawing(results, measure, axis)
        sections.append(f"<section><h2>{html.escape(measure)} against {axis}</h2>{svg}</section>")
        notes |= noted
    pictures = {result.source.stem: _picture(result) for result in results if result.source is not None}
    # "</" would end the script within a name
    data = json.dumps({"notes": notes, "pictures": pictures}).replace("</", "<\\/")
    page = TEMPLATE.read_text().replace("<!-- plots -->", "\n".join(sections)).replace("/* data */ {}", data)
    with replacing(output) as partial:
        partial.write_text(page)


def drawing(results: list[Result], measure: str, axis: Axis) -> tuple[str, dict[str, dict[str, object]]]:
    """The plot as inline SVG, and what is known of each mark by its id."""
    made, shown = figure(results, measure, axis)
    buffer = io.StringIO()
    made.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace('id="point-', f'id="point-{axis}-')
    return svg, {f"point-{axis}-{index}": _note(result) for index, result in enumerate(shown)}


def _note(result: Result) -> dict[str, object]:
    """What the page says of a point."""
    rows: dict[str, float | None] = {name: value for name, value in result.quality.items() if value is not None}
    rows |= {"bytes": result.size, "parameters": result.parameters, "seconds": result.seconds}
    settings = {name: value for name, value in result.settings.items() if value is not None}
    key = "" if result.source is None else result.source.stem
    return {"title": f"{result.scene}, {result.method}", "rows": rows, "settings": settings, "key": key}


def _picture(result: Result) -> str | None:
    """The picture beside a result as a data URL."""
    for suffix, kind in PICTURES.items():
        path = Path(str(result.source)).with_suffix(suffix)
        if path.is_file():
            return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    return None
