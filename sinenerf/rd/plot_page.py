"""The plots as one self-contained page, where pointing at a point shows its settings and its picture."""

import base64
import html
import io
import json
from pathlib import Path

from sinenerf.common.files import replacing
from sinenerf.rd.plot import Axis, figure
from sinenerf.rd.results import Result
from sinenerf.rd.seeds import average_seeds

PICTURE_TYPES = {".jpg": "image/jpeg", ".png": "image/png"}
TEMPLATE = Path(__file__).with_name("plot_page.html")


def save_page(results: list[Result], measure: str, output: Path, axes: tuple[Axis, ...]) -> None:
    """Write the page, with the pictures of the same name beside the results; a mean over seeds has its first seed's."""
    results = average_seeds(results)
    sections: list[str] = []
    marks: dict[str, str] = {}
    for axis in axes:
        svg, keys = draw_svg(results, measure, axis)
        sections.append(f"<section><h2>{html.escape(measure)} against {axis}</h2>{svg}</section>")
        marks |= keys
    content = {
        "marks": marks,
        "notes": {result_key(result): point_details(result) for result in results},
        "pictures": {result_key(result): _picture(result) for result in results},
    }
    # "</" within a name would end the script
    data = json.dumps(content).replace("</", "<\\/")
    page = TEMPLATE.read_text().replace("<!-- plots -->", "\n".join(sections)).replace("/* data */ {}", data)
    with replacing(output) as partial:
        partial.write_text(page)


def draw_svg(results: list[Result], measure: str, axis: Axis) -> tuple[str, dict[str, str]]:
    """The plot as inline SVG, and the key of each mark's result by the mark's id."""
    drawn_figure, groups = figure(results, measure, axis)
    buffer = io.StringIO()
    drawn_figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    keys: dict[str, str] = {}
    for group, members in groups.items():
        before, _, rest = svg.partition(f'<g id="{group}">')
        drawn, end, after = rest.partition("</g>\n   </g>")
        pieces = drawn.split("<use ")  # matplotlib draws the marks of a group in order, one <use> each
        names = [f"{group}-{axis}-{index}" for index in range(len(members))]
        marked = "".join([pieces[0], *(f'<use id="{name}" {use}' for name, use in zip(names, pieces[1:], strict=True))])
        svg = f'{before}<g id="{group}-{axis}">{marked}{end}{after}'
        keys |= dict(zip(names, map(result_key, members), strict=True))
    return svg, keys


def point_details(result: Result) -> dict[str, object]:
    """What the page shows for a point: title, measured values, settings."""
    rows: dict[str, float | None] = {name: value for name, value in result.quality.items() if value is not None}
    rows |= {"bytes": result.size, "parameters": result.parameters, "seconds": result.seconds}
    rows |= {} if result.decode_seconds is None else {"seconds to decode": result.decode_seconds}
    settings = {name: value for name, value in result.settings.items() if value is not None}
    return {"title": f"{result.scene}, {result.method}", "rows": rows, "settings": settings}


def result_key(result: Result) -> str:
    """A name for a result within a page; the names of result files are unique within a scene only."""
    stem = "" if result.source is None else result.source.stem
    return f"{result.scene}/{stem}"


def _picture(result: Result) -> str | None:
    """The picture beside a result as a data URL."""
    for suffix, kind in PICTURE_TYPES.items():
        path = Path(str(result.source)).with_suffix(suffix)
        if path.is_file():
            return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    return None
