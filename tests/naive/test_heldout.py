"""The oracle's hash of documents against published figures."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from tests import naive


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"", 0xCBF29CE484222325), (b"a", 0xAF63DC4C8601EC8C), (b"foobar", 0x85944171F73967E8)],
)
def test_fnv1a(data, value):
    assert naive.fnv1a_64(data) == value


def test_fmix64():
    assert naive.fmix64(0) == 0
    assert naive.fmix64(1) == 0xB456BCFC34C2CB2C


def test_document_hash():
    ids_as_bytes = bytes([1, 0, 0, 0, 0x51, 0xC4, 0, 0, 0, 0, 1, 0])
    value = naive.fmix64(naive.fnv1a_64(ids_as_bytes))
    assert naive.document_hash([1, 0xC451, 65536]) == value
    assert naive.document_hash([1, 0xC451, 65536, 7], 7) == value
    assert naive.document_hash([7, 1, 0xC451, 65536], 7, "start") == value
    assert naive.document_hash([7, 1, 0xC451, 65536], 7, "end") != value
    assert naive.document_hash([1, 0xC451, 65536, 7, 7], 7) != value
    # Frozen for good: a split is only reproducible while these stay.
    assert naive.document_hash([]) == 0xEFD01F60BA992926
    assert naive.document_hash([1, 2, 3]) == 0xF50E90AAE860FE4C


def test_heldout_share():
    documents = [[i, i * i, 50256] for i in range(4000)]
    for fraction in (0.0, 0.1, 0.5, 1.0):
        share = sum(naive.is_heldout(d, fraction, 50256, "end") for d in documents) / 4000
        # Five standard errors of a fair hash; 0 and 1 are exact.
        assert abs(share - fraction) <= 5 * math.sqrt(fraction * (1 - fraction) / 4000)
    hashed = naive.document_hash([1, 2, 3])
    assert not naive.is_heldout([1, 2, 3], Fraction(hashed, 2**64))
    assert naive.is_heldout([1, 2, 3], Fraction(hashed + 1, 2**64))
