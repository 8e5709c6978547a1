"""Corpora whose entropies are known in closed form."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from tests.ngrams.corpora import write_shards

import icfast
from icfast import laws
from icfast.ngrams import spectra as spectra_pass
from icfast.ngrams.budget import Budget

ABRACADABRA = [1, 2, 3, 1, 4, 1, 5, 1, 2, 3, 1]


def spectra(folder, backend, documents, order, **options):
    shards = [[document] for document in documents]
    return icfast.spectra(write_shards(folder, shards, **options).corpus, order, backend=backend)


def test_abracadabra(backend, tmp_path):
    found = spectra(tmp_path / "a", backend, [ABRACADABRA], 2)
    assert laws.prefix_marginal_bits_per_token(found, 2) == pytest.approx(0.6, rel=1e-14)
    assert laws.bos_padded_bits_per_token(found, 2) == pytest.approx(6 / 11, rel=1e-14)
    difference = laws.difference_bits_per_token(found, 2)
    assert difference == pytest.approx(0.68155470119886616, rel=1e-13)
    found = spectra(tmp_path / "b", backend, [ABRACADABRA, ABRACADABRA[:4]], 2)
    marginal, padded = 0.5272886901748726, 0.4569835314848897
    assert laws.prefix_marginal_bits_per_token(found, 2) == pytest.approx(marginal, rel=1e-14)
    assert laws.bos_padded_bits_per_token(found, 2) == pytest.approx(padded, rel=1e-14)


def test_de_bruijn(backend, tmp_path):
    cycle = [0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1]
    # The first n - 1 ids again make the windows of order n circular.
    found = [
        icfast.entropy_bits(
            spectra(tmp_path / str(n), backend, [cycle + cycle[: n - 1]], n)[n], "ml"
        )
        for n in range(1, 7)
    ]
    assert found == pytest.approx([1, 2, 3, 4, 4, 4], abs=1e-14)


def test_thue_morse(backend, tmp_path):
    word = np.zeros(1, np.uint8)
    for _ in range(20):
        word = np.concatenate([word, 1 - word])
    word.tofile(tmp_path / "x.bin")
    corpus = icfast.open(tmp_path / "x.bin", dtype="u1")
    found = icfast.spectra(corpus, 7, backend=backend, memory="16MiB")
    entropies = [laws.prefix_marginal_bits_per_token(found, n) for n in range(2, 8)]
    exact = [0.91829583405448951, 2 / 3, 2 / 3, 1 / 3, 1 / 3, 1 / 3]
    assert entropies == pytest.approx(exact, abs=1e-6)


# Metamorphic relations -----------------------------------------------------------------------

DOCUMENTS = [[random.Random(n).randrange(1, 9) for _ in range(3 * n)] for n in range(1, 12)]


def entropies(found):
    per_order = range(2, found.order + 1)
    return [
        *(icfast.entropy_bits(found[n], "ml") for n in range(1, found.order + 1)),
        *(laws.prefix_marginal_bits_per_token(found, n) for n in per_order),
        *(laws.bos_padded_bits_per_token(found, n) for n in per_order),
    ]


def test_relabelling_leaves_every_spectrum(backend, tmp_path):
    label = [0, *random.Random(1).sample(range(1, 60000), 9)]
    renamed = [[label[token] for token in document] for document in DOCUMENTS]
    plain = spectra(tmp_path / "a", backend, DOCUMENTS, 4)
    assert spectra(tmp_path / "b", backend, renamed, 4) == plain


def test_reversing_leaves_block_entropies(backend, tmp_path):
    plain = spectra(tmp_path / "a", backend, DOCUMENTS, 4)
    back = spectra(tmp_path / "b", backend, [document[::-1] for document in DOCUMENTS], 4)
    assert back.complete == plain.complete


def test_duplicating_doubles_tokens_and_leaves_entropies(backend, tmp_path):
    plain = spectra(tmp_path / "a", backend, DOCUMENTS, 4)
    twice = spectra(tmp_path / "b", backend, [*DOCUMENTS, *DOCUMENTS], 4)
    assert twice.tokens == 2 * plain.tokens
    assert entropies(twice) == pytest.approx(entropies(plain), rel=1e-13)


def test_disjoint_alphabets_mix_exactly(backend, tmp_path):
    other = [[token + 100 for token in document] for document in DOCUMENTS[:6]]
    a = spectra(tmp_path / "a", backend, DOCUMENTS, 1)[1]
    b = spectra(tmp_path / "b", backend, other, 1)[1]
    mixed = spectra(tmp_path / "c", backend, [*DOCUMENTS, *other], 1)[1]
    share = a.windows / mixed.windows
    coin = -share * math.log2(share) - (1 - share) * math.log2(1 - share)
    parts = [icfast.entropy_bits(part, "ml") for part in (a, b)]
    expected = coin + share * parts[0] + (1 - share) * parts[1]
    assert icfast.entropy_bits(mixed, "ml") == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("limits", [None, Budget(30, 5, 5)], ids=str)
def test_entropies_are_bit_identical_for_any_work(backend, tmp_path, monkeypatch, limits):
    written = write_shards(tmp_path / "c", [[document] for document in DOCUMENTS])
    expected = entropies(icfast.spectra(written.corpus, 4, threads=1))
    back = icfast.open(written.paths[::-1], dtype="u2")
    if limits:
        monkeypatch.setattr(spectra_pass, "budget", lambda *_: limits)
    assert entropies(icfast.spectra(back, 4, threads=3, backend=backend)) == expected
