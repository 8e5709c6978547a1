"""Match lengths against the definition, and entropy estimates on known sources."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import naive
from tests.ngrams.corpora import write_shards

import icfast
from icfast.errors import CorpusError, OptionError, ResourceError
from icfast.ngrams import alphabet, matches
from icfast.ngrams.matches import match_lengths
from icfast.parallel.threads import Work

# Any corpus ----------------------------------------------------------------------------------

shards_of_documents = st.lists(
    st.lists(st.lists(st.integers(1, 4), max_size=14), min_size=1, max_size=5),
    min_size=1,
    max_size=3,
)


def first_tokens(documents, tokens):
    """Return the first `tokens` tokens of the documents."""
    kept = []
    for document in documents:
        if tokens > 0:
            kept.append(document[:tokens])
        tokens -= len(document)
    return kept


def assert_lengths(found, documents):
    assert found.earlier.tolist() == naive.match_lengths(documents, earlier=True)
    assert found.anywhere.tolist() == naive.match_lengths(documents, earlier=False)
    assert found.cut_tokens == naive.cut_matches(documents)


@pytest.mark.ci
@given(
    shards=shards_of_documents,
    dtype=st.sampled_from(["u1", "u2", "u4"]),
    boundary=st.sampled_from(["end", "start"]),
    threads=st.integers(1, 3),
    tokens=st.none() | st.integers(1, 60),
)
def test_lengths_of_any_corpus(backend, shards, dtype, boundary, threads, tokens):
    with tempfile.TemporaryDirectory() as folder:
        written = write_shards(Path(folder) / "c", shards, dtype=dtype, eos_id=0, boundary=boundary)
        found = match_lengths(written.corpus, Work.of(backend, threads, "64MiB"), tokens)
    documents = written.documents
    assert_lengths(found, documents if tokens is None else first_tokens(documents, tokens))


DOCUMENTS = [[3, 1, 4, 1, 5], [9, 2, 6], [5, 3, 5, 8, 9, 7, 9], [3, 1, 4, 1, 5, 9], [3, 1, 4]]


@pytest.mark.parametrize("chunk", [1, 4, 1 << 20])
def test_chunks_and_sparse_ids_change_nothing(backend, tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(matches, "_CHUNK", chunk)
    monkeypatch.setattr(alphabet, "_CHUNK_TOKENS", chunk)
    monkeypatch.setattr(alphabet, "_DENSE_IDS", 4)
    far = [[token * 10**8 for token in document] for document in DOCUMENTS]
    written = write_shards(tmp_path / "c", [far[:2], far[2:]], dtype="u4", eos_id=7)
    assert_lengths(match_lengths(written.corpus, Work.of(backend, 2, "96MiB")), written.documents)


def test_a_match_stays_inside_documents(backend, tmp_path):
    shards = [[[1, 2, 3, 4, 5]], [[1, 2, 3, 4, 5]]]
    apart = write_shards(tmp_path / "a", [[[1, 2, 3]], [[4, 5, 1]], [[2, 3, 4]]]).corpus
    found = match_lengths(apart, Work.of(backend))
    assert found.earlier.tolist() == [1, 1, 1, 1, 1, 2, 3, 2, 2]
    found = match_lengths(write_shards(tmp_path / "b", shards).corpus, Work.of(backend))
    assert found.earlier.tolist() == [1, 1, 1, 1, 1, 6, 5, 4, 3, 2]
    assert found.cut_tokens == 5


def test_files_as_one_document_each(backend, tmp_path):
    written = write_shards(tmp_path / "c", [DOCUMENTS], eos_id=0, cross_documents=True)
    whole = [token for document in written.documents for token in document]
    assert_lengths(match_lengths(written.corpus, Work.of(backend)), [whole])


def test_relabelling_leaves_the_estimates(backend, tmp_path):
    renamed = [[(token * 7919) % 10007 for token in document] for document in DOCUMENTS]
    plain, other = (
        icfast.match_entropy(write_shards(tmp_path / name, [held]).corpus, backend=backend)
        for name, held in (("a", DOCUMENTS), ("b", renamed))
    )
    assert plain == other


def assert_counts(found, spectra):
    """Each distinct n-gram has one first window; a singleton has only one window."""
    for n in range(1, spectra.order + 1):
        of_order = spectra[n]
        assert np.count_nonzero(found.earlier > n) == of_order.windows - of_order.distinct
        assert np.count_nonzero(found.anywhere > n) == of_order.windows - of_order.singletons


def test_lengths_agree_with_spectra(backend, tmp_path):
    ids = np.minimum(np.random.default_rng(3).zipf(1.4, 60_000), 500)
    shards = [ids[:20_000].reshape(-1, 40).tolist(), ids[20_000:].reshape(-1, 400).tolist()]
    corpus = write_shards(tmp_path / "c", shards, eos_id=0).corpus
    found = match_lengths(corpus, Work.of(backend))
    assert_counts(found, icfast.spectra(corpus, 8, backend=backend))


@pytest.mark.ci
@pytest.mark.corpora
def test_lengths_of_48_million_tokens_agree_with_spectra(corpora):
    corpus = icfast.open(corpora / "linux-gpt2.u16.bin", dtype="u2", eos_id=50256)
    found = match_lengths(corpus, Work.of())
    assert len(found.earlier) == 48_001_055
    assert_counts(found, icfast.spectra(corpus, 7))


# What is refused -----------------------------------------------------------------------------


def test_an_id_outside_the_vocabulary(backend, tmp_path):
    corpus = write_shards(tmp_path / "c", [DOCUMENTS], vocab_size=9).corpus
    with pytest.raises(CorpusError, match=r"token 9 at position 5 .* vocabulary of 9"):
        icfast.match_entropy(corpus, backend=backend)


def test_no_tokens(tmp_path):
    corpus = write_shards(tmp_path / "c", [DOCUMENTS]).corpus
    with pytest.raises(OptionError, match=r"of 0 tokens do not exist\. Pass at least 1"):
        icfast.match_entropy(corpus, tokens=0)


def test_a_cap_that_is_too_small_names_one_that_is_not(tmp_path):
    np.zeros(2_000_000, "u1").tofile(tmp_path / "x.bin")
    corpus = icfast.open(tmp_path / "x.bin", dtype="u1", vocab_size=256)
    with pytest.raises(
        ResourceError, match=r"2000000 tokens in 1 documents need 46\.5 MiB"
    ) as error:
        icfast.match_entropy(corpus, memory="32MiB", threads=1)
    most = int(str(error.value).split("such as ")[1].split()[0])
    assert 1_000_000 < most < 1_100_000
    assert icfast.match_entropy(corpus, memory="32MiB", threads=1, tokens=most).tokens == most
    with pytest.raises(ResourceError):
        icfast.match_entropy(corpus, memory="32MiB", threads=1, tokens=most + 2)


def test_more_tokens_than_positions(tmp_path):
    path = tmp_path / "large.bin"
    path.touch()
    os.truncate(path, 2**31 - 1)  # a hole: no disk is used
    corpus = icfast.open(path, dtype="u1", vocab_size=256)
    with pytest.raises(ResourceError, match=r"number at most 2147483647\. .*--match-tokens"):
        icfast.match_entropy(corpus, memory="1TB")


MEASURE = """
import sys, threading, time
from pathlib import Path
import icfast

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

path, small, backend = sys.argv[1:]
# Modules are imported and kernels compiled before the clock starts, so to speak.
icfast.match_entropy(icfast.open(small, dtype="u2"), backend=backend)
corpus = icfast.open(path, dtype="u2", eos_id=0, vocab_size=50257)
before, peak, done = anonymous(), 0, threading.Event()

def watch():
    global peak
    while not done.is_set():
        peak = max(peak, anonymous())
        time.sleep(0.002)

watcher = threading.Thread(target=watch)
watcher.start()
icfast.match_entropy(corpus, memory="64MiB", backend=backend, threads=1)
done.set()
watcher.join()
print(peak - before)
"""


@pytest.mark.ci
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to measure memory")
def test_the_memory_cap_is_kept(backend, tmp_path):
    """3 M tokens take 46 MiB of arrays and are refused below 63 MiB."""
    ids = np.minimum(np.random.default_rng(1).zipf(1.3, 3_000_000), 50256).astype("<u2")
    ids[::300] = 0
    ids.tofile(tmp_path / "large.bin")
    ids[:2000].tofile(tmp_path / "small.bin")
    names = [tmp_path / "large.bin", tmp_path / "small.bin"]
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, *names, backend],
        capture_output=True,
        text=True,
        check=True,
    )
    growth = int(run.stdout)
    assert 40 << 20 < growth <= 64 << 20


# Known sources -------------------------------------------------------------------------------


def estimated(folder, word):
    np.asarray(word, "u1").tofile(folder / "x.bin")
    return icfast.match_entropy(icfast.open(folder / "x.bin", dtype="u1"))


def expected_estimate(probabilities, tokens):
    """Return the mean-length estimate if E Lambda_i = 1 + sum_l E[1 - (1 - P(w_1..w_l))^(i-1)].

    That is exact for independent strings, and close for one text, where strings overlap.

    Args:
        probabilities: f8[lengths, words], P of the first l + 1 tokens of words of the source.
    """
    at = np.unique(np.geomspace(1, tokens, 200).astype(np.int64))
    silent = np.log1p(-probabilities)
    means = [1 - np.expm1((i - 1) * silent).sum(axis=0).mean() for i in at]
    i = np.arange(1, tokens + 1)
    return tokens / np.sum(np.interp(np.log(i), np.log(at), means) / np.log2(i + 1))


@pytest.mark.parametrize("symbols", [2, 16, 200])
@pytest.mark.parametrize("tokens", [2**14, 2**18])
def test_uniform_independent_symbols(tmp_path, symbols, tokens):
    found = estimated(tmp_path, np.random.default_rng(symbols).integers(0, symbols, tokens))
    lengths = np.arange(1, 1 + int(80 / math.log2(symbols)))
    expected = expected_estimate(float(symbols) ** -lengths[:, None], tokens)
    # Lambda_i varies as an extreme of exponentials, by pi^2/6 / ln^2 V + 1/12, and is as good as
    # independent of those further away than its own length, on both sides.
    mean = found.mean_length
    variance = (math.pi**2 / 6 / math.log(symbols) ** 2 + 1 / 12) * 2 * mean / tokens
    tolerance = 4 * expected * math.sqrt(variance) / mean
    assert found.bits_per_token["mean_length"] == pytest.approx(expected, abs=tolerance)
    # What is known of the bias: c/log2 n, relative, with c = 0.5772/ln 2 + h/2 bits.
    entropy = math.log2(symbols)
    bias = (0.5772 / math.log(2) + entropy / 2) / math.log2(tokens)
    assert 1 - 1.3 * bias < found.bits_per_token["mean_length"] / entropy < 1 - 0.6 * bias
    for form in ("mean_ratio", "two_sided"):
        assert 1 - 1.3 * bias < found.bits_per_token[form] / entropy < 1


#: P(1 after 0) and P(0 after 1); stationary 3/4 and 1/4; entropy rate in bits.
LEAVE = (0.1, 0.3)
RATE = 0.5720694199996341


def markov(steps):
    """Return a path of the chain from uniform numbers, as u1 of the same shape."""
    states = np.empty(steps.shape, np.uint8)
    state = (steps[0] < 0.25).astype(np.uint8)
    states[0] = state
    for t, step in enumerate(steps[1:], start=1):
        state = np.where(step < np.where(state, LEAVE[1], LEAVE[0]), 1 - state, state)
        states[t] = state
    return states


@pytest.mark.ci
@pytest.mark.parametrize("tokens", [2**15, 2**17])
def test_a_markov_chain(tmp_path, tokens):
    found = estimated(tmp_path, markov(np.random.default_rng(7).random(tokens)))
    words = markov(np.random.default_rng(8).random((150, 20_000)))
    left = np.where(words[:-1], LEAVE[1], LEAVE[0])
    factors = np.where(words[1:] != words[:-1], left, 1 - left)
    first = np.where(words[:1], 0.25, 0.75)
    expected = expected_estimate(np.cumprod(np.vstack([first, factors]), axis=0), tokens)
    estimate = found.bits_per_token["mean_length"]
    # The blocks' spread holds the corpus' own noise and more; that of 20,000 words is below it.
    tolerance = 3 * found.block_spread_bits_per_token["mean_length"]
    assert tolerance < 0.05 * RATE
    assert estimate == pytest.approx(expected, abs=tolerance)
    # The relative error falls as 1/log2 n: 1.9/log2 n of `expected` at both sizes.
    assert (RATE - expected) / RATE * math.log2(tokens) == pytest.approx(1.9, abs=0.1)
    assert found.bits_per_token["mean_ratio"] == pytest.approx(RATE, rel=0.05)


def test_a_period_has_no_entropy(tmp_path):
    tokens, period = 2**16, 7
    found = estimated(tmp_path, np.arange(tokens) % period)
    assert found.cut_tokens == tokens - period
    assert found.longest_match == tokens - period
    # Lambda_i = n - i + 2, so the mean length is n/2 and log2(i + 1) at most log2(n + 1).
    assert found.mean_length == pytest.approx(tokens / 2, rel=1e-3)
    assert 0 < found.bits_per_token["mean_length"] < 2.001 * math.log2(tokens + 1) / tokens
    assert 0 < found.bits_per_token["two_sided"] < 2.001 * math.log2(tokens + 1) / tokens


def test_thue_morse_falls_as_log_n_over_n(tmp_path):
    word, forms = np.zeros(1, np.uint8), []
    for k in range(1, 19):
        word = np.concatenate([word, 1 - word])
        if k < 9:
            continue
        found = estimated(tmp_path, word).bits_per_token
        # sum Lambda_i is (23 n^2 + 288 n - 512)/192 one-sided, 21 n^2/128 + 3 n/2 two-sided
        # (tests/backends/test_suffixes.py), and log2(i + 1) is not far below log2 n for most i.
        share = 2**k / k
        assert 7 < found["mean_length"] * share < 192 / 23
        assert found["two_sided"] * share == pytest.approx(128 / 21, rel=10 / 2**k)
        forms.append((found["mean_length"] * share, found["mean_ratio"] * share / k))
    # The share of log2 n / n (of its square over n for the mean ratio) settles.
    for (one, other), (next_one, next_other) in pairwise(forms):
        assert one < next_one < 1.03 * one
        assert other < next_other < 1.04 * other
