"""Settings in the header of an adapter's file."""

LORA = {
    "peft_type": "LORA",
    "r": 8,
    "lora_alpha": 8,
    "lora_dropout": 0.0,
    "use_rslora": False,
    "use_dora": False,
    "fan_in_fan_out": False,
    "bias": "none",
}
"""The settings that every file has, PEFT's defaults."""
