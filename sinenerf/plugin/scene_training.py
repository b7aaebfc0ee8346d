"""`sinenerf scene`: the settings of a training from a folder with cameras, and the training with its progress."""

from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sinenerf.common.progress import TaskProgress
from sinenerf.plugin.budgeted_training import TimedTraining
from sinenerf.plugin.nerfstudio_methods import place_output


@dataclass(kw_only=True)
class SceneTraining(TimedTraining):
    """Training of a scene within a budget; a checkpoint is left at its end, too, so that what follows can resume."""

    progress: TaskProgress = field(init=False)

    def run(self) -> bool:
        with TaskProgress("Training", self.show, transient=True) as self.progress:
            ended = super().run()
        if ended and self.checkpoint is not None:
            self._save(self.checkpoint)
        return ended

    def _report(self, before: float) -> None:
        super()._report(before)
        if self.step % 20 == 1:
            self.progress.update(self.done_fraction, f"{float(self.trainer.latest_psnr):.1f} dB on its photographs")


def scene_config(scene: Path, output: Path, options: dict[str, Any], parser: dict[str, Any]) -> Any:
    """The settings of a training by sine-nerf-small.

    Args:
        scene: folder with cameras.
        output: folder for what nerfstudio writes.
        options: of the model, by name.
        parser: of the data parser, by name.
    """
    from sinenerf.plugin.methods import sine_nerf_small

    config = deepcopy(sine_nerf_small.config)
    manager = config.pipeline.datamanager
    config.data = manager.data = manager.dataparser.data = scene
    for target, settings in ((config.pipeline.model, options), (manager.dataparser, parser)):
        for name, value in settings.items():
            if not hasattr(target, name):
                raise ValueError(f"no setting is called {name!r}")
            setattr(target, name, value)
    place_output(config, output, scene)
    return config
