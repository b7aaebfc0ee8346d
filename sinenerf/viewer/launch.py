"""Opening what is to be viewed: from paths to a `ViewerApi`."""

from pathlib import Path

from sinenerf.common.axes import Up
from sinenerf.viewer.api import ViewerApi
from sinenerf.viewer.assets import Asset, identify_assets, refuse_up
from sinenerf.viewer.capture_mesh import is_capture


def open_api(
    paths: list[Path], original: Path | None = None, up: Up | None = None, quality: str | None = None
) -> ViewerApi:
    """Identify the files, or read the one folder of results.

    Args:
        paths: .sine files, meshes and captures; or one folder of a sweep's results.
        original: mesh that shapes are compared with; it is shown too.
        up: axis of the shapes that points up; None for that of each file.
        quality: measure that the plot of results shows.

    Raises:
        FileNotFoundError, ValueError: as `identify_assets` and `ResultPlots`; or an original or an axis was given with
            scenes or their results, or a measure without results.
    """
    mesh = None if original is None else Asset.identify(original)
    if mesh is not None and mesh.kind != "mesh":
        raise ValueError(f"{original}: the original must be a mesh: .ply .obj .stl .glb .off .drc")
    folders = [path for path in paths if path.is_dir() and not is_capture(path)]
    if folders and len(paths) > 1:
        raise ValueError(f"{folders[0]}: is a folder. Give one folder of results, or files")
    if folders:
        from sinenerf.viewer.result_plots import ResultPlots

        results = ResultPlots(folders[0], quality)
        option = "--original" if mesh is not None else "--up"
        if (mesh is not None or up is not None) and "shapes" not in results.datasets:
            raise ValueError(
                f"{folders[0]}: has results of scenes alone, for which {option} does nothing: leave it out"
            )
        return ViewerApi([], mesh, results, up)
    assets = identify_assets(paths)
    if quality is not None:
        raise ValueError(f"{paths[0]}: is no folder of results, of whose plot --quality is the measure: leave it out")
    refuse_up(paths[0], assets[0].kind, up)
    if mesh is not None and assets[0].kind == "scene":
        raise ValueError(f"{original}: scenes cannot be compared with a mesh. Leave out --original")
    if mesh is not None:
        assets = [mesh if asset.path == mesh.path else asset for asset in assets]  # so that it is loaded once
        if mesh not in assets:
            assets.append(mesh)
    return ViewerApi(assets, mesh, None, up)


def preload(api: ViewerApi) -> None:
    """Load what takes the server longest to read, whether or not a page is open yet: the meshes.

    Raises:
        ValueError: a file is damaged.
    """
    for asset in list(api.assets):
        if asset.kind == "mesh":
            asset.load()
