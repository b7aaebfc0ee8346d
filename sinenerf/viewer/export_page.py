"""`sinenerf view --export`: the same page with all responses embedded, so that it needs no server or network.

The page is packed: a few lines of HTML hold it as gzip in base 85, and the browser unpacks it.
"""

import base64
import gzip
from pathlib import Path

from sinenerf.common.files import check_output, replacing
from sinenerf.viewer.api import PageName, ViewerApi, page_html

STUB = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>sinenerf</title></head>
<body>
<noscript>This page draws with JavaScript, which is switched off here.</noscript>
<script>
(async (alphabet, size, packed) => {
  if (!globalThis.DecompressionStream) {
    document.body.textContent = "This page needs a browser of 2023 or later: Chrome 80, Firefox 113 or Safari 16.4.";
    return;
  }
  const bytes = new DataView(new ArrayBuffer(4 * packed.length / 5));
  for (let i = 0; i < packed.length; i += 5) {
    let number = 0;
    for (let k = i; k < i + 5; k++) number = 85 * number + alphabet.indexOf(packed[k]);
    bytes.setUint32(4 * i / 5, number);
  }
  const stream = new Blob([bytes]).slice(0, size).stream().pipeThrough(new DecompressionStream("gzip"));
  const page = await new Response(stream).text();
  document.open();
  document.write(page);
  document.close();
})("ALPHABET", SIZE, "PACKED");
</script>
</body>
</html>
"""
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~"
"""Digits of base 85, as Python's but without `<`, which may begin a tag. Five stand for four bytes."""
MAX_BYTES = 10_000_000
"""Largest size of a page: browsers take long to open larger ones."""


def export_page(api: ViewerApi, output: Path) -> None:
    """Write a page that works from disk or any static host: it decodes and draws the embedded files itself.
    A page of scenes leaves out what the live page says about their layers.

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
        if asset.kind == "shape":  # those of a scene would double the page
            responses[f"/layers?asset={index}"] = api.layers(query)[1]
        if api.comparison.original is not None:
            responses[f"/quality?asset={index}"] = api.quality(query)[1]
    name: PageName = "exported_scenes" if api.assets[0].kind == "scene" else "exported_shapes"
    html = packed(page_html(name, _compressed(responses)))
    if len(html.encode()) > MAX_BYTES:
        raise ValueError(
            f"the page would have {len(html.encode()):,} bytes, more than {MAX_BYTES:,}: give fewer files, or a "
            "smaller original"
        )
    with replacing(output) as partial:
        partial.write_text(html, encoding="utf-8")


def packed(page: str) -> str:
    """A page that unpacks itself into the given one, and has a third of its size."""
    data = gzip.compress(page.encode(), mtime=0)
    digits = base64.b85encode(data, pad=True).decode().replace("<", ",")
    return STUB.replace("ALPHABET", ALPHABET).replace("SIZE", str(len(data))).replace("PACKED", digits)


def _compressed(responses: dict[str, bytes]) -> dict[str, str]:
    """Each response gzipped, in base64."""
    return {url: base64.b64encode(gzip.compress(body, mtime=0)).decode() for url, body in responses.items()}
