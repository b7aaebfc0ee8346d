"""From photographs to a scene by one call: each step is a function of the library that can be called by itself."""

import shutil
from math import prod
from pathlib import Path
from typing import Any

from sinenerf.capture.options import CaptureOptions
from sinenerf.capture.report import CONTACT_SHEET
from sinenerf.common.console import say
from sinenerf.photographs.reading import has_cameras
from sinenerf.plugin.layer_choice import BITS, fewest_bytes, network_for, parameters_of
from sinenerf.plugin.scene_training import SceneTraining, scene_config
from sinenerf.plugin.training_corrections import pose_change
from sinenerf.radiance.architecture import tensors_of
from sinenerf.scenes.scene_options import SceneOptions, SceneReport
from sinenerf.scenes.scene_work import SceneWork

FILM_WIDTH = 480
"""Largest width of the film, in pixels: a picture takes a second or two."""


def photographs_to_scene(
    source: Path,
    output: Path,
    options: SceneOptions | None = None,
    film: Path | None = None,
    page: Path | None = None,
    progress: bool = False,
) -> SceneReport | None:
    """Make a scene of photographs, and a film and a page of the scene.

    Where the cameras have to be found, the capture's contact sheet is kept beside the scene: all photographs, those
    that were placed and those left out.

    Args:
        source: folder of photographs or film; or what has cameras already: an LLFF folder, a transforms.json or its
            folder, a COLMAP model.
        output: .sine file to write.
        film: .mp4 or .gif to write.
        page: .html to write, which shows the scene in any browser.
        progress: print a line for each step on standard error.

    Returns:
        scores and sizes; None after Ctrl-C: the same call then goes on.

    Raises:
        ValueError: the input makes no scene. The message, one line, says how to mend it.
        BlockingIOError: another process makes the same file.
        OSError: the input does not exist, or an output exists or cannot be written.
        RuntimeError: the loss is not finite.
    """
    options, source, output = options or SceneOptions(), Path(source), Path(output)
    _check_names(output, film, page)
    _check_bytes(options)
    sheet = None if has_cameras(source) else contact_sheet_of(output)
    outputs = tuple(path for path in (output, film, page, sheet) if path is not None)
    work = SceneWork(source, outputs, options.training_settings() | {"capture_size": options.capture_size})
    with work.claimed():
        posed = _posed(source, work, options, progress)
        training = _training(posed, work, options, progress)
        if not training.run():
            return None
        report = _finish(training, work, options, film, page)
        if sheet is not None:
            shutil.copyfile(work.capture / CONTACT_SHEET, work.finished[-1])
        if progress and (corrections := training.trainer.pipeline.model.pose_corrections) is not None:
            scale = training.trainer.pipeline.datamanager.train_dataparser_outputs.dataparser_scale
            say(str(pose_change(corrections, float(scale))))
        work.publish()
        return report


def contact_sheet_of(output: Path) -> Path:
    """Where the contact sheet of a scene's photographs is kept: scene_contact_sheet.jpg beside scene.sine."""
    return output.with_name(f"{output.stem}_{CONTACT_SHEET}")


def _check_names(output: Path, film: Path | None, page: Path | None) -> None:
    from sinenerf.common.films import FILMS

    for path, known in ((output, (".sine",)), (film, FILMS), (page, (".html", ".htm"))):
        if path is not None and path.suffix.lower() not in known:
            raise ValueError(f"{path}: is written as {' or '.join(known)}. Give such a name")


def _check_bytes(options: SceneOptions) -> None:
    """Refuse a size that the training would refuse, before the cameras are sought."""
    if options.bytes is None:
        return
    network = network_for(options.layer, options.bytes)
    if options.bytes < (least := fewest_bytes(network)):
        raise ValueError(
            f"bytes is {options.bytes}: the smallest network, of {parameters_of(network):,} parameters, takes "
            f"{least:,} at least. Give that many or more"
        )


def _posed(source: Path, work: SceneWork, options: SceneOptions, progress: bool) -> Path:
    """What has cameras: the input, or what `capture` makes of it."""
    if has_cameras(source):
        return source
    from sinenerf.capture.pipeline import capture

    report = capture(source, work.capture, CaptureOptions(size=options.capture_size), progress)
    if progress:
        for line in (report.summary(), *report.reasons()):
            say(line)
    return report.scene


def _training(posed: Path, work: SceneWork, options: SceneOptions, progress: bool) -> SceneTraining:
    from sinenerf.plugin.nerfstudio_methods import build

    network = network_for(options.layer, options.bytes)
    size = {"bits": BITS} if options.bytes is None else {"bytes": options.bytes}
    corrections = {"exposure": options.exposure, "refine_poses": options.refine_poses}
    parser = {"widest": options.size, "hold_every": options.hold_every, "warp": options.warp}
    model = {**network, **size, **corrections}
    config = scene_config(posed, work.folder, model, parser)
    trainer = build(config, options.seed)
    _describe(trainer.pipeline, network, progress)
    seconds, steps = options.budget()
    checkpoint = work.folder / "checkpoint.pt"
    return SceneTraining(
        trainer=trainer,
        max_seconds=seconds,
        max_steps=steps,
        checkpoint=checkpoint,
        fingerprint=repr(model),  # another release may choose another network
        seed=options.seed,
        show=progress,
    )


def _describe(pipeline: Any, network: dict[str, Any], progress: bool) -> None:
    """Say what is trained on, and how."""
    import torch

    if not progress:
        return
    manager, field = pipeline.datamanager, pipeline.model.field
    for note in manager.dataparser.notes:
        say(note)
    cameras, metadata = manager.train_dataset.cameras, manager.train_dataparser_outputs.metadata
    width, height = max(torch.cat([cameras.width, cameras.height], 1).tolist(), key=prod)
    same = bool(((cameras.width == width) & (cameras.height == height)).all())
    size = f"{'' if same else 'at most '}{width} x {height} pixels"
    say(f"training on {len(cameras)} photographs of {size}; {len(manager.eval_dataset)} held out")
    count = sum(prod(shape) for shape in tensors_of(field.config).values())
    layers = f"{network['layer']} layers, {field.config.width} wide, {count:,} parameters"
    say(f"{layers}; warp: {type(field.warp).__name__.lower()}, {metadata.get('reason', 'as the capture says')}")


def _finish(
    training: SceneTraining, work: SceneWork, options: SceneOptions, film: Path | None, page: Path | None
) -> SceneReport:
    """Write the file, score it, and render the film and the page from it."""
    from sinenerf.plugin.runs import field_of
    from sinenerf.plugin.scoring import file_renderer, score_held_out
    from sinenerf.radiance.evaluate import mean_metrics
    from sinenerf.radiance.field import RadianceField
    from sinenerf.radiance.render import render_views

    pipeline = training.trainer.pipeline
    scene, *others = work.finished
    if not scene.exists():
        field_of(pipeline).save(scene)
    note = work.read("scores")
    if note is None:
        scores = [score.metrics for score in score_held_out(pipeline, file_renderer(scene))]
        note = {"metrics": mean_metrics(scores), "held_out": len(scores)}
        work.write("scores", note)
    field = RadianceField.load(scene)
    assert field.capture is not None
    made = iter(others)
    if film is not None and not ((target := next(made)).exists() and work.read("frames") == options.frames):
        scale = min(1.0, FILM_WIDTH / field.capture.home.width)
        render_views(field, target, None, options.frames, scale, progress=training.show)
        work.write("frames", options.frames)
    if page is not None and not (target := next(made)).exists():
        _write_page(scene, target)
    return SceneReport(
        **note,
        steps=training.step,
        seconds=round(training.seconds, 1),
        parameters=field.parameters_count,
        bytes=scene.stat().st_size,
        written=work.outputs,
    )


def _write_page(scene: Path, page: Path) -> None:
    from sinenerf.viewer.export_page import export_page
    from sinenerf.viewer.launch import open_api

    export_page(open_api([scene]), page)
