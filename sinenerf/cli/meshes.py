"""Commands from a mesh to an occupancy field and back."""

import sys
from dataclasses import Field, fields, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from sinenerf.occupancy.config import FitConfig, OccupancyConfig


def _options(config: type) -> type:
    """A settings dataclass for the command line: None where a setting that is chosen for the size is left out."""

    def optional(f: Field) -> Any:
        hint = f"(default: {f.default}, or chosen to suit --bytes)"
        return Annotated[f.type | None, tyro.conf.arg(help_behavior_hint=hint)]  # type: ignore[operator]

    chosen = [(f.name, optional(f), None) for f in fields(config) if f.metadata["chosen_for_size"]]
    return make_dataclass(config.__name__, chosen, bases=(config,), namespace={"__doc__": config.__doc__}, frozen=True)


def fit(
    mesh: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path,
    network: Annotated[OccupancyConfig, tyro.conf.arg(name="", constructor=_options(OccupancyConfig))],
    training: Annotated[FitConfig, tyro.conf.arg(name="", constructor=_options(FitConfig))],
) -> None:
    """Fit an occupancy field to a mesh, perhaps a broken one: inside or outside for any point, in some kilobytes.

    Ctrl-C writes the field in its current state, but does not replace an existing file. After that, or after a crash,
    the same command resumes the training.

    Args:
        mesh: PLY, OBJ, STL, GLB or OFF.
        output: field to write.
    """
    from sinenerf.common.files import check_not_an_input
    from sinenerf.occupancy.fit import fit as fit_field
    from sinenerf.occupancy.mesh_input import read_mesh
    from sinenerf.occupancy.sizing import split_settings

    settings = {name: value for name, value in (vars(network) | vars(training)).items() if value is not None}
    architecture, config = split_settings(settings)
    config.check()
    check_not_an_input(output, mesh)
    loaded, report = read_mesh(mesh)
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

    extracted = export(field, output, resolution, level, up, metres_per_unit, largest_component)
    surface, size = extracted.mesh, output.stat().st_size
    print(
        f"{output}: {len(surface.vertices):,} vertices, {len(surface.faces):,} faces, {size:,} bytes; the field was "
        f"evaluated at {extracted.evaluations:,} points, {100 * extracted.evaluations / (resolution + 1) ** 3:.2g} % "
        f"of the grid"
    )
