"""Freshly initialised models and the variance of their logits.

A freshly initialised model has a loss near ln V + sigma^2 / 2 on any corpus, where sigma^2 is the
variance of its logits (`icfast.laws.expected_initial_loss_nats`). The loss therefore measures the
tokenizer and the initialiser.
"""

from __future__ import annotations

import copy
import hashlib

import numpy as np
from numpy.typing import NDArray

from icfast.errors import OptionError
from icfast.neural.token_model import TokenModel
from icfast.neural.transformers_model import TransformersModel


def fresh(model: TokenModel, seed: int) -> TransformersModel:
    """Return the model's architecture with new random weights.

    transformers draws the weights by the model's configuration; the same seed and versions give the
    same weights.

    Raises:
        OptionError: the model has no architecture that can be initialised.
    """
    import torch
    import transformers

    known = with_architecture(model)
    config = copy.deepcopy(known.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        drawn = transformers.AutoModelForCausalLM.from_config(
            config, dtype=torch.float32, trust_remote_code=False
        )
    return TransformersModel(
        drawn.to(known.dtype),
        f"fresh:{seed}:{known.name}",
        tensors=known.tensors,
        sha256=hashlib.sha256(f"fresh {seed} {known.sha256}".encode()).hexdigest(),
        tokenizer=known.tokenizer,
        tokenizer_sha256=known.tokenizer_sha256,
        bos_id=known.bos_id,
        backend=known.backend,
        device=known.device,
    )


def with_architecture(model: TokenModel) -> TransformersModel:
    """Return the model if its architecture can be initialised.

    Raises:
        OptionError: it cannot.
    """
    if isinstance(model, TransformersModel):
        return model
    raise OptionError(
        f"{model.name} is not a transformers or GGUF model, so icfast cannot initialise its "
        "architecture. Pass hf:DIR or gguf:FILE"
    )


def expected_logit_variance(model: TransformersModel) -> float:
    """Return sigma^2 of a fresh model's logits: initializer_range^2 hidden_size.

    The last norm gives hidden states of mean square 1, so the formula holds if the output embedding
    (or the tied input embedding) is drawn with that range. It leaves out caps of the logits. For
    GPT-2 it is 0.02^2 * 768 = 0.3072.
    """
    config = model.config.get_text_config(decoder=True)
    return float(config.initializer_range**2 * config.hidden_size * model.logit_scale**2)


def measured_logit_variance(model: TransformersModel, ids: NDArray[np.int64]) -> float:
    """Return the variance of the logits over the vocabulary, averaged over a few positions."""
    return float(model.logits(ids).astype(np.float64).var(axis=-1).mean())
