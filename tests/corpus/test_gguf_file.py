"""Headers of GGUF files, compared with the reader of the package gguf, and damaged ones."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from tests.corpus.gguf_files import with_every_type
from tests.neural.tiny_models import save_gguf

from icfast.errors import ModelError

gguf = pytest.importorskip("gguf", reason="no gguf here: pip install 'icfast[neural]'")
from icfast.corpus.tokenizers.gguf_file import GgufFile  # noqa: E402

FORMATS = {"token_embd": "Q8_0", "attn_v": "F16", "norm": "F32", "blk": "Q4_1"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_gguf(tmp_path_factory.mktemp("gguf") / "x.gguf", formats=FORMATS)


def test_every_type_is_read_as_the_package_reads_it(path: Path, tmp_path: Path) -> None:
    for file in (path, with_every_type(tmp_path / "types.gguf")):
        theirs, ours = gguf.GGUFReader(file), GgufFile(file)
        keys = [name for name in theirs.fields if not name.startswith("GGUF.")]
        assert list(ours.header.fields) == keys
        for name in keys:
            expected = theirs.fields[name].contents()
            assert ours.get(name) == expected, name
            assert repr(ours.get(name)) == repr(expected), name
    assert ours.get("none") is None
    assert ours.get("none", 3) == 3


def test_tensors_are_those_of_the_package(path: Path) -> None:
    theirs, ours = gguf.GGUFReader(path).tensors, list(GgufFile(path).tensors.values())
    assert [tensor.name for tensor in ours] == [tensor.name for tensor in theirs]
    assert {tensor.tensor_type.name for tensor in ours} == set(FORMATS.values())
    for own, other in zip(ours, theirs, strict=True):
        for name in ("tensor_type", "n_elements", "n_bytes", "data_offset"):
            assert getattr(own, name) == getattr(other, name)
        assert own.shape.tolist() == other.shape.tolist()
        assert own.data.dtype == other.data.dtype
        np.testing.assert_array_equal(own.data, other.data)


def test_a_file_cut_anywhere_is_refused(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    begin = min(tensor.data_offset for tensor in GgufFile(path).tensors.values())
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole)
    for size in (len(whole) - 1, begin + 1, *range(begin - 32, 0, -7), 3, 0):
        with cut.open("r+b") as file:
            file.truncate(size)
        with pytest.raises(ModelError, match=r"cut\.gguf"):
            GgufFile(cut)


def test_a_changed_byte_is_read_or_refused(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    begin = min(tensor.data_offset for tensor in GgufFile(path).tensors.values())
    changed = tmp_path / "changed.gguf"
    refused = 0
    for at in range(0, begin, 5):
        changed.write_bytes(whole[:at] + bytes([whole[at] ^ 0x81]) + whole[at + 1 :])
        try:
            GgufFile(changed).stored_tensors()
        except ModelError as error:
            assert "changed.gguf" in str(error)  # noqa: PT017 - most bytes change a name only
            refused += 1
    assert refused > 100


def header(*fields: bytes, tensors: tuple[bytes, ...] = (), version: int = 3) -> bytes:
    counts = struct.pack("<QQ", len(tensors), len(fields))
    return b"GGUF" + struct.pack("<I", version) + counts + b"".join(fields + tensors)


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def field(name: bytes, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def tensor(name: bytes, shape: tuple[int, ...], kind: int, offset: int = 0) -> bytes:
    sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text(name) + sizes + struct.pack("<IQ", kind, offset)


def array(item: int, count: int, values: bytes = b"") -> bytes:
    return struct.pack("<IQ", item, count) + values


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header(version=1), "version 1; icfast reads versions 2 and 3"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "it is big-endian; convert it with gguf-convert"),
        (header(field(b"k", 13, b"")), "key k has the unknown type 13"),
        (header(field(b"k", 9, array(9, 1, array(4, 0)))), "key k is an array of the unknown type"),
        (header(field(b"k", 4, bytes(4)), field(b"k", 4, bytes(4))), "key k occurs twice"),
        (header(field(b"k", 8, text(b"\xff"))), r"text at byte 45 is not UTF-8"),
        (header(field(b"k", 9, array(8, 1, text(b"\xff")))), r"text at byte 57 is not readable"),
        (header(field(b"k", 9, array(8, 2**60))), "text at byte 57 is not readable"),
        (header(field(b"k", 9, array(8, 1, struct.pack("<Q", 2**64 - 1)))), "inside its header"),
        (header(field(b"k", 9, array(8, 2, struct.pack("<Q", 2**63)))), "is not readable"),
        (header(field(b"k", 9, array(10, 2**61))), "ends at byte 49, inside its header"),
        (header(field(b"k", 8, struct.pack("<Q", 2**64 - 1))), "inside its header"),
        (header(field(b"general.alignment", 4, struct.pack("<I", 0))), "alignment is 0; expected"),
        (header(field(b"general.alignment", 4, struct.pack("<I", 48))), "alignment is 48; expe"),
        (header(field(b"general.alignment", 8, text(b"x"))), "alignment is x; expected"),
        (header(tensors=(tensor(b"t", (32,), 99),)), "tensor t has the unknown type 99"),
        (header(tensors=(tensor(b"t", (33,), 8),)), "rows of 33 elements; Q8_0 needs multiples"),
        (header(tensors=(tensor(b"t", (2**63, 2**63), 0),)), "inside the tensor t"),
        (header(tensors=(tensor(b"t", (8,), 0, 2**64 - 1),)), "inside the tensor t"),
        (header(tensors=(tensor(b"t", (0,), 0),) * 2), "two tensors have the same name"),
        (header(tensors=(struct.pack("<Q1sI", 1, b"t", 2**32 - 1),)), "inside its header"),
    ],
)
def test_forged_headers_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=rf"x\.gguf is a damaged GGUF file: .*{message}"):
        GgufFile(path)


def test_a_file_with_nothing_in_it(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(header(field(b"k", 9, array(4, 0)), field(b"s", 9, array(8, 0))))
    file = GgufFile(path)
    assert (file.get("k"), file.get("s"), file.tensors) == ([], [], {})
