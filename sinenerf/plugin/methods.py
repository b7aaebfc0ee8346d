"""The methods sine-nerf and sine-nerf-small, as `ns-train` lists them."""

from dataclasses import replace

from nerfstudio.configs.base_config import MachineConfig, ViewerConfig
from nerfstudio.data.datamanagers.base_datamanager import VanillaDataManagerConfig
from nerfstudio.pipelines.base_pipeline import VanillaPipelineConfig
from nerfstudio.plugins.types import MethodSpecification

from sinenerf.common.hardware import best_device
from sinenerf.plugin.datamanager import SineDataManager
from sinenerf.plugin.dataparser import SineDataParserConfig
from sinenerf.plugin.model import SineNeRFModel
from sinenerf.plugin.model_config import SineNeRFModelConfig
from sinenerf.plugin.optimizers import ExponentialDecayConfig, FieldOptimizerConfig, FusedAdamConfig, LinearDecayConfig
from sinenerf.plugin.trainer import SineTrainerConfig


def _trainer(
    name: str,
    model: SineNeRFModelConfig,
    *,
    rays: int,
    optimizer: FieldOptimizerConfig,
    scheduler: ExponentialDecayConfig,
    steps: int,
    widest: int,
):
    return SineTrainerConfig(
        method_name=name,
        machine=MachineConfig(device_type=best_device()),
        max_num_iterations=steps,
        steps_per_save=500,
        mixed_precision=False,
        pipeline=VanillaPipelineConfig(
            datamanager=VanillaDataManagerConfig(
                _target=SineDataManager,
                dataparser=SineDataParserConfig(widest=widest),
                train_num_rays_per_batch=rays,
                eval_num_rays_per_batch=rays,
            ),
            model=replace(model, _target=SineNeRFModel),
        ),
        optimizers={
            "fields": {"optimizer": optimizer, "scheduler": scheduler},
            # for step sizes and entropy models, all of them logarithms; used only with bits or bytes. Their rate does
            # not fall: they start late, and have to reach the size of the file within an eighth of the training
            "codec": {"optimizer": FusedAdamConfig(lr=1e-2, eps=1e-8), "scheduler": None},
            # used only with exposure or refine_poses
            "exposures": {
                "optimizer": FusedAdamConfig(lr=5e-3, eps=1e-8),
                "scheduler": ExponentialDecayConfig(final_ratio=0.05),
            },
            "camera_opt": {
                "optimizer": FusedAdamConfig(lr=5e-4, eps=1e-8),
                "scheduler": ExponentialDecayConfig(final_ratio=0.05, warmup_steps=200),
            },
        },
        viewer=ViewerConfig(num_rays_per_chunk=4096, websocket_host="127.0.0.1"),
        vis="viewer",
    )


sine_nerf = MethodSpecification(
    config=_trainer(
        "sine-nerf",
        SineNeRFModelConfig(),
        rays=1024,
        optimizer=FieldOptimizerConfig(kind="adam", lr=1e-3),
        scheduler=ExponentialDecayConfig(final_ratio=0.05, warmup_steps=200),
        steps=200_000,
        widest=1100,
    ),
    description="NeRF from sine-activated low-rank layers, at the size of the paper. For a GPU.",
)

sine_nerf_small = MethodSpecification(
    config=_trainer(
        "sine-nerf-small",
        SineNeRFModelConfig(
            width=160,
            depth=4,
            skips=(),
            sampling="proposal",
            rank=32,
            omega=3.0,
            direction_frequencies=2,
            coarse_samples=32,
            fine_samples=12,
            density_activation="exp",
        ),
        rays=1024,
        # at 1e-2 neurons die, most of those before the colour in twenty thousand steps (docs/radiance.md)
        optimizer=FieldOptimizerConfig(kind="soap", lr=4e-3),
        scheduler=LinearDecayConfig(final_ratio=0.01, warmup_steps=200),
        steps=6_000,
        widest=512,
    ),
    description="The same, smaller and with proposal sampling: minutes on a laptop's CPU.",
)
