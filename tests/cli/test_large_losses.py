"""Losses beyond 709 nats, whose perplexity is above the largest floating-point number."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from icfast.pipeline.score import score_record
from icfast.sums.loss import DocumentScores
from icfast.units import format_perplexity


def scores(nats: float) -> DocumentScores:
    """Return the scores of two documents of one token each."""
    zero, one = np.zeros(2, np.uint64), np.ones(2, np.uint64)
    return DocumentScores(
        shards=("a.bin",),
        shard=np.zeros(2, np.int32),
        document=np.arange(2),
        predicted_tokens=one,
        oov=zero,
        infinite=zero,
        low=np.full(2, round(nats * 2**32), np.uint64),
        high=zero,
        ignored=zero,
        nan=zero,
        out_of_range=zero,
        huge=zero,
    )


@pytest.mark.parametrize("nats", [3.5, 709.5, 710.0, 1e6])
def test_a_perplexity_above_the_largest_number_has_a_reason(nats: float) -> None:
    score = score_record(scores(nats))
    assert score.reason is None
    assert score.loss_nats_per_token == pytest.approx(nats)
    if nats < 709.75:
        assert score.perplexity == pytest.approx(math.exp(nats), rel=1e-9)
        assert score.perplexity_reason is None
    else:
        assert score.perplexity is None
        assert f"e^{nats:.6g}, is above" in str(score.perplexity_reason)
    assert format_perplexity(score.perplexity, nats).startswith(("33.", "e^", "1."))
    json.dumps(score.perplexity, allow_nan=False)
