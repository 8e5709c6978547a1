"""Loading of neural models by name: a folder of transformers, or a GGUF file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from icfast.corpus.tokenizers.gguf_file import PREFIX, GgufFile
from icfast.corpus.tokenizers.tokenizer_json import read_tokenizer
from icfast.errors import ModelError, OptionError, needs_extra
from icfast.neural.gguf_config import apply_rope_factors, file_config
from icfast.neural.gguf_reader import one_parse
from icfast.neural.token_model import CPU, TensorSize, TokenModel
from icfast.neural.transformers_model import TransformersModel
from icfast.neural.weight_files import (
    model_tensor_sizes,
    require_regular_files,
    sha256_of,
    weight_files,
)

#: Prefixes of model names.
HF = "hf:"
GGUF = PREFIX

#: Dtypes that a model can compute in.
_DTYPES = ("float32", "bfloat16", "float16")
_TOKENIZER = "tokenizer.json"


def load_model(
    name: str, *, dtype: str | None = None, backend: str = "auto", device: str = CPU
) -> TokenModel:
    """Load a model by its name.

    Args:
        name: "hf:DIR" for a causal language model in a local folder of transformers, or "gguf:FILE"
            for a GGUF file of an architecture that transformers can load.
        dtype: dtype of the computation: "float32", "bfloat16" or "float16". None: the stored dtype
            for hf, float32 for gguf.
        backend: backend of the losses on the CPU: auto, core or numba.
        device: "cpu" or "cuda:N".

    Raises:
        OptionError: the name has another prefix, or the dtype is unknown.
        ModelError: there is no model, or it is damaged or unsupported.
        MissingExtraError: torch, transformers, accelerate or gguf is missing.
    """
    if dtype not in (None, *_DTYPES):
        raise OptionError(f"unknown dtype {dtype!r}; expected one of {', '.join(_DTYPES)}")
    if name.startswith(HF):
        return load_folder(Path(name.removeprefix(HF)), dtype, backend, device)
    if name.startswith(GGUF):
        return load_gguf(Path(name.removeprefix(GGUF)), dtype, backend, device)
    raise OptionError(f"unknown model {name!r}; expected {HF}FOLDER or {GGUF}FILE")


def load_folder(
    folder: Path, dtype: str | None = None, backend: str = "auto", device: str = CPU
) -> TransformersModel:
    """Load a causal language model from a folder of transformers, without network access.

    Raises:
        ModelError: there is no model, weights are missing, or the model is not causal.
        MissingExtraError: torch or transformers is missing.
    """
    files = weight_files(folder)
    model, loading = _from_pretrained(folder, folder, dtype=dtype or "auto")
    tokenizer = folder / _TOKENIZER
    return TransformersModel(
        model,
        f"{HF}{folder}",
        tensors=model_tensor_sizes(model, files, loading),
        sha256=sha256_of([folder / "config.json", *files]),
        tokenizer=_TOKENIZER if tokenizer.is_file() else None,
        tokenizer_sha256=(
            hashlib.sha256(read_tokenizer(tokenizer)).hexdigest() if tokenizer.is_file() else None
        ),
        backend=backend,
        device=device,
    )


def load_gguf(
    path: Path, dtype: str | None = None, backend: str = "auto", device: str = CPU
) -> TransformersModel:
    """Load a model from a GGUF file.

    transformers dequantises the weights to `dtype`, float32 by default. The sizes in `tensors` are
    those of the file, with the scales of its blocks.

    Raises:
        ModelError: the file is damaged, or of an architecture that transformers does not load.
        MissingExtraError: torch, transformers, accelerate or gguf is missing.
    """
    file = GgufFile(path)
    require_regular_files(path.parent.glob("*.json"))
    with needs_extra("neural", "a GGUF model"):
        import accelerate  # noqa: F401 - transformers needs it to load a GGUF file
        import torch
        import transformers
    options: dict[str, Any] = {"gguf_file": path.name, "dtype": getattr(torch, dtype or "float32")}
    if hasattr(transformers, "GgufConfig"):  # older versions always dequantise
        options["quantization_config"] = transformers.GgufConfig(dequantize=True)
    with one_parse(file):
        with _quiet(transformers), _as_model_error(path):
            config = file_config(file)
        model, _ = _from_pretrained(path, path.parent, config=config, **options)
    _check_tensors(file, model)
    apply_rope_factors(file, model)
    return TransformersModel(
        model,
        f"{GGUF}{path}",
        tensors=_stored_sizes(file),
        sha256=sha256_of([path]),
        tokenizer=path.name,
        tokenizer_sha256=file.vocabulary_sha256(),
        bos_id=_begin_id(file),
        backend=backend,
        device=device,
    )


def _from_pretrained(where: Path, folder: Path, **options: Any) -> tuple[Any, Any]:
    """Return a model of transformers and what it reports of the loading."""
    with needs_extra("neural", "a neural model"):
        import torch  # noqa: F401 - transformers imports without it, but loads no model
        import transformers
    with _quiet(transformers), _as_model_error(where):
        model, loading = transformers.AutoModelForCausalLM.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    _refuse_missing(where, loading)
    return model, loading


@contextmanager
def _as_model_error(where: Path) -> Iterator[None]:
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # transformers raises exceptions of many types
        raise ModelError(f"{where} cannot be loaded as a causal language model: {error}") from error


def _refuse_missing(where: Path, loading: Any) -> None:
    """Raise if weights were not in the files: transformers fills them with random numbers."""
    for what in ("missing_keys", "mismatched_keys"):
        if loading.get(what):
            names = sorted(str(key) for key in loading[what])
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise ModelError(
                f"{where}: {what.replace('_keys', '')} weights {', '.join(names[:3])}{more}. The "
                "weights and the configuration belong to different models, or a file is incomplete"
            )


def _check_tensors(file: GgufFile, model: Any) -> None:
    """Raise if transformers left out tensors of the file, which it does without a message."""
    names = dict(file.tensors)
    names.pop("rope_freqs.weight", None)
    if getattr(model.config, "tie_word_embeddings", False):
        names.pop("output.weight", None)  # a copy of the input embedding
    stored = sum(int(tensor.n_elements) for tensor in names.values())
    used = sum(parameter.numel() for parameter in model.parameters())
    if stored != used:
        raise ModelError(
            f"{file.path} stores {stored} weights, but transformers builds a model with {used} of "
            "them: it does not support all tensors of this file. Use the model's own folder "
            "(hf:DIR)"
        )


def _stored_sizes(file: GgufFile) -> tuple[TensorSize, ...]:
    """Return sizes as stored, with the scales of quantisation blocks."""
    return tuple(
        TensorSize(tensor.name, tensor.type, tensor.parameters, tensor.stored_bits)
        for tensor in file.stored_tensors()
    )


def _begin_id(file: GgufFile) -> int | None:
    """Return the id that starts a context, None if the file's tokenizer adds none."""
    found = file.get("tokenizer.ggml.bos_token_id")
    adds = file.get("tokenizer.ggml.add_bos_token", True)
    return int(found) if found is not None and adds else None


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Hide the progress bars and the advice of transformers."""
    logging = transformers.utils.logging
    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
