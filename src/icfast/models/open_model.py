"""A model of any kind, from what names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from icfast.errors import OptionError
from icfast.models import neural
from icfast.models.compact import CompactModel, load_model
from icfast.models.neural.function import FunctionModel
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
    model_dtype: str | None = None,
    backend: str = "auto",
) -> NgramModel | CompactModel | TokenModel:
    """The model itself: given as such, or loaded from a file, "hf:DIR" or "gguf:FILE".

    Args:
        vocab_size, name: of a function that gives logits.
        model_dtype: float32, bfloat16 or float16, what "hf:" and "gguf:" are computed in.
        backend: whose kernels turn its logits into losses.

    Raises:
        OptionError: vocab_size was given of a model that knows its own, or model_dtype of one that
            is not loaded here.
        ArtefactError, ModelError: the file or folder is damaged, or not a model.
        MissingExtraError: what computes it is not installed.
    """
    if vocab_size is not None and not _is_function(model):
        raise OptionError("vocab_size is for functions that give logits; this model knows its own")
    if isinstance(model, str | Path) and str(model).startswith((neural.HF, neural.GGUF)):
        return neural.load_model(str(model), dtype=model_dtype, backend=backend)
    if model_dtype is not None:
        raise OptionError(
            f"model_dtype {model_dtype!r} is for models named hf:DIR or gguf:FILE; this one has "
            "its own"
        )
    if isinstance(model, str | Path):
        return load_model(str(model))
    if _is_function(model):
        return FunctionModel(model, vocab_size=vocab_size, name=name, backend=backend)
    return model  # type: ignore[return-value]


def _is_function(model: AnyModel) -> TypeGuard[Logits]:
    return callable(model) and not hasattr(model, "losses")
