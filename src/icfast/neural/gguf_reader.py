"""GGUF headers for transformers: one parse for all its steps.

transformers reads a GGUF file with `gguf.GGUFReader` for the configuration and once more for the
weights. That reader takes seconds for a vocabulary, of which a model needs only the size. While
icfast loads a file, transformers gets the header that icfast has read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from icfast.corpus.tokenizers.gguf_file import GgufFile
from icfast.corpus.tokenizers.gguf_header import SCALARS, STRING, Field

_TOKENS = "tokenizer.ggml.tokens"
#: Held while the package gguf is changed: one file is loaded at a time.
_LOCK = threading.Lock()


class HeaderReader:
    """A stand-in for `gguf.GGUFReader` with the fields and tensors of a file that has been read.

    A model needs no vocabulary: arrays of the tokenizer are left out, and the tokens are empty.
    """

    def __init__(self, file: GgufFile) -> None:
        self.fields = {
            name: _reader_field(name, field)
            for name, field in file.header.fields.items()
            if name == _TOKENS
            or not (name.startswith("tokenizer.") and field.item_type is not None)
        }
        self.tensors = list(file.tensors.values())


@contextmanager
def one_parse(file: GgufFile) -> Iterator[None]:
    """Give transformers the header of a file, and each table of tensor names only once.

    transformers makes the table of all names again for every module of a model.
    """
    import gguf

    found = HeaderReader(file)
    with _LOCK:
        whole, names = gguf.GGUFReader, gguf.get_tensor_name_map

        def reader(path: Any, *args: Any) -> Any:
            return found if Path(path).samefile(file.path) else whole(path, *args)

        gguf.GGUFReader, gguf.get_tensor_name_map = reader, cache(names)
        try:
            yield
        finally:
            gguf.GGUFReader, gguf.get_tensor_name_map = whole, names


def _reader_field(name: str, field: Field) -> Any:
    """Return a `gguf.ReaderField`, with parts in the order of the file."""
    import gguf

    key = np.frombuffer(name.encode(), np.uint8)
    head = [np.array([key.size], np.uint64), key, np.array([field.type], np.uint32)]
    types = [gguf.GGUFValueType(field.type)]
    if field.item_type is None:
        parts, at = _parts(field.type, field.value)
        return gguf.ReaderField(0, name, head + parts, [len(head) + at], types)
    types += [gguf.GGUFValueType(field.item_type)] if field.value else []
    head += [np.array([field.item_type], np.uint32), np.array([len(field.value)], np.uint64)]
    if name == _TOKENS:
        parts, at = _parts(STRING, "")
        return gguf.ReaderField(0, name, head + parts, [len(head) + at] * len(field.value), types)
    data = []
    for value in field.value:
        parts, at = _parts(field.item_type, value)
        data.append(len(head) + at)
        head += parts
    return gguf.ReaderField(0, name, head, data, types)


def _parts(kind: int, value: Any) -> tuple[list[Any], int]:
    """Return the arrays of one value, and which of them is the value."""
    if kind == STRING:
        text = np.frombuffer(value.encode(), np.uint8)
        return [np.array([text.size], np.uint64), text], 1
    return [np.array([value], SCALARS[kind][1])], 0
