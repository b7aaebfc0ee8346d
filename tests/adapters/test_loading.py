"""Loading adapters: what is refused, and that a refused file leaves no trace in the model."""

import struct
import zlib
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

peft = pytest.importorskip("peft")
from support.adapted_nets import FACTORS, TOKENS, Net, adapted, crafted  # noqa: E402

from sinenerf.adapters import SineLoraConfig, load_adapter, loading, save_adapter  # noqa: E402
from sinenerf.codec import adapter_header  # noqa: E402
from sinenerf.codec.container import Container  # noqa: E402
from sinenerf.codec.entropy import CodecError  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:peft.*")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"megatron_core": "os"}, "has a setting that the format does not have: 'megatron_core'"),
        ({"r": "8"}, "has a setting that the format does not have: r '8'"),
        ({"peft_type": "IA3"}, "has an adapter of type 'IA3'"),
        ({"peft_type": "SINE_LORA", "omega": 0}, "PEFT does not accept its settings: omega is 0"),
    ],
)
def test_bad_settings_are_named_with_the_file(settings, message, tmp_path):
    path = crafted(tmp_path / "bad.sine", {"target_modules": ["linear"], **settings}, FACTORS)
    with pytest.raises(CodecError, match=f"^{path}: {message}"):
        load_adapter(Net(), path)


@pytest.mark.parametrize(
    ("config", "shapes", "message"),
    [
        ({"r": 50_000_000}, FACTORS, "its settings have a rank of 50000000, its tensors of 3 at most"),
        ({"r": 3, "rank_pattern": {"linear": 50_000_000}}, FACTORS, "a rank of 50000000"),
        (
            {"r": 2**22},
            dict(zip(FACTORS, [(2**22, 1), (1, 2**22)], strict=True)),
            "lora_A.weight' has a rank of 4194304",
        ),
        ({"r": 3}, dict(list(FACTORS.items())[:1]), "lora_A.weight' has no matching factor"),
    ],
)
def test_ranks_that_no_tensor_has_create_no_layers(config, shapes, message, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "get_peft_model", lambda *_: pytest.fail("layers were created"))
    path = crafted(tmp_path / "large.sine", {"target_modules": ["linear"], **config}, shapes)
    with pytest.raises(CodecError, match=f"^{path}: .*{message}"):
        load_adapter(Net(), path)


@pytest.mark.parametrize("field", ["rank_pattern", "alpha_pattern", "modules_to_save"])
def test_more_names_than_an_adapter_needs_are_refused(field, tmp_path, monkeypatch):
    """PEFT compiles a regular expression for each name and module: a file of 400 kB would take hours."""
    monkeypatch.setattr(loading, "get_peft_model", lambda *_: pytest.fail("layers were created"))
    names = [f"layer{index}" for index in range(20_000)]
    value = names if field == "modules_to_save" else dict.fromkeys(names, 1)
    path = crafted(tmp_path / "names.sine", {"target_modules": ["linear"], "r": 3, field: value}, FACTORS)
    with pytest.raises(CodecError, match=f"^{path}: .*its {field} has 20,000 names, for 2 tensors"):
        load_adapter(Net(), path)


def test_what_peft_refuses_names_the_file(tmp_path):
    path = crafted(tmp_path / "other.sine", {"target_modules": ["nowhere"], "r": 3}, FACTORS)
    with pytest.raises(CodecError, match=f"^{path}: cannot be put on this model: Target modules .*nowhere"):
        load_adapter(Net(), path)


def test_other_defaults_of_peft_change_no_file(tmp_path, monkeypatch):
    @dataclass
    class NextConfig(peft.LoraConfig):
        r: int = 3
        lora_alpha: int = 99
        use_rslora: bool = True

    monkeypatch.setitem(loading.PEFT_TYPE_TO_CONFIG_MAPPING, "LORA", NextConfig)
    factors = {"base_model.model.linear.lora_A.weight": (8, 24), "base_model.model.linear.lora_B.weight": (10, 8)}
    path = crafted(tmp_path / "a.sine", {"target_modules": ["linear"]}, factors)
    assert load_adapter(Net(), path).base_model.model.linear.scaling == {"default": 1.0}


class Largest(TorchDispatchMode):
    """The most values of any tensor created with memory, apart from the model's own parameters."""

    def __init__(self, model):
        super().__init__()
        self.own, self.values = {p.data_ptr() for p in model.parameters()}, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and not result.is_meta and result.data_ptr() not in self.own:
            self.values = max(self.values, result.numel())
        return result


KINDS = {"LORA": peft.LoraConfig, "SINE_LORA": SineLoraConfig}


@pytest.mark.parametrize("further", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_adapter_allocates_no_memory(kind, further, tmp_path):
    """A file of about 200 bytes, whose settings match every module of a model."""
    shapes = {"x.lora_A.weight": (512, 1), "x.lora_B.weight": (512, 512)}
    settings = {"peft_type": kind, "r": 512, "target_modules": ["0", "1"], "modules_to_save": ["2"], "use_dora": True}
    path = crafted(tmp_path / "small.sine", settings, shapes)
    net = nn.Sequential(nn.Linear(512, 512), nn.Embedding(512, 512), nn.Linear(512, 512), nn.Linear(2, 2))
    if further:
        net = peft.get_peft_model(net, KINDS[kind](r=1, target_modules=["3"]))
    with Largest(net) as largest, pytest.raises(CodecError, match="is the adapter of another model"):
        load_adapter(net, path, "other")
    assert path.stat().st_size < 300 and largest.values < 512


@pytest.mark.parametrize("further", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"target_modules": ["conv", "linear"], "bias": "all"},
            r"is the adapter of another model: 'base_model\.model\.",
        ),
        ({"target_modules": ["linear", "norm"]}, "cannot be put on this model: .*LayerNorm"),
        (
            {"target_modules": ["linear"], "modules_to_save": ["norm", "blocks"]},
            "cannot be put on this model: .*to_save",
        ),
    ],
)
def test_a_refused_adapter_leaves_no_trace(settings, message, kind, further, tmp_path):
    path = crafted(tmp_path / "a.sine", {"peft_type": kind, "r": 3, **settings}, FACTORS)
    net = Net()
    net.blocks = nn.ModuleList([nn.Linear(2, 2)])
    net.conv.weight.requires_grad_(False)
    if further:
        net = peft.get_peft_model(net, KINDS[kind](r=2, target_modules=["conv"], modules_to_save=["embed"]))
    before, output = traces(net), net(TOKENS)
    with pytest.raises(CodecError, match=f"^{path}: {message}"):
        load_adapter(net, path, "other")
    assert traces(net) == before and torch.equal(net(TOKENS), output)


def traces(model):
    """All modules with their attributes, and which parameters are trained."""
    modules = {name: (id(module), repr(sorted(vars(module).items()))) for name, module in model.named_modules()}
    return modules, [(name, id(p), p.requires_grad) for name, p in model.named_parameters()]


def test_a_task_that_the_model_cannot_do_leaves_no_trace(tmp_path):
    path = crafted(tmp_path / "a.sine", {"r": 3, "target_modules": ["linear"], "task_type": "CAUSAL_LM"}, FACTORS)
    net = Net()
    before = traces(net)
    with pytest.raises(CodecError, match=r"cannot be put on this model: .*prepare_inputs_for_generation"):
        load_adapter(net, path)
    assert traces(net) == before


def test_a_failure_after_the_dry_run_leaves_no_trace(tmp_path, monkeypatch):
    path, net = tmp_path / "adapter.sine", Net()
    save_adapter(adapted(), path)
    before = traces(net)
    monkeypatch.setattr(loading, "set_peft_model_state_dict", lambda *_, **__: exec("raise MemoryError"))
    with pytest.raises(MemoryError):
        load_adapter(net, path)
    assert traces(net) == before


def test_damage_is_found(tmp_path):
    path = tmp_path / "adapter.sine"
    save_adapter(adapted(), path)
    whole, random, found = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(300):
        data = bytearray(whole)
        data[random.integers(4, len(data) - 4)] ^= 1 << int(random.integers(8))
        data = bytes(data[:-4]) + struct.pack("<I", zlib.crc32(bytes(data[:-4])))  # resealed
        try:
            container = Container.parse(data)
            header = adapter_header.read_header(container)
            container.tensors(list(header.shapes.values()))
        except CodecError:
            found += 1
    assert found > 250  # the others only change a value
