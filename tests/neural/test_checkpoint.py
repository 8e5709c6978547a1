"""Finished chunks are read back unchanged, or refused."""

from __future__ import annotations

import hashlib
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from icfast.backends.losses import LossCells
from icfast.errors import ArtefactError
from icfast.neural.checkpoint import Checkpoint, ChunkSums


def cells(count, seed):
    random = np.random.default_rng(seed)
    low, high = random.integers(0, 2**64, (2, count), np.uint64)
    return LossCells(low, high, random.integers(0, 2**64, (count, 6), np.uint64))


def sums(seed=0, documents=3, positions=5):
    return ChunkSums(cells(documents, seed), cells(positions, seed + 1))


def assert_equal(one, other):
    pairs = zip((*one.documents, *one.positions), (*other.documents, *other.positions), strict=True)
    for mine, its in pairs:
        assert np.array_equal(mine, its)
        assert mine.dtype == np.uint64


@pytest.mark.parametrize(("documents", "positions"), [(3, 5), (0, 0), (1, 0), (2000, 1)])
def test_a_unit_comes_back_as_it_was(tmp_path, documents, positions):
    kept = Checkpoint.at(tmp_path / "a" / "b")
    key = {"unit": [1, 2], "model": "ä"}
    assert kept.load(key, documents, positions) is None
    kept.save(key, sums(4, documents, positions))
    assert_equal(kept.load(key, documents, positions), sums(4, documents, positions))
    assert kept.load({"unit": [1, 3], "model": "ä"}, documents, positions) is None
    assert [path.name for path in kept.folder.iterdir()] == [kept.path(key).name]


def test_the_order_of_a_keys_fields_does_not_matter(tmp_path):
    kept = Checkpoint.at(tmp_path)
    kept.save({"a": 1, "b": 2}, sums())
    assert_equal(kept.load({"b": 2, "a": 1}, 3, 5), sums())


def test_a_unit_of_another_key_is_refused(tmp_path):
    """Refused although the two files have the same size."""
    kept = Checkpoint.at(tmp_path)
    kept.save({"a": 1}, sums(1))
    kept.save({"a": 2}, sums(2))
    kept.path({"a": 2}).rename(kept.path({"a": 1}))
    with pytest.raises(ArtefactError, match="belongs to another key"):
        kept.load({"a": 1}, 3, 5)


def test_every_changed_or_missing_byte_is_noticed(tmp_path):
    kept, key = Checkpoint.at(tmp_path), {"a": 1}
    kept.save(key, sums(1, 1, 2))
    path = kept.path(key)
    content = path.read_bytes()
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        with pytest.raises(ArtefactError, match=path.name):
            kept.load(key, 3, 5)
        path.write_bytes(content[:at])
        with pytest.raises(ArtefactError, match=path.name):
            kept.load(key, 3, 5)
    path.write_bytes(content + b"\0")
    with pytest.raises(ArtefactError, match="checksum"):
        kept.load(key, 3, 5)


def resealed(path, change):
    """Replace the content after the key and correct the checksum."""
    content = path.read_bytes()
    magic, body = content[:8], content[40:]
    key_end = 4 + int.from_bytes(body[:4], "little")
    body = body[:key_end] + change(body[key_end:])
    path.write_bytes(magic + hashlib.sha256(body).digest() + body)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda held: held[:15], "is truncated"),
        (lambda held: held[:16] + b"\0" + held[17:], "cannot be decompressed"),
        (lambda held: held[:-9], "sums of another size than its header"),
        (
            lambda held: struct.pack("<QQ", 3, 6) + held[16:],
            "states sums of 3 documents and 6 position bins, but its chunk has 3 and 5",
        ),
        (
            lambda held: struct.pack("<QQ", 3, 4) + held[16:],
            "states sums of 3 documents and 4",
        ),
        (
            lambda held: struct.pack("<QQ", 2**64 - 1, 9) + held[16:],
            "states sums of 18446744073709551615 documents",
        ),
        (
            lambda held: held[:16] + zlib.compress(bytes(8 * 8 * 8 + 1)),
            "sums of another size than its header",
        ),
    ],
)
def test_forged_sizes_are_refused(tmp_path, change, message):
    kept, key = Checkpoint.at(tmp_path), {"a": 1}
    kept.save(key, sums())
    resealed(kept.path(key), lambda held: held)
    assert_equal(kept.load(key, 3, 5), sums())
    resealed(kept.path(key), change)
    with pytest.raises(ArtefactError, match=message):
        kept.load(key, 3, 5)


def peak_of(call):
    """Return the largest amount of memory that a call holds at once."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("stated", [(3, 5), (1 << 20, 1 << 20)])
def test_checkpoint_bomb(tmp_path, stated):
    """A small file that inflates to 64 MiB is refused without inflating it."""
    kept, key = Checkpoint.at(tmp_path), {"a": 1}
    kept.save(key, sums())
    bomb = zlib.compress(bytes(64 << 20), 9)
    resealed(kept.path(key), lambda held: struct.pack("<QQ", *stated) + bomb)

    def load():
        with pytest.raises(ArtefactError, match="is too large"):
            kept.load(key, 3, 5)

    assert peak_of(load) < 1 << 20
    # A bomb that is no larger than a file of this chunk may be.
    kept.save(key, sums(0, 600, 500))
    resealed(kept.path(key), lambda held: struct.pack("<QQ", 600, 500) + bomb)

    def load_large():
        with pytest.raises(ArtefactError, match="sums of another size"):
            kept.load(key, 600, 500)

    assert peak_of(load_large) < 1 << 20


def test_a_pipe_in_place_of_a_chunk_is_refused(tmp_path):
    kept = Checkpoint.at(tmp_path)
    os.mkfifo(kept.path({"a": 1}))
    with pytest.raises(ArtefactError, match="is not a regular file but a pipe"):
        kept.load({"a": 1}, 3, 5)
