"""From photographs or a film to a scene with known cameras: `capture`, stage by stage."""

from pathlib import Path

from sinenerf.capture.contact_sheet import write_contact_sheet
from sinenerf.capture.diagnosis import MatchGraph, check_scene, explain_left_out
from sinenerf.capture.features import extract
from sinenerf.capture.intake import Intake, describe_input, take_in
from sinenerf.capture.mapping import Mapping, map_scene
from sinenerf.capture.matching import Method, match
from sinenerf.capture.options import CaptureError, CaptureOptions
from sinenerf.capture.photograph_files import find_photographs
from sinenerf.capture.report import CONTACT_SHEET, CaptureReport
from sinenerf.capture.scene_folder import write_scene
from sinenerf.capture.stages import Stages, quiet_colmap
from sinenerf.capture.workspace import Workspace, check_apart, finished, one_line_when_full, publishing
from sinenerf.capture.world_frame import angles_from_mean, turn_upright
from sinenerf.common.reconstruction import opengl_poses, placed_images


def capture(source: Path, scene: Path, options: CaptureOptions | None = None, progress: bool = False) -> CaptureReport:
    """Make a scene from photographs or a film; the input is only read.

    The scene's folder appears when it is complete. Until then the results of finished stages are kept in a hidden
    folder beside it: after Ctrl-C, a kill or a full disk the same call goes on from there. A scene that the same input
    and settings have made before is left as it is, and its report returned.

    Args:
        source: folder of photographs, with subfolders, or a film.
        scene: folder to make.
        options: how; `CaptureOptions()` by default.
        progress: print a line for each stage on standard error, and on a terminal a bar with the time left.

    Returns:
        which photographs were placed, which not, and why.

    Raises:
        CaptureError: the input makes no scene, or the scene's folder has other content. The message, one line, says why
            and what to do.
        BlockingIOError: another process makes the same scene.
        OSError: a folder cannot be written, or the disk is full.
    """
    options, source, scene = options or CaptureOptions(), Path(source), Path(scene)
    settings = {**describe_input(source), **options.result_settings(film=not source.is_dir())}
    _check_enough_for(source, options)
    check_apart(source, scene)
    if (report := finished(scene, settings)) is not None:
        return report
    quiet_colmap()
    workspace = Workspace(scene, settings)
    with workspace.claimed():
        try:
            with one_line_when_full(workspace.folder):
                if publishing(workspace):
                    workspace.publish()
                    return CaptureReport.read(scene)
                return _make(source, scene, options, workspace, Stages(workspace, progress))
        except CaptureError:
            workspace.discard()  # the input has to change, and then all of this is of no use
            raise


def _check_enough_for(source: Path, options: CaptureOptions) -> None:
    """Refuse an input of fewer photographs than `min_placed` asks for.

    Raises:
        CaptureError: naming both numbers.
    """
    count = len(find_photographs(source)) if source.is_dir() else options.frames
    if count < options.min_placed:
        raise CaptureError(
            f"{source}: min_placed is {options.min_placed}, of {count} photographs: give {count} or less"
        )


def _make(source: Path, scene: Path, options: CaptureOptions, workspace: Workspace, stages: Stages) -> CaptureReport:
    """The stages of `capture`."""
    intake = take_in(source, options, workspace, stages)
    extract(intake.photographs, options, workspace, stages)
    method = match(intake, options, workspace, stages)
    mapping = map_scene(len(intake.photographs), options, workspace, stages)
    graph = MatchGraph(workspace)
    check_scene(source, intake, mapping, graph, options.min_placed)
    turn_upright(mapping.largest)
    folder = write_scene(mapping.largest, intake.photographs, workspace, stages)
    report = _report(scene, intake, mapping, graph, method, workspace)
    write_contact_sheet(report, workspace, folder / CONTACT_SHEET)
    report.write(folder)  # last: by it a complete scene is known
    workspace.publish()
    return report


def _report(
    scene: Path,
    intake: Intake,
    mapping: Mapping,
    graph: MatchGraph,
    method: Method,
    workspace: Workspace,
) -> CaptureReport:
    model, names = mapping.largest, mapping.placed()
    return CaptureReport(
        scene=scene,
        placed={photograph.name: photograph.source for photograph in intake.photographs if photograph.name in names},
        left_out=[*intake.left_out, *explain_left_out(intake, mapping, graph)],
        cameras=len({image.camera_id for image in placed_images(model)}),
        points=model.num_points3D(),
        reprojection_error=model.compute_mean_reprojection_error(),
        facing=float(angles_from_mean(opengl_poses(model)).max()),
        matching=method,
        seconds=workspace.seconds(),
        settings=workspace.settings,
    )
