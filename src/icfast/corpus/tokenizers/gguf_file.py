"""GGUF files of llama.cpp: their metadata, the sizes of their tensors, a hash of their vocabulary.

This reader needs the package `gguf` for the names and sizes of storage types. It needs no torch.
"""

from __future__ import annotations

import hashlib
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from icfast.corpus.tokenizers.gguf_header import (
    DamagedHeaderError,
    Header,
    TensorEntry,
    read_header,
)
from icfast.errors import ModelError, needs_extra
from icfast.files import open_regular

#: Prefix of the name of a GGUF file where tokenizers and models are named.
PREFIX = "gguf:"

_MAGIC = b"GGUF"
#: Storage types whose elements are numbers of numpy; the others are blocks of bytes.
_PLAIN = {
    "F16": np.float16, "F32": np.float32, "F64": np.float64,
    "I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64,
}  # fmt: skip


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
        header: its metadata and its table of tensors.
        tensors: the tensors by name, in the order of the file, as records of the `gguf` package.

    Raises:
        ModelError: there is no such file, it is not a GGUF file, or it is damaged.
        MissingExtraError: the gguf package is not installed.
    """

    path: Path
    header: Header
    tensors: dict[str, Any]

    def __init__(self, path: Path) -> None:
        _check_magic(path)
        with needs_extra("neural", "a GGUF file"):
            import gguf  # noqa: F401 - named before the file is read
        self.path = path
        with open_regular(path, ModelError) as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self.header = read_header(data)
            start = self.header.data_offset
            self.tensors = {
                entry.name: _mapped(data, start, entry) for entry in self.header.tensors
            }
        except DamagedHeaderError as error:
            raise ModelError(
                f"{path} is a damaged GGUF file: {error}. Download or convert it again."
            ) from error

    def stored_tensors(self) -> tuple[GgufTensor, ...]:
        """Return the size of each tensor as stored, in the order of the file."""
        return tuple(
            GgufTensor(tensor.name, tensor.tensor_type.name, tensor.n_elements, 8 * tensor.n_bytes)
            for tensor in self.tensors.values()
        )

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a metadata key, or the default if the file does not have it."""
        field = self.header.fields.get(key)
        return default if field is None else field.value

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


def _mapped(data: mmap.mmap, start: int, entry: TensorEntry) -> Any:
    """Return the `gguf.ReaderTensor` of one tensor, whose values stay in the mapped file.

    Raises:
        DamagedHeaderError: the type is unknown, or the file ends inside the tensor.
    """
    import gguf

    try:
        kind = gguf.GGMLQuantizationType(entry.type)
    except ValueError as error:
        raise DamagedHeaderError(
            f"the tensor {entry.name} has the unknown type {entry.type}"
        ) from error
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    rows, width = entry.shape[:0:-1], entry.shape[0] if entry.shape else 1
    if width % block:
        raise DamagedHeaderError(
            f"the tensor {entry.name} has rows of {width} elements; {kind.name} needs multiples of "
            f"{block}"
        )
    size = entry.parameters // block * block_bytes
    begin = start + entry.offset
    if begin + size > len(data):
        raise DamagedHeaderError(
            f"it ends at byte {len(data)}, inside the tensor {entry.name} (bytes {begin} to "
            f"{begin + size})"
        )
    values = np.frombuffer(data, np.uint8, size, begin) if size else np.empty(0, np.uint8)
    values = values.reshape(*rows, width // block * block_bytes)
    dtype = _PLAIN.get(kind.name)
    return gguf.ReaderTensor(
        name=entry.name,
        tensor_type=kind,
        shape=np.array(entry.shape, np.uint64),
        n_elements=entry.parameters,
        n_bytes=size,
        data_offset=begin,
        data=values if dtype is None else values.view(dtype),
        field=None,
    )


def _check_magic(path: Path) -> None:
    try:
        with open_regular(path, ModelError) as file:
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
