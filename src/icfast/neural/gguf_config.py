"""Configuration of a GGUF model: metadata that transformers' loader leaves out.

transformers maps sizes and constants of a GGUF file to its own configuration, but it ignores other
keys without a message. This module applies linear scaling of positions, rotary factors and biases
of attention, and refuses other keys that would change the model's numbers.
"""

from __future__ import annotations

import math
from typing import Any

from icfast.corpus.tokenizers.gguf_file import GgufFile
from icfast.errors import ModelError

#: Metadata key -> attributes of the configuration that must have its value.
_CHECKED = {
    "expert_count": ("num_experts", "num_local_experts", "n_routed_experts"),
    "expert_used_count": ("num_experts_per_tok",),
    "attention.sliding_window": ("sliding_window",),
    "attention.clamp_kqv": ("clip_qkv",),
    "attention.scale": ("attention_multiplier",),
    "attn_logit_softcapping": ("attn_logit_softcapping",),
    "final_logit_softcapping": ("final_logit_softcapping",),
    "logit_scale": ("logit_scale", "logits_scaling"),
    "embedding_scale": ("embedding_multiplier",),
    "residual_scale": ("residual_multiplier",),
    "attention.layer_norm_rms_epsilon": (
        "rms_norm_eps", "norm_eps", "layer_norm_epsilon", "layer_norm_eps",
    ),
    "attention.layer_norm_epsilon": (
        "layer_norm_epsilon", "layer_norm_eps", "norm_epsilon", "norm_eps",
    ),
}  # fmt: skip
#: Keys whose value 0 or 1 means that the model does not use them.
_UNUSED = (0, 1)


def file_config(file: GgufFile) -> Any:
    """Return transformers' configuration for a GGUF file, completed from its metadata.

    Raises:
        ModelError: the metadata describe a model that transformers would compute wrongly.
    """
    import transformers

    architecture = file.need("general.architecture")
    config = transformers.AutoConfig.from_pretrained(
        str(file.path.parent), gguf_file=file.path.name, local_files_only=True
    )
    _scale_positions(file, architecture, config)
    if "blk.0.attn_output.bias" in file.tensors and hasattr(config, "attention_bias"):
        config.attention_bias = True
    for key, attributes in _CHECKED.items():
        _check(file, f"{architecture}.{key}", config, attributes)
    _check_head(file, architecture, config)
    return config


def apply_rope_factors(file: GgufFile, model: Any) -> None:
    """Divide the rotary frequencies by the file's factors (Llama 3.1 and later), if it has any."""
    tensor = file.tensors.get("rope_freqs.weight")
    if tensor is None:
        return
    import torch

    rotary = getattr(model.base_model, "rotary_emb", None)
    if rotary is None:
        raise ModelError(
            f"{file.path} has factors for rotary positions, but transformers builds a model "
            "without them. Use the model's own folder (hf:DIR)"
        )
    rotary.inv_freq.div_(torch.tensor(tensor.data, dtype=rotary.inv_freq.dtype))
    if hasattr(rotary, "original_inv_freq"):
        rotary.original_inv_freq = rotary.inv_freq


def _scale_positions(file: GgufFile, architecture: str, config: Any) -> None:
    """Write linear scaling of positions into the configuration."""
    key = f"{architecture}.rope"
    kind = file.get(f"{key}.scaling.type", "linear")
    factor = float(file.get(f"{key}.scaling.factor", 0) or file.get(f"{key}.scale_linear", 0))
    if kind == "none" or not factor or architecture == "gpt-oss":  # loaded by transformers
        return
    if kind != "linear":
        raise ModelError(
            f"{file.path} scales positions by {kind!r}; only linear scaling can be loaded from "
            "GGUF. Use the model's own folder (hf:DIR)"
        )
    scaling = {"rope_type": "linear", "factor": factor}
    if getattr(config, "rope_parameters", None):  # transformers 5
        config.rope_parameters = {**config.rope_parameters, **scaling}
    else:
        config.rope_scaling = scaling


def _check(file: GgufFile, key: str, config: Any, attributes: tuple[str, ...]) -> None:
    value = file.get(key)
    if value is None:
        return
    found = [getattr(config, name) for name in attributes if getattr(config, name, None)]
    if any(math.isclose(value, own, rel_tol=1e-5) for own in found):
        return
    if value in _UNUSED and not found:
        return
    raise ModelError(
        f"{file.path} has {key} {value}, but transformers would compute the model with "
        f"{found[0] if found else 'none'}. Use the model's own folder (hf:DIR)"
    )


def _check_head(file: GgufFile, architecture: str, config: Any) -> None:
    """Raise if the file's heads, or the rotated part of them, differ from the configuration's."""
    heads = getattr(config, "num_attention_heads", None)
    width = getattr(config, "hidden_size", None)
    if not heads or not width:
        return
    head = getattr(config, "head_dim", None) or width // heads
    parameters = getattr(config, "rope_parameters", None) or {}
    share = parameters.get("partial_rotary_factor") or getattr(config, "partial_rotary_factor", 1)
    for key, expected in (
        ("attention.key_length", head),
        ("attention.value_length", head),
        ("rope.dimension_count", int(head * (share or 1))),
    ):
        found = file.get(f"{architecture}.{key}", expected)
        if found != expected:
            raise ModelError(
                f"{file.path} has {architecture}.{key} {found}, but transformers would compute the "
                f"model with {expected}. Use the model's own folder (hf:DIR)"
            )
