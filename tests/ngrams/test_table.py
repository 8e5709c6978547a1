"""Count tables on disk: what they keep, and that nothing damaged is read."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import numpy as np
import pytest
from tests import naive
from tests.backends.definitions import entries, key_of, key_rows, run_of
from tests.ngrams.corpora import assert_spectra, write_shards
from tests.ngrams.damage import content, cut_lengths, flipped, sampled

import icfast
from icfast.errors import ArtefactError, OptionError
from icfast.ngrams import blocks
from icfast.ngrams.table import CountTable

FILES = ["table.json", "ids.npy", "ends.run", "windows.run", "spectra.npz"]
every_file = pytest.mark.parametrize("name", FILES)

SHARDS = [[[1, 2, 1, 1], [2], [1, 2, 1, 1]], [[4, 9, 4, 9, 1, 2]]]


@pytest.fixture
def counted(tmp_path, monkeypatch):
    """A table of order 3 in several blocks, and its documents."""
    monkeypatch.setattr(blocks, "_BLOCK_ENTRIES", 5)
    written = write_shards(tmp_path / "corpus", SHARDS, eos_id=0, vocab_size=10)
    return icfast.count(written.corpus, tmp_path / "table", order=3), written.documents


def read_all(folder):
    """Everything a reader of a table can ask of it."""
    table = CountTable.load(folder)
    runs = [entry for run in table.runs() for entry in entries(run)]
    return runs, table.ends(), table.spectra()


def test_a_table_holds_the_windows_of_its_documents(counted):
    table, documents = counted
    runs, ends, spectra = read_all(table.directory)
    windows = naive.padded_window_counts(documents, 3)
    assert runs == entries(run_of(windows, table.shape))
    last = Counter(
        naive.padded_windows(documents, 3)[i - 1] for i in np.cumsum([len(d) for d in documents])
    )
    assert ends.leads.tolist() == [window[0] for window in sorted(last)]
    bits, words = table.shape.bits, table.shape.words
    assert np.array_equal(ends.keys, key_rows([key_of(w, bits) for w in sorted(last)], words))
    assert ends.counts.tolist() == [last[window] for window in sorted(last)]
    assert_spectra(spectra, documents)


def test_what_a_table_says_of_itself(counted):
    table, _ = counted
    assert table.ids.tolist() == [0, 1, 2, 4, 9]
    assert table.order == 3
    assert not table.end_mark
    assert table.totals.tokens == 19
    assert table.totals.documents == 4
    assert table.totals.windows == (19, 15, 11)
    source = table.source
    assert (source.order, source.convention, source.documents) == (3, "tokens", "all")
    assert (source.vocab_size, source.vocab_size_given, source.eos_id) == (10, True, 0)
    shards = [(shard.name, shard.tokens, shard.documents) for shard in source.shards]
    assert shards == [("0.bin", 12, 3), ("1.bin", 7, 1)]
    files = {path.name for path in table.directory.iterdir()}
    assert files == set(FILES)


@pytest.mark.parametrize(
    "name", ["table.json", "ids.npy", "ends.run", "windows.run", "spectra.npz"]
)
@pytest.mark.parametrize("mask", [0x01, 0xFF])
def test_a_flipped_byte_is_refused(counted, name, mask):
    path = counted[0].directory / name
    whole = path.read_bytes()
    for at in sampled(len(whole)):
        with content(path, flipped(whole, at, mask)), pytest.raises(ArtefactError):
            read_all(path.parent)


@pytest.mark.parametrize(
    "name", ["table.json", "ids.npy", "ends.run", "windows.run", "spectra.npz"]
)
def test_a_file_cut_off_is_refused(counted, name):
    path = counted[0].directory / name
    whole = path.read_bytes()
    lengths = range(len(whole)) if name == "windows.run" else cut_lengths(len(whole))
    for length in lengths:
        if name == "table.json" and whole[length:].isspace():
            continue
        with content(path, whole[:length]), pytest.raises(ArtefactError):
            read_all(path.parent)


@pytest.mark.parametrize(
    "name", ["table.json", "ids.npy", "ends.run", "windows.run", "spectra.npz"]
)
def test_a_missing_file_is_refused(counted, name):
    table, _ = counted
    (table.directory / name).unlink()
    with pytest.raises(ArtefactError, match=name):
        read_all(table.directory)


@pytest.mark.parametrize("name", ["ends.run", "windows.run"])
def test_a_file_lost_after_loading_is_refused(counted, name):
    table, _ = counted
    (table.directory / name).unlink()
    with pytest.raises(ArtefactError, match=name):
        list(table.runs() if name == "windows.run" else [table.ends()])


def test_spectra_damaged_after_loading_are_refused(counted):
    table, _ = counted
    path = table.directory / "spectra.npz"
    whole = path.read_bytes()
    for length in cut_lengths(len(whole)):
        with content(path, whole[:length]), pytest.raises(ArtefactError, match=r"spectra\.npz"):
            table.spectra()


def test_blocks_that_are_missing_or_twice_are_refused(counted):
    table, _ = counted
    path = table.directory / "windows.run"
    whole = path.read_bytes()
    packed = [blocks.pack_blocks(run)[0] for run in table.runs()]
    assert len(packed) == 3
    header = whole[: len(whole) - sum(map(len, packed))]
    assert header + b"".join(packed) == whole
    for chosen in ([], [0], [0, 1], [1, 2], [0, 2], [0, 1, 2, 2]):
        with content(path, header + b"".join(packed[i] for i in chosen)):
            again = CountTable.load(table.directory)
            with pytest.raises(
                ArtefactError,
                match=r"windows\.run is (truncated or damaged: it holds \d+ windows|damaged)",
            ):
                list(again.runs())


def rewritten(folder, change):
    """table.json with something changed and its checksum made to fit."""
    from icfast.ngrams.manifest import checksum

    body = json.loads((folder / "table.json").read_text())
    body.pop("checksum")
    change(body)
    (folder / "table.json").write_text(json.dumps({**body, "checksum": checksum(body)}))


def test_another_version_or_another_format(counted):
    table, _ = counted
    rewritten(table.directory, lambda body: body.update(version=2))
    with pytest.raises(ArtefactError, match="of version 2, and this icfast reads version 1"):
        CountTable.load(table.directory)
    rewritten(table.directory, lambda body: body.update(version=1, format="other"))
    with pytest.raises(ArtefactError, match="does not describe a count table"):
        CountTable.load(table.directory)


@pytest.mark.parametrize("field", ["source", "shape", "totals"])
def test_a_manifest_that_lacks_a_field(counted, field):
    table, _ = counted
    rewritten(table.directory, lambda body: body.pop(field))
    with pytest.raises(ArtefactError, match="is damaged"):
        CountTable.load(table.directory)


def test_what_is_no_table(tmp_path):
    with pytest.raises(ArtefactError, match="is not a count table"):
        CountTable.load(tmp_path)
    with pytest.raises(ArtefactError, match="is not a count table"):
        CountTable.load(tmp_path / "none")
    (tmp_path / "table.json").write_text("[]")
    with pytest.raises(ArtefactError, match="does not describe a count table"):
        CountTable.load(tmp_path)


def test_an_existing_output_is_refused(counted, tmp_path):
    table, _ = counted
    before = (table.directory / "table.json").read_bytes()
    corpus = icfast.open(tmp_path / "corpus", dtype="u2", eos_id=0)
    with pytest.raises(OptionError, match="table exists already"):
        icfast.count(corpus, table.directory, order=2)
    with pytest.raises(OptionError, match=r"table is an output .* the command reads"):
        icfast.merge([table], table.directory)
    assert (table.directory / "table.json").read_bytes() == before


def test_a_table_may_be_moved(counted, tmp_path):
    table, documents = counted
    moved = tmp_path / "elsewhere"
    shutil.move(table.directory, moved)
    assert_spectra(CountTable.load(moved).spectra(), documents)


def test_a_table_shows_itself(counted):
    table, documents = counted
    assert repr(table) == (
        f"CountTable({str(table.directory)!r}, order=3, tokens={sum(map(len, documents))}, "
        f"documents={len(documents)}, shards={len(table.source.shards)})"
    )
    shown = table._repr_html_()
    assert f">{table.totals.tokens:,}</td>" in shown
    assert str(table.directory) in shown
