"""The second stage: cameras and SIFT features (Lowe 2004) of all photographs, in COLMAP's database."""

from collections import defaultdict
from itertools import product
from typing import TYPE_CHECKING

from sinenerf.capture.intake import Photograph
from sinenerf.capture.options import CaptureOptions
from sinenerf.capture.stages import Stages
from sinenerf.capture.workspace import Workspace

if TYPE_CHECKING:
    import pycolmap

TWO_TERMS = 8
"""Photographs of one camera from which on two terms of its distortion are found instead of one."""
GUESSED_FOCAL = 1.2
"""Focal length, as a multiple of the longer side, that the mapping starts from without EXIF data."""
LARGE = 900
"""Longer side, in pixels, from which on features are not sought at twice the size."""


def extract(photographs: list[Photograph], options: CaptureOptions, workspace: Workspace, stages: Stages) -> None:
    """Find the features of the photographs that have none yet; masked parts have none.

    A folder of features that a kill has left is continued.
    """
    import pycolmap

    if not _database_has(photographs, workspace):
        workspace.database.unlink(missing_ok=True)
        pycolmap.Database.open(workspace.database).close()
        _add_cameras(photographs, workspace)
    missing = _without_features(photographs, workspace)
    done, step = len(photographs) - len(missing), 2 * options.threads
    # one call of COLMAP searches all at one scale, and skips those without a mask once there is a folder of masks
    with stages.stage("features", len(photographs), "photographs", done) as advance:
        for masked, large in product((False, True), repeat=2):
            group = [photograph for photograph in missing if (photograph.masked, _large(photograph)) == (masked, large)]
            for start in range(0, len(group), step):
                part = group[start : start + step]
                _extract_from(part, masked, large, options, workspace)
                done += len(part)
                advance(done)


def _large(photograph: Photograph) -> bool:
    return max(photograph.width, photograph.height) > LARGE


def _extract_from(
    part: list[Photograph], masked: bool, large: bool, options: CaptureOptions, workspace: Workspace
) -> None:
    import pycolmap

    reader = pycolmap.ImageReaderOptions()
    if masked:
        reader.mask_path = workspace.masks
    pycolmap.extract_features(
        workspace.database,
        workspace.images,
        image_names=[photograph.name for photograph in part],
        reader_options=reader,
        extraction_options=_extraction(options, large),
    )


def gpu_build() -> bool:
    """Whether this pycolmap was built for a GPU and finds one."""
    import pycolmap

    return bool(pycolmap.has_cuda) and _sees_gpu()


def _sees_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _extraction(options: CaptureOptions, large: bool) -> "pycolmap.FeatureExtractionOptions":
    import pycolmap

    extraction = pycolmap.FeatureExtractionOptions()
    extraction.num_threads, extraction.use_gpu = options.threads, gpu_build()
    extraction.sift.max_num_features = options.features
    extraction.sift.first_octave = 0 if large else -1
    return extraction


def _add_cameras(photographs: list[Photograph], workspace: Workspace) -> None:
    """Enter the photographs into the database, each group with one camera."""
    import pycolmap

    groups = defaultdict(list)
    for photograph in photographs:
        groups[photograph.camera].append(photograph)
    for group in groups.values():
        first = group[0]
        focal = first.focal or GUESSED_FOCAL * max(first.width, first.height)
        reader = pycolmap.ImageReaderOptions()
        terms = 2 if len(group) >= TWO_TERMS else 1
        reader.camera_model = "RADIAL" if terms == 2 else "SIMPLE_RADIAL"
        if first.focal:
            middle = f"{first.width / 2},{first.height / 2}"
            reader.camera_params = ",".join([f"{focal}", middle, *["0"] * terms])
        else:
            reader.default_focal_length_factor = GUESSED_FOCAL
        names = [photograph.name for photograph in group]
        pycolmap.import_images(workspace.database, workspace.images, pycolmap.CameraMode.SINGLE, names, reader)


def _database_has(photographs: list[Photograph], workspace: Workspace) -> bool:
    """Whether all photographs are entered; a kill while they are entered leaves a part."""
    import pycolmap

    if not workspace.database.is_file():
        return False
    with pycolmap.Database.open(workspace.database) as database:
        names = {image.name for image in database.read_all_images()}
    return names == {photograph.name for photograph in photographs}


def _without_features(photographs: list[Photograph], workspace: Workspace) -> list[Photograph]:
    import pycolmap

    with pycolmap.Database.open(workspace.database) as database:
        have = {image.name for image in database.read_all_images() if database.exists_descriptors(image.image_id)}
    return [photograph for photograph in photographs if photograph.name not in have]
