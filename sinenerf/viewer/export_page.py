"""`sinenerf view --export`: the same page with all responses embedded, so that it needs no server or network.

The page is packed: a few lines of HTML hold it and the responses, each as gzip and all of them in base 91, and the
browser unpacks them.
"""

import gzip
import json
from pathlib import Path

from sinenerf.common.files import check_output, replacing
from sinenerf.viewer.api import PageName, ViewerApi, page_html

STUB = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>sinenerf</title></head>
<body>
<noscript>This page draws with JavaScript, which is switched off here.</noscript>
<script>
(async (alphabet, sizes, packed) => {
  if (!globalThis.DecompressionStream) {
    document.body.textContent = "This page needs a browser of 2023 or later: Chrome 80, Firefox 113 or Safari 16.4.";
    return;
  }
  const bytes = new Uint8Array(13 * packed.length / 16);
  for (let i = 0, at = 0, held = 0, bits = 0; i < packed.length; i += 2) {
    held = held << 13 | 91 * alphabet.indexOf(packed[i]) + alphabet.indexOf(packed[i + 1]);
    for (bits += 13; bits >= 8; held &= (1 << bits) - 1) bytes[at++] = held >> (bits -= 8);
  }
  let start = 0;
  const parts = sizes.map(([url, size]) => [url, bytes.subarray(start, start += size)]);
  const stream = new Blob([parts.shift()[1]]).stream().pipeThrough(new DecompressionStream("gzip"));
  const page = await new Response(stream).text();
  globalThis.EMBEDDED_RESPONSES = Object.fromEntries(parts);
  document.open();
  document.write(page);
  document.close();
})("ALPHABET", SIZES, "PACKED");
</script>
</body>
</html>
"""
ALPHABET = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"<\\')
"""Digits of base 91: all printable letters but `<`, which may begin a tag, and those that mean something in a string.
Two stand for 13 bits."""
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
    original = api.comparison.original
    for index, asset in enumerate(api.assets):
        query = {"asset": str(index)}
        if asset.kind == "mesh":
            responses[f"/mesh?asset={index}"] = api.mesh(query)[1]
        else:
            responses[f"/file?asset={index}"] = api.file(query)[1]
        if asset.kind == "shape":  # those of a scene would double the page
            responses[f"/layers?asset={index}"] = api.layers(query)[1]
        if original is not None and asset.path != original.path:
            responses[f"/quality?asset={index}"] = api.quality(query)[1]
    name: PageName = "exported_scenes" if api.assets[0].kind == "scene" else "exported_shapes"
    html = packed(page_html(name), responses)
    if len(html.encode()) > MAX_BYTES:
        raise ValueError(
            f"the page would have {len(html.encode()):,} bytes, more than {MAX_BYTES:,}: give fewer files, or a "
            "smaller original"
        )
    with replacing(output) as partial:
        partial.write_text(html, encoding="utf-8")


def packed(page: str, responses: dict[str, bytes]) -> str:
    """A page that unpacks itself into the given one, and gives it the responses by URL, each still gzipped."""
    parts = {url: gzip.compress(body, mtime=0) for url, body in {"": page.encode(), **responses}.items()}
    sizes = json.dumps([[url, len(part)] for url, part in parts.items()])
    return (
        STUB.replace("ALPHABET", ALPHABET).replace("SIZES", sizes).replace("PACKED", _digits(b"".join(parts.values())))
    )


def _digits(data: bytes) -> str:
    """Bytes in base 91: each 13 of them are eight numbers of 13 bits, and 16 letters."""
    data += bytes(-len(data) % 13)
    blocks = (int.from_bytes(data[start : start + 13], "big") for start in range(0, len(data), 13))
    numbers = (block >> shift & 0x1FFF for block in blocks for shift in range(91, -1, -13))
    return "".join(ALPHABET[number // 91] + ALPHABET[number % 91] for number in numbers)
