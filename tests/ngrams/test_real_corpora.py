"""Spectra of a real corpus, compared with ids packed and sorted by NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from tests.ngrams.corpora import as_dict, as_dicts

import icfast

pytestmark = pytest.mark.corpora

EOS = 50256
SHARDS = 7

#: Tokens of the comparison at order 5, whose two-word keys NumPy sorts slowly.
PREFIX_TOKENS = 10_000_000


def packed(tokens, order):
    """Return u64[windows, words]: the complete windows inside documents, 16 bits per id."""
    windows = len(tokens) - order + 1
    whole = np.ones(windows, np.bool_)
    words = [np.zeros(windows, np.uint64) for _ in range(-(-order // 4))]
    for i in range(order):
        column = tokens[i : i + windows]
        words[i // 4] <<= np.uint64(16)
        words[i // 4] |= column.astype(np.uint64)
        if i < order - 1:
            whole &= column != EOS  # an end id may only be the window's last
    return [word[whole] for word in words]


def multiplicities(words):
    """Return {r: phi_r} by sorting."""
    if len(words) == 1:
        words[0].sort()
    else:
        rank = np.lexsort(words[::-1])
        words = [word[rank] for word in words]
    new = np.zeros(len(words[0]), np.bool_)
    for word in words:
        new[1:] |= word[1:] != word[:-1]
    new[0] = True
    lengths = np.diff(np.append(np.flatnonzero(new), len(new)))
    values, types = np.unique(lengths, return_counts=True)
    return dict(zip(values.tolist(), types.tolist(), strict=True))


@pytest.fixture(scope="module")
def tokens(corpora):
    return np.memmap(corpora / "linux-gpt2.u16.bin", "<u2", "r")


@pytest.fixture(scope="module")
def shards(tokens, tmp_path_factory):
    """Return the corpus in seven files, cut between documents."""
    folder = tmp_path_factory.mktemp("linux")
    ends = np.flatnonzero(tokens == EOS) + 1
    edges = [0, *(int(ends[len(ends) * i // SHARDS - 1]) for i in range(1, SHARDS)), len(tokens)]
    paths = [folder / f"{i}.bin" for i in range(SHARDS)]
    for path, low, high in zip(paths, edges[:-1], edges[1:], strict=True):
        tokens[low:high].tofile(path)
    return paths


def opened(paths):
    return icfast.open(paths, dtype="u2", eos_id=EOS, vocab_size=50257)


@pytest.fixture(scope="module")
def counted(corpora):
    corpus = opened(corpora / "linux-gpt2.u16.bin")
    return icfast.spectra(corpus, 5, memory="256MiB", threads=1)


@pytest.mark.ci
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_spectra_of_48_million_tokens(counted, tokens, order):
    assert (counted.tokens, counted.documents) == (48_001_055, 18_505)
    assert as_dict(counted[order]) == multiplicities(packed(tokens, order))


@pytest.mark.ci
def test_order_5_of_10_million_tokens(tokens, tmp_path):
    tokens[:PREFIX_TOKENS].tofile(tmp_path / "x.bin")
    found = icfast.spectra(opened(tmp_path / "x.bin"), 5, memory="256MiB")
    assert as_dict(found[5]) == multiplicities(packed(tokens[:PREFIX_TOKENS], 5))


@pytest.mark.ci
@pytest.mark.parametrize("threads", [1, 2])
def test_shards_and_threads_change_nothing(counted, shards, threads):
    found = icfast.spectra(opened(shards[::-1]), 5, memory="256MiB", threads=threads)
    assert as_dicts(found) == as_dicts(counted)
    assert (found.tokens, found.documents) == (counted.tokens, counted.documents)
