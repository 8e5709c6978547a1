"""Model files: loading returns what was saved, and damaged files are rejected."""

from __future__ import annotations

import errno
import gc
import json
import os
import struct

import numpy as np
import pytest
from tests.ngrams.corpora import write_shards
from tests.ngrams.damage import content, cut_lengths, flipped, sampled

import icfast
from icfast.errors import ArtefactError, OptionError, OutputError, ResourceError
from icfast.kneser_ney.model_file import open_model_file, read_model_file
from icfast.ngrams import table as table_module
from icfast.ngrams.table import CountTable

SHARDS = [[[1, 2, 1, 1], [2], [1, 2, 1, 1], [4, 9, 4, 9, 1, 2]]]


@pytest.fixture
def model(tmp_path):
    corpus = write_shards(tmp_path / "corpus", SHARDS, eos_id=0).corpus
    return icfast.fit(corpus, 3, output=tmp_path / "m.icfast")


def description(whole):
    """Return (offset, content) of the footer."""
    offset, size, _, _ = struct.unpack("<QII8s", whole[-24:])
    return offset, json.loads(whole[offset : offset + size])


def test_save_and_load(model, tmp_path):
    saved = model.save(tmp_path / "copy.icfast")
    assert saved.path == tmp_path / "copy.icfast"
    assert saved.path.read_bytes() == model.path.read_bytes()
    loaded = icfast.NgramModel.load(str(saved.path))
    for found in (saved, loaded):
        assert (found.order, found.convention, found.tokens, found.documents) == (
            3,
            "tokens",
            19,
            4,
        )
        assert found.discounts == model.discounts
        assert found.source == model.source
        assert found.ids.tolist() == [0, 1, 2, 4, 9]
        for name in model.trie._fields:
            assert np.array_equal(getattr(found.trie, name), getattr(model.trie, name))
            assert not getattr(found.trie, name).flags.writeable


def test_arrays_are_aligned(model):
    _, footer = description(model.path.read_bytes())
    assert all(entry["offset"] % 64 == 0 for entry in footer["arrays"].values())


@pytest.mark.parametrize("mask", [0x01, 0xFF])
def test_a_flipped_byte_is_refused(model, mask):
    whole = model.path.read_bytes()
    for at in sampled(len(whole), most=400):
        with content(model.path, flipped(whole, at, mask)), pytest.raises(ArtefactError):
            icfast.NgramModel.load(model.path)


def test_every_array_and_every_part_of_the_frame_is_hit_by_those_flips(model):
    whole = model.path.read_bytes()
    hit = {*sampled(len(whole), most=400)}
    offset, footer = description(whole)
    for entry in footer["arrays"].values():
        size = int(np.prod(entry["shape"])) * np.dtype(entry["dtype"]).itemsize
        assert hit & {*range(entry["offset"], entry["offset"] + size)}
    assert hit & {*range(offset, len(whole) - 24)}
    assert {*range(len(whole) - 24, len(whole))} <= hit


def test_a_file_cut_off_is_refused(model):
    whole = model.path.read_bytes()
    for length in cut_lengths(len(whole)):
        with content(model.path, whole[:length]), pytest.raises(ArtefactError):
            icfast.NgramModel.load(model.path)


def test_what_stands_behind_the_end_is_refused(model):
    whole = model.path.read_bytes()
    for tail in (b"\0", whole[-24:], whole):
        with (
            content(model.path, whole + tail),
            pytest.raises(ArtefactError, match="it was truncated"),
        ):
            icfast.NgramModel.load(model.path)


def test_another_version(model):
    whole = model.path.read_bytes()
    with (
        content(model.path, flipped(whole, 8, 1)),
        pytest.raises(ArtefactError, match="version 3, but this icfast reads version 2"),
    ):
        icfast.NgramModel.load(model.path)


def test_what_is_no_model(tmp_path):
    (tmp_path / "text").write_text("a text that is long enough to have an end")
    for name, message in (("text", "is not a model file"), ("none", "can't be read"), ("", "read")):
        with pytest.raises(ArtefactError, match=message):
            icfast.NgramModel.load(tmp_path / name)


def test_save_where_nothing_can_be_written(model, tmp_path):
    with pytest.raises(OptionError, match="cannot write"):
        model.save(tmp_path / "none" / "m.icfast")
    with pytest.raises(OptionError, match="is a folder"):
        model.save(tmp_path)


def test_a_model_is_never_saved_over_itself(model):
    whole = model.path.read_bytes()
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=r"m\.icfast is an output .* the command reads"):
            model.save(model.path, overwrite=overwrite)
    assert model.path.read_bytes() == whole


def test_a_disk_without_room(tmp_path, monkeypatch):
    corpus = write_shards(tmp_path / "corpus", SHARDS, eos_id=0).corpus

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    before = {*tmp_path.rglob("*")}
    with pytest.raises(ResourceError, match=r"the model needs .* but the disk is too full"):
        icfast.fit(corpus, 3, output=tmp_path / "m.icfast")
    assert {*tmp_path.rglob("*")} == before


def test_a_temporary_model_goes_with_its_last_user(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    corpus = write_shards(tmp_path / "corpus", SHARDS, eos_id=0).corpus
    held = icfast.fit(corpus, 2)
    path = held.path
    assert path.is_relative_to(tmp_path)
    saved = held.save(tmp_path / "m.icfast")
    del held
    gc.collect()
    assert not path.exists()
    assert [p.name for p in tmp_path.iterdir() if p != saved.path] == ["corpus"]
    assert read_model_file(open_model_file(saved.path))[0]["order"] == 2


# Tables that are intact but wrong ------------------------------------------------------------


def test_a_table_whose_spectra_belong_to_another(tmp_path, monkeypatch):
    first = write_shards(tmp_path / "a", SHARDS, eos_id=0).corpus
    other = write_shards(tmp_path / "b", [[[1, 2, 1, 1, 9, 4]]], eos_id=0).corpus
    # It has as many symbols but more n-grams.
    wrong = icfast.count(first, tmp_path / "ta", 3).spectra()
    table = icfast.count(other, tmp_path / "tb", 3)
    monkeypatch.setattr(table_module.CountTable, "spectra", lambda self: wrong)
    before = {*tmp_path.rglob("*")}
    with pytest.raises(ArtefactError, match="Count the corpus again"):
        icfast.fit(table, output=tmp_path / "m.icfast")
    assert {*tmp_path.rglob("*")} == before


def test_a_damaged_table_is_never_fitted(tmp_path):
    corpus = write_shards(tmp_path / "a", SHARDS, eos_id=0).corpus
    table = icfast.count(corpus, tmp_path / "t", 3)
    path = table.directory / "windows.run"
    with (
        content(path, flipped(path.read_bytes(), path.stat().st_size // 2)),
        pytest.raises(ArtefactError, match="is damaged"),
    ):
        icfast.fit(CountTable.load(table.directory), output=tmp_path / "m.icfast")
    assert not (tmp_path / "m.icfast").exists()
