"""Sine-LoRA as a PEFT method: its configuration, its model, and its registration as the type SINE_LORA."""

import math
import warnings
from copy import copy
from dataclasses import dataclass, field
from typing import Any, NoReturn

from peft import LoraConfig, LoraModel
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_PREFIX_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import get_pattern_key
from torch import nn
from transformers.pytorch_utils import Conv1D

from sinenerf.adapters.peft_layers import SineEmbedding, SineLinear
from sinenerf.conversion.layer_selection import PLAIN_TYPES, parameter_names_by_storage, storage_of
from sinenerf.factored import FactoredLinear

PEFT_TYPE = "SINE_LORA"


@dataclass
class SineLoraConfig(LoraConfig):
    """Configuration of sine-LoRA, or with `use_dora` of sine-DoRA: a `LoraConfig` with omega and gain.

    Raises:
        ValueError: omega or gain is not positive and finite, or a setting applies only to a plain B A.
    """

    omega: float = field(default=200.0, metadata={"help": "Frequency of the sine."})
    gain: float | None = field(default=None, metadata={"help": "g. Default: the root of the layer's inputs."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PEFT_TYPE  # type: ignore[assignment]
        for name, value in (("omega", self.omega), ("gain", self.gain)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}: it must be a positive, finite number (at 0 the adapter is dead)")
        if self.init_lora_weights not in (True, False, "gaussian"):
            raise ValueError(
                f"init_lora_weights={self.init_lora_weights!r} makes factors for a plain B A: "
                'sine-LoRA starts with True, "gaussian" or False'
            )
        for name in ("lora_bias", "target_parameters", "megatron_config", "ensure_weight_tying"):
            if getattr(self, name, None):
                raise ValueError(f"sine-LoRA does not support {name}")


class SineLoraModel(LoraModel):
    """PEFT's `LoraModel` with sine layers. Made by `peft.get_peft_model` from a `SineLoraConfig`."""

    def _create_and_replace(
        self,
        lora_config: Any,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        **kwargs: Any,
    ) -> None:
        key = get_pattern_key(lora_config.rank_pattern.keys(), current_key)
        _check_layer(current_key, target, lora_config.rank_pattern.get(key, lora_config.r))
        super()._create_and_replace(
            lora_config, adapter_name, target, target_name, parent, current_key=current_key, **kwargs
        )

    @staticmethod
    def _create_new_module(lora_config: Any, adapter_name: str, target: nn.Module, **kwargs: Any) -> nn.Module:
        base = target.get_base_layer() if isinstance(target, BaseTunerLayer) else target
        config = copy(lora_config)  # the user's configuration applies to layers of all kinds
        config.fan_in_fan_out = isinstance(base, (Conv1D, nn.Embedding))  # whose weights are (in, out)
        kind = SineEmbedding if isinstance(base, nn.Embedding) else SineLinear
        return kind(target, adapter_name, config=config, **kwargs)

    def merge_adapter(self, *args: Any, **kwargs: Any) -> None:
        """As in PEFT, but a layer that shares its weight with another gets its own first, with a warning."""
        self._untie()
        super().merge_adapter(*args, **kwargs)

    def _unload_and_optionally_merge(self, merge: bool = True, **kwargs: Any) -> Any:
        if merge:
            self._untie()
        return super()._unload_and_optionally_merge(merge=merge, **kwargs)

    def _untie(self) -> None:
        """Copy the weights that adapted layers share with other modules: merging into a shared one changes both."""
        users = parameter_names_by_storage(self.model)
        for name, layer in self.model.named_modules():
            if not isinstance(layer, SineLinear | SineEmbedding):
                continue
            base, own = layer.get_base_layer(), f"{name}.base_layer.weight"
            names = users[storage_of(base.weight)]
            if len(names) < 2:
                continue
            names.remove(own)
            others = " and ".join(other.replace(".base_layer", "") for other in names)
            warnings.warn(
                f"{name}: its weight is tied to {others}: merging gives it a weight of its own",
                UserWarning,
                stacklevel=3,
            )
            base.weight = nn.Parameter(base.weight.detach().clone(), base.weight.requires_grad)
            if hasattr(self.model, "config"):  # otherwise transformers would tie them again when the model is loaded
                self.model.config.tie_word_embeddings = False

    def add_weighted_adapter(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not supported: the sine of a sum is not the sum of the sines. Merge the adapters in turn instead."""
        raise NotImplementedError(
            "sine-LoRA adapters cannot be combined factor by factor: merge them, merge_adapter([names])"
        )


def _check_layer(name: str, target: nn.Module, rank: int) -> None:
    """Raise ValueError unless a module can be adapted."""
    base = target.get_base_layer() if isinstance(target, BaseTunerLayer) else target
    kind = type(base)
    if isinstance(base, FactoredLinear):
        raise ValueError(f"{name}: is already factored. Leave it out of target_modules, or bake the model first")
    if kind not in (*PLAIN_TYPES, Conv1D) and not isinstance(base, nn.Embedding):
        raise ValueError(
            f"{name}: is a {kind.__module__}.{kind.__qualname__}. Sine-LoRA adapts plain nn.Linear, nn.Embedding and "
            "transformers' Conv1D: leave it out of target_modules"
        )
    if "weight" not in base._parameters:
        raise ValueError(
            f"{name}: its weight is computed by a hook, such as weight_norm's or pruning's. Leave it out of "
            "target_modules, or remove the hook first"
        )
    weight: Any = base.weight
    if weight.is_meta:
        raise ValueError(f"{name}: its weight is on the meta device and has no values. Load the model first")
    if not weight.is_floating_point():
        raise ValueError(f"{name}: its weight is of type {weight.dtype}, quantised: sine-LoRA needs floating point")
    largest = min(weight.shape)
    if not 1 <= rank <= largest:
        raise ValueError(f"{name}: rank {rank} does not fit its weight: choose r from 1 to {largest}")


def register() -> None:
    """Register SINE_LORA with PEFT, so that get_peft_model, save_pretrained and from_pretrained handle it.

    PEFT's `register_peft_method` only accepts names from its closed enumeration of types, so the three tables that it
    would fill are filled here.
    """
    PEFT_TYPE_TO_CONFIG_MAPPING[PEFT_TYPE] = SineLoraConfig  # type: ignore[index]
    PEFT_TYPE_TO_TUNER_MAPPING[PEFT_TYPE] = SineLoraModel  # type: ignore[index]
    PEFT_TYPE_TO_PREFIX_MAPPING[PEFT_TYPE] = SineLoraModel.prefix  # type: ignore[index]
