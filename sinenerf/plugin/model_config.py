"""Settings of the nerfstudio model: those of the field, and those that only training and nerfstudio need.

`ns-train sine-nerf --help` shows them as --pipeline.model options.
"""

from dataclasses import dataclass, field, fields
from typing import Literal, cast

from nerfstudio.models.base_model import Model, ModelConfig

from sinenerf.common.settings import Precision
from sinenerf.radiance.config import Background, RadianceConfig, RadianceNetworks


@dataclass
class SineNeRFModelConfig(RadianceNetworks, ModelConfig):
    """A NeRF whose weight matrices are sin(omega U V^T) / g."""

    _target: type = field(default_factory=lambda: Model)
    """`sinenerf.plugin.methods` sets SineNeRFModel, whose module imports this one."""
    precision: Precision = "auto"
    """Number format inside the networks. auto: bfloat16 where the processor multiplies it natively, twice as fast."""
    background_color: Literal["auto", "last_sample", "white", "black", "random"] = "auto"
    """Colour behind a ray that is not fully absorbed. auto: white in a scene box, else the ray's last sample."""
    enable_collider: bool = False
    """Unused: rays are cut by the warp."""
    eval_num_rays_per_chunk: int = 4096
    """Rays rendered at once."""

    exposure: bool = False
    """Learn a gain and an offset of the colours for each training photograph. Rendering leaves them out."""
    refine_poses: bool = False
    """Learn a small rotation and translation of each training photograph's camera."""

    bits: float | None = None
    """Round all parameters in training, so that scene.sine takes this many bits per parameter. Default: float32."""
    bytes: int | None = None
    """Round them so that scene.sine takes this many bytes instead."""

    def architecture(self, endless: bool) -> RadianceConfig:
        """The settings of the field. `endless`: rays end at infinity, which decides an automatic background."""
        behind = {"auto": "last_sample" if endless else "white", "random": "black"}
        background = cast(Background, behind.get(self.background_color, self.background_color))
        return RadianceConfig(
            **{f.name: getattr(self, f.name) for f in fields(RadianceNetworks)}, background=background
        )
