"""Losses of the oracle by hand."""

from __future__ import annotations

import math

import pytest
from tests import naive


@pytest.mark.parametrize(
    ("nats", "units"),
    [(0.0, 0), (1.0, 2**32), (2**-33, 0), (3 * 2**-33, 2), (5 * 2**-33, 2), (-(2**-32), -1)],
)
def test_fixed_point(nats, units):
    assert naive.fixed_point_nats(nats) == units


def test_losses_by_hand():
    assert naive.token_loss([1000.0, 1000.0], 0).nll_nats == math.log(2)
    assert naive.token_loss([0.0] * 50257, 7).nll_nats == pytest.approx(math.log(50257), rel=1e-15)
    found = naive.token_loss([math.log(3), 0.0, -math.inf], 1)
    assert found == ("scored", *(pytest.approx(x) for x in (math.log(4), math.log(4))), *found[3:])
    assert found.entropy_nats == pytest.approx(math.log(4) - 0.75 * math.log(3))
    assert found.rank == 1
    assert naive.token_loss([1.0, -math.inf], 1)[:2] == ("infinite", math.inf)
    # 2 tanh(x / 2) of 2 artanh(1/2) is 1, and halving the temperature doubles it.
    x = 2 * math.atanh(0.5)
    capped = naive.token_loss([x, 0.0], 1, softcap=2.0, temperature=0.5)
    assert capped.nll_nats == pytest.approx(math.log1p(math.exp(2)))


@pytest.mark.parametrize(
    ("logits", "target", "kind"),
    [
        ([1.0, 2.0], -100, "ignored"),
        ([math.nan, 2.0], -100, "ignored"),
        ([1.0, 2.0], 2, "out_of_range"),
        ([1.0, 2.0], -1, "out_of_range"),
        ([math.nan, 2.0], 2, "out_of_range"),
        ([math.nan, 2.0], 1, "nan"),
        ([math.inf, 2.0], 0, "nan"),
        ([-math.inf, -math.inf], 0, "nan"),
    ],
)
def test_rows_without_a_loss(logits, target, kind):
    found = naive.token_loss(logits, target)
    assert found.kind == kind
    assert found.nll_nats == 0 if kind == "ignored" else math.isnan(found.nll_nats)
    assert found.rank == -1
    assert math.isnan(found.logsumexp_nats) == (logits != [1.0, 2.0])
