"""Sine-LoRA and sine-DoRA on Hugging Face PEFT. Importing this package registers them. Needs sinenerf[peft].

    from sinenerf.adapters import SineLoraConfig
    model = peft.get_peft_model(model, SineLoraConfig(r=4, target_modules=["query", "value"]))

The model is an ordinary PEFT model: save_pretrained, from_pretrained, merge_and_unload and several adapters work as
usual. `save_adapter` and `load_adapter` write and read .sine files.
"""

try:
    import peft  # noqa: F401
except ImportError as error:
    raise ImportError("sinenerf.adapters needs PEFT: pip install 'sinenerf[peft]'") from error

from sinenerf.adapters.loading import load_adapter
from sinenerf.adapters.saving import save_adapter
from sinenerf.adapters.tuner import SineLoraConfig, SineLoraModel, register

register()

__all__ = ["SineLoraConfig", "SineLoraModel", "load_adapter", "save_adapter"]
