"""Neural models as a pass scores them; torch and its kin are imported when one is loaded."""

from __future__ import annotations

from pathlib import Path

from icfast.corpus.tokenizers import gguf_file
from icfast.errors import OptionError
from icfast.neural.token_model import CPU, TokenModel

HF = "hf:"
GGUF = gguf_file.PREFIX

#: dtypes to compute in.
_DTYPES = (None, "float32", "bfloat16", "float16")


def load_model(
    name: str, *, dtype: str | None = None, backend: str = "auto", device: str = CPU
) -> TokenModel:
    """Load a model by its name.

    Args:
        name: "hf:DIR", a causal language model of transformers in a local folder, or "gguf:FILE",
            a Llama or Qwen2 in a GGUF file.
        dtype: "float32", "bfloat16" or "float16" to compute in; None: hf as stored, gguf float32.
        backend: kernels of the losses on the CPU: auto, core or numba.
        device: "cpu" or "cuda:N", where it computes.

    Raises:
        OptionError: the name begins otherwise, or there is no such dtype.
        ModelError: no model there, or one that can't be used as it stands.
        MissingExtraError: torch, transformers or gguf is not installed.
    """
    if dtype not in _DTYPES:
        raise OptionError(f"dtype {dtype!r} is none of {', '.join(map(str, _DTYPES[1:]))}")
    if name.startswith(HF):
        from icfast.neural.hf import load_hf

        return load_hf(Path(name.removeprefix(HF)), dtype, backend, device)
    if name.startswith(GGUF):
        from icfast.neural.gguf import load_gguf

        return load_gguf(Path(name.removeprefix(GGUF)), dtype, backend, device)
    raise OptionError(f"model {name!r} should begin with {HF} (a folder) or {GGUF} (a file)")
