"""GGUF files without tensors, written by the package gguf."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

#: A value of each scalar type, by the method that writes it.
SCALARS = {
    "add_uint8": 255, "add_int8": -128, "add_uint16": 65535, "add_int16": -32768,
    "add_uint32": 2**32 - 1, "add_int32": -(2**31), "add_float32": 0.1, "add_bool": True,
    "add_uint64": 2**64 - 1, "add_int64": -(2**63), "add_float64": 0.1, "add_string": "Ġé日",
}  # fmt: skip
ARRAYS: list[list[Any]] = [[1, -2, 3], [0.5, 0.1], [True, False], ["", "Ġé日", "a b"]]


def written(path: Path, add: Callable[[Any], None]) -> Path:
    """Write a file without tensors whose metadata `add` gives to the writer."""
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    add(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def with_every_type(path: Path) -> Path:
    def add(writer: Any) -> None:
        for method, value in SCALARS.items():
            getattr(writer, method)(f"a.{method}", value)
        for number, values in enumerate(ARRAYS):
            writer.add_array(f"a.array{number}", values)

    return written(path, add)
