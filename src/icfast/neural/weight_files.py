"""Weight files in a folder of `transformers`: their names, their tensors' sizes and their SHA-256.

Sizes are read from the files' headers and describe the stored tensors. A folder in bf16 has 16 bits
per parameter in any dtype of computation, and packed formats include their scales and zeros.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from icfast.errors import ModelError
from icfast.files import open_regular, read_regular, require_regular
from icfast.neural.token_model import TensorSize
from icfast.units import format_bytes

#: Names of weight files in transformers' order of search; the first that exists is used.
_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
#: Maximum size of a safetensors header, usually a few kB to MB.
_MOST_HEADER_BYTES = 100 << 20

#: Maximum number of dimensions of a tensor; torch has no more.
_MOST_DIMENSIONS = 64

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

#: Suffixes of tensors that unpack packed weights. Their bits count, but they hold no parameters.
_UNPACKING = (
    ".scales", ".qzeros", ".g_idx", "_scales", ".absmax", ".quant_map", ".nested_absmax",
    ".nested_quant_map", ".weight_scale", ".weight_scale_inv", ".input_scale", ".weight_zero_point",
    ".weight_shape", ".SCB", ".weight_format",
)  # fmt: skip


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a weight file; `dtype` is its name in safetensors."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def bits(self) -> int:
        """Size of its elements in bits."""
        return prod(self.shape) * _BITS[self.dtype]


def weight_files(folder: Path) -> list[Path]:
    """Return the weight files, sorted.

    Raises:
        ModelError: the folder, its config.json or its weights are missing.
    """
    if not folder.is_dir():
        raise ModelError(
            f"{folder} is not a folder; expected a folder with config.json and weights"
        )
    require_regular_files(folder.iterdir())
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} has no config.json, so it is not a model of transformers"
            + (". It is an adapter: merge it into its model" if _is_adapter(folder) else "")
        )
    first = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
    if first is None:
        raise ModelError(
            f"{folder} has a config.json but no weights; expected one of {', '.join(_WEIGHTS)}"
        )
    files = _shards(first) if first.suffix == ".json" else [first]
    for file in files:
        if not file.is_file():
            raise ModelError(f"{first} names {file.name}, which is missing in {folder}")
        if file.suffix == ".bin":
            _refuse_compressed(file)
    return files


def require_regular_files(paths: Iterable[Path]) -> None:
    """Refuse pipes and devices among files that transformers may open by their names.

    Raises:
        ModelError: a path is neither a regular file nor a folder.
    """
    for path in sorted(paths):
        if path.exists() and not path.is_dir():
            require_regular(path, ModelError)


def _refuse_compressed(path: Path) -> None:
    """Refuse torch weights that are compressed, before torch inflates them.

    torch writes zip files without compression, so what it loads is as large as the file.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as stored:
            members = stored.infolist()
    except (zipfile.BadZipFile, ValueError) as error:
        raise ModelError(f"{path} is not a file of torch weights: {error}") from error
    stated = sum(member.file_size for member in members)
    if any(m.compress_type for m in members) or stated > path.stat().st_size:
        raise ModelError(
            f"{path} is compressed, or states {format_bytes(stated)} in a file of "
            f"{format_bytes(path.stat().st_size)}; torch writes neither. Download the model again"
        )


def _is_adapter(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file()


def _shards(index: Path) -> list[Path]:
    try:
        content = json.loads(read_regular(index, ModelError, _MOST_HEADER_BYTES))
        names = sorted(set(content["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{index} is not a valid index of weights ({error!r})") from error
    for name in names:
        # A file may be a link to another folder, as in the cache of huggingface_hub. A name may not
        # lead there.
        if not isinstance(name, str) or name in ("", ".", "..") or set(name) & set("/\\\0"):
            raise ModelError(
                f"{index} names the weight file {name!r}; expected the name of a file in the same "
                "folder. Download the model again"
            )
    return [index.parent / name for name in names]


def sha256_of(files: Iterable[Path]) -> str:
    """Return the SHA-256 of the names, sizes and contents of files, sorted by name."""
    found = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        found.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with open_regular(path, ModelError) as file:
            while block := file.read(1 << 20):
                found.update(block)
    return found.hexdigest()


def stored_tensors(files: Iterable[Path]) -> Iterator[StoredTensor]:
    """Yield every tensor of the weight files.

    Raises:
        ModelError: a file is damaged, or a dtype has an unknown size.
    """
    for path in files:
        tensors = _of_safetensors(path) if path.suffix == ".safetensors" else _of_torch(path)
        for tensor in tensors:
            if tensor.dtype not in _BITS:
                raise ModelError(
                    f"{path}: tensor {tensor.name} has dtype {tensor.dtype}, whose size is unknown"
                )
            yield tensor


def _of_safetensors(path: Path) -> Iterator[StoredTensor]:
    """Read u64 size, then JSON, then the numbers (https://huggingface.co/docs/safetensors)."""
    try:
        with open_regular(path, ModelError) as file:
            size = int.from_bytes(file.read(8), "little")
            if size > min(_MOST_HEADER_BYTES, path.stat().st_size - 8):
                raise ValueError(f"its header has {size} bytes")
            header = json.loads(file.read(size))
            bytes_of_numbers = path.stat().st_size - file.tell()
        for name, entry in header.items():
            if name != "__metadata__":
                begin, end = map(int, entry["data_offsets"])
                if not 0 <= begin <= end <= bytes_of_numbers:
                    raise ValueError(f"tensor {name} states bytes that the file does not have")
                shape = tuple(map(int, entry["shape"]))
                if len(shape) > _MOST_DIMENSIONS:
                    raise ValueError(f"tensor {name} has {len(shape)} dimensions")
                tensor = StoredTensor(name, entry["dtype"], shape)
                if tensor.dtype in _BITS and tensor.bits != 8 * (end - begin):
                    raise ValueError(f"tensor {name} of shape {shape} has {end - begin} bytes")
                yield tensor
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{path} is not a safetensors file, or it is damaged: {error!r}"
        ) from error


def _of_torch(path: Path) -> Iterator[StoredTensor]:
    import torch

    try:
        content = torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:  # torch's reader raises exceptions of many types
        raise ModelError(
            f"{path} is not a file of torch weights, or it is damaged: {error}"
        ) from error
    for name, tensor in content.items():
        dtype = str(tensor.dtype).removeprefix("torch.")
        yield StoredTensor(name, _TORCH_NAMES.get(dtype, dtype), tuple(tensor.shape))


def model_tensor_sizes(model: Any, files: list[Path], loading: Any) -> tuple[TensorSize, ...]:
    """Return the sizes of the stored tensors that a model of transformers uses.

    Args:
        loading: what from_pretrained reports of the loading.
    """
    prefix = model.base_model_prefix + "."
    names: dict[str, int] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names[name] = names[name.removeprefix(prefix)] = id(parameter)
    ignored = getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ()
    unused = set(loading.get("unexpected_keys") or ())
    stored = list(stored_tensors(files))
    for tensor in stored:
        if tensor.name not in names and any(re.search(key, tensor.name) for key in ignored):
            unused.add(tensor.name)
    quantisation = getattr(model.config, "quantization_config", None) or {}
    if not isinstance(quantisation, dict):
        quantisation = quantisation.to_dict()
    return tensor_sizes(stored, names, frozenset(unused), packed_bits(quantisation))


def tensor_sizes(
    stored: Iterable[StoredTensor],
    names_of: Mapping[str, int],
    left_out: frozenset[str],
    packed_bits: int | None,
) -> tuple[TensorSize, ...]:
    """Return the sizes of stored tensors; a tensor that is stored twice counts once.

    Args:
        names_of: parameter name -> number of its tensor in the model; tied parameters share one.
        left_out: names of tensors that the model does not use.
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
    """Return the number of weights in a stored tensor; packed formats store several per element."""
    if packed_bits is None:
        return prod(tensor.shape)
    if tensor.name.endswith(_UNPACKING) or ".quant_state." in tensor.name:
        return 0
    packed = tensor.name.endswith((".qweight", "_blocks", ".weight_packed"))
    if packed or (packed_bits < 8 and tensor.dtype == "U8"):
        return tensor.bits // packed_bits
    return prod(tensor.shape)


def packed_bits(config: Mapping[str, Any]) -> int | None:
    """Return the bits of a weight in the packed format of a quantization_config; None: not packed.

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
