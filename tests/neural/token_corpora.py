"""A small corpus of three shards for neural models, and a comparison of two results."""

from __future__ import annotations

import random

import numpy as np

#: The id that ends its documents.
EOS = 0


def some_shards(seed=1, ids=20, longest=30):
    chance = random.Random(seed)
    shards = [
        [[chance.randrange(1, ids) for _ in range(chance.randrange(longest))] for _ in range(n)]
        for n in (9, 1, 14)
    ]
    shards[1][0] += [3, 4]
    return shards


def assert_same(one, other):
    assert one.total == other.total
    assert one.counts == other.counts
    for name in ("low", "high", "predicted_tokens", "ignored", "infinite", "nan"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    for name in ("low", "high", "counts"):
        pair = getattr(one.positions, name), getattr(other.positions, name)
        assert np.array_equal(*pair), name
