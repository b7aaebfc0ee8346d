"""The fourth stage: cameras and points from the matches, by incremental structure from motion (Schoenberger 2016).

COLMAP's mapper ends with a bundle adjustment of all cameras and points; another, with a robust loss, changed nothing.
"""

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sinenerf.capture.options import CaptureOptions
from sinenerf.capture.stages import Stages
from sinenerf.capture.workspace import Workspace
from sinenerf.common.reconstruction import placed_names

if TYPE_CHECKING:
    import pycolmap

ATTEMPTS: tuple[dict[str, Any], ...] = (
    {},
    {"init_min_tri_angle": 6.0, "init_min_num_inliers": 60},
    {"init_min_tri_angle": 2.0, "init_min_num_inliers": 30, "abs_pose_min_num_inliers": 15},
)
"""Demands on the first pair of photographs and on each further one: COLMAP's, then weaker ones."""
ENOUGH = 0.7
"""Share of the photographs that have to be placed for the weaker demands not to be tried."""
MODEL_SIZE = 3
"""Fewest photographs of a model."""


@dataclass(frozen=True)
class Mapping:
    """The models that the photographs make, the largest first: one, unless they show several scenes."""

    models: list["pycolmap.Reconstruction"]

    @property
    def largest(self) -> "pycolmap.Reconstruction":
        """The model that becomes the scene."""
        return self.models[0]

    def placed(self, model: int = 0) -> set[str]:
        """Names of a model's photographs."""
        return set(placed_names(self.models[model]))


def map_scene(count: int, options: CaptureOptions, workspace: Workspace, stages: Stages) -> Mapping:
    """Place the photographs, starting with demands that suit most scenes; kept for later calls.

    Args:
        count: number of photographs.

    Returns:
        the models; none if not even three photographs fit together.
    """
    import pycolmap

    if not workspace.model.is_dir():
        best = Mapping([])
        with stages.stage("mapping", count, "photographs") as advance:
            for demands in ATTEMPTS:
                found = _attempt(demands, options, workspace, advance)
                if not best.models or (found.models and len(found.placed()) > len(best.placed())):
                    best = found
                if best.models and len(best.placed()) >= ENOUGH * count:
                    break
        _keep(best, workspace)
    folders = sorted(workspace.model.iterdir(), key=lambda path: int(path.name))
    return Mapping([pycolmap.Reconstruction(folder) for folder in folders])


def _attempt(demands: dict[str, Any], options: CaptureOptions, workspace: Workspace, advance: Any) -> Mapping:
    import pycolmap

    pipeline = pycolmap.IncrementalPipelineOptions()
    pipeline.num_threads, pipeline.random_seed = options.threads, options.seed
    pipeline.min_model_size, pipeline.max_num_models = MODEL_SIZE, 10
    pipeline.extract_colors = True
    for name, value in demands.items():
        setattr(pipeline.mapper, name, value)
    folder = workspace.folder / "attempt"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    placed = 0

    def count(number: int) -> None:
        nonlocal placed
        placed += number
        advance(placed)

    found = pycolmap.incremental_mapping(
        workspace.database,
        workspace.images,
        folder,
        pipeline,
        initial_image_pair_callback=lambda: count(2),
        next_image_callback=lambda: count(1),
    )
    shutil.rmtree(folder, ignore_errors=True)
    models = sorted(found.values(), key=lambda model: -model.num_reg_images())
    return Mapping([model for model in models if model.num_reg_images() >= MODEL_SIZE])


def _keep(mapping: Mapping, workspace: Workspace) -> None:
    """Write the models to the work folder, whole or not at all."""
    partial = workspace.model.with_name("model.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for number, model in enumerate(mapping.models):
        (partial / str(number)).mkdir()
        model.write(partial / str(number))
    partial.rename(workspace.model)
