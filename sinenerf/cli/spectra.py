"""The command for the spectrum of sin(omega U V^T)."""

import math
from pathlib import Path
from typing import Annotated

import tyro


def spectrum(
    field: Annotated[Path | None, tyro.conf.Positional] = None,
    /,
    output: Path = Path("spectrum.png"),
    widths: tuple[int, ...] | None = None,
    ranks: tuple[int, ...] | None = None,
) -> None:
    """Draw singular values and stable rank of sin(omega U V^T), and measure the omega that a width and rank need.

    Args:
        field: a .sine file whose trained layers are drawn in place of random ones.
        output: picture to write: .png, .svg or .pdf.
        widths: widths of the random matrices; the first is drawn; 128, 64 and 256 by default.
        ranks: ranks of their factors; 1, 2, 4, 8 and 16 by default.
    """
    from sinenerf.common.files import check_output

    check_output(output, ".png", ".svg", ".pdf")
    if field is not None:
        if widths is not None or ranks is not None:
            raise ValueError(f"--widths and --ranks are of random matrices: leave them out, or {field}")
        _draw_layers(field, output)
    else:
        _draw_random(output, widths or (128, 64, 256), ranks or (1, 2, 4, 8, 16))
    print(output)


def _draw_layers(field: Path, output: Path) -> None:
    from sinenerf.factored import FactoredLinear
    from sinenerf.rd.spectrum import draw_layers
    from sinenerf.sine_file import load

    layers = {name: layer for name, layer in load(field).linear_layers().items() if isinstance(layer, FactoredLinear)}
    if not layers:
        raise ValueError(f"{field}: has no factored layers, only dense ones")
    for name, value in draw_layers(layers, output).items():
        print(f"{name}: {layers[name].extra_repr()}, stable rank {value:.1f}")


def _draw_random(output: Path, widths: tuple[int, ...], ranks: tuple[int, ...]) -> None:
    import numpy as np

    from sinenerf.rd.spectrum import draw_random, measure_rule, omega_of

    if min(*widths, *ranks) < 1 or max(ranks) > min(widths):
        raise ValueError(f"ranks {ranks} do not fit widths {widths}: each rank must be from 1 to the smallest width")
    drawn = draw_random(output, widths[0], ranks, (100, 200, 400, 2000))
    for omega, (rank, stable) in drawn.items():
        print(f"width {widths[0]}, k = 1, the paper's init, omega {omega:g}: rank {rank}, stable rank {stable:.1f}")
    rule = measure_rule(widths, ranks)
    for (width, rank), measured in rule.spreads.items():
        predicted = rule.spread(width, rank)
        omega = omega_of(predicted, rank)
        print(f"width {width}, k = {rank}: spread {measured:.2f}, the rule {predicted:.2f}, omega {omega:.0f}")
    typical, largest = (math.exp(f(np.abs(rule.errors))) - 1 for f in (np.mean, np.max))
    print(f"rule: spread = {rule.a:.2f} sqrt(k (1 - p)) / p, p = (width / {rule.c:.2f})^(-1/k), k up to width / 8")
    print(f"its error: {100 * typical:.0f} % on average, at most {100 * largest:.0f} %")
    print("omega = 3 sqrt(k) spread for the paper's factors, spread / (s^2 sqrt(k)) for those of standard deviation s")
