"""Spectra counted by position, compared with naive counts and packed keys."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ngrams.corpora import (
    as_dicts,
    assert_counted,
    assert_spectra,
    drawn_shards,
    write_shards,
)

import icfast
from icfast.corpus.documents import all_documents
from icfast.errors import CorpusError, ResourceError
from icfast.ngrams import alphabet, positions, ranges, spectra
from icfast.ngrams.positions import PositionBudget
from icfast.ngrams.spectra import spectra_of
from icfast.parallel.threads import Work

EOS = 0
END = 10**6  # </s> in naive counts; larger than any id

#: Passes and groups of at most 40 and 6 windows, or of one lead.
TIGHT = PositionBudget(40, 6, least_bytes=0, memory_bytes=1, passes=9, planned_bytes=0)


@pytest.fixture
def every_order(monkeypatch):
    """Count by position at any order, and list multiplicities from 16."""
    monkeypatch.setattr(spectra, "_KEY_BITS", -1)
    monkeypatch.setattr(ranges, "_CELLS", 1)


@pytest.fixture
def tight(monkeypatch):
    monkeypatch.setattr(spectra, "position_budget", lambda *_: TIGHT)


@pytest.mark.ci
@pytest.mark.parametrize("limits", [None, TIGHT], ids=["roomy", "tight"])
@settings(max_examples=80)
@given(
    shards=drawn_shards(4, 40),
    order=st.integers(1, 90),
    threads=st.integers(1, 3),
    boundary=st.sampled_from(["end", "start"]),
)
def test_any_small_corpus(backend, limits, shards, order, threads, boundary):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spectra, "_KEY_BITS", -1)
        patch.setattr(ranges, "_CELLS", 1)
        if limits:
            patch.setattr(spectra, "position_budget", lambda *_: limits)
        assert_counted(shards, order, threads, boundary, backend)


@pytest.mark.ci
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("order", [1, 2, 7, 65, 200])
def test_long_repeats_over_several_passes(backend, tmp_path, every_order, tight, order, threads):
    chance = random.Random(order)
    base = [min(chance.randrange(1, 30), 9) for _ in range(250)]
    shards = [[[*base, *base[100:], 5], base[:-3]], [[7] * 260], [base]]
    written = write_shards(tmp_path / "corpus", shards, eos_id=EOS)
    found = icfast.spectra(written.corpus, order, threads=threads, backend=backend)
    assert_spectra(found, written.documents)


def test_as_packed_keys_say(backend, tmp_path, monkeypatch):
    chance = random.Random(8)
    documents = [[chance.randrange(1, 300) for _ in range(50)] * 3 for _ in range(5)]
    written = write_shards(tmp_path / "c", [documents], eos_id=EOS)
    by_position = icfast.spectra(written.corpus, 29, backend=backend)
    monkeypatch.setattr(spectra, "_KEY_BITS", 256)
    assert as_dicts(icfast.spectra(written.corpus, 29, backend=backend)) == as_dicts(by_position)


@pytest.mark.ci
def test_an_order_beyond_any_key(backend, tmp_path):
    written = write_shards(tmp_path / "c", [[list(range(1, 300)) * 2], [[1] * 700]], eos_id=EOS)
    for order in (30, 300, 900):
        assert_spectra(icfast.spectra(written.corpus, order, backend=backend), written.documents)


@pytest.mark.ci
@pytest.mark.parametrize("end_mark", [False, True], ids=["tokens", "kenlm"])
@pytest.mark.parametrize("ids", [65534, 65535, 65536])
def test_alphabets_around_two_bytes(backend, tmp_path, every_order, ids, end_mark):
    """65,535 symbols and the zero fit two bytes; the end mark is one of the symbols."""
    tokens = [*range(ids, 0, -1), *range(1, 9), *range(1, 9)]
    written = write_shards(tmp_path / "c", [[tokens]], dtype="u4", vocab_size=65537)
    documents = all_documents(written.corpus, "kenlm" if end_mark else "tokens")
    found = spectra_of(documents, 4, Work.of(backend, 2))
    assert_spectra(found, [[*tokens, END]] if end_mark else [tokens])


@pytest.mark.parametrize("chunk", [1, 3, 1 << 20])
@pytest.mark.parametrize("threads", [1, 3])
def test_sparse_ids(backend, tmp_path, monkeypatch, every_order, chunk, threads):
    monkeypatch.setattr(alphabet, "_CHUNK_TOKENS", chunk)
    wide, chance = 2**32 - 1, random.Random(4)
    shards = [
        [[chance.choice([1, 2, wide, wide - 1]) for _ in range(n)] for n in (1, 0, 17, 40)],
        [[wide] * 30],
    ]
    written = write_shards(
        tmp_path / "corpus", shards, dtype="u4", eos_id=wide - 7, vocab_size=2**32
    )
    found = icfast.spectra(written.corpus, 12, threads=threads, backend=backend)
    assert_spectra(found, written.documents)
    found = spectra_of(all_documents(written.corpus, "kenlm"), 12, Work.of(backend, threads))
    assert_spectra(found, [[*document[:-1], END**2] for document in written.documents])


@pytest.mark.parametrize("convention", ["tokens", "kenlm"])
def test_documents_of_nothing_but_their_end_id(backend, tmp_path, every_order, convention):
    written = write_shards(tmp_path / "corpus", [[[], [], []], [[]]], eos_id=EOS)
    found = spectra_of(all_documents(written.corpus, convention), 3, Work.of(backend, 2))
    assert_spectra(found, [[END]] * 4 if convention == "kenlm" else [[EOS]] * 4)


@pytest.mark.parametrize("symbols", [1, 2, 129, 130, 16385, 16386, 40000])
def test_codes_tell_symbols_apart(symbols):
    """Codes of frequent symbols are short, end with a marked byte, and are not the begin mark."""
    counts = np.random.default_rng(symbols).integers(1, 1000, symbols)
    codes = [int(code).to_bytes(8, "big").rstrip(b"\0") for code in positions.symbol_codes(counts)]
    assert codes[0] == b""
    assert len(set(codes)) == symbols
    assert all(code[-1] >= 128 and all(0 < byte < 128 for byte in code[:-1]) for code in codes[1:])
    lengths = np.array([len(code) for code in codes[1:]], np.int64)
    assert np.bincount(lengths, minlength=4)[1:3].tolist() == [
        min(symbols - 1, 128),
        min(max(symbols - 129, 0), 127 * 128),
    ]
    assert (np.diff(lengths[np.argsort(-counts[1:], kind="stable")]) >= 0).all()


def test_progress_ends_at_one(backend, tmp_path, every_order, tight):
    written = write_shards(tmp_path / "c", [[list(range(1, 200))]])
    told = []
    icfast.spectra(written.corpus, 9, backend=backend, progress=lambda *stage: told.append(stage))
    assert told == sorted(told)
    assert {total for _, _, total in told} == {199}
    assert told[-1] == ("counting", 199, 199)


# The memory cap ------------------------------------------------------------------------------


def repetitive(tmp_path, tokens):
    chance = random.Random(6)
    document = [chance.randrange(1, 300) for _ in range(tokens)]
    return write_shards(tmp_path / "c", [[document]]).corpus


def test_a_cap_says_what_would_do_and_that_does(backend, tmp_path):
    corpus = repetitive(tmp_path, 20000)
    with pytest.raises(
        ResourceError, match=r"--memory 9\.0 MiB is too little: order 300"
    ) as refused:
        icfast.spectra(corpus, 300, memory="9MiB", threads=2, backend=backend)
    number, unit = re.search(r"needs at least ([\d.]+) (\w+)\.", str(refused.value)).groups()
    least = f"{float(number) + 0.1:.1f}{unit}"
    found = icfast.spectra(corpus, 300, memory=least, threads=2, backend=backend)
    assert as_dicts(found) == as_dicts(icfast.spectra(corpus, 300, threads=2, backend=backend))


def test_a_cap_below_the_text_takes_packed_keys(backend, tmp_path, monkeypatch):
    corpus = repetitive(tmp_path, 20000)
    taken = []
    monkeypatch.setattr(spectra, "spectra_by_position", lambda *arguments: taken.append(arguments))
    icfast.spectra(corpus, 25, threads=1, backend=backend)
    assert len(taken) == 1
    found = icfast.spectra(corpus, 25, memory="11MiB", threads=1, backend=backend)
    assert len(taken) == 1
    monkeypatch.undo()
    assert as_dicts(found) == as_dicts(icfast.spectra(corpus, 25, threads=1, backend=backend))


# A shard that changes underneath -------------------------------------------------------------


def test_a_file_that_changes_while_it_is_read(backend, tmp_path, monkeypatch, every_order):
    written = write_shards(tmp_path / "c", [[[1, 2, 1, 2, 2]]])
    listed = spectra.list_symbols

    def list_then_change(*arguments):
        symbols = listed(*arguments)
        with written.paths[0].open("r+b") as file:
            file.write(np.array([0], "<u2").tobytes())
        return symbols

    monkeypatch.setattr(spectra, "list_symbols", list_then_change)
    with pytest.raises(CorpusError, match=r"0\.bin changed while it was read: it was written to"):
        icfast.spectra(written.corpus, 20, backend=backend)
