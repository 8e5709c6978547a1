"""Open a model of any kind: n-gram, neural or a function of logits."""

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

#: Function from ids i64[windows, positions] to logits (windows, positions, V) of the next tokens.
Logits: TypeAlias = Callable[[NDArray[np.int64]], Any]

AnyModel: TypeAlias = NgramModel | CompactModel | TokenModel | Logits | str | Path


def named_file(name: str) -> Path | None:
    """Return the folder or file that "hf:DIR" or "gguf:FILE" names, None for another name.

    >>> named_file("gguf:model.gguf"), named_file("a function")
    (PosixPath('model.gguf'), None)
    """
    for scheme in (neural.HF, neural.GGUF):
        if name.startswith(scheme):
            return Path(name.removeprefix(scheme))
    return None


def open_model(
    model: AnyModel,
    *,
    vocab_size: int | None = None,
    name: str | None = None,
    model_dtype: str | None = None,
    backend: str = "auto",
    device: str = CPU,
) -> NgramModel | CompactModel | TokenModel:
    """Return a model that is given, or load it from a file, "hf:DIR" or "gguf:FILE".

    Args:
        model: a model, a function of logits, or the name of a model.
        vocab_size: for a function, the number of columns of its logits that count.
        name: for a function, its name in results.
        model_dtype: float32, bfloat16 or float16, the dtype in which "hf:" and "gguf:" compute.
        backend: the backend that turns logits into losses on the CPU.
        device: auto, cpu, cuda or cuda:N, the device of a neural model.

    Raises:
        OptionError: an option does not apply to this kind of model.
        BackendError: torch or this build can't use the device.
        ArtefactError, ModelError: the file or folder is damaged, or not a model.
        MissingExtraError: a package that the model needs is not installed.
    """
    if vocab_size is not None and not _is_function(model):
        raise OptionError(
            "vocab_size is for functions that return logits, but this model is none. Omit it."
        )
    if isinstance(model, str | Path) and str(model).startswith((neural.HF, neural.GGUF)):
        chosen = choose_device(device)
        return neural.load_model(str(model), dtype=model_dtype, backend=backend, device=chosen)
    if model_dtype is not None:
        raise OptionError(
            f"model_dtype {model_dtype!r} is for models named hf:DIR or gguf:FILE. "
            "Omit it for other models."
        )
    if _is_function(model):
        chosen = choose_device(device)
        return FunctionModel(
            model, vocab_size=vocab_size, name=name, backend=backend, device=chosen
        )
    if device not in (CPU, "auto"):
        raise OptionError(
            f"device {device!r} is for hf:DIR, gguf:FILE and functions. Omit it for other models."
        )
    if isinstance(model, str | Path):
        return load_model(str(model))
    return model  # type: ignore[return-value]


def _is_function(model: AnyModel) -> TypeGuard[Logits]:
    return callable(model) and not hasattr(model, "losses")
