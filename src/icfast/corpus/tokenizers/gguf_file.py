"""GGUF files of llama.cpp: their metadata, the sizes of their tensors, a hash of their vocabulary.

The layout is defined at https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. This reader
needs the package `gguf`, not torch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icfast.errors import ModelError, needs_extra

#: Prefix of the name of a GGUF file where tokenizers and models are named.
PREFIX = "gguf:"

_MAGIC = b"GGUF"


@dataclass(frozen=True)
class GgufTensor:
    """Size of one tensor as stored.

    Attributes:
        name: name in the file.
        type: storage type in ggml's words, such as "Q4_K" or "F16".
        parameters: number of elements.
        stored_bits: bits in the file, with the scales of its quantisation blocks.
    """

    name: str
    type: str
    parameters: int
    stored_bits: int


class GgufFile:
    """A memory-mapped GGUF file.

    Args:
        path: the file.

    Attributes:
        path: the file.

    Raises:
        ModelError: there is no such file, it is not a GGUF file, or it is damaged.
        MissingExtraError: the gguf package is not installed.
    """

    def __init__(self, path: Path) -> None:
        _check_magic(path)
        with needs_extra("neural", "a GGUF file"):
            import gguf
        try:
            self._reader = gguf.GGUFReader(path)
        except Exception as error:  # the package checks little and fails with any exception
            raise ModelError(
                f"{path} is a damaged GGUF file: {error!r}. Download or convert it again."
            ) from error
        self.path = path

    @property
    def tensors(self) -> dict[str, Any]:
        """The tensors by name, as the `gguf` package describes them."""
        return {tensor.name: tensor for tensor in self._reader.tensors}

    def stored_tensors(self) -> tuple[GgufTensor, ...]:
        """Return the size of each tensor as stored, in the order of the file."""
        return tuple(
            GgufTensor(
                tensor.name,
                tensor.tensor_type.name,
                int(tensor.n_elements),
                8 * int(tensor.n_bytes),
            )
            for tensor in self._reader.tensors
        )

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a metadata key, or the default if the file does not have it."""
        field = self._reader.get_field(key)
        return default if field is None else field.contents()

    def need(self, key: str) -> Any:
        """Return the value of a metadata key.

        Raises:
            ModelError: the key is missing.
        """
        found = self.get(key)
        if found is None:
            raise ModelError(
                f"{self.path} has no metadata key {key}, which a complete model has. "
                "Download or convert it again."
            )
        return found

    def vocabulary_sha256(self) -> str | None:
        """Return the SHA-256 of the vocabulary, or None if the file has none.

        The hash covers ids, token types, merges and pre-tokenizer. Every quantisation of one model
        has the same hash.
        """
        if self.get("tokenizer.ggml.tokens") is None:
            return None
        found = hashlib.sha256()
        for key in ("model", "pre", "tokens", "token_type", "merges", "scores"):
            value = self.get(f"tokenizer.ggml.{key}")
            parts = value if isinstance(value, list) else [value]
            found.update(f"{key}\0{len(parts)}\0".encode())
            for part in parts:
                found.update(f"{part}\0".encode())
        return found.hexdigest()


def _check_magic(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise ModelError(
            f"cannot read {path} as a GGUF file: {error.strerror}. Check the path."
        ) from error
    if magic != _MAGIC:
        raise ModelError(
            f"{path} is not a GGUF file: it begins with {magic!r} instead of {_MAGIC!r}. "
            "Pass a .gguf file of llama.cpp."
        )
