"""A model of any kind, from what names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from icfast.errors import OptionError
from icfast.models.compact import CompactModel, load_model
from icfast.models.ngram import NgramModel
from icfast.models.token_model import TokenModel

#: From ids i64[windows, positions] to logits (windows, positions, V) of what follows each.
Logits: TypeAlias = Callable[[NDArray[np.int64]], Any]

AnyModel: TypeAlias = NgramModel | CompactModel | TokenModel | Logits | str | Path


def open_model(
    model: AnyModel,
    *,
    vocab_size: int | None = None,
    name: str | None = None,
    backend: str = "auto",
) -> NgramModel | CompactModel | TokenModel:
    """The model itself: given as such, or loaded from a file, "hf:DIR" or "gguf:FILE".

    Args:
        vocab_size, name: of a function that gives logits.
        backend: whose kernels turn its logits into losses.

    Raises:
        OptionError: no model has this scheme, or vocab_size was given of one that knows its own.
        ArtefactError: the file is damaged, or not a model.
    """
    if vocab_size is not None and not _is_function(model):
        raise OptionError("vocab_size is for functions that give logits; this model knows its own")
    if isinstance(model, str | Path):
        return _load(str(model))
    if _is_function(model):
        raise OptionError("functions that give logits are not supported yet")
    return model  # type: ignore[return-value]


def _is_function(model: AnyModel) -> bool:
    return callable(model) and not hasattr(model, "losses")


def _load(name: str) -> NgramModel | CompactModel | TokenModel:
    scheme, colon, _ = name.partition(":")
    if colon and scheme in ("hf", "gguf"):
        raise OptionError(
            f"--model {name}: neural models ({scheme}:) are not supported yet; "
            "give the file of an n-gram model, as `icfast fit` writes it"
        )
    return load_model(name)
