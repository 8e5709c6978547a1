"""Spectra of corpora, compared with naive counts for all passes, memory, threads and dtypes."""

from __future__ import annotations

import random
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import naive
from tests.ngrams.corpora import (
    as_dicts,
    assert_counted,
    assert_spectra,
    drawn_shards,
    write_shards,
)

import icfast
from icfast.corpus.documents import all_documents
from icfast.errors import CorpusError, OptionError, ResourceError
from icfast.ngrams import alphabet, plan, spectra
from icfast.ngrams.budget import Budget
from icfast.ngrams.spectra import spectra_of
from icfast.parallel.threads import Work

EOS = 0
END = 10**6  # </s> in naive counts; larger than any id

#: Passes of at most 40 windows; buckets above 10 are cut in place; groups of 6 small ones.
TIGHT = Budget(pass_windows=40, sort_windows=6, bucket_windows=10)


@pytest.fixture
def plans(monkeypatch):
    """Return the list of plans made while a test runs."""
    made = []
    make = plan.make_plan

    def spy(*arguments):
        made.append(make(*arguments))
        return made[-1]

    monkeypatch.setattr(spectra, "make_plan", spy)
    return made


@pytest.fixture
def tight(monkeypatch):
    monkeypatch.setattr(spectra, "budget", lambda *_: TIGHT)


# Any corpus ----------------------------------------------------------------------------------


@pytest.mark.ci
@pytest.mark.parametrize("limits", [None, TIGHT], ids=["roomy", "tight"])
@settings(max_examples=80)
@given(
    shards=drawn_shards(6, 14),
    order=st.integers(1, 8),
    threads=st.integers(1, 3),
    boundary=st.sampled_from(["end", "start"]),
)
def test_any_small_corpus(backend, limits, shards, order, threads, boundary):
    with pytest.MonkeyPatch.context() as patch:
        if limits:
            patch.setattr(spectra, "budget", lambda *_: limits)
        assert_counted(shards, order, threads, boundary, backend)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("order", range(1, 9))
def test_a_corpus_with_long_documents(backend, tmp_path, plans, tight, order, threads):
    chance = random.Random(order)
    shards = [[[min(chance.randrange(1, 30), 9) for _ in range(150)]] for _ in range(2)]
    written = write_shards(tmp_path / "corpus", shards, eos_id=EOS)
    found = icfast.spectra(written.corpus, order, threads=threads, backend=backend)
    assert_spectra(found, written.documents)
    assert len(plans[0].passes) > 3
    assert plans[0].split.any() == (order > 1)
    assert plans[0].counts.shape[0] == threads


# Corpora that force a plan -------------------------------------------------------------------


def one_id_almost_everywhere():
    chance = random.Random(1)
    return [chance.randrange(2, 9) if chance.random() < 0.01 else 1 for _ in range(1500)]


def coins(tokens):
    chance = random.Random(2)
    return [chance.randrange(1, 3) for _ in range(tokens)]


CORPORA = {
    # name: (tokens of the one document, order, split leads, buckets of equal windows)
    "99-percent": (one_id_almost_everywhere(), 4, True, True),
    "all-equal": ([5] * 300, 4, True, True),
    "all-distinct": (list(range(1, 400)), 4, False, False),
    "a-few-windows": ([1, 2, 1, 1, 2, 2, 2, 1, 2] * 30, 4, True, True),
    # Eleven symbols tell a hundred random coins apart, three do not.
    "coins": (coins(100), 12, True, False),
}


@pytest.mark.parametrize("name", CORPORA)
@pytest.mark.parametrize("threads", [1, 2])
def test_buckets_split_and_equal(backend, tmp_path, plans, tight, name, threads):
    tokens, order, split, equal = CORPORA[name]
    written = write_shards(tmp_path / "corpus", [[tokens]])
    found = icfast.spectra(written.corpus, order, threads=threads, backend=backend)
    assert_spectra(found, written.documents)
    (made,) = plans
    assert made.split.any() == split
    assert made.equal.any() == equal
    assert len(made.passes) > 1
    # Every bucket is within its bounds, but those that nothing can cut; every pass fits the keys.
    windows = made.windows
    assert all(windows[~made.equal] <= TIGHT.pass_windows)
    assert int(windows.sum()) == len(tokens)
    sizes = [(b, e, int(windows[b:e].sum())) for b, e in made.passes]
    assert all(size <= TIGHT.pass_windows or made.equal[b] for b, _, size in sizes)
    assert [b for b, _, _ in sizes] == [0, *(e for _, e, _ in sizes[:-1])]
    assert sizes[-1][1] == len(made.leads)


def test_leads_of_one_token_share_groups(backend, tmp_path, plans):
    written = write_shards(tmp_path / "corpus", [[list(range(1, 200))]])
    assert_spectra(icfast.spectra(written.corpus, 3, backend=backend), written.documents)
    assert len(plans[0].passes) == 1


@pytest.mark.parametrize(("order", "words"), [(5, 1), (9, 2), (14, 3), (20, 4)])
def test_split_leads_in_keys_of_several_words(
    backend, tmp_path, monkeypatch, plans, tight, order, words
):
    monkeypatch.setattr(spectra, "_KEY_BITS", 256)
    # 2000 ids take 11 bits: the cut goes through every word of the key.
    chance = random.Random(3)
    common = [[1, 2] * 30, [1] * 80, [2, *[1] * 25]]
    rare = [[chance.randrange(1, 2000) for _ in range(60)] for _ in range(2)]
    written = write_shards(tmp_path / "corpus", [common, [*rare, list(range(1, 1500))]], eos_id=EOS)
    found = icfast.spectra(written.corpus, order, threads=2, backend=backend)
    assert plans[0].buckets.low.shape[1] == words
    assert plans[0].split.any()
    assert plans[0].equal.any()
    assert_spectra(found, written.documents)


# Dtypes, sparse ids, documents ---------------------------------------------------------------

DOCUMENTS = [[[1, 2, 1, 1], [2], [], [1, 2, 1, 1]], [[4, 9, 4, 9, 1, 2]], [[], [9, 9, 9, 9, 9]]]


@pytest.mark.parametrize(
    ("dtype", "top"), [("u1", 255), ("u2", 65535), ("u4", 3_000_000), ("i4", 3_000_000)]
)
def test_dtypes(backend, tmp_path, dtype, top):
    renamed = [[[top if token == 9 else token for token in d] for d in s] for s in DOCUMENTS]
    written = write_shards(tmp_path / "corpus", renamed, dtype=dtype, eos_id=EOS)
    assert_spectra(icfast.spectra(written.corpus, 4, backend=backend), written.documents)


@pytest.mark.parametrize("dtype", ["u4", "u2"])
@pytest.mark.parametrize("limits", [None, TIGHT], ids=["roomy", "tight"])
@pytest.mark.parametrize("chunk", [1, 3, 1 << 20])
def test_sparse_ids(backend, tmp_path, monkeypatch, dtype, limits, chunk):
    monkeypatch.setattr(alphabet, "_CHUNK_TOKENS", chunk)
    if limits:
        monkeypatch.setattr(spectra, "budget", lambda *_: limits)
    wide = {"u2": 65535, "u4": 2**32 - 1}[dtype]
    chance = random.Random(4)
    shards = [
        [[chance.choice([1, 2, wide, wide - 1]) for _ in range(n)] for n in (1, 0, 17, 40)],
        [[wide] * 30],
    ]
    written = write_shards(
        tmp_path / "corpus", shards, dtype=dtype, eos_id=wide - 7, vocab_size=wide + 1
    )
    for threads in (1, 3):
        found = icfast.spectra(written.corpus, 4, threads=threads, backend=backend)
        assert_spectra(found, written.documents)
        documents = all_documents(written.corpus, "kenlm")
        found = spectra_of(documents, 4, Work.of(backend, threads))
        closed = [[*document[:-1], END**2] for document in written.documents]
        assert_spectra(found, closed)


@pytest.mark.parametrize("convention", ["tokens", "kenlm"])
@pytest.mark.parametrize("vocab_size", [None, 2**32], ids=["dense", "sparse"])
def test_documents_of_nothing_but_their_end_id(backend, tmp_path, convention, vocab_size):
    written = write_shards(
        tmp_path / "corpus", [[[], [], []]], eos_id=EOS, dtype="u4", vocab_size=vocab_size
    )
    documents = all_documents(written.corpus, convention)
    found = spectra_of(documents, 3, Work.of(backend, 2))
    assert_spectra(found, [[END]] * 3 if convention == "kenlm" else [[EOS]] * 3)


@pytest.mark.parametrize("eos_id", [None, EOS])
@pytest.mark.parametrize("boundary", ["end", "start"])
@pytest.mark.parametrize("threads", [1, 3])
def test_kenlm_documents_end_with_a_mark(backend, tmp_path, eos_id, boundary, threads):
    shards = DOCUMENTS if eos_id is not None else [shard[:1] for shard in DOCUMENTS[:2]]
    written = write_shards(tmp_path / "corpus", shards, eos_id=eos_id, boundary=boundary)
    contents = [[*document, END] for shard in shards for document in shard]
    documents = all_documents(written.corpus, "kenlm")
    assert_spectra(spectra_of(documents, 4, Work.of(backend, threads)), contents)


def test_documents_may_cross_or_not(backend, tmp_path):
    written = write_shards(tmp_path / "corpus", DOCUMENTS, eos_id=EOS, cross_documents=True)
    whole = [[token for d in shard for token in (*d, EOS)] for shard in DOCUMENTS]
    assert_spectra(icfast.spectra(written.corpus, 4, backend=backend), whole)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_many_documents_of_one_token(backend, tmp_path, tight, threads):
    chance = random.Random(5)
    shards = [[[chance.randrange(1, 9)] for _ in range(150)], [[1]] * 50]
    # An index of no end ids: every token is a document, "start" makes the mark the document.
    written = write_shards(tmp_path / "corpus", shards, eos_id=EOS)
    assert_spectra(
        icfast.spectra(written.corpus, 3, threads=threads, backend=backend), written.documents
    )


def test_one_document_of_one_token(backend, tmp_path):
    written = write_shards(tmp_path / "corpus", [[[7]]])
    for order in (1, 2, 5):
        found = icfast.spectra(written.corpus, order, threads=3, backend=backend)
        assert_spectra(found, [[7]])


def test_shards_in_any_order_and_cut_anywhere_between_documents(backend, tmp_path):
    forth = write_shards(tmp_path / "a", DOCUMENTS, eos_id=EOS)
    back = icfast.open(forth.paths[::-1], dtype="u2", eos_id=EOS)
    flat = write_shards(tmp_path / "b", [list(chain(*DOCUMENTS))], eos_id=EOS)
    found = [icfast.spectra(c, 5, backend=backend) for c in (forth.corpus, back, flat.corpus)]
    assert as_dicts(found[0]) == as_dicts(found[1]) == as_dicts(found[2])


# What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("vocab_size", [9, 5_000_000], ids=["dense", "sparse"])
def test_an_id_outside_the_vocabulary(backend, tmp_path, vocab_size):
    tokens = [*range(7), vocab_size + 3, 2]
    written = write_shards(tmp_path / "c", [[[1]], [tokens]], dtype="u4", vocab_size=vocab_size)
    message = (
        rf"token {vocab_size + 3} at position 7 of .*1\.bin is outside the vocabulary of "
        rf"{vocab_size} ids\. Was it written with another tokenizer or dtype\?"
    )
    for threads in (1, 2):
        with pytest.raises(CorpusError, match=message):
            icfast.spectra(written.corpus, 2, threads=threads, backend=backend)


@pytest.mark.parametrize("vocab_size", [9, 5_000_000], ids=["dense", "sparse"])
def test_a_negative_id(backend, tmp_path, vocab_size):
    path = tmp_path / "x.bin"
    np.array([3, -2, 5], "<i4").tofile(path)
    corpus = icfast.open(path, dtype="i4", vocab_size=vocab_size)
    with pytest.raises(CorpusError, match=r"token -2 at position 1 of .*x\.bin is negative"):
        icfast.spectra(corpus, 2, backend=backend)


def test_a_file_that_changes_while_it_is_read(backend, tmp_path, monkeypatch):
    written = write_shards(tmp_path / "c", [[[1, 2, 1, 2, 2]]])
    listed = spectra.list_symbols

    def list_then_change(*arguments):
        symbols = listed(*arguments)
        with written.paths[0].open("r+b") as file:
            file.write(np.array([0], "<u2").tobytes())
        return symbols

    monkeypatch.setattr(spectra, "list_symbols", list_then_change)
    with pytest.raises(CorpusError, match=r"0\.bin changed while it was read: it was written to"):
        icfast.spectra(written.corpus, 2, backend=backend)


@pytest.mark.parametrize("order", [0, -1])
def test_orders_without_meaning(tmp_path, order):
    written = write_shards(tmp_path / "c", [[[1]]])
    with pytest.raises(OptionError, match=f"order {order} must be at least 1"):
        icfast.spectra(written.corpus, order)


def test_an_order_too_long_for_a_key_says_the_longest(backend, tmp_path):
    written = write_shards(tmp_path / "c", [[list(range(1, 300)) * 2]])
    # 299 ids take 9 bits: 28 of them fit 256.
    with pytest.raises(OptionError, match="Pass --order 29 or less"):
        icfast.count(written.corpus, tmp_path / "t", 30, backend=backend)


def test_a_convention_that_is_none(tmp_path):
    written = write_shards(tmp_path / "c", [[[1]]])
    with pytest.raises(
        OptionError, match=r"convention 'words' is unknown\. Pass one of tokens, kenlm"
    ):
        icfast.count(written.corpus, tmp_path / "t", convention="words")


def test_memory_that_does_not_suffice_says_what_would(tmp_path):
    written = write_shards(tmp_path / "c", [[list(range(1, 300))]])
    with pytest.raises(ResourceError, match=r"--memory 1000 B is too little: .* at least (.*)iB"):
        icfast.spectra(written.corpus, 3, memory=1000)


@pytest.mark.parametrize("options", [{"threads": 0}, {"memory": "much"}, {"backend": "fast"}])
def test_work_options_without_meaning(tmp_path, options):
    written = write_shards(tmp_path / "c", [[[1]]])
    with pytest.raises(OptionError):
        icfast.spectra(written.corpus, 2, **options)


# Progress and the naive oracle itself --------------------------------------------------------


def test_progress_ends_at_one(backend, tmp_path, tight):
    written = write_shards(tmp_path / "c", [[list(range(1, 200))]])
    told = []
    icfast.spectra(written.corpus, 2, backend=backend, progress=lambda *stage: told.append(stage))
    assert told == sorted(told)
    assert told[0] >= ("counting", 0, 199)
    assert {total for _, _, total in told} == {199}
    assert told[-1] == ("counting", 199, 199)


def test_padded_spectra_are_those_of_naive_padded_windows(backend, tmp_path):
    written = write_shards(tmp_path / "c", DOCUMENTS, eos_id=EOS)
    found = icfast.spectra(written.corpus, 5, backend=backend)
    for n in range(1, 6):
        counts = naive.padded_window_counts(written.documents, n)
        assert found.padded(n) == icfast.Spectrum.from_counts(list(counts.values()))


# A shard that changes underneath -------------------------------------------------------------


def test_a_shard_that_changes_while_it_is_read_is_noticed(backend, tmp_path, monkeypatch):
    path = tmp_path / "changing.bin"
    np.array([1, 2] * 500, "<u2").tofile(path)
    corpus = icfast.open(path, dtype="u2", vocab_size=3)

    def make_plan_then_change(*args):
        made = plan.make_plan(*args)
        # More windows of the last bucket than it has room for.
        np.array([2] * 1000, "<u2").tofile(tmp_path / "new.bin")
        path.write_bytes((tmp_path / "new.bin").read_bytes())
        return made

    monkeypatch.setattr("icfast.ngrams.spectra.make_plan", make_plan_then_change)
    with pytest.raises(CorpusError, match="changed while it was read"):
        icfast.spectra(corpus, 3, backend=backend)


def test_the_longest_order_and_one_more(backend, tmp_path):
    written = write_shards(tmp_path / "corpus", [[[1] * 100]])
    found = icfast.spectra(written.corpus, 64, backend=backend)
    assert found[64].windows == 37
    model = icfast.fit(written.corpus, 64, backend=backend)
    assert icfast.score(written.corpus, model, backend=backend).total.predicted_tokens == 100
    with pytest.raises(OptionError, match="at most 64"):
        icfast.fit(written.corpus, 65, backend=backend)
