"""Damaged shards, headers, indices and sidecars are refused, or read without a crash.

Ids have no checksum, so changed ids are another corpus. Nothing is read outside the files, and only
errors of icfast are raised.
"""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.mutations import damaged_bytes, damaged_json, fuzz

import icfast
from icfast.errors import CorpusError, IcfastError

IDS = np.array([5, 1, 2, 0, 3, 1, 0, 2, 2, 0], "<u2")

# numpy warns about headers that Python 2 wrote. A user sees the warning, then the result.
pytestmark = pytest.mark.filterwarnings("ignore")


def npy():
    content = io.BytesIO()
    np.save(content, IDS)
    return content.getvalue()


def llmc():
    header = struct.pack("<3i", 20240520, 1, len(IDS))
    return header + bytes(1024 - len(header)) + IDS.tobytes()


DESCRIPTION = {
    "schema_version": 1,
    "tokenizer": "t.json",
    "tokenizer_sha256": "00",
    "vocab_size": 6,
    "eos_id": 0,
    "dtype": "u2",
}
#: The files of one shard, by format.
FORMATS = {
    "npy": {"x.npy": npy()},
    "llmc": {"x.llmc": llmc()},
    "datatrove": {
        "x.ds": IDS.tobytes(),
        "x.ds.index": np.array([4, 7, 10], "<u8").tobytes(),
        "x.ds.bytes": np.array([9, 5, 6], "<u8").tobytes(),
        "x.ds.json": json.dumps(DESCRIPTION).encode(),
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("shards")


def read_everything(path):
    """Run everything that reads a shard. Its documents must be inside it."""
    try:
        corpus = icfast.open(path, skip_bad=True)
        (shard,) = corpus.shards
        documents = corpus.documents_of(shard)
        assert np.all((documents.starts >= 0) & (documents.starts < documents.stops))
        assert np.all(documents.stops <= len(shard.tokens))
        icfast.spectra(corpus, 3, threads=1)
        icfast.fit(corpus, 2, convention="kenlm", threads=1)
    except IcfastError:
        return


@pytest.mark.parametrize("name", FORMATS)
@fuzz
@given(data=st.data())
def test_damaged_shards_are_refused_or_read(folder, name, data):
    files = dict(FORMATS[name])
    which = data.draw(st.sampled_from(sorted(files)))
    files[which] = data.draw(damaged_bytes(files[which]))
    for file, content in files.items():
        (folder / file).write_bytes(content)
    read_everything(folder / next(iter(files)))


@fuzz
@given(data=st.data())
def test_forged_descriptions_are_refused_or_read(folder, data):
    for file, content in FORMATS["datatrove"].items():
        (folder / file).write_bytes(content)
    (folder / "x.ds.json").write_text(json.dumps(data.draw(damaged_json(DESCRIPTION))))
    read_everything(folder / "x.ds")


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 10_000, "\ud800", "[]", "null", ""])
def test_invalid_descriptions_are_refused(folder, text):
    for file, content in FORMATS["datatrove"].items():
        (folder / file).write_bytes(content)
    (folder / "x.ds.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(CorpusError, match=r"x\.ds\.json"):
        icfast.open(folder / "x.ds")


HEADERS = [
    b"-" * 60,
    b"(" * 60,
    b"{[]: 1}",
    b"{'descr': '<u2', 'fortran_order': False, 'shape': (-10,)}",
    b"{'descr': '<u2', 'fortran_order': False, 'shape': (10**9,)}",
    b"{'descr': '<u2', 'fortran_order': False, 'shape': (99999999999999999999,)}",
    b"{'descr': '<u2', 'fortran_order': False, 'shape': 10}",
    b"{'descr': '<u2', 'fortran_order': False, 'shape': ('10',)}",
    b"{'descr': '<u2', 'fortran_order': False, 'shape': ()}",
    b"{'descr': ['<u2'], 'fortran_order': False, 'shape': (10,)}",
    b"{'descr': 'O', 'fortran_order': False, 'shape': (10,)}",
    b"{'descr': None, 'fortran_order': False, 'shape': (10,)}",
]


@pytest.mark.parametrize("header", HEADERS)
def test_invalid_headers_are_refused(folder, header):
    header = header.ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + IDS.tobytes()
    (folder / "x.npy").write_bytes(content)
    with pytest.raises(CorpusError, match=r"x\.npy"):
        icfast.open(folder / "x.npy")


def test_a_header_nested_too_deep_is_refused(folder):
    header = b"-" * 9000 + b"1\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + IDS.tobytes()
    (folder / "x.npy").write_bytes(content)
    with pytest.raises(CorpusError, match=r"x\.npy"):
        icfast.open(folder / "x.npy")
