"""What lies in a folder of `transformers`: weight files, their tensors' sizes, one hash of it all.

Tensors are read from the files' headers, as stored: a folder in bf16 counts 16 bits a parameter
however it is computed, and packed formats count their scales and zeros.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from icfast.errors import ModelError
from icfast.neural.token_model import TensorSize

#: As transformers looks for them: the first that is there is the model.
_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
#: A safetensors header is JSON of a few kB to MB.
_MOST_HEADER_BYTES = 100 << 20

_BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8,
    "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
    "C64": 64,
}  # fmt: skip
_TORCH_NAMES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64",
    "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
}  # fmt: skip

#: Beside packed weights: how to unpack them. Their bits count, parameters they are none.
_UNPACKING = (
    ".scales", ".qzeros", ".g_idx", "_scales", ".absmax", ".quant_map", ".nested_absmax",
    ".nested_quant_map", ".weight_scale", ".weight_scale_inv", ".input_scale", ".weight_zero_point",
    ".weight_shape", ".SCB", ".weight_format",
)  # fmt: skip


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as a weight file has it; `dtype` by its safetensors name."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def bits(self) -> int:
        """What its elements take."""
        return prod(self.shape) * _BITS[self.dtype]


def weight_files(folder: Path) -> list[Path]:
    """The files with the weights, sorted.

    Raises:
        ModelError: no folder, no config.json, or no weights.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder} is no folder; a model is one with config.json and weights")
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} has no config.json, so it is no model of transformers"
            + ("; it is an adapter, merge it into its model" if _is_adapter(folder) else "")
        )
    first = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
    if first is None:
        raise ModelError(
            f"{folder} has a config.json but no weights; expected one of {', '.join(_WEIGHTS)}"
        )
    files = _shards(first) if first.suffix == ".json" else [first]
    for file in files:
        if not file.is_file():
            raise ModelError(f"{first} names {file.name}, which is not in {folder}")
    return files


def _is_adapter(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file()


def _shards(index: Path) -> list[Path]:
    try:
        names = set(json.loads(index.read_bytes())["weight_map"].values())
        return sorted(index.parent / name for name in names)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{index} is no index of weights ({error!r})") from error


def sha256_of(files: Iterable[Path]) -> str:
    """SHA-256 over name, size and content of each, by name: another order is no other model."""
    found = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        found.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                found.update(block)
    return found.hexdigest()


def stored_tensors(files: Iterable[Path]) -> Iterator[StoredTensor]:
    """Every tensor of the weight files.

    Raises:
        ModelError: a file is damaged, or holds a dtype of unknown size.
    """
    for path in files:
        tensors = _of_safetensors(path) if path.suffix == ".safetensors" else _of_torch(path)
        for tensor in tensors:
            if tensor.dtype not in _BITS:
                raise ModelError(
                    f"{path}: tensor {tensor.name} is {tensor.dtype}, of a size unknown here"
                )
            yield tensor


def _of_safetensors(path: Path) -> Iterator[StoredTensor]:
    """Layout: https://huggingface.co/docs/safetensors; u64 size, then JSON, then the numbers."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > min(_MOST_HEADER_BYTES, path.stat().st_size - 8):
                raise ValueError(f"its header claims {size} bytes")
            header = json.loads(file.read(size))
        for name, entry in header.items():
            if name != "__metadata__":
                yield StoredTensor(name, entry["dtype"], tuple(map(int, entry["shape"])))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is no safetensors file, or damaged: {error!r}") from error


def _of_torch(path: Path) -> Iterator[StoredTensor]:
    import torch

    try:
        content = torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:  # unpickling raises whatever it meets
        raise ModelError(f"{path} is no file of torch weights, or damaged: {error}") from error
    for name, tensor in content.items():
        dtype = str(tensor.dtype).removeprefix("torch.")
        yield StoredTensor(name, _TORCH_NAMES.get(dtype, dtype), tuple(tensor.shape))


def tensor_sizes(
    stored: Iterable[StoredTensor],
    names_of: Mapping[str, int],
    left_out: frozenset[str],
    packed_bits: int | None,
) -> tuple[TensorSize, ...]:
    """The parameters and bits of each stored tensor, one that is stored twice counted once.

    Args:
        names_of: parameter name -> number of its tensor in the model; tied ones have the same.
        left_out: names of what the model does not use.
        packed_bits: bits of a weight in a packed format, from its quantization_config.
    """
    counted: set[int] = set()
    sizes = []
    for tensor in stored:
        if tensor.name in left_out:
            continue
        number = names_of.get(tensor.name)
        if number is not None:
            if number in counted:
                continue
            counted.add(number)
        sizes.append(
            TensorSize(tensor.name, tensor.dtype, _params(tensor, packed_bits), tensor.bits)
        )
    return tuple(sizes)


def _params(tensor: StoredTensor, packed_bits: int | None) -> int:
    """Weights in a stored tensor; several lie in one element where a format packs them."""
    if packed_bits is None:
        return prod(tensor.shape)
    if tensor.name.endswith(_UNPACKING) or ".quant_state." in tensor.name:
        return 0
    packed = tensor.name.endswith((".qweight", "_blocks", ".weight_packed"))
    if packed or (packed_bits < 8 and tensor.dtype == "U8"):
        return tensor.bits // packed_bits
    return prod(tensor.shape)


def packed_bits(config: Mapping[str, Any]) -> int | None:
    """Bits a weight takes in the packed format a quantization_config names; None: not packed.

    >>> packed_bits({"quant_method": "gptq", "bits": 4}), packed_bits({"load_in_4bit": True})
    (4, 4)
    """
    if not config:
        return None
    if config.get("load_in_4bit") or config.get("quant_method") == "mxfp4":
        return 4
    if config.get("bits") or config.get("w_bit"):
        return int(config.get("bits") or config["w_bit"])
    return 8
