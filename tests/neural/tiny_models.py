"""Neural models with a few tens of thousands of random weights, and their expected losses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

V = 97
WORDS = {"vocab_size": V, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
#: Large weights, so that caps, scales and norms show in the logits.
WIDE = {"initializer_range": 0.3}
LLAMA = {
    **WORDS,
    **WIDE,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
GPT2 = {**WIDE, "vocab_size": V, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 4}
#: By model_type: what makes each of them another case.
CONFIGS: dict[str, dict[str, Any]] = {
    "gpt2": {**GPT2, "bos_token_id": 96, "eos_token_id": 96},  # Conv1D, tied, learned positions
    "llama": LLAMA,  # rotary, grouped heads, untied
    "gemma2": {  # both caps, eager attention, tied
        **LLAMA,
        "head_dim": 8,
        "query_pre_attn_scalar": 8,
        "final_logit_softcapping": 2.0,
        "attn_logit_softcapping": 1.0,
    },
    "cohere": {**LLAMA, "logit_scale": 0.3},
    "granite": {**LLAMA, "logits_scaling": 3.0},
    "gptj": {**GPT2, "rotary_dim": 4, "bos_token_id": 1, "eos_token_id": 2},  # a bias on the logits
    "mixtral": {**LLAMA, "num_local_experts": 4},  # rows are sent to experts
    "mamba": {**WORDS, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},  # any length
}


def save_model(folder: Path, kind: str, seed: int = 0, **changed: Any) -> Path:
    """Write a randomly initialised transformers model to a folder."""
    import torch
    import transformers

    dtype = changed.pop("dtype", "float32")
    config = transformers.AutoConfig.for_model(kind, **{**CONFIGS[kind], **changed})
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):  # they begin at zero, where nothing would show
            torch.nn.init.normal_(parameter, 0.0, 0.5)
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    return folder


def windows(seed: int = 0, count: int = 3, positions: int = 40) -> tuple[Any, Any]:
    """Return ids and targets; the last context is padded and the first begins unscored."""
    ids = np.random.default_rng(seed).integers(0, V, (count, positions))
    targets = np.roll(ids, -1, axis=1)
    targets[:, -1] = -100
    targets[-1, positions // 2 :] = -100
    targets[0, :7] = -100
    return ids, targets


def expected_nats(logits: Any, targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return -log softmax of each row in fp64; 0 for rows that are not scored."""
    x = np.asarray(logits, np.float64).reshape(-1, logits.shape[-1])
    top = x.max(axis=1)
    total = np.log(np.exp(x - top[:, None]).sum(axis=1)) + top
    flat = targets.reshape(-1)
    scored = flat >= 0
    return np.where(scored, total - x[np.arange(len(x)), np.where(scored, flat, 0)], 0.0)


def own_logits(folder: Path, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the logits of transformers itself.

    With a cache, older versions of transformers add in another order. Either order is up to 1.3e-5
    nats from the same pass in fp64, so one of them must be named to compare to 1e-5.
    """
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()
    with torch.no_grad():
        found = model(input_ids=torch.from_numpy(ids), use_cache=False)
        return found.logits.double().numpy()  # type: ignore[no-any-return]


# GGUF -----------------------------------------------------------------------------------------

#: ids of the tiny vocabulary: two special ones, the 256 bytes, merges.
MERGES = ["h e", "l l", "he ll", "hell o", "Ġ w", "1 2"]


def byte_alphabet() -> list[str]:
    """Return GPT-2's letter for each byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    letters = {byte: chr(byte) for byte in shown}
    letters |= {byte: chr(256 + number) for number, byte in enumerate(hidden)}
    return [letters[byte] for byte in range(256)]


def tiny_tokens() -> list[str]:
    merged = [merge.replace(" ", "") for merge in MERGES]
    return ["<|begin|>", "<|end|>", *byte_alphabet(), *merged]


def save_gguf(
    path: Path,
    *,
    architecture: str = "llama",
    formats: Mapping[str, str] | None = None,
    tensors: Mapping[str, NDArray[np.float32]] | None = None,
    pre: str | None = "smollm",
    tokenizer: str = "gpt2",
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Write a GGUF file of a tiny model; `formats` maps parts of tensor names to formats."""
    import gguf

    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(64)
    writer.add_embedding_length(64)
    writer.add_block_count(2)
    writer.add_feed_forward_length(96)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(5000.0)
    writer.add_tokenizer_model(tokenizer)
    if pre is not None:
        writer.add_tokenizer_pre(pre)
    tokens = tiny_tokens()
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, *[1] * (len(tokens) - 2)])
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(0)
    for key, value in (metadata or {}).items():
        add = {bool: writer.add_bool, float: writer.add_float32, str: writer.add_string}
        add.get(type(value), writer.add_uint32)(key, value)
    for name, values in (tensors or tiny_tensors()).items():
        kind = next((f for part, f in (formats or {}).items() if part in name), "F32")
        form = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(name, gguf.quants.quantize(values, form), raw_dtype=form)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tiny_tensors(
    *, biases: bool = False, output: bool = False, seed: int = 0
) -> dict[str, NDArray[np.float32]]:
    """Return weights by GGUF's names: 64 dimensions, 4 heads of 16, 2 key heads, 2 layers."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> NDArray[np.float32]:
        return random.normal(0.0, 0.2, shape).astype(np.float32)

    found = {"token_embd.weight": normal(len(tiny_tokens()), 64)}
    for layer in range(2):
        sizes = {
            "attn_q": (64, 64), "attn_k": (32, 64), "attn_v": (32, 64), "attn_output": (64, 64),
            "ffn_gate": (96, 64), "ffn_up": (96, 64), "ffn_down": (64, 96),
        }  # fmt: skip
        for name, shape in sizes.items():
            found[f"blk.{layer}.{name}.weight"] = normal(*shape)
            if biases and name in ("attn_q", "attn_k", "attn_v"):
                found[f"blk.{layer}.{name}.bias"] = normal(shape[0])
        for name in ("attn_norm", "ffn_norm"):
            found[f"blk.{layer}.{name}.weight"] = 1 + normal(64)
    found["output_norm.weight"] = 1 + normal(64)
    if output:
        found["output.weight"] = normal(len(tiny_tokens()), 64)
    return found


def unpacked(packed: NDArray[Any], kind: str) -> NDArray[np.float32]:
    """Unpack blocks of 32 weights: an fp16 scale d, in Q4_1 an fp16 minimum m, then integers."""
    if kind in ("F32", "F16"):
        return packed.astype(np.float32)
    if kind == "Q8_0":
        blocks = packed.reshape(-1, 34)
        d = blocks[:, :2].copy().view(np.float16).astype(np.float32)
        return d * blocks[:, 2:].copy().view(np.int8).astype(np.float32)
    blocks = packed.reshape(-1, 20)
    d = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    m = blocks[:, 2:4].copy().view(np.float16).astype(np.float32)
    return d * np.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], axis=1) + m


_HF_NAMES = {
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm", "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm", "attn_qkv": "self_attn.qkv_proj",
    "ffn_up_joined": "mlp.gate_up_proj",
}  # fmt: skip


def as_transformers(
    tensors: Mapping[str, NDArray[np.float32]], kind: str, paired: bool, **config: Any
) -> Any:
    """Return transformers' model with these GGUF weights, mapped without its GGUF loader.

    `paired`: rows 2 i and 2 i + 1 of a head of q and k are dimensions i and i + d/2 there.
    """
    import torch
    import transformers

    if int(transformers.__version__.split(".")[0]) < 5:  # they were two settings then
        rope = dict(config.pop("rope_parameters"))
        config["rope_theta"] = rope.pop("rope_theta")
        config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    settings = transformers.AutoConfig.for_model(kind, **config)
    model = transformers.AutoModelForCausalLM.from_config(settings).eval()
    heads = {"attn_q": settings.num_attention_heads, "attn_k": settings.num_key_value_heads}
    state = {}
    for name, values in tensors.items():
        *block, part, suffix = name.split(".")
        stem = f"model.layers.{block[1]}." if block else ""
        if paired and part in heads:
            per_head = values.reshape(heads[part], -1, *values.shape[1:])
            values = np.concatenate([per_head[:, 0::2], per_head[:, 1::2]], 1).reshape(values.shape)
        state[f"{stem}{_HF_NAMES[part]}.{suffix}"] = torch.from_numpy(np.array(values))
    if settings.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    return model
