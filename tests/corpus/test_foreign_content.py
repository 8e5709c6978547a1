"""Content that is no ids: compressed data, archives, tables, images and text are refused."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import random
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icfast.corpus import inspect, open_corpus
from icfast.errors import CorpusError

IDS = (np.random.default_rng(1).integers(0, 50257, 4000) % 300).astype("<u2")
RAW = IDS.tobytes()


def archive(names: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, member in names.items():
            file.writestr(name, member)
    return content.getvalue()


def npz() -> bytes:
    content = io.BytesIO()
    np.savez(content, IDS)
    return content.getvalue()


def tar() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as file:
        member = tarfile.TarInfo("train.bin")
        member.size = len(RAW)
        file.addfile(member, io.BytesIO(RAW))
    return content.getvalue()


def parquet() -> bytes:
    arrow = pytest.importorskip("pyarrow")
    content = io.BytesIO()
    pytest.importorskip("pyarrow.parquet").write_table(arrow.table({"ids": IDS}), content)
    return content.getvalue()


def ipc(kind: str) -> bytes:
    arrow = pytest.importorskip("pyarrow")
    table, content = arrow.table({"ids": IDS}), io.BytesIO()
    with getattr(arrow.ipc, kind)(content, table.schema) as writer:
        writer.write_table(table)
    return content.getvalue()


def arrow_codec(name: str) -> bytes:
    arrow = pytest.importorskip("pyarrow")
    sink = arrow.BufferOutputStream()
    with arrow.CompressedOutputStream(sink, name) as stream:
        stream.write(RAW)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def sqlite() -> bytes:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table ids (id integer)")
        return database.serialize()


def safetensors() -> bytes:
    header = json.dumps({"ids": {"dtype": "U16", "shape": [4000], "data_offsets": [0, 8000]}})
    return struct.pack("<Q", len(header)) + header.encode() + RAW


def png() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">2I5B", 1, 1, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
    )


ENGLISH = Path(__file__).read_text().encode()
RUSSIAN = (
    "Все счастливые семьи похожи друг на друга, каждая несчастлива по-своему. " * 90
).encode()
CHINESE = ("道可道，非常道；名可名，非常名。無名天地之始，有名萬物之母。" * 60).encode()

CONTENTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "gzip": (lambda: gzip.compress(RAW, mtime=0), "data compressed by gzip.*gunzip -k"),
    "bzip2": (lambda: bz2.compress(RAW), "bzip2.*bunzip2 -k"),
    "xz": (lambda: lzma.compress(RAW), "xz.*unxz -k"),
    "lzma": (lambda: lzma.compress(RAW, format=lzma.FORMAT_ALONE), "lzma.*unlzma"),
    "zstd": (lambda: arrow_codec("zstd"), "zstd.*unzstd"),
    "lz4": (lambda: arrow_codec("lz4"), "lz4.*unlz4"),
    "zip": (lambda: archive({"train.bin": RAW}), "a zip archive.*unzip"),
    "npz": (npz, "an .npz archive of NumPy"),
    "torch": (lambda: archive({"archive/data.pkl": b""}), "a file of torch.save"),
    "7z": (
        lambda: b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(bytes(20))) + bytes(20),
        "a 7z archive",
    ),
    "tar": (tar, "a tar archive.*tar xf"),
    "hdf5": (lambda: b"\x89HDF\r\n\x1a\n" + RAW, "an HDF5 file"),
    "parquet": (parquet, "a Parquet file.*pyarrow.parquet.read_table"),
    "cut parquet": (lambda: parquet()[:4000], "a Parquet file"),
    "arrow file": (lambda: ipc("new_file"), "an Arrow file"),
    "arrow stream": (lambda: ipc("new_stream"), "an Arrow stream"),
    "safetensors": (safetensors, "a safetensors file"),
    "sqlite": (sqlite, "an SQLite database"),
    **{
        f"pickle {protocol}": (
            lambda protocol=protocol: pickle.dumps(IDS.tolist(), protocol),
            "text|a pickle",
        )
        for protocol in range(6)
    },
    "short pickle": (lambda: pickle.dumps([1, 2]), "a pickle"),
    "pickled array": (lambda: pickle.dumps(IDS, 2), "a pickle"),
    "png": (png, "a PNG image"),
    "gif": (lambda: b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0;", "a GIF image"),
    "jpeg": (
        lambda: (
            b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xdb\0\x43\0" + bytes(64) + b"\xff"
        ),
        "a JPEG image",
    ),
    "pdf": (lambda: b"%PDF-1.4\n%\xe2\xe3\n" + RAW + b"\nstartxref\n9\n%%EOF\n", "a PDF document"),
    "elf": (lambda: b"\x7fELF\2\1\1\0" + bytes(8) + RAW, "a program"),
    "gguf": (lambda: b"GGUF\3\0\0\0" + bytes(16), "a GGUF model"),
    "english": (lambda: ENGLISH, "text.*icfast tokenize"),
    "russian": (lambda: RUSSIAN, "text"),
    "chinese": (lambda: CHINESE, "text"),
    "koi8": (lambda: RUSSIAN.decode().encode("koi8-r"), "text"),
    "latin": (lambda: ("Där står ett träd på ängen.\n" * 99).encode("latin-1"), "text"),
    "short": (lambda: b"plain text, not ids.", "text"),
    "json": (lambda: b'{"input_ids": [1, 2, 3, 4]}', "JSON"),
    "json lines": (lambda: b'{"text": "a b c"}\n' * 50, "JSON"),
    "utf-16": (lambda: ENGLISH.decode().encode("utf-16"), "text in UTF-16"),
}


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("dtype", ["u2", "u4", "i4"])
def test_compressed_files_and_other_formats_are_not_read_as_ids(
    tmp_path: Path, kind: str, dtype: str
) -> None:
    make, message = CONTENTS[kind]
    path, content = tmp_path / "x.bin", make()
    path.write_bytes(content + bytes(-len(content) % 4))
    with pytest.raises(
        CorpusError, match=rf"x\.bin is not a file of token ids: it is .*({message})"
    ):
        open_corpus(path, dtype=dtype)
    opened = open_corpus(path, dtype=dtype, format="raw")
    assert "icfast reads it as ids because --format raw was given" in opened.warnings[0]


@pytest.mark.parametrize("name", ["x.bin.gz", "x.npy", "x", "x.ds"])
@pytest.mark.parametrize("dtype", [None, "u2"])
def test_the_name_of_a_file_does_not_matter(tmp_path: Path, name: str, dtype: str | None) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(RAW, mtime=0))
    with pytest.raises(CorpusError, match="data compressed by gzip"):
        open_corpus(path, dtype=dtype)
    (report,) = inspect(path, dtype=dtype).shards
    assert "data compressed by gzip" in report.problems[0]


def test_text_is_a_corpus_of_bytes(tmp_path: Path) -> None:
    for content in (ENGLISH, RUSSIAN, b'{"text": "a b c"}\n' * 50):
        (tmp_path / "x.bin").write_bytes(content)
        assert open_corpus(tmp_path / "x.bin", dtype="u1").tokens == len(content)


def with_first_bytes(first: bytes) -> Any:
    """Return ids that begin with the bytes of a format by chance."""
    ids = np.random.default_rng(len(first)).integers(0, 50257, 3000).astype("<u2")
    return np.concatenate([np.frombuffer(first[: len(first) // 2 * 2], "<u2"), ids])


@pytest.mark.parametrize(
    "first",
    [
        b"\x1f\x8b\x08\x00",
        b"\x28\xb5\x2f\xfd\x0c\xff",
        b"\x04\x22\x4d\x18\x01\x01",
        b"PK\3\4",
        b"PAR1",
        b"\xff\xff\xff\xff\x10\0\0\0",
        b"\x80\2",
        b"\x80\4",
        b"]q\0\0",
        b"\xff\xd8\xff\xe0",
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"%PDF-1.4\n\0",
        b"\xff\xfe",
        b"\xcb\x9d\x9f\x10\7\0",
        b"BZh9",
    ],
)
def test_ids_that_spell_the_first_bytes_of_a_format_are_read(tmp_path: Path, first: bytes) -> None:
    path = tmp_path / "x.bin"
    ids = with_first_bytes(first)
    ids.tofile(path)
    shard = open_corpus(path, dtype="u2").shards[0]
    assert shard.tokens.tolist() == ids.tolist()


@pytest.mark.parametrize("size", [1, 5, 9, 40, 3000])
@pytest.mark.parametrize("vocabulary", [2, 300, 32_000, 50_257, 65_536])
def test_true_ids_are_never_refused(tmp_path: Path, size: int, vocabulary: int) -> None:
    draw = random.Random(size)
    for start in range(8):
        ids = [draw.randrange(vocabulary) for _ in range(size)]
        shapes = [ids, [ids[0]] * size, sorted(ids), (ids[:2] * size)[:size]]
        for number, chosen in enumerate(shapes):
            path = tmp_path / f"{start}-{number}.bin"
            np.array(chosen, "<u2").tofile(path)
            assert open_corpus(path, dtype="u2").tokens == size


def test_repeated_ids_whose_bytes_are_letters_are_read(tmp_path: Path) -> None:
    for value in (0x6161, 0x2020, 0x6120, 0x7A61):
        np.full(2000, value, "<u2").tofile(tmp_path / "x.bin")
        assert open_corpus(tmp_path / "x.bin", dtype="u2").tokens == 2000


def test_a_vocabulary_beyond_the_dtype_is_refused(tmp_path: Path) -> None:
    from icfast.errors import OptionError

    path = tmp_path / "wrapped.bin"
    IDS.tofile(path)
    with pytest.raises(OptionError, match="cannot hold the end id 151643"):
        open_corpus(path, dtype="u2", vocab_size=151_936, eos_id=151_643)
    with pytest.raises(OptionError, match=r"cannot hold a vocabulary of 151936 ids.*as u4"):
        open_corpus(path, dtype="u2", vocab_size=151_936)
    assert "cannot hold a vocabulary" in inspect(path, dtype="u2", vocab_size=151_936).problems[0]
    IDS.astype("<u4").tofile(path)
    assert open_corpus(path, dtype="u4", vocab_size=151_936, eos_id=151_643).warnings[0:0] == ()
    assert open_corpus(path, dtype="i4", vocab_size=1 << 31).shards
    with pytest.raises(OptionError, match="dtype i4, the largest of which is 2147483647"):
        open_corpus(path, dtype="i4", vocab_size=(1 << 31) + 1)


def test_a_one_dimensional_array_in_fortran_order_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "c.npy", IDS)
    content = (tmp_path / "c.npy").read_bytes()
    path = tmp_path / "fortran.npy"
    path.write_bytes(content.replace(b"'fortran_order': False", b"'fortran_order': True "))
    assert open_corpus(path).shards[0].tokens.tolist() == IDS.tolist()
