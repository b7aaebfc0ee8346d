"""PEFT's LoRA layers with sin(omega B A) / g in place of B A."""

from typing import Any

import torch
from peft.tuners import lora
from peft.utils.other import transpose
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from sinenerf.adapters import variants
from sinenerf.adapters.sine_product import sine_weight
from sinenerf.factored import precise


class SineLinear(lora.Linear):
    """Sine-LoRA on an nn.Linear or a Conv1D. Created by `SineLoraModel`."""

    other_param_names = (*lora.Linear.other_param_names, "omega", "gain")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.omega: dict[str, float] = {}
        self.gain: dict[str, float] = {}
        super().__init__(*args, **kwargs)

    @property
    def lora_variants(self) -> dict[tuple[str, ...], Any]:
        return {(): variants.SineLinearVariant, ("use_dora",): variants.SineDoraLinearVariant}

    def sine_arguments(self, adapter: str) -> tuple[Tensor, Tensor, float, float]:
        """(A, B, omega, scale) of an adapter: delta W = scale sin(omega B A)."""
        scale = self.scaling[adapter] / self.gain[adapter]
        return self.lora_A[adapter].weight, self.lora_B[adapter].weight, self.omega[adapter], scale

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """As in PEFT, but with one product by W + delta W in place of two where that is exact."""
        adapters = [] if args or kwargs else self._merging_adapters(x)
        if not adapters:
            return super().forward(x, *args, **kwargs)
        return self.lora_variant[adapters[0]].merged_forward(self, adapters, x)

    def _merging_adapters(self, x: Tensor) -> list[str]:
        """The active adapters, where their delta W can be added to W in every step; none where a condition fails.

        They see the base layer's input, not dropout's; DoRA is alone; the base layer is plain, frozen and without
        hooks; and all is in one precision, float32 or float64: half precision would round W + delta W.
        """
        active = [name for name in self.active_adapters if name in self.lora_A]
        if not active or self.disable_adapters or self.merged or torch.is_autocast_enabled(x.device.type):
            return []
        base = self.get_base_layer()
        hooks = base._forward_hooks or base._forward_pre_hooks or base._backward_hooks or base._backward_pre_hooks
        if hooks or type(base) not in (nn.Linear, Conv1D) or base.weight.requires_grad:
            return []
        if len(active) > 1 and any(self.use_dora[name] for name in active):
            return []
        if self.training and not all(isinstance(self.lora_dropout[name], nn.Identity) for name in active):
            return []
        types = {x.dtype, base.weight.dtype, *(self.lora_A[name].weight.dtype for name in active)}
        return active if types in ({torch.float32}, {torch.float64}) else []

    def base_parameters(self) -> tuple[Tensor, Tensor | None]:
        """W of the base layer, (out, in), and its bias."""
        base = self.get_base_layer()
        return transpose(base.weight, self.fan_in_fan_out), base.bias

    def get_delta_weight(self, adapter: str) -> Tensor:
        """delta W of an adapter in the layout of the layer's weight: (out, in), or (in, out) for a Conv1D."""
        delta = sine_weight(*self.sine_arguments(adapter))
        return transpose(delta, self.fan_in_fan_out).to(self.lora_B[adapter].weight.dtype)


class SineEmbedding(lora.Embedding):
    """Sine-LoRA on an nn.Embedding. Created by `SineLoraModel`."""

    other_param_names = (*lora.Embedding.other_param_names, "omega", "gain")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.omega: dict[str, float] = {}
        self.gain: dict[str, float] = {}
        super().__init__(*args, **kwargs)

    @property
    def lora_variants(self) -> dict[tuple[str, ...], Any]:
        return {(): variants.SineEmbeddingVariant, ("use_dora",): variants.SineDoraEmbeddingVariant}

    def sine_arguments(self, adapter: str) -> tuple[Tensor, Tensor, float, float]:
        """(A, B, omega, scale) of an adapter: delta W^T = scale sin(omega B A)."""
        scale = self.scaling[adapter] / self.gain[adapter]
        return self.lora_embedding_A[adapter], self.lora_embedding_B[adapter], self.omega[adapter], scale

    def get_delta_weight(self, adapter: str) -> Tensor:
        """delta W of an adapter: (embeddings, dimension)."""
        return sine_weight(*self.sine_arguments(adapter)).T.to(self.lora_embedding_B[adapter].dtype)

    def sine_rows(self, adapter: str, indices: Tensor) -> Tensor:
        """The rows of delta W for these indices, times the factor that the base layer applies to its own rows."""
        a, b, omega, scale = self.sine_arguments(adapter)
        with torch.autocast(a.device.type, enabled=False):
            phase = (omega * precise(self._embed(indices, a.T))) @ precise(b).T
            embed_scale = self._get_embed_scale()
            return scale * torch.sin(phase) * (1 if embed_scale is None else embed_scale.to(phase))

    def _mixed_batch_forward(self, x: Tensor, *args: Any, adapter_names: list[str], **kwargs: Any) -> Tensor:
        # PEFT's own method would add a plain B A: for embeddings it ignores variants
        result = self.base_layer(x, *args, **kwargs)
        for adapter in set(adapter_names) & set(self.lora_embedding_A):
            rows = [row for row, name in enumerate(adapter_names) if name == adapter]
            adapted = self.lora_variant[adapter].forward(self, active_adapter=adapter, x=x[rows], result=result[rows])
            result[rows] = adapted.to(result.dtype)
        return result
