"""Every setting of the radiance field, each with what it does: `ns-train sine-nerf --help` shows them."""

from dataclasses import dataclass, field, fields
from typing import Literal, cast

from nerfstudio.models.base_model import ModelConfig

from sinenerf.common.hardware import Precision
from sinenerf.layers import LayerKind
from sinenerf.networks import Role
from sinenerf.radiance.config import Background, DensityActivation, RadianceConfig, Sampling


def _model() -> type:
    from sinenerf.plugin.model import SineNeRFModel

    return SineNeRFModel


@dataclass
class SineNeRFModelConfig(ModelConfig):
    """A NeRF whose weight matrices are sin(omega U V^T) / g."""

    _target: type = field(default_factory=_model)
    layer: LayerKind = "sine"
    """sine: the method; low-rank: plain U V^T; dense: full matrices."""
    rank: int = 10
    """Width k of the factors U and V."""
    omega: float = 100.0
    """Frequency of the sine."""
    spread: float = 0.3
    """Standard deviation, in radians, of the phase omega U V^T at the start."""
    learn_omega: bool = False
    """Train one omega a layer."""
    learn_gain: bool = False
    """Train one gain a layer."""
    anchored: bool = True
    """Fix k rows of each V: k^2 numbers fewer a layer for the same matrices."""
    factored: tuple[Role, ...] = ("input", "hidden", "head")
    """Layers that are factored: the first of each trunk, the others of it, what leaves it."""
    width: int = 256
    """Neurons of a hidden layer."""
    depth: int = 8
    """Hidden layers."""
    skips: tuple[int, ...] = (4,)
    """After these layers (from 0) the encoded position joins the features again."""
    position_frequencies: int = 10
    """Octaves of the position's encoding."""
    direction_frequencies: int = 4
    """Octaves of the viewing direction's encoding."""
    sampling: Sampling = "coarse-fine"
    """coarse-fine: two radiance networks (NeRF); proposal: a density network places the samples (mip-NeRF 360)."""
    coarse_samples: int = 64
    """Samples a ray of the first network."""
    fine_samples: int = 128
    """Samples a ray that the first network places for the second."""
    proposal_width: int = 32
    """Neurons of a hidden layer of the proposal network."""
    proposal_depth: int = 2
    """Hidden layers of the proposal network."""
    proposal_frequencies: int = 6
    """Octaves of the proposal network's encoding."""
    density_activation: DensityActivation = "softplus"
    """What makes the density positive; exp reaches solid surfaces sooner."""
    precision: Precision = "auto"
    """Number format inside the networks. auto: bfloat16 where the processor multiplies it natively, twice as fast."""
    background_color: Literal["auto", "last_sample", "white", "black", "random"] = "auto"
    """What shows where a ray is not full. auto: the ray's last sample with NDC, white in a scene box."""
    enable_collider: bool = False
    """Unused: rays are cut by the warp."""
    eval_num_rays_per_chunk: int = 4096
    """Rays at once when rendering."""

    bits: float | None = None
    """Round all numbers in training, so that the run's scene.sine takes so many bits a parameter. Default: float32."""
    bytes: int | None = None
    """Size of the run's scene.sine instead."""

    def __setstate__(self, state: dict[str, object]) -> None:
        """From a run's config.yml: one that was made before layers were anchored does not say so."""
        self.__dict__.update({"anchored": False} | state)

    def architecture(self, ndc: bool) -> RadianceConfig:
        """What the field itself needs of this; `ndc` says whether the scene is forward-facing."""
        given = {f.name: getattr(self, f.name) for f in fields(RadianceConfig) if f.name != "background"}
        behind = {"auto": "last_sample" if ndc else "white", "random": "black"}
        background = cast(Background, behind.get(self.background_color, self.background_color))
        return RadianceConfig(**given, background=background)
