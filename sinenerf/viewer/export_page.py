"""`sinenerf view --export`: the same page with all responses embedded, so that it needs no server or network."""

import base64
import gzip
from pathlib import Path

from sinenerf.common.files import check_output, replacing
from sinenerf.viewer.api import ViewerApi, page_html

MAX_BYTES = 10_000_000
"""Largest size of a page: browsers take long to open larger ones."""


def export_page(api: ViewerApi, output: Path) -> None:
    """Write a page that works from disk or any static host: it decodes and draws the embedded files itself.

    Raises:
        ValueError: the extension is not .html, a folder of results was given, or the page would be too large.
        FileNotFoundError: the output folder does not exist.
    """
    if api.results is not None:
        raise ValueError("a folder of results is exported by: sinenerf plot RESULTS --html page.html")
    check_output(output, ".html", ".htm")
    responses = {"/state": api.state({})[1]}
    for index, asset in enumerate(api.assets):
        query = {"asset": str(index)}
        if asset.kind == "mesh":
            responses[f"/mesh?asset={index}"] = api.mesh(query)[1]
            continue
        responses[f"/file?asset={index}"] = api.file(query)[1]
        responses[f"/layers?asset={index}"] = api.layers(query)[1]
        if api.comparison.original is not None:
            responses[f"/quality?asset={index}"] = api.quality(query)[1]
    html = page_html(_compressed(responses))
    if len(html.encode()) > MAX_BYTES:
        raise ValueError(
            f"the page would have {len(html.encode()):,} bytes, more than {MAX_BYTES:,}: give fewer files, or a "
            "smaller original"
        )
    with replacing(output) as partial:
        partial.write_text(html, encoding="utf-8")


def _compressed(responses: dict[str, bytes]) -> dict[str, str]:
    """Each response gzipped, in base64."""
    return {url: base64.b64encode(gzip.compress(body, mtime=0)).decode() for url, body in responses.items()}
