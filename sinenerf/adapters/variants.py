"""Sine-LoRA and sine-DoRA as variants of PEFT's LoRA, with its four operations: init, forward, merge, unmerge.

    delta W = alpha / r * sin(omega B A) / g        B: (out, r) starts at zero, A: (r, in) at random

sin(0) = 0, so the adapted model starts out unchanged; cos(0) = 1, so B learns from the first step on. The sine is
applied to the weight, so an adapter merges into its layer exactly.
"""

import math
from typing import Any

import torch
from peft.tuners.lora import variants as peft_variants
from peft.tuners.lora.layer import LoraVariant
from peft.utils.other import transpose
from torch import Tensor, nn

from sinenerf.adapters.sine_product import row_norms, sine_linear


class SineVariant(LoraVariant):
    """Base of the sine variants. The scale in a layer's `sine_arguments` includes alpha / r."""

    @staticmethod
    def init(module: Any, adapter_name: str, config: Any, **kwargs: Any) -> None:
        gain = math.sqrt(module.in_features) if config.gain is None else config.gain
        module.omega[adapter_name], module.gain[adapter_name] = config.omega, gain

    @staticmethod
    def merge_safe(module: Any, active_adapter: str, orig_weight: Tensor) -> Tensor:
        return orig_weight + module.get_delta_weight(active_adapter).to(orig_weight)

    @staticmethod
    def merge_unsafe(module: Any, active_adapter: str, orig_weight: Tensor) -> None:
        orig_weight.data += module.get_delta_weight(active_adapter).to(orig_weight)

    @staticmethod
    def unmerge(module: Any, active_adapter: str, orig_weight: Tensor) -> Tensor:
        return orig_weight.data - module.get_delta_weight(active_adapter).to(orig_weight)


class SineLinearVariant(SineVariant):
    """For nn.Linear and transformers' Conv1D."""

    @staticmethod
    def forward(module: Any, active_adapter: str, x: Tensor, result: Tensor, **kwargs: Any) -> Tensor:
        if result.dtype == torch.bfloat16:  # for which PEFT makes x float32; W x is no more precise than this
            x = x.to(result.dtype)
        return result + sine_linear(module.lora_dropout[active_adapter](x), [module.sine_arguments(active_adapter)])

    @staticmethod
    def merged_forward(module: Any, adapters: list[str], x: Tensor) -> Tensor:
        """The output of base layer and adapters together, by one product."""
        return sine_linear(x, [module.sine_arguments(adapter) for adapter in adapters], *module.base_parameters())


class SineEmbeddingVariant(SineVariant):
    """For nn.Embedding: only the rows that are looked up are built."""

    @staticmethod
    def forward(module: Any, active_adapter: str, x: Tensor, result: Tensor, **kwargs: Any) -> Tensor:
        return result + module.sine_rows(active_adapter, x)


class SineDoraVariant(SineVariant):
    """DoRA (Liu et al. 2024): W' = m (W + delta W) / ||W + delta W||, for each row, with m learned and
    the norm treated as a constant.

    PEFT's own merging and unmerging apply, since they call the layer's `get_delta_weight`.
    """

    peft_variant: Any = peft_variants.DoraLinearVariant

    @classmethod
    def init(cls, module: Any, adapter_name: str, config: Any, **kwargs: Any) -> None:  # type: ignore[override]
        SineVariant.init(module, adapter_name, config)
        cls.peft_variant.init(module, adapter_name, config=config, **kwargs)
        if not config.init_lora_weights:  # B is not zero, and PEFT computed the norm with a plain B A
            norms = dora_norms(module, adapter_name)
            module.lora_magnitude_vector[adapter_name].weight = nn.Parameter(norms)

    @classmethod
    def merge_safe(cls, module: Any, active_adapter: str, orig_weight: Tensor) -> Tensor:  # type: ignore[override]
        return cls.peft_variant.merge_safe(module, active_adapter, orig_weight)

    @classmethod
    def merge_unsafe(cls, module: Any, active_adapter: str, orig_weight: Tensor) -> None:  # type: ignore[override]
        cls.peft_variant.merge_unsafe(module, active_adapter, orig_weight)

    @classmethod
    def unmerge(cls, module: Any, active_adapter: str, orig_weight: Tensor) -> Tensor:  # type: ignore[override]
        return cls.peft_variant.unmerge(module, active_adapter, orig_weight)


class SineDoraLinearVariant(SineDoraVariant):
    @staticmethod
    def forward(module: Any, active_adapter: str, x: Tensor, result: Tensor, **kwargs: Any) -> Tensor:
        base, dropout = module.get_base_layer(), module.lora_dropout[active_adapter]
        dropped = dropout(x)
        if isinstance(dropout, nn.Identity) or not module.training:
            product = result if base.bias is None else result - base.bias
        else:  # as in PEFT: both terms of DoRA use the input after dropout
            product = torch.nn.functional.linear(dropped, transpose(base.weight, module.fan_in_fan_out).to(dropped))
        factor = module.lora_magnitude_vector[active_adapter].weight / dora_norms(module, active_adapter)
        return result + (factor - 1) * product + factor * sine_linear(dropped, [module.sine_arguments(active_adapter)])

    @staticmethod
    def merged_forward(module: Any, adapters: list[str], x: Tensor) -> Tensor:
        """The output of base layer and the one adapter together, by one product."""
        (adapter,), (weight, bias) = adapters, module.base_parameters()
        factor = module.lora_magnitude_vector[adapter].weight / dora_norms(module, adapter)
        y = factor * sine_linear(x, [module.sine_arguments(adapter)], weight)
        return y if bias is None else y + bias


class SineDoraEmbeddingVariant(SineDoraVariant):
    peft_variant = peft_variants.DoraEmbeddingVariant

    @staticmethod
    def forward(module: Any, active_adapter: str, x: Tensor, result: Tensor, **kwargs: Any) -> Tensor:
        factor = module.lora_magnitude_vector[active_adapter].weight / dora_norms(module, active_adapter)
        return factor * (result + module.sine_rows(active_adapter, x))


def dora_norms(module: Any, adapter: str) -> Tensor:
    """||W + delta W|| of each output, where W is the base layer's weight."""
    weight = module.get_base_layer().weight.detach()
    return row_norms(transpose(weight, module.fan_in_fan_out), module.sine_arguments(adapter)).to(weight.dtype)
