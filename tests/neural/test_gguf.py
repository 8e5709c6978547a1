"""GGUF files against models of transformers whose weights these tests map and unpack."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.neural.tiny_models import (
    as_transformers,
    expected_nats,
    save_gguf,
    tiny_tensors,
    tiny_tokens,
    unpacked,
)

from icfast.errors import MissingExtraError, ModelError
from icfast.kneser_ney.compact import CompactModel
from icfast.kneser_ney.model import NgramModel
from icfast.neural import load_model
from icfast.quality.open_model import open_model

torch = pytest.importorskip("torch", reason="no torch here: pip install 'icfast[neural]'")
gguf = pytest.importorskip("gguf", reason="no gguf here: pip install 'icfast[neural]'")
from icfast.neural.load import load_gguf  # noqa: E402

V = len(tiny_tokens())
#: The tiny file's metadata, as transformers calls them.
CONFIG: dict[str, Any] = {
    "vocab_size": V,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0},
    "tie_word_embeddings": True,
    "bos_token_id": 0,
    "eos_token_id": 1,
}


def some_windows() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    ids = np.random.default_rng(1).integers(0, V, (3, 64))
    targets = np.roll(ids, -1, axis=1)
    targets[:, -1] = -100
    targets[2, 10:] = -100
    return ids, targets


def check_against(own: Any, path: Path, backend: str = "auto") -> None:
    ids, targets = some_windows()
    with torch.no_grad():
        logits = own(input_ids=torch.from_numpy(ids)).logits.double().numpy()
    model = load_gguf(path, backend=backend)
    out = model.losses(ids, targets, threads=2)
    assert np.abs(out.nll_nats - expected_nats(logits, targets)).max() < 1e-5
    alone = model.losses(ids[2:, :10], targets[2:, :10], threads=1).nll_nats
    assert np.abs(out.nll_nats.reshape(ids.shape)[2, :10] - alone).max() < 1e-5


def test_llama(tmp_path: Path, backend: str) -> None:
    tensors = tiny_tensors()
    path = save_gguf(tmp_path / "x.gguf", tensors=tensors)
    check_against(as_transformers(tensors, "llama", paired=True, **CONFIG), path, backend)


def test_llama_with_biases_and_an_output_of_its_own(tmp_path: Path) -> None:
    tensors = tiny_tensors(biases=True, output=True)
    for layer in range(2):  # transformers has one switch for all four
        tensors[f"blk.{layer}.attn_output.bias"] = np.linspace(-1, 1, 64, dtype=np.float32)
    path = save_gguf(tmp_path / "x.gguf", tensors=tensors)
    config = {**CONFIG, "tie_word_embeddings": False, "attention_bias": True}
    check_against(as_transformers(tensors, "llama", paired=True, **config), path)


def test_qwen2_turns_halves_and_has_biases(tmp_path: Path) -> None:
    tensors = tiny_tensors(biases=True)
    path = save_gguf(tmp_path / "x.gguf", architecture="qwen2", tensors=tensors)
    check_against(as_transformers(tensors, "qwen2", paired=False, **CONFIG), path)


def with_head_norms() -> dict[str, NDArray[np.float32]]:
    """Return weights with Qwen3's norms of each head's queries and keys."""
    tensors = tiny_tensors()
    for layer in range(2):
        for name in ("attn_q_norm", "attn_k_norm"):
            tensors[f"blk.{layer}.{name}.weight"] = np.linspace(0.5, 1.5, 16, dtype=np.float32)
    return tensors


def test_qwen3_norms_its_heads(tmp_path: Path) -> None:
    metadata = {"qwen3.attention.key_length": 128, "qwen3.attention.value_length": 128}
    tensors = with_head_norms()
    for name, values in tensors.items():  # transformers assumes heads of 128 dimensions
        if "attn_q_norm" in name or "attn_k_norm" in name:
            tensors[name] = np.repeat(values, 8)
        elif "attn_output" in name:
            tensors[name] = np.tile(values, (1, 8)) / 8
        elif ".attn_" in name and "norm" not in name:
            tensors[name] = np.tile(values, (8, 1))
    path = save_gguf(tmp_path / "x.gguf", architecture="qwen3", tensors=tensors, metadata=metadata)
    config = {**CONFIG, "head_dim": 128}
    check_against(as_transformers(tensors, "qwen3", paired=False, **config), path)


def test_phi3_joins_projections(tmp_path: Path) -> None:
    """Queries, keys and values are one matrix, gate and up projections another."""
    tensors = tiny_tensors(output=True)
    joined = {}
    for name, values in tensors.items():
        if ".attn_q." in name:
            parts = [tensors[name.replace("attn_q", f"attn_{part}")] for part in "qkv"]
            joined[name.replace("attn_q", "attn_qkv")] = np.concatenate(parts)
        elif ".ffn_up." in name:
            joined[name] = np.concatenate([tensors[name.replace("_up", "_gate")], values])
        elif ".attn_k." not in name and ".attn_v." not in name and ".ffn_gate." not in name:
            joined[name] = values
    padding = {"tokenizer.ggml.padding_token_id": 0}
    path = save_gguf(tmp_path / "x.gguf", architecture="phi3", tensors=joined, metadata=padding)
    config = {**CONFIG, "tie_word_embeddings": False, "pad_token_id": 0}
    own = {name.replace("ffn_up", "ffn_up_joined"): values for name, values in joined.items()}
    check_against(as_transformers(own, "phi3", paired=False, **config), path)


def test_positions_scaled_linearly(tmp_path: Path) -> None:
    tensors = tiny_tensors()
    scaling = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}
    path = save_gguf(tmp_path / "x.gguf", tensors=tensors, metadata=scaling)
    rope = {"rope_type": "linear", "rope_theta": 5000.0, "factor": 4.0}
    own = as_transformers(tensors, "llama", paired=True, **{**CONFIG, "rope_parameters": rope})
    check_against(own, path)


def test_positions_scaled_by_frequency(tmp_path: Path) -> None:
    """Llama 3.1: the file stores divisors, transformers computes them from its configuration."""
    rope = {
        "rope_type": "llama3", "rope_theta": 5000.0, "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
    }  # fmt: skip
    tensors = tiny_tensors()
    config = {**CONFIG, "rope_parameters": rope}
    own = as_transformers(tensors, "llama", paired=True, **config)
    plain = 5000.0 ** -(np.arange(0, 16, 2) / 16)
    divisors = (plain / own.model.rotary_emb.inv_freq.numpy()).astype(np.float32)
    assert divisors.max() == pytest.approx(8)
    with_divisors = {**tensors, "rope_freqs.weight": divisors}
    check_against(own, save_gguf(tmp_path / "x.gguf", tensors=with_divisors))


def test_quantised_tensors(tmp_path: Path) -> None:
    """Tensors have different formats, as in llama.cpp's files; bits include scales."""
    tensors = tiny_tensors()
    formats = {"token_embd": "Q8_0", "attn_v": "F16", "norm": "F32", "blk": "Q4_1"}
    path = save_gguf(tmp_path / "x.gguf", tensors=tensors, formats=formats)
    rounded = {}
    for tensor in gguf.GGUFReader(path).tensors:
        shape = tensors[tensor.name].shape
        kind = tensor.tensor_type.name
        data = np.array(tensor.data)
        values = unpacked(data, kind)
        rounded[tensor.name] = values.reshape(shape)
    assert np.abs(rounded["blk.0.ffn_up.weight"] - tensors["blk.0.ffn_up.weight"]).max() > 0.01
    check_against(as_transformers(rounded, "llama", paired=True, **CONFIG), path)
    sizes = {tensor.name: tensor for tensor in load_gguf(path).tensors}
    bits = {"Q8_0": 8.5, "Q4_1": 5, "F16": 16, "F32": 32}
    found = {tensor.format for tensor in sizes.values()}
    assert found == set(bits)
    for name, tensor in sizes.items():
        assert tensor.params == tensors[name].size
        assert tensor.bits == bits[tensor.format] * tensor.params


def test_what_is_known_of_a_model(tmp_path: Path) -> None:
    model = load_model(f"gguf:{save_gguf(tmp_path / 'x.gguf')}")
    assert (model.name, model.vocab_size, model.context) == (f"gguf:{tmp_path}/x.gguf", V, 64)
    assert (model.bos_id, model.logits_format, model.tokenizer) == (0, "fp32", "x.gguf")
    silent = save_gguf(tmp_path / "y.gguf", metadata={"tokenizer.ggml.add_bos_token": False})
    other = load_gguf(silent)
    assert other.bos_id is None
    assert other.tokenizer_sha256 == model.tokenizer_sha256
    assert other.sha256 != model.sha256
    cut_otherwise = load_gguf(save_gguf(tmp_path / "z.gguf", pre="gpt-2"))
    assert cut_otherwise.tokenizer_sha256 != model.tokenizer_sha256


def test_bf16(tmp_path: Path) -> None:
    path = save_gguf(tmp_path / "x.gguf")
    named = open_model(f"gguf:{path}", model_dtype="bfloat16")
    assert not isinstance(named, NgramModel | CompactModel)
    assert (named.compute_format, named.logits_format) == ("bf16", "fp32")
    ids, targets = some_windows()
    exact = load_gguf(path).losses(ids, targets, 1).nll_nats
    error = np.abs(load_gguf(path, "bfloat16").losses(ids, targets, 1).nll_nats - exact)
    assert 1e-4 < error.max() < 0.3
    assert error.mean() < 0.03


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"llama.expert_count": 8}, "llama.expert_count 8, but transformers .* with none"),
        ({"llama.rope.scaling.type": "yarn", "llama.rope.scaling.factor": 4.0}, "by 'yarn'"),
        ({"llama.rope.dimension_count": 8}, "key_length 16, but transformers .* with 8"),
        ({"llama.attention.sliding_window": 16}, "sliding_window 16, but transformers"),
        ({"llama.logit_scale": 0.25}, "logit_scale 0.25, but transformers"),
    ],
)
def test_variants_that_would_be_computed_wrongly(
    tmp_path: Path, metadata: dict[str, Any], message: str
) -> None:
    metadata = {"llama.attention.key_length": 16, **metadata}
    path = save_gguf(tmp_path / "x.gguf", metadata=metadata)
    with pytest.raises(ModelError, match=message):
        load_gguf(path)


def test_files_that_are_no_such_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*none\.gguf as a GGUF file: No such file"):
        load_model(f"gguf:{tmp_path}/none.gguf")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ModelError, match="is not a GGUF file: it begins with b'hell'"):
        load_gguf(tmp_path / "text")
    unknown = save_gguf(tmp_path / "rwkv6.gguf", architecture="rwkv6")
    with pytest.raises(ModelError, match="architecture rwkv6 is not supported"):
        load_gguf(unknown)
    tensors = tiny_tensors()
    extra = save_gguf(tmp_path / "x.gguf", tensors={**tensors, "blk.0.magic.weight": np.eye(4)})
    with pytest.raises(ModelError, match=r"stores 78672 weights, but .* a model with 78656"):
        load_gguf(extra)
    del tensors["blk.1.ffn_up.weight"]
    with pytest.raises(ModelError, match=r"missing weights model.layers.1.mlp.up_proj.weight"):
        load_gguf(save_gguf(tmp_path / "y.gguf", tensors=tensors))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    whole = save_gguf(tmp_path / "x.gguf").read_bytes()
    path = tmp_path / "cut.gguf"
    for size in (10, 100, 1000, len(whole) // 2, len(whole) - 1000):
        path.write_bytes(whole[:size])
        with pytest.raises(ModelError, match=r"cut\.gguf"):
            load_gguf(path)


def test_without_its_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_gguf(tmp_path / "x.gguf")
    for missing in ("torch", "gguf", "accelerate"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)
            with pytest.raises(MissingExtraError, match=r"pip install 'icfast\[neural\]'"):
                load_model(f"gguf:{path}")
