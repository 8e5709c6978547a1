"""The same architecture before it learned anything, and how much its logits vary.

A freshly initialised model's loss is near ln V + sigma^2 / 2, sigma^2 the variance of its logits
(`icfast.laws.expected_initial_loss_nats`), whatever the corpus: it measures tokenizer and
initialiser.
"""

from __future__ import annotations

import copy
import hashlib

import numpy as np
from numpy.typing import NDArray

from icfast.errors import OptionError
from icfast.neural.gguf import GgufModel
from icfast.neural.hf import HfModel
from icfast.neural.llama import INITIALIZER_RANGE, Llama
from icfast.neural.token_model import TokenModel


def fresh(model: TokenModel, seed: int) -> HfModel | GgufModel:
    """The model's architecture with new weights, the same for the same seed and versions.

    A transformers model is initialised by its own config; one from GGUF, which records no
    initialiser, as Llama is by default: normal weights of standard deviation 0.02, norms one.

    Raises:
        OptionError: a model of another kind has no architecture to initialise.
    """
    known = with_architecture(model)
    return _fresh_hf(known, seed) if isinstance(known, HfModel) else _fresh_gguf(known, seed)


def with_architecture(model: TokenModel) -> HfModel | GgufModel:
    """The model, if its architecture can be initialised.

    Raises:
        OptionError: it can't.
    """
    if isinstance(model, HfModel | GgufModel):
        return model
    raise OptionError(
        f"{model.name} is no transformers or GGUF model; nothing says how it is initialised"
    )


def expected_logit_variance(model: HfModel | GgufModel) -> float:
    """sigma^2 of a fresh model's logits by its initialiser: initializer_range^2 hidden_size.

    The last norm makes hidden states of mean square 1, so it holds where the output embedding (or
    the input's it is tied to) is drawn with that range; caps of the logits are left out. GPT-2:
    0.02^2 * 768 = 0.3072.
    """
    if isinstance(model, GgufModel):
        return INITIALIZER_RANGE**2 * model.shape.hidden
    config = model.config.get_text_config(decoder=True)
    return float(config.initializer_range**2 * config.hidden_size * model.logit_scale**2)


def measured_logit_variance(model: HfModel | GgufModel, ids: NDArray[np.int64]) -> float:
    """Variance of the logits over the vocabulary, its mean over the positions of a few windows."""
    return float(model.logits(ids).astype(np.float64).var(axis=-1).mean())


def _sha256(model: TokenModel, seed: int) -> str:
    return hashlib.sha256(f"fresh {seed} {model.sha256}".encode()).hexdigest()


def _fresh_hf(model: HfModel, seed: int) -> HfModel:
    import torch
    import transformers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        drawn = transformers.AutoModelForCausalLM.from_config(
            copy.deepcopy(model.config), dtype=torch.float32, trust_remote_code=False
        )
    return HfModel(
        drawn.to(model.dtype),
        f"fresh:{seed}:{model.name}",
        tensors=model.tensors,
        sha256=_sha256(model, seed),
        tokenizer_sha256=model.tokenizer_sha256,
        backend=model.backend,
        device=model.device,
    )


def _fresh_gguf(model: GgufModel, seed: int) -> GgufModel:
    import torch

    generator = torch.Generator().manual_seed(seed)
    weights = Llama.drawn(model.weights, generator)
    name = f"fresh:{seed}:{model.name}"
    return GgufModel(model.file, weights, name, _sha256(model, seed), model.backend, model.device)
