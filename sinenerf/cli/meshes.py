"""Commands from a mesh to an occupancy field and back."""

import sys
from inspect import signature
from pathlib import Path
from typing import Annotated, Literal

import tyro


def fit(
    mesh: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path,
    layer: Literal["sine", "low-rank", "dense"] = "sine",
    rank: int | None = None,
    width: int | None = None,
    depth: int | None = None,
    omega: float | None = None,
    spread: float | None = None,
    anchored: bool = True,
    activation: Literal["gaussian", "sine", "relu"] | None = None,
    bandwidth: float | None = None,
    bits: float | None = None,
    bytes: int | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    batch: int | None = None,
    optimizer: Literal["adam", "soap"] | None = None,
    learning_rate: float | None = None,
    sampler: Literal["surface", "grid"] = "surface",
    resolution: int = 512,
    loss: Literal["cross-entropy", "mse"] = "cross-entropy",
    seed: int = 0,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
) -> None:
    """Fit an occupancy field to a mesh, perhaps a broken one: inside or outside for any point, in some kilobytes.

    Ctrl-C writes the field as far as it is, but not over a file of before; after that, and after a crash, the same
    command goes on.

    Args:
        mesh: PLY, OBJ, STL, GLB or OFF.
        output: field to write.
        layer: sine: sin(omega U V^T) / g; low-rank: U V^T; dense: full matrices.
        rank: width k of the factors.
        width: neurons of a hidden layer.
        depth: hidden layers; all after the first are factored.
        omega: frequency of the sine.
        spread: of the phase omega U V^T at the start, in radians.
        anchored: fix k rows of each V: the same matrices in k^2 numbers fewer.
        activation: between the layers.
        bandwidth: of the activation; larger draws finer detail.
        bits: size of the file in bits a parameter, all counted; 8 if a width or rank but no bytes are given. 32 keeps
            float32.
        bytes: size of the file instead; what is not given of network and training is chosen for it. 3000 if neither
            bits, width nor rank are given.
        minutes: train for so long; 2 if no steps are given.
        steps: train for so many steps instead.
        batch: points a step.
        optimizer: soap (chosen for bytes) is better, but for a sine whose spread is a radian or more.
        learning_rate: its peak.
        sampler: surface: mostly near the surface; grid: every voxel, as in the paper.
        resolution: voxels a side of the grid sampler.
        loss: cross-entropy, or the paper's mse.
        seed: of the start and of the training points.
        device: where to train; auto takes a GPU if there is one.
        precision: inside the network; auto takes bfloat16 where the processor multiplies it.
    """
    from sinenerf.common.files import check_not_an_input
    from sinenerf.occupancy.fit import fit as fit_field
    from sinenerf.occupancy.fit_config import split_settings
    from sinenerf.occupancy.mesh_input import read_shape

    given = {name: value for name, value in locals().items() if name in _FIT_SETTINGS and value is not None}
    architecture, config = split_settings(given)
    config.check()
    check_not_an_input(output, mesh)
    loaded, report = read_shape(mesh)
    if not fit_field(loaded, architecture, config, output, progress=True, report=report).complete:
        sys.exit(130)


def mesh(
    field: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path,
    resolution: int = 512,
    level: float = 0.5,
    up: Literal["y", "z"] = "y",
    metres_per_unit: float = 1.0,
    largest_component: bool = False,
) -> None:
    """Write the surface of an occupancy field as a closed mesh, where the fitted mesh lay.

    Args:
        field: what sinenerf fit wrote.
        output: file to write; the extension says what: .glb .ply .obj .stl .off.
        resolution: cells along a side of the cube around the shape.
        level: occupancy of the surface, between 0 and 1.
        up: axis that points up in the fitted mesh. Only for .glb, which is turned so that y is up.
        metres_per_unit: length of the fitted mesh's unit. Only for .glb, which is in metres.
        largest_component: keep only the connected piece with the most faces.
    """
    from sinenerf.occupancy.export_mesh import export_mesh as export

    made = export(field, output, resolution, level, up, metres_per_unit, largest_component)
    size = output.stat().st_size
    print(
        f"{output}: {len(made.mesh.vertices):,} vertices, {len(made.mesh.faces):,} faces, {size:,} bytes; the field "
        f"was evaluated at {made.evaluations:,} points, {100 * made.evaluations / (resolution + 1) ** 3:.2g} % of "
        f"the grid"
    )


_FIT_SETTINGS = set(signature(fit).parameters) - {"mesh", "output"}
