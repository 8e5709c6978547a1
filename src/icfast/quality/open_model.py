"""A model of any kind, from what names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from icfast import neural
from icfast.errors import OptionError
from icfast.kneser_ney.compact import CompactModel, load_model
from icfast.kneser_ney.model import NgramModel
from icfast.neural.device import choose_device
from icfast.neural.function import FunctionModel
from icfast.neural.token_model import CPU, TokenModel

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
    device: str = CPU,
) -> NgramModel | CompactModel | TokenModel:
    """The model itself: given as such, or loaded from a file, "hf:DIR" or "gguf:FILE".

    Args:
        vocab_size, name: of a function that gives logits.
        model_dtype: float32, bfloat16 or float16, what "hf:" and "gguf:" are computed in.
        backend: whose kernels turn its logits into losses, on the CPU.
        device: auto, cpu, cuda or cuda:N, where neural models compute.

    Raises:
        OptionError: vocab_size was given of a model that knows its own, or model_dtype or a device
            of one that is not loaded here.
        BackendError: torch or this build can't use such a device.
        ArtefactError, ModelError: the file or folder is damaged, or not a model.
        MissingExtraError: what computes it is not installed.
    """
    if vocab_size is not None and not _is_function(model):
        raise OptionError("vocab_size is for functions that give logits; this model knows its own")
    if isinstance(model, str | Path) and str(model).startswith((neural.HF, neural.GGUF)):
        chosen = choose_device(device)
        return neural.load_model(str(model), dtype=model_dtype, backend=backend, device=chosen)
    if model_dtype is not None:
        raise OptionError(
            f"model_dtype {model_dtype!r} is for models named hf:DIR or gguf:FILE; this one has "
            "its own"
        )
    if _is_function(model):
        chosen = choose_device(device)
        return FunctionModel(
            model, vocab_size=vocab_size, name=name, backend=backend, device=chosen
        )
    if device not in (CPU, "auto"):
        raise OptionError(
            f"device {device!r} is for hf:DIR, gguf:FILE and functions; n-gram models compute on "
            "the CPU, and other models know where they are"
        )
    if isinstance(model, str | Path):
        return load_model(str(model))
    return model  # type: ignore[return-value]


def _is_function(model: AnyModel) -> TypeGuard[Logits]:
    return callable(model) and not hasattr(model, "losses")
