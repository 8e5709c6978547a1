"""Formats: ids are memory-mapped as written, and every kind of damage is reported."""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icfast.corpus import Corpus, Shard, open_corpus
from icfast.errors import CorpusError, ResourceError
from icfast.parallel import mapped_file

IDS = [5, 0, 300, 7, 65535]


def write_raw(path: Path, ids: Any, dtype: str = "u2") -> Path:
    np.asarray(ids, "<" + dtype).tofile(path)
    return path


def write_llmc(
    path: Path, ids: Any, magic: int = 20240520, version: int = 1, dtype: str = "u2"
) -> Path:
    array = np.asarray(ids, "<" + dtype)
    header = struct.pack("<3i", magic, version, len(array)).ljust(1024, b"\0")
    path.write_bytes(header + array.tobytes())
    return path


def write_datatrove(path: Path, ids: Any, stops: list[int], dtype: str = "u2") -> Path:
    write_raw(path, ids, dtype)
    np.asarray(stops, "<u8").tofile(f"{path}.index")
    return path


def only(corpus: Corpus) -> Shard:
    (shard,) = corpus.shards
    return shard


def is_mapped(array: Any) -> bool:
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, memoryview) and type(array.obj).__name__ in ("MappedBytes", "mmap")


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i4"])
def test_raw_round_trip(tmp_path: Path, dtype: str) -> None:
    ids = [1, 2, 250]
    shard = only(open_corpus(write_raw(tmp_path / "x.bin", ids, dtype), dtype=dtype))
    assert shard.tokens.tolist() == ids
    assert (shard.format, shard.dtype) == ("raw", dtype)
    assert shard.tokens.dtype == np.dtype("<" + dtype.replace("i", "u"))


@pytest.mark.parametrize(("magic", "version", "dtype"), [(20240520, 1, "u2"), (20240801, 7, "u4")])
def test_llmc_round_trip(tmp_path: Path, magic: int, version: int, dtype: str) -> None:
    path = write_llmc(tmp_path / "x.bin", IDS, magic, version, dtype)
    shard = only(open_corpus(path))
    assert shard.tokens.tolist() == IDS
    assert (shard.format, shard.dtype, shard.continues) == ("llmc", dtype, False)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i4"])
def test_npy_round_trip(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "x.npy", np.array([1, 2, 250], dtype))
    shard = only(open_corpus(tmp_path / "x.npy"))
    assert shard.tokens.tolist() == [1, 2, 250]
    assert (shard.format, shard.dtype) == ("npy", dtype)
    assert shard.tokens.dtype.kind == "u"


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
def test_datatrove_round_trip(tmp_path: Path, dtype: str) -> None:
    path = write_datatrove(tmp_path / "x.ds", [1, 2, 250], [1, 3], dtype)
    for given in (None, dtype):
        shard = only(open_corpus(path, dtype=given))
        assert shard.tokens.tolist() == [1, 2, 250]
        assert shard.index_stops is not None
        assert shard.index_stops.tolist() == [1, 3]
        assert (shard.format, shard.dtype) == ("datatrove", dtype)
    assert shard.files == (path, tmp_path / "x.ds.index")


def test_datatrove_index_does_not_know_signs(tmp_path: Path) -> None:
    path = write_datatrove(tmp_path / "x.ds", [1, 2], [2], "i4")
    assert only(open_corpus(path, dtype="i4")).dtype == "i4"


def test_tokens_are_mapped_read_only_and_not_copied(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array(IDS, "u2"))
    raw = write_raw(tmp_path / "x.bin", IDS)
    paths = [
        raw,
        write_llmc(tmp_path / "y.bin", IDS),
        write_datatrove(tmp_path / "x.ds", IDS, [5]),
        tmp_path / "x.npy",
    ]
    for path in paths:
        shard = only(open_corpus(path, dtype="u2"))
        assert is_mapped(shard.tokens)
        assert not shard.tokens.flags.writeable
    index = only(open_corpus(tmp_path / "x.ds")).index_stops
    assert index is not None
    assert is_mapped(index)
    with raw.open("r+b") as file:  # a change of the file shows, so nothing was read ahead
        shard = only(open_corpus(raw, dtype="u2"))
        file.write(b"\x09")
        file.flush()
        assert shard.tokens[0] == 9


def test_digest(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "x.bin", IDS)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert only(open_corpus(path, dtype="u2")).digest() == digest
    shard = only(open_corpus(write_datatrove(tmp_path / "x.ds", IDS, [5])))
    first = shard.digest()
    write_datatrove(tmp_path / "x.ds", IDS, [2, 5])
    with pytest.raises(CorpusError, match=r"x\.ds.* changed while it was read"):
        shard.digest()
    assert len({digest, first, only(open_corpus(tmp_path / "x.ds")).digest()}) == 3


@pytest.mark.parametrize(("dtype", "left"), [("u2", 1), ("u4", 3), ("i4", 3)])
def test_raw_bytes_left_over(tmp_path: Path, dtype: str, left: int) -> None:
    (tmp_path / "x.bin").write_bytes(bytes(7))
    with pytest.raises(CorpusError, match=f"x.bin: 7 bytes .*: {left} bytes are left over"):
        open_corpus(tmp_path / "x.bin", dtype=dtype)


def test_raw_needs_a_dtype(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "x.bin", IDS)
    with pytest.raises(CorpusError, match=r"x.bin has no header .*--dtype u2"):
        open_corpus(path)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (struct.pack("<3i", 20240520, 1, 0), "magic of format llmc"),
        (struct.pack("<3i", 20240801, 7, 0), "magic of format llmc"),
        (b"\x93NUMPY\x01\0", "magic of format npy. Leave --format and --dtype out"),
    ],
)
def test_a_header_is_never_read_as_ids(tmp_path: Path, content: bytes, hint: str) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=hint):
        open_corpus(path, dtype="u2", format="raw")


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"MMIDIDX\0\0\1\0\0", "a Megatron index"),
        (b"TNTIDX\0\0\0\0\1\0", "a NeoX index"),
        (struct.pack("<2i", 278895051, 1), "NeMo Automodel"),
        (b"\xfd7zXZ\0\0\0", "compressed by xz"),
        (b"PAR1\x15\4\x15\0", "a Parquet file"),
    ],
)
def test_the_header_of_a_foreign_format_is_not_read_as_ids(
    tmp_path: Path, content: bytes, hint: str
) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=hint):
        open_corpus(path, dtype="u2")


def test_llmc_size_must_be_the_headers(tmp_path: Path) -> None:
    path = write_llmc(tmp_path / "x.bin", IDS)
    whole = path.read_bytes()
    for content in (whole + b"\0\0", whole[:-2], whole[:-1]):
        path.write_bytes(content)
        message = f"states 5 u2 ids, so 1034 bytes with the header, but the file has {len(content)}"
        with pytest.raises(CorpusError, match=message):
            open_corpus(path)


def test_llmc_header_damage(tmp_path: Path) -> None:
    path = write_llmc(tmp_path / "x.bin", IDS, version=7)
    with pytest.raises(CorpusError, match=r"20240520 goes with version 1 .* found version 7"):
        open_corpus(path)
    path.write_bytes(struct.pack("<3i", 20240520, 1, -1).ljust(1024, b"\0"))
    with pytest.raises(CorpusError, match="count -1"):
        open_corpus(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CorpusError, match="header is 1024 bytes, the file has 100"):
        open_corpus(path)
    with pytest.raises(CorpusError, match=r"begins with 5, llm\.c files begin with one of"):
        open_corpus(write_raw(path, [5] + [0] * 600), format="llmc")


def test_a_stated_dtype_must_agree(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array(IDS, "u2"))
    for path in (
        write_llmc(tmp_path / "x.bin", IDS),
        write_datatrove(tmp_path / "x.ds", IDS, [5]),
        tmp_path / "x.npy",
    ):
        with pytest.raises(
            CorpusError, match="dtype u4 was given, but the file states that its ids are u2"
        ):
            open_corpus(path, dtype="u4")


def test_headerless_npy_of_olmo(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "x.npy", IDS)
    with pytest.raises(CorpusError, match=r"no NumPy header. OLMo .*--format raw --dtype u2"):
        open_corpus(path)
    assert open_corpus(path, format="raw", dtype="u2").tokens == 5


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.array([1, 2], "u8"), "holds uint64 values, expected .*u1, u2, u4 .*astype"),
        (np.array([1, 2], "i8"), "holds int64 values"),
        (np.array([1, 2], "i2"), "holds int16 values"),
        (np.array([1.0, 2.0]), "holds float64 values"),
        (np.array([True]), "holds bool values"),
        (np.array([1, 2], ">u2"), "holds >u2 values, expected little-endian"),
        (np.array([{}, []], object), "holds object values"),
        (np.zeros((2, 3), "u2"), r"shape \(2, 3\) in C order, expected one dimension"),
        (np.asfortranarray(np.zeros((2, 3), "u2")), "in Fortran order"),
        (np.array(3, "u2"), r"shape \(\)"),
    ],
)
def test_npy_of_anything_else(tmp_path: Path, array: Any, found: str) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(CorpusError, match=found):
        open_corpus(tmp_path / "x.npy")


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("unpickled",))


def test_npy_is_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([Trap()], object), allow_pickle=True)
    with pytest.raises(CorpusError, match="holds object values"):
        open_corpus(tmp_path / "x.npy")


def test_npy_cut_short_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.array(IDS, "u2"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    with pytest.raises(CorpusError, match=r"states 5 u2 ids, so 138 bytes .* the file has 134"):
        open_corpus(path)
    for damaged in (
        whole[:40],
        whole[:6] + b"\x03\0" + whole[8:],
        whole[:6] + b"\x09\0" + whole[8:],
        whole.replace(b"{'descr'", b"{{{{(((("),
        whole.replace(b"'descr'", b"import "),
        whole.replace(b"(5,)", b"(-5)"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(CorpusError, match="NumPy header can't be read"):
            open_corpus(path)


def test_datatrove_without_index(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "x.ds", IDS)
    with pytest.raises(
        CorpusError,
        match=r"x.ds.index, which does not exist.*--format raw --dtype u2",
    ):
        open_corpus(path)


@pytest.mark.parametrize(
    ("stops", "dtype", "message"),
    [
        ([2, 3], None, "has 10 bytes and its index ends at token 3: that is 3.333 bytes per id"),
        ([2, 6], "u2", "index points outside the file: it ends at token 6, the file holds 5"),
        ([2, 4], "u2", "stops at token 4, but the file holds 5: 1 tokens belong to no document"),
        ([3, 2, 5], None, "document 1 ends at token 2, before the previous document .3.. Ends"),
        ([2**63, 5], None, "document 1 ends at token 5, before"),
        ([], None, "ends at token 0: that is inf bytes"),
        ([], "u2", "stops at token 0"),
        ([0], None, "ends at token 0"),
    ],
)
def test_datatrove_index_damage(
    tmp_path: Path, stops: list[int], dtype: str | None, message: str
) -> None:
    path = write_datatrove(tmp_path / "x.ds", IDS, stops)
    with pytest.raises(CorpusError, match=message):
        open_corpus(path, dtype=dtype)


def test_datatrove_index_cut_short(tmp_path: Path) -> None:
    path = write_datatrove(tmp_path / "x.ds", IDS, [2, 5])
    index = tmp_path / "x.ds.index"
    index.write_bytes(index.read_bytes()[:-3])
    with pytest.raises(CorpusError, match="u64 numbers, but 5 bytes are left over"):
        open_corpus(path)


def test_bytes_sidecar_must_have_one_number_a_document(tmp_path: Path) -> None:
    path = write_datatrove(tmp_path / "x.ds", IDS, [2, 5])
    np.array([4, 4, 4], "<u8").tofile(tmp_path / "x.ds.bytes")
    with pytest.raises(CorpusError, match="bytes of 3 documents, the index has 2"):
        open_corpus(path)


def test_too_many_open_files_is_said_in_plain_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_raw(tmp_path / "x.bin", IDS)

    def exhausted(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(mapped_file, "_map", exhausted)
    with pytest.raises(ResourceError, match=re.escape("Raise the limit with `ulimit -n`")):
        open_corpus(path, dtype="u2")
