"""The .sine file of an adapter."""

import json
import struct
import zlib
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

peft = pytest.importorskip("peft")
import independent_reader  # noqa: E402
from adapted_nets import DORA, EXACT, LAYERS, TOKENS, Net, adapted, base_of, config, draw  # noqa: E402
from golden_files import HASHES, golden, hash_of, name_of  # noqa: E402

from sinenerf import fields  # noqa: E402
from sinenerf.adapter_file import AdapterHeader  # noqa: E402
from sinenerf.adapters import SineLoraConfig, load_adapter, save_adapter, saving  # noqa: E402
from sinenerf.codec.container import ADAPTER, Container, pack  # noqa: E402
from sinenerf.codec.entropy import CodecError  # noqa: E402
from sinenerf.codec.table import Coded  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:peft.*")


@DORA
@pytest.mark.parametrize("bits", [32, 10])
def test_file_round_trip(dora, bits, tmp_path):
    model = adapted(use_dora=dora, rank_pattern={"linear": 2}, omega=5.0)
    base, path = base_of(model), tmp_path / "adapter.sine"
    size = save_adapter(model, path, bits)
    assert size == path.stat().st_size
    again = load_adapter(base, path).eval()
    torch.testing.assert_close(again(TOKENS), model(TOKENS), **(EXACT if bits == 32 else {"atol": 0.05, "rtol": 0.05}))
    assert again.peft_config["default"].omega == 5.0 and again.peft_config["default"].r == 3
    second = tmp_path / "second.sine"
    save_adapter(again, second, bits)
    if bits == 32:
        assert second.read_bytes() == path.read_bytes()


def test_plain_lora_has_files_too(tmp_path):
    model = peft.get_peft_model(Net(), peft.LoraConfig(r=3, target_modules=LAYERS)).eval()
    draw(model)
    base, path = base_of(model), tmp_path / "adapter.sine"
    save_adapter(model, path, 32)
    again = load_adapter(base, path, "lent").eval()
    torch.testing.assert_close(again(TOKENS), model(TOKENS), **EXACT)


def test_fewer_bits_make_fewer_bytes(tmp_path):
    model = peft.get_peft_model(nn.Sequential(nn.Linear(500, 400)), config(target_modules=["0"]))
    draw(model)
    sizes = {bits: save_adapter(model, tmp_path / f"{bits}.sine", bits) for bits in (3, 6, 8, 32)}
    assert sizes[32] > 4 * 2700
    for bits in (3, 6, 8):
        assert abs(sizes[bits] - 2700 * bits / 8) < 0.03 * 2700 * bits / 8 + 260  # header: names, settings, frame


def read_adapter(data):
    """(settings, {name: (integers or None, float32 values)}), as docs/format.md says."""
    assert data[:6] == b"SINE\x04\x03" and zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")
    length, place = independent_reader.varint(data, 6)
    header = json.loads(zlib.decompress(data[place : place + length]))
    return header["config"], independent_reader.read_tensors(data, place + length, header["tensors"].items())


def test_the_second_reader_reads_it(tmp_path):
    model, path = adapted(), tmp_path / "adapter.sine"
    save_adapter(model, path, 6)
    settings, tensors = read_adapter(path.read_bytes())
    assert settings["omega"] == 50.0 and settings["peft_type"] == "SINE_LORA" and settings["r"] == 3
    loaded = peft.get_peft_model_state_dict(load_adapter(base_of(model), path))
    assert list(tensors) == list(loaded)
    for name, (_, values) in tensors.items():
        assert np.array_equal(values, loaded[name].numpy())


@pytest.mark.parametrize("path", golden("adapters"), ids=name_of)
def test_golden_adapters_decode_to_the_same_integers(path):
    _, tensors = read_adapter(path.read_bytes())
    assert hash_of(tensors) == HASHES[name_of(path)]
    loaded = peft.get_peft_model_state_dict(load_adapter(Net(), path))
    assert all(np.array_equal(values, loaded[name].numpy()) for name, (_, values) in tensors.items())


def test_info(tmp_path, capsys):
    path = tmp_path / "adapter.sine"
    size = save_adapter(adapted(), path)
    fields.print_info(path, as_json=True)
    info = json.loads(capsys.readouterr().out)
    assert info["kind"] == "adapter" and info["bytes"] == size and info["architecture"]["omega"] == 50.0
    assert sum(np.prod(t["shape"]) for t in info["tensors"]) == info["parameters"]
    fields.print_info(path, as_json=False)
    assert "adapter, version 4" in " ".join(capsys.readouterr().out.split())  # a long path breaks the line
    with pytest.raises(CodecError, match="holds an adapter, which needs its model"):
        fields.load(path)


def test_another_models_adapter_is_refused_and_leaves_no_trace(tmp_path):
    path = tmp_path / "adapter.sine"
    save_adapter(adapted(target_modules=["linear"]), path)
    other = Net()
    other.linear = nn.Linear(24, 11)
    with pytest.raises(CodecError, match=r"is the adapter of another model: .*linear\.lora_B"):
        load_adapter(other, path)
    assert type(other.linear) is nn.Linear


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no json", "its header cannot be read"),
        (b"[" * 100_000, "its header cannot be read"),
        (b"[]", "other parts"),
        (b'{"config": {}, "tensors": []}', "other parts"),
        (b'{"config": {"peft_type": "IA3"}, "tensors": {}}', "of type 'IA3'"),
        (b'{"config": {"peft_type": "LORA", "megatron_core": "os"}, "tensors": {}}', "megatron_core"),
        (b'{"config": {"peft_type": "LORA", "\\u001b[2J": 1}, "tensors": {}}', r"does not have: '\\x1b\[2J'"),
        (b'{"config": {"peft_type": "LORA", "r": "8"}, "tensors": {}}', "does not have: r '8'"),
        (b'{"config": {"peft_type": "LORA", "r": 1' + 5000 * b"0" + b'}, "tensors": {}}', "its header cannot be read"),
        (b'{"config": {"peft_type": "LORA", "lora_alpha": NaN}, "tensors": {}}', "lora_alpha nan"),
        (b'{"config": {"peft_type": "LORA", "target_modules": "(a+)+$"}, "tensors": {}}', r"target_modules '\(a\+"),
        (b'{"config": {"peft_type": "LORA", "rank_pattern": {"(a+)+$": 4}}, "tensors": {}}', "rank_pattern"),
        (b'{"config": {"peft_type": "LORA", "bias": "some"}, "tensors": {}}', "bias 'some'"),
        (b'{"config": {"peft_type": "LORA"}, "tensors": {"a": [-1]}}', "out of bounds"),
        (b'{"config": {"peft_type": "LORA"}, "tensors": {"a": [99999999, 9]}}', "out of bounds"),
        (b'{"config": {"peft_type": "SINE_LORA", "omega": 0}, "tensors": {"a": [1]}}', "none of PEFT's: omega is 0"),
        (b" " * (2**20 + 1), "its header cannot be read"),
    ],
)
def test_bad_headers(content, message, tmp_path):
    path = tmp_path / "bad.sine"
    path.write_bytes(pack(ADAPTER, zlib.compress(content), [np.zeros(1, np.float32)]))
    with pytest.raises(CodecError, match=message):
        load_adapter(Net(), path)


def crafted(path, config, shapes):
    """A file of zeros, which are a bit at most."""
    tensors = [Coded(np.zeros(shape, np.int64), 1.0) for shape in shapes.values()]
    header = zlib.compress(json.dumps({"config": {"peft_type": "LORA", **config}, "tensors": shapes}).encode())
    path.write_bytes(pack(ADAPTER, header, tensors))
    return path


FACTORS = {"base_model.model.linear.lora_A.weight": (3, 24), "base_model.model.linear.lora_B.weight": (10, 3)}


@pytest.mark.parametrize(
    ("config", "shapes", "message"),
    [
        ({"r": 50_000_000}, FACTORS, "its settings have a rank of 50000000, its tensors of 3 at most"),
        ({"r": 3, "rank_pattern": {"linear": 50_000_000}}, FACTORS, "a rank of 50000000"),
        ({"r": 2**22}, dict(zip(FACTORS, [(2**22, 1), (1, 2**22)], strict=True)), "lora_A.weight' has no other factor"),
        ({"r": 3}, dict(list(FACTORS.items())[:1]), "lora_A.weight' has no other factor that fits"),
    ],
)
def test_ranks_that_no_tensor_has_make_no_layers(config, shapes, message, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "get_peft_model", lambda *_: pytest.fail("layers were made"))
    path = crafted(tmp_path / "large.sine", {"target_modules": ["linear"], **config}, shapes)
    with pytest.raises(CodecError, match=f"^{path}: is damaged: .*{message}"):
        load_adapter(Net(), path)


def test_what_peft_refuses_names_the_file(tmp_path):
    path = crafted(tmp_path / "other.sine", {"target_modules": ["nowhere"], "r": 3}, FACTORS)
    with pytest.raises(CodecError, match=f"^{path}: cannot be put on this model: Target modules .*nowhere"):
        load_adapter(Net(), path)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("start", ["pissa", "pissa_niter_2", "olora", "OLoRA"])
def test_a_lora_that_changed_its_base_is_refused(start, tmp_path):
    model = peft.get_peft_model(Net(), peft.LoraConfig(r=4, target_modules=["linear"], init_lora_weights=start))
    with pytest.raises(ValueError, match=f"init_lora_weights='{start}' changed the base model"):
        save_adapter(model, tmp_path / "a.sine")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("start", [True, False, "gaussian", "orthogonal", "mica"])
def test_a_lora_that_left_its_base_alone_is_kept(start, tmp_path):
    net = Net()
    base = deepcopy(net)
    model = peft.get_peft_model(net, peft.LoraConfig(r=4, target_modules=["linear"], init_lora_weights=start)).eval()
    draw(model)
    save_adapter(model, tmp_path / "a.sine", 32)
    torch.testing.assert_close(load_adapter(base, tmp_path / "a.sine").eval()(TOKENS), model(TOKENS), **EXACT)


def test_regular_expressions_are_written_as_names(tmp_path):
    model = adapted(target_modules=".*", exclude_modules="norm|embed", r=9, rank_pattern={"conv": 2, "linear": 3})
    base, path = base_of(model), tmp_path / "adapter.sine"
    save_adapter(model, path, 32)
    settings, _ = read_adapter(path.read_bytes())
    assert settings["target_modules"] == ["conv", "linear"] and "exclude_modules" not in settings and settings["r"] == 3
    torch.testing.assert_close(load_adapter(base, path).eval()(TOKENS), model(TOKENS), **EXACT)
    with pytest.raises(CodecError, match=r"does not have: rank_pattern .*con\+v"):
        save_adapter(adapted(rank_pattern={"con+v": 2}), path)


@pytest.mark.filterwarnings("ignore::FutureWarning:transformers")
@pytest.mark.parametrize("kind", [peft.LoraConfig, SineLoraConfig])
def test_an_adapted_embedding_is_stored_without_its_base(kind, tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = LlamaConfig(vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2)
    net = LlamaForCausalLM(shape).eval()
    base, path = deepcopy(net), tmp_path / "adapter.sine"
    model = peft.get_peft_model(net, kind(r=2, target_modules=["embed_tokens", "lm_head"])).eval()
    draw(model)
    save_adapter(model, path, 32)
    _, tensors = read_adapter(path.read_bytes())
    assert len(tensors) == 4 and all(".lora_" in name for name in tensors)
    again = load_adapter(base, path).eval()
    torch.testing.assert_close(again(TOKENS).logits, model(TOKENS).logits, **EXACT)


def test_names_of_a_file_are_not_obeyed_by_the_terminal(tmp_path, capsys):
    names = {"[/x]": (2,), ":bomb:": (2,), "\x1b[2Jy": (2,)}
    path = crafted(tmp_path / "odd.sine", {"base_model_name_or_path": "[bold]\x1b]0;z"}, names)
    fields.print_info(path, as_json=False)
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert all(name in said for name in ("[/x]", ":bomb:", "\ufffd[2Jy", "[bold]\ufffd]0;z"))


def test_an_adapter_of_no_tensors_is_refused(tmp_path):
    with pytest.raises(CodecError, match=r"none.sine: holds an adapter without tensors$"):
        fields.describe(crafted(tmp_path / "none.sine", {}, {}))


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
            header = fields.adapter_file.read_header(container)
            container.tensors(list(header.shapes.values()))
        except CodecError:
            found += 1
    assert found > 250  # the others only change a number


def test_bad_files_are_refused(tmp_path):
    model = adapted()
    with pytest.raises(ValueError, match="bits is 0"):
        save_adapter(model, tmp_path / "a.sine", 0)
    with pytest.raises(ValueError, match="no adapter 'x', only default"):
        save_adapter(model, tmp_path / "a.sine", adapter_name="x")
    with pytest.raises(ValueError, match="no place for the setting layer_replication"):
        model.peft_config["default"].layer_replication = [(0, 1)]
        save_adapter(model, tmp_path / "a.sine")
    with pytest.raises(CodecError, match="out of bounds"):
        AdapterHeader({"peft_type": "LORA"}, {"a" * 600: (1,)}).to_bytes()
    names = {f"{index:05}{'a' * 200}": (1,) for index in range(2**13)}  # compressed, they are few bytes
    with pytest.raises(CodecError, match=r"a header of 1,\d{3},\d{3} bytes is beyond the format's bound of 1,048,576"):
        AdapterHeader({"peft_type": "LORA"}, names).to_bytes()
    assert not any(tmp_path.iterdir())
