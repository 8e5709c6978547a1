"""Entropy rates from orders, excess entropy, and the figures of quality."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import IcfastError, OptionError
from icfast.laws.code_length import code_lengths, kt_code_lengths
from icfast.laws.constancy import entropy_rate_constancy
from icfast.laws.entropy_rate import excess_entropy_bits, extrapolated_entropy_rate
from icfast.laws.quality import quality
from icfast.sums.by_position import PositionSums
from icfast.sums.kinds import Kind
from icfast.sums.loss import LossSum
from icfast.sums.spectrum import Spectra, Spectrum

SpectraOf = Callable[[Sequence[Sequence[object]], int], Spectra]

rates = st.floats(0, 12)
amplitudes = st.floats(0.01, 10)


@given(rates, amplitudes, st.floats(0.1, 3), st.integers(3, 8))
def test_exponential_form(h: float, a: float, c: float, orders: int) -> None:
    values = [h + a * math.exp(-c * n) for n in range(1, orders + 1)]
    found = extrapolated_entropy_rate(values)
    assert found.by_form["exponential"] == pytest.approx(h, abs=1e-9)


@given(rates, amplitudes, st.floats(0.05, 3), st.integers(3, 8))
def test_power_form(h: float, a: float, g: float, orders: int) -> None:
    values = [h + a * n**-g for n in range(1, orders + 1)]
    found = extrapolated_entropy_rate(values)
    # With small exponents the curve is almost straight, which amplifies rounding.
    assert found.by_form["power"] == pytest.approx(h, abs=1e-7 / g**2)


@given(rates, amplitudes, st.integers(3, 8))
def test_hilberg_form_and_the_spread(h: float, a: float, orders: int) -> None:
    values = [h + a / math.sqrt(n) for n in range(1, orders + 1)]
    found = extrapolated_entropy_rate(values)
    assert found.by_form["hilberg"] == pytest.approx(h, abs=1e-10)
    assert found.by_form["power"] == pytest.approx(h, abs=1e-6)
    # An exponential converges faster, which the spread shows.
    forms = [value for value in found.by_form.values() if value is not None]
    assert found.by_form["exponential"] == max(forms)
    assert found.spread_bits_per_token == max(forms) - min(forms)
    assert found.bits_per_token == pytest.approx(sum(forms) / 3, rel=1e-14)


def test_what_has_levelled_off_stays() -> None:
    found = extrapolated_entropy_rate([4.0, 1.5, 1.5, 1.5])
    assert found.by_form["exponential"] == found.by_form["power"] == 1.5
    assert found.by_form["hilberg"] == pytest.approx(1.5, rel=1e-15)
    assert found.flags == ()


def test_what_falls_evenly_has_no_exponential_limit() -> None:
    found = extrapolated_entropy_rate([3.0, 2.0, 1.0])
    assert (found.by_form["exponential"], found.by_form["power"]) == (None, None)
    assert found.spread_bits_per_token is None
    assert found.bits_per_token == found.by_form["hilberg"]
    assert [flag.split(":")[0] for flag in found.flags] == ["not levelling off", "below 0"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([2.0, 1.0], "at least 3"),
        ([3.0, 2.0, math.nan], "must be finite"),
        ([3.0, 2.0, 2.5], "must not increase"),
        ([1.0, 0.0, -0.1], "must not increase or be negative"),
    ],
)
def test_extrapolation_refuses(values: list[float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        extrapolated_entropy_rate(values)


def test_excess_entropy() -> None:
    # A cycle of 16: log2 16 bits of phase.
    assert excess_entropy_bits([4.0, 0.0, 0.0], 0.0) == 4.0
    # The two-state Markov chain: H1 - h.
    assert excess_entropy_bits([0.81127812445913286, 0.57206941999963407], 0.57206941999963407) == (
        pytest.approx(0.23920870445949879, rel=1e-14)
    )
    with pytest.raises(OptionError, match="at least 1"):
        excess_entropy_bits([], 0.0)
    with pytest.raises(OptionError, match="entropy rate must be finite"):
        excess_entropy_bits([1.0], math.nan)


# --- quality ------------------------------------------------------------------------


def cycles_and_noise(share: float, documents: int, length: int) -> list[list[int]]:
    """Make documents: a share i.i.d. uniform over 16 ids, the rest 16-cycles with random starts."""
    chance = random.Random(5)
    noisy = round(share * documents)
    noise = [[chance.randrange(16) for _ in range(length)] for _ in range(noisy)]
    starts = [chance.randrange(16) for _ in range(documents - noisy)]
    return noise + [[(s + i) % 16 for i in range(length)] for s in starts]


def test_unigrams_cannot_tell_noise_and_learnable_bits_can(spectra_of: SpectraOf) -> None:
    found = {
        share: quality(
            spectra_of(cycles_and_noise(share, 400, 200), 3), convention="prefix_marginal"
        )
        for share in (0.0, 0.25, 1.0)
    }
    for share, h2 in ((0.0, 0.0), (0.25, 1.7012377755992937), (1.0, 4.0)):
        assert found[share].unigram_bits_per_token == pytest.approx(4.0, abs=2e-3)
        assert found[share].orders[1].conditional_bits_per_token == pytest.approx(h2, abs=0.01)
        learnable = found[share].orders[1].learnable_bits_per_token
        assert learnable == pytest.approx(4.0 - h2, abs=0.01)
    # All 4096 triples of 256 pairs were seen, among 400 * 198, which biases the plug-in.
    bias = (4096 - 256) / (2 * 400 * 198 * math.log(2))
    h3 = found[0.25].orders[2].conditional_bits_per_token + bias
    assert h3 == pytest.approx(1.0992702352, abs=5e-3)
    assert found[0.0].orders[2].excess_entropy_bits == pytest.approx(4.0, abs=2e-3)


def test_everything_beside_everything(spectra_of: SpectraOf) -> None:
    spectra = spectra_of(["abracadabra" * 20], 2)
    lengths = kt_code_lengths(spectra, 2, 5)
    found = quality(
        spectra,
        heldout_bits_per_token=[2.1, 1.2, 1.3],
        lengths=lengths,
        surprise_bits_per_token=7.0,
    )
    first, second = found.orders
    assert (first.order, first.learnable_bits_per_token, first.excess_entropy_bits) == (1, 0.0, 0.0)
    assert second.excess_entropy_bits == pytest.approx(second.learnable_bits_per_token, rel=1e-14)
    assert found.noise_floor_low_bits_per_token == second.conditional_bits_per_token
    assert found.noise_floor_high_bits_per_token == 1.2
    assert (found.saved_bits, found.absorbed_bits) == (
        lengths.gross_savings_bits,
        lengths.absorbed_bits,
    )
    assert (found.surprise_bits_per_token, found.convention) == (7.0, "bos_padded")
    assert found.flags == ()


def flags_of(spectra: Spectra, heldout: list[float]) -> list[str]:
    return [flag.split(":")[0] for flag in quality(spectra, heldout_bits_per_token=heldout).flags]


def test_flags_of_the_bracket(spectra_of: SpectraOf) -> None:
    spectra = spectra_of(["abcdabcd" * 8, "ddbbccaa" * 8], 2)
    assert flags_of(spectra, []) == ["no upper bound"]
    assert flags_of(spectra, [0.1]) == ["inverted bracket"]
    assert flags_of(spectra, [2.0]) == []
    # D = 128 tokens, log2 D = 7 = 2 * 3.5.
    assert flags_of(spectra, [3.5]) == ["collapsing"]


def test_orders_longer_than_every_document(spectra_of: SpectraOf) -> None:
    found = quality(spectra_of(["ab", "ba"], 4), convention="prefix_marginal")
    assert [entry.order for entry in found.orders] == [1, 2]


def test_quality_refuses(spectra_of: SpectraOf) -> None:
    spectra = spectra_of(["abra"], 1)
    with pytest.raises(OptionError, match="'difference' is unknown"):
        quality(spectra, convention="difference")
    for wrong in (-1.0, math.nan):
        with pytest.raises(OptionError, match="held-out loss"):
            quality(spectra, heldout_bits_per_token=[wrong])
        with pytest.raises(OptionError, match="surprise"):
            quality(spectra, surprise_bits_per_token=wrong)
    with pytest.raises(OptionError, match="empty"):
        quality(Spectra(1, 0, 0, (Spectrum(),), (), (), (), ()))
    with pytest.raises(OptionError, match="online_bits"):
        code_lengths(1.0, math.nan, 1.0)


# --- constancy ----------------------------------------------------------------------------------

NAT = 1 << 32


def loss(bits: float, tokens: int) -> LossSum:
    return LossSum(round(bits * math.log(2) * tokens * NAT), tokens, 0, 0, 0)


@given(st.floats(-0.4, 0.4), st.lists(st.integers(1, 1000), min_size=2, max_size=8))
def test_a_line_comes_back(slope: float, tokens: list[int]) -> None:
    rows, first = [], 0
    for number, count in enumerate(tokens):
        last = first if number < 1 else 2 * first - 1
        middle = math.log2((first + last) / 2 + 1)
        rows.append((first, last, loss(10 + slope * middle, count)))
        first = last + 1
    found = entropy_rate_constancy(rows)
    assert found.slope_bits_per_doubling == pytest.approx(slope, abs=1e-7)
    assert [row.predicted_tokens for row in found.rows] == tokens


def test_rare_positions_weigh_little() -> None:
    rows = [(0, 0, loss(5.0, 10**6)), (1, 1, loss(4.0, 10**6)), (2, 3, loss(9.0, 1))]
    found = entropy_rate_constancy(rows)
    assert found.slope_bits_per_doubling == pytest.approx(-1.0, abs=1e-4)
    assert found.range_bits_per_token == pytest.approx(5.0, abs=1e-8)


def test_sums_by_position_are_rows() -> None:
    sums = PositionSums.zeros(4)
    sums.low[:] = [3 * NAT, 4 * NAT, 2 * NAT, 2 * NAT]
    sums.counts[:, Kind.SCORED] = [1, 2, 1, 3]
    found = entropy_rate_constancy(sums.doublings())
    assert [(row.first, row.last, row.predicted_tokens) for row in found.rows] == [
        (0, 0, 1),
        (1, 1, 2),
        (2, 3, 4),
    ]
    nats = [row.bits_per_token * math.log(2) for row in found.rows]
    assert nats == pytest.approx([3.0, 2.0, 1.0], rel=1e-15)


def test_constancy_refuses() -> None:
    for rows in ([(0, 0, loss(1, 1))], [(2, 3, loss(1, 1)), (0, 1, loss(1, 1))]):
        with pytest.raises(OptionError, match="two ascending, disjoint ranges of positions"):
            entropy_rate_constancy(rows)
    with pytest.raises(OptionError, match="two ascending, disjoint ranges of positions"):
        entropy_rate_constancy([(0, 4, loss(1, 1)), (4, 6, loss(1, 1))])
    with pytest.raises(IcfastError, match="no token was predicted"):
        entropy_rate_constancy([(0, 0, loss(1, 1)), (1, 1, LossSum(0, 0, 0, 0, 0))])
