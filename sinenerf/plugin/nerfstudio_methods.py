"""Trainers of any nerfstudio method, ours or its own, for comparisons with the same data manager and training loop."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from sinenerf.common.hardware import best_device
from sinenerf.plugin.edge import call_nerfstudio, seed_generators, silence


def configure(method: str, scene: Path, output: Path, options: dict[str, Any], parser: dict[str, Any]) -> Any:
    """A trainer's config from nerfstudio's registry, set to read a capture through `sine-data`.

    Args:
        options: changes to the method's defaults, by dotted names such as pipeline.model.implementation.
        parser: settings of `SineDataParserConfig`.

    Raises:
        ValueError: no method or option has that name.
    """
    with silence():
        from nerfstudio.configs.method_configs import all_methods
        from nerfstudio.data.datamanagers.base_datamanager import VanillaDataManagerConfig

        from sinenerf.plugin.datamanager import SineDataManager
        from sinenerf.plugin.dataparser import SineDataParserConfig

    if method not in all_methods:
        raise ValueError(f"nerfstudio has no method {method!r}")
    config = deepcopy(all_methods[method])
    rays = config.pipeline.datamanager.train_num_rays_per_batch
    # one data manager for all methods: nerfacto's own starts too many processes for two cores
    manager = VanillaDataManagerConfig(
        _target=SineDataManager,
        data=scene,
        dataparser=SineDataParserConfig(data=scene, **parser),
        train_num_rays_per_batch=rays,
    )
    config.pipeline.datamanager, config.data = manager, scene
    config.machine.device_type = best_device()
    manager.images_on_gpu = config.machine.device_type == "cuda"
    config.mixed_precision = config.mixed_precision and config.machine.device_type == "cuda"
    place_output(config, output, scene)
    for key, value in options.items():
        _set_option(config, method, key, value)
    return config


def place_output(config: Any, output: Path, scene: Path) -> None:
    """Make a run write to output / scene / method / "run", without a viewer, event files or a console log."""
    config.vis = "none"  # tensorboard would start a thread that outlives the run
    config.logging.local_writer.enable = False
    config.output_dir, config.experiment_name, config.timestamp = output, scene.resolve().name, "run"


def _set_option(config: Any, method: str, key: str, value: Any) -> None:
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
    """Set up the trainer of a config: read its data and build its model.

    Raises:
        ValueError: the scene or the settings cannot be trained on.
    """
    seed_generators(seed)
    with call_nerfstudio(), _placeholder_lpips_weights():
        trainer = config.setup(local_rank=0, world_size=1)
        trainer.setup("test")
    _remove_lpips(trainer.pipeline.model)
    return trainer


def largest_model(config: Any) -> torch.nn.Module:
    """A config's model at the largest size it reaches in training (TensoRF's grids grow), on the meta device: shapes
    without values."""
    with call_nerfstudio(), _placeholder_lpips_weights():
        from nerfstudio.data.scene_box import SceneBox

        settings = deepcopy(config.pipeline.model)
        if hasattr(settings, "final_resolution"):
            settings.init_resolution = settings.final_resolution
        box = SceneBox(torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]))
        with torch.device("meta"):
            model = settings.setup(scene_box=box, num_train_data=1, metadata={})
    _remove_lpips(model)
    return model


@contextmanager
def _placeholder_lpips_weights() -> Iterator[None]:
    """Give torchvision a temporary cache folder with zeros as AlexNet's weights.

    nerfstudio's models always build an LPIPS metric, for which torchvision downloads 233 MB unless the weights are
    cached. No score here uses that metric.
    """
    from torchvision.models import AlexNet_Weights, alexnet

    before = os.environ.get("TORCH_HOME")
    with TemporaryDirectory() as folder:
        cached = Path(folder) / "hub" / "checkpoints" / Path(AlexNet_Weights.DEFAULT.url).name
        cached.parent.mkdir(parents=True)
        with torch.device("meta"):
            shapes = {name: values.shape for name, values in alexnet().state_dict().items()}
        torch.save({name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}, cached)
        os.environ["TORCH_HOME"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["TORCH_HOME"]
            else:
                os.environ["TORCH_HOME"] = before


def _remove_lpips(model: Any) -> None:
    """Drop the metric that was built from placeholder weights."""
    if hasattr(model, "lpips"):
        del model.lpips
