"""Weight files of a folder: sizes of stored and packed tensors, and the hash, without torch."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path

import pytest

from icfast.errors import ModelError
from icfast.neural.weight_files import (
    _BITS,
    StoredTensor,
    packed_bits,
    sha256_of,
    stored_tensors,
    tensor_sizes,
    weight_files,
)


def write_safetensors(path: Path, tensors: dict[str, tuple[str, list[int]]]) -> Path:
    """Write a header, and a hole where the numbers should be; sizes come from headers alone."""
    header, end = {}, 0
    for name, (dtype, shape) in tensors.items():
        begin = end
        end += StoredTensor(name, dtype, tuple(shape)).bits // 8 if dtype in _BITS else 0
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(path, 8 + len(text) + end)
    return path


def sizes(
    path: Path, config: dict[str, object] | None = None, **given: object
) -> dict[str, tuple[int, int]]:
    names: dict[str, int] = given.get("names", {})  # type: ignore[assignment]
    left_out: frozenset[str] = given.get("left_out", frozenset())  # type: ignore[assignment]
    found = tensor_sizes(stored_tensors([path]), names, left_out, packed_bits(config or {}))
    return {tensor.name: (tensor.params, tensor.bits) for tensor in found}


def test_mixed_precision(tmp_path: Path) -> None:
    path = write_safetensors(
        tmp_path / "model.safetensors",
        {"a": ("BF16", [3, 5]), "b": ("F32", [7]), "c": ("F8_E4M3", [2, 2]), "d": ("F64", [])},
    )
    assert sizes(path) == {"a": (15, 240), "b": (7, 224), "c": (4, 32), "d": (1, 64)}


def test_tied_tensors_count_once_and_unused_ones_not(tmp_path: Path) -> None:
    path = write_safetensors(
        tmp_path / "model.safetensors",
        {"embed": ("F16", [10, 2]), "head": ("F16", [10, 2]), "mask": ("F32", [9, 9])},
    )
    found = sizes(path, names={"embed": 1, "head": 1}, left_out=frozenset({"mask"}))
    assert found == {"embed": (20, 320)}


def test_gptq_and_awq(tmp_path: Path) -> None:
    """An int32 holds eight 4-bit weights; scales and zeros have bits but no weights."""
    path = write_safetensors(
        tmp_path / "model.safetensors",
        {
            "q.qweight": ("I32", [16, 64]),
            "q.scales": ("F16", [1, 64]),
            "q.qzeros": ("I32", [1, 8]),
            "q.g_idx": ("I32", [128]),
            "norm.weight": ("F16", [128]),
        },
    )
    for config in ({"quant_method": "gptq", "bits": 4}, {"quant_method": "awq", "w_bit": 4}):
        assert sizes(path, config) == {
            "q.qweight": (128 * 64, 4 * 128 * 64),
            "q.scales": (0, 1024),
            "q.qzeros": (0, 256),
            "q.g_idx": (0, 4096),
            "norm.weight": (128, 2048),
        }


def test_bitsandbytes_and_mxfp4(tmp_path: Path) -> None:
    path = write_safetensors(
        tmp_path / "model.safetensors",
        {
            "q.weight": ("U8", [2048, 1]),
            "q.weight.absmax": ("U8", [64]),
            "q.weight.quant_map": ("F32", [16]),
            "q.weight.quant_state.bitsandbytes__nf4": ("U8", [100]),
            "experts.down_proj_blocks": ("U8", [2, 4, 16]),
            "experts.down_proj_scales": ("U8", [2, 4]),
            "norm.weight": ("BF16", [64]),
        },
    )
    assert sizes(path, {"quant_method": "bitsandbytes", "load_in_4bit": True}) == {
        "q.weight": (4096, 2048 * 8),
        "q.weight.absmax": (0, 512),
        "q.weight.quant_map": (0, 512),
        "q.weight.quant_state.bitsandbytes__nf4": (0, 800),
        "experts.down_proj_blocks": (256, 1024),
        "experts.down_proj_scales": (0, 64),
        "norm.weight": (64, 1024),
    }


def test_eight_bits_are_a_weight_each(tmp_path: Path) -> None:
    path = write_safetensors(
        tmp_path / "model.safetensors",
        {"q.weight": ("I8", [8, 8]), "q.SCB": ("F32", [8]), "q.weight_format": ("U8", [1])},
    )
    found = sizes(path, {"quant_method": "bitsandbytes", "load_in_8bit": True})
    assert found == {"q.weight": (64, 512), "q.SCB": (0, 256), "q.weight_format": (0, 8)}


def test_files_of_an_index(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "2.safetensors", "b": "1.safetensors"}}))
    with pytest.raises(ModelError, match=r"index.json names 1.safetensors, which is missing in"):
        weight_files(tmp_path)
    for name in ("1", "2"):
        write_safetensors(tmp_path / f"{name}.safetensors", {name: ("F32", [2])})
    files = weight_files(tmp_path)
    assert [file.name for file in files] == ["1.safetensors", "2.safetensors"]
    assert [tensor.name for tensor in stored_tensors(files)] == ["1", "2"]
    index.write_text("{}")
    with pytest.raises(ModelError, match="is not a valid index of weights"):
        weight_files(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 8, (9).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"[]"],
)
def test_damaged_headers(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is not a safetensors file, or it is damaged"):
        list(stored_tensors([path]))


def test_a_dtype_of_unknown_size(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "model.safetensors", {"a": ("F6_E2M3", [4])})
    with pytest.raises(ModelError, match="tensor a has dtype F6_E2M3, whose size is unknown"):
        list(stored_tensors([path]))


def test_the_hash_is_of_names_and_contents(tmp_path: Path) -> None:
    one, two = tmp_path / "a", tmp_path / "b"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    found = sha256_of([one, two])
    # name, NUL, size, NUL, content
    assert found == hashlib.sha256(b"a\x001\x001b\x001\x002").hexdigest()
    assert sha256_of([two, one]) == found
    two.write_bytes(b"3")
    assert sha256_of([one, two]) != found


def test_bits_of_a_tensor() -> None:
    assert StoredTensor("a", "F16", (3, 4)).bits == 192


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 4]}, "has 4 bytes"),
        ({"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}, "does not have"),
        ({"dtype": "F32", "shape": [1] * 10_000, "data_offsets": [0, 4]}, "10000 dimensions"),
        ({"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}, "does not have"),
    ],
)
def test_sizes_that_the_file_does_not_have_are_refused(
    tmp_path: Path, entry: dict[str, object], message: str
) -> None:
    text = json.dumps({"a": entry}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    with pytest.raises(ModelError, match=message):
        list(stored_tensors([path]))


@pytest.mark.parametrize(
    "name", ["../x.safetensors", "/x.safetensors", "a/b.safetensors", "..", "", "a\\b", "a\0b", 3]
)
def test_an_index_may_not_leave_its_folder(tmp_path: Path, name: object) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "x.safetensors").touch()
    (folder / "config.json").write_text("{}")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(ModelError, match=r"names the weight file .* in the same folder"):
        weight_files(folder)


def test_files_may_be_links_as_in_the_cache_of_huggingface_hub(tmp_path: Path) -> None:
    blob = write_safetensors(tmp_path / "blob", {"a": ("F32", [2])})
    folder = tmp_path / "snapshot"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "1.safetensors").symlink_to(blob)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "1.safetensors"}}))
    assert weight_files(folder) == [folder / "1.safetensors"]
    assert [tensor.bits for tensor in stored_tensors(weight_files(folder))] == [64]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "generation_config.json"])
def test_a_pipe_in_a_folder_of_weights_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    write_safetensors(tmp_path / "model.safetensors", {})
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(ModelError, match=f"{name} is not a regular file but a pipe"):
        weight_files(tmp_path)


def test_compressed_torch_weights_are_refused_before_torch_inflates_them(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    path = tmp_path / "pytorch_model.bin"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stored:
        stored.writestr("archive/data.pkl", bytes(1 << 20))
    with pytest.raises(ModelError, match=r"is compressed, or states 1\.0 MiB in a file of"):
        weight_files(tmp_path)
    with zipfile.ZipFile(path, "w") as stored:
        stored.writestr("archive/data.pkl", b"as torch does")
    assert weight_files(tmp_path) == [path]
