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
    sections, notes = [], {}
    for axis in axes:
        made, marks = figure(results, measure, axis)
        buffer = io.StringIO()
        made.savefig(buffer, format="svg", metadata={"Date": None})
        drawing = buffer.getvalue()
        drawing = drawing[drawing.index("<svg") :].replace('id="marks-', f'id="marks-{axis}-')
        sections.append(f"<section><h2>{html.escape(measure)} against {axis}</h2>{drawing}</section>")
        notes |= {name.replace("marks-", f"marks-{axis}-"): [_key(r) for r in group] for name, group in marks.items()}
    content = {
        "marks": notes,
        "notes": {_key(result): _note(result) for result in results},
        "pictures": {_key(result): _picture(result) for result in results},
    }
    # "</" would end the script within a name
    data = json.dumps(content).replace("</", "<\\/")
    page = TEMPLATE.read_text().replace("<!-- plots -->", "\n".join(sections)).replace("/* data */ {}", data)
    with replacing(output) as partial:
        partial.write_text(page)


def _note(result: Result) -> dict[str, object]:
    """What the page says of a point."""
    rows: dict[str, float | None] = {name: value for name, value in result.quality.items() if value is not None}
    rows |= {"bytes": result.size, "parameters": result.parameters, "seconds": result.seconds}
    settings = {name: value for name, value in result.settings.items() if value is not None}
    return {"title": f"{result.scene}, {result.method}", "rows": rows, "settings": settings}


def _key(result: Result) -> str:
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
