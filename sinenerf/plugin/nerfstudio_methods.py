"""Trainers of any of nerfstudio's methods, ours and its own: the same data, the same loop."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch


def configure(method: str, scene: Path, output: Path, options: dict[str, Any], parser: dict[str, Any]) -> Any:
    """A trainer's config from nerfstudio's registry, which reads an LLFF folder through `llff-data`.

    Args:
        options: what differs from the method's defaults, by dotted names, such as pipeline.model.implementation.
        parser: settings of `LLFFDataParserConfig`.

    Raises:
        ValueError: no such method or option.
    """
    warnings.simplefilter("ignore")  # nerfstudio's and its libraries' own, on import and later
    from nerfstudio.configs.method_configs import all_methods
    from nerfstudio.data.datamanagers.base_datamanager import VanillaDataManagerConfig

    from sinenerf.common.hardware import best_device
    from sinenerf.plugin.dataparser import LLFFDataParserConfig

    if method not in all_methods:
        raise ValueError(f"nerfstudio has no method {method!r}")
    config = deepcopy(all_methods[method])
    rays = config.pipeline.datamanager.train_num_rays_per_batch
    # one data manager for all: nerfacto's own starts processes, which two cores have no room for
    manager = VanillaDataManagerConfig(data=scene, dataparser=LLFFDataParserConfig(data=scene, **parser))
    manager.train_num_rays_per_batch = rays
    config.pipeline.datamanager, config.data = manager, scene
    config.machine.device_type = best_device()
    manager.images_on_gpu = config.machine.device_type == "cuda"
    config.mixed_precision = config.mixed_precision and config.machine.device_type == "cuda"
    config.vis = "none"  # no server, and no event files, whose thread outlives the run
    config.logging.local_writer.enable = False
    config.output_dir, config.experiment_name, config.timestamp = output, scene.resolve().name, "run"
    for key, value in options.items():
        _set(config, method, key, value)
    return config


def _set(config: Any, method: str, key: str, value: Any) -> None:
    *path, last = key.split(".")
    target = config
    for name in path:
        target = target.get(name) if isinstance(target, dict) else getattr(target, name, None)
    if isinstance(target, dict):
        target[last] = value
    elif hasattr(target, last):
        setattr(target, last, value)
    else:
        raise ValueError(f"no option of {method} is called {key!r}")


def build(config: Any, seed: int = 0) -> Any:
    """The trainer of a config, with its data read."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    with redirect_stdout(StringIO()), _without_lpips():
        trainer = config.setup(local_rank=0, world_size=1)
        trainer.setup("test")
    return trainer


def largest_model(config: Any) -> Any:
    """A config's model as large as training can make it, TensoRF's grids at their last resolution, without numbers."""
    from nerfstudio.data.scene_box import SceneBox

    model = deepcopy(config.pipeline.model)
    if hasattr(model, "final_resolution"):
        model.init_resolution = model.final_resolution
    box = SceneBox(torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]))
    with redirect_stdout(StringIO()), _without_lpips(), torch.device("meta"):
        return model.setup(scene_box=box, num_train_data=1, metadata={})


@contextmanager
def _without_lpips() -> Iterator[None]:
    """nerfstudio's models fetch LPIPS weights when they are built; no score here needs them."""
    import torchmetrics.image.lpip as module

    theirs = module.LearnedPerceptualImagePatchSimilarity
    module.LearnedPerceptualImagePatchSimilarity = torch.nn.Identity  # type: ignore
    try:
        yield
    finally:
        module.LearnedPerceptualImagePatchSimilarity = theirs  # type: ignore
