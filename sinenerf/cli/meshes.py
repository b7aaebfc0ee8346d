"""Commands from a mesh to an occupancy field, and from any field to a mesh."""

import sys
from dataclasses import Field, fields, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from sinenerf.common.axes import Up, UpChoice
from sinenerf.common.settings import LayerChoice
from sinenerf.occupancy.config import FitConfig, OccupancyConfig

if TYPE_CHECKING:
    import trimesh

    from sinenerf.common.glb import Compression
    from sinenerf.occupancy.field import OccupancyField
    from sinenerf.radiance.field import RadianceField


def _options(config: type) -> type:
    """A settings dataclass for the command line: None, or auto, where a setting that is chosen for the size is left
    out."""

    def optional(f: Field) -> Any:
        kind: Any = LayerChoice if f.name == "layer" else f.type | None  # type: ignore[operator]
        hint = f"(default: {f.default}, or chosen to suit --bytes)"
        return Annotated[kind, tyro.conf.arg(help_behavior_hint=hint)]

    open_settings = [f for f in fields(config) if f.metadata["chosen_for_size"]]
    chosen = [(f.name, optional(f), "auto" if f.name == "layer" else None) for f in open_settings]
    return make_dataclass(config.__name__, chosen, bases=(config,), namespace={"__doc__": config.__doc__}, frozen=True)


def fit(
    mesh: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path,
    network: Annotated[OccupancyConfig, tyro.conf.arg(name="", constructor=_options(OccupancyConfig))],
    training: Annotated[FitConfig, tyro.conf.arg(name="", constructor=_options(FitConfig))],
    thickness: str | None = None,
    strict: bool = False,
    up: UpChoice = "auto",
) -> None:
    """Fit an occupancy field of a few kilobytes to a mesh, even a broken one: it tells inside from outside everywhere.

    Ctrl-C writes the field in its current state, but does not replace an existing file. After that, or after a crash,
    the same command resumes the training.

    Args:
        mesh: PLY, OBJ, STL, GLB or OFF.
        output: .sine file to write.
        thickness: fit a shell of this thickness around a sheet that encloses nothing: in the mesh's unit, or as 2% of
            its longest side.
        strict: refuse a mesh that is not a solid, instead of warning.
        up: axis of the mesh that points up, which the file remembers; auto guesses it. --up=-y needs the equals sign.
    """
    from sinenerf.occupancy.fit import fit_mesh
    from sinenerf.occupancy.unused_settings import check_all_used

    settings = {name: value for name, value in (vars(network) | vars(training)).items() if value is not None}
    check_all_used(settings)
    if strict and thickness is not None:
        raise ValueError("--strict does nothing with --thickness: a shell is a solid, whatever its mesh. Leave it out")
    if not fit_mesh(mesh, output, progress=True, thickness=thickness, strict=strict, up=up, **settings).complete:
        sys.exit(130)


def mesh(
    source: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path,
    resolution: int | None = None,
    level: float | None = None,
    largest_component: bool = False,
    up: Up | None = None,
    metres_per_unit: float | None = None,
    min_faces: int | None = None,
    box: tuple[float, float, float, float, float, float] | None = None,
    frame: Literal["scene", "capture"] | None = None,
    seen_only: bool = True,
    faces: int | None = None,
    compress: Literal["draco", "meshopt"] | None = None,
    texture: int | None = None,
) -> None:
    """Write the surface of a shape as a closed mesh, or that of a scene or a run as a coloured mesh.

    sinenerf export-mesh is the same command. Open only runs of your own: nerfstudio's config.yml can execute code. A
    .sine file is safe.

    Args:
        source: a .sine file of a shape or a scene, or the folder of a run of ns-train.
        output: file to write; the extension chooses the format: .glb .ply .obj .stl .off.
        resolution: cells along a side of the cube around a shape (512 by default); grid samples along the longest side
            of a scene or run (256 by default).
        level: a shape's occupancy at the surface, between 0 and 1 (0.5 by default); the density at the surface of a
            scene or run (by default between empty and solid).
        largest_component: keep only the connected piece with the most faces.
        up: for a shape as .glb, which readers turn so that y is up: the axis that points up in the fitted mesh, by
            default that of the file. --up=-y needs the equals sign.
        metres_per_unit: for a shape as .glb, which is in metres: the length of the fitted mesh's unit (1 by default).
        min_faces: for a scene or run: drop connected pieces with fewer faces (100 by default).
        box: for a scene or run: keep only what lies inside x0 y0 z0 x1 y1 z1, in nerfstudio's scene coordinates.
        frame: for a scene or run: coordinates of the mesh: nerfstudio's scene (by default) or the capture's own poses.
        seen_only: for a run: drop surfaces that no training view sees.
        faces: reduce the mesh to this number of faces, where they cost the least of its form.
        compress: for .glb: Draco makes the smallest file, meshopt the one that opens fastest; readers need a decoder.
        texture: for a scene or run as .glb: a texture of about this many texels a side, in place of a colour a vertex.
    """
    from sinenerf.common.decimation import check_faces
    from sinenerf.common.files import check_output
    from sinenerf.common.mesh_files import FORMATS, check_compression
    from sinenerf.radiance.texture import check_texture
    from sinenerf.sine_file import load

    check_output(output, *FORMATS)
    check_compression(output, compress)
    check_faces(faces)
    check_texture(texture)
    if largest_component and min_faces is not None:
        raise ValueError("give --largest-component or --min-faces, not both")
    if texture is not None and output.suffix.lower() != ".glb":
        raise ValueError(f"{output}: only .glb has a texture. Leave --texture out, or write .glb")
    of_shapes = given(up=up, metres_per_unit=metres_per_unit)
    of_scenes = given(min_faces=min_faces, box=box, frame=frame, texture=texture)
    of_runs = given(no_seen_only=not seen_only or None)
    search = given(resolution=resolution, level=level, largest_component=largest_component or None)
    if is_run(source):
        from sinenerf.plugin.export_mesh import field_and_views
        from sinenerf.radiance.surface import check_box

        refuse_options(source, "run", of_shapes)
        check_box(box)
        scene, views, visible = field_and_views(source, progress=True)
        search |= {"views": views, "visible": visible if seen_only else None}
        _write_scene(scene, output, faces, compress, **search, **of_scenes)
        return
    field = load(source)
    if field.kind == "shape":
        refuse_options(source, "shape", of_scenes | of_runs)
        _write_shape(field, output, faces, compress, **search, **of_shapes)
    else:
        refuse_options(source, "scene", of_shapes | of_runs)
        _write_scene(field.on_best_device(), output, faces, compress, **search, **of_scenes)


def _write_shape(
    field: "OccupancyField",
    output: Path,
    faces: int | None,
    compress: "Compression | None",
    up: Up | None = None,
    metres_per_unit: float | None = None,
    resolution: int = 512,
    **search: Any,
) -> None:
    from sinenerf.common.decimation import decimated
    from sinenerf.common.mesh_files import check_units, save_mesh
    from sinenerf.occupancy.surface import extract_surface

    check_units(output, up, metres_per_unit)
    if output.suffix.lower() == ".glb":
        up = up or field.placement.up
    extracted = extract_surface(field.logits, field.placement, resolution, **search)
    surface = extracted.mesh if faces is None else decimated(extracted.mesh, faces)
    save_mesh(surface, output, up, metres_per_unit, compress)
    percent = 100 * extracted.evaluations / (resolution + 1) ** 3  # above 100 where a small grid is refined
    share = f"{percent:.0f}" if percent >= 9.5 else f"{percent:.2g}"
    points = f"{extracted.evaluations:,} points, {share} % of the grid"
    _print_mesh(surface, output, f"; the field was evaluated at {points}")


def _write_scene(
    scene: "RadianceField",
    output: Path,
    faces: int | None,
    compress: "Compression | None",
    texture: int | None = None,
    frame: str = "scene",
    resolution: int = 256,
    **search: Any,
) -> None:
    from sinenerf.common.decimation import decimated
    from sinenerf.common.mesh_files import save_mesh
    from sinenerf.radiance.texture import textured

    surface = scene.mesh(resolution, progress=True, **search)
    if faces is not None:
        surface = decimated(surface, faces)
    if texture is not None:
        surface = textured(scene, surface, texture, 2 / resolution)
    if frame == "capture":
        assert scene.capture is not None
        surface.apply_transform(scene.capture.from_scene())
    turned = frame == "scene" and output.suffix.lower() == ".glb"
    save_mesh(surface, output, scene.warp.up if turned else None, compress=compress)
    _print_mesh(surface, output)


def is_run(source: Path) -> bool:
    """Whether a path is nerfstudio's: the folder of a run, or its config.yml."""
    return source.is_dir() or source.suffix == ".yml"


def given(**options: Any) -> dict[str, Any]:
    """The options that were given. The others are None, and the library's defaults hold for them."""
    return {name: value for name, value in options.items() if value is not None}


def refuse_options(source: Path, kind: str, options: dict[str, Any]) -> None:
    """Raise ValueError if an option was given that does nothing for a shape, a scene or a run."""
    for name in options:
        raise ValueError(f"{source}: is a {kind}, for which --{name.replace('_', '-')} does nothing: leave it out")


def _print_mesh(surface: "trimesh.Trimesh", output: Path, more: str = "") -> None:
    size = output.stat().st_size
    print(f"{output}: {len(surface.vertices):,} vertices, {len(surface.faces):,} faces, {size:,} bytes{more}")
