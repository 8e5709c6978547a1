"""The real run of docs/explanation/training-runs.md: its figures, and that the page shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icfast.errors import OptionError
from icfast.laws import TrainingRun, expected_initial_loss_nats, training_run
from icfast.laws.online_code import growth_exponent, online_code
from icfast.logs import TrainingLog, read_training_log
from icfast.units import bits_to_nats, nats_to_bits

ROOT = Path(__file__).parents[2]
LOG = ROOT / "examples" / "train_tiny.csv"

#: Of the run with --tokens 1572864, whose log is the first half of this one: its fresh pass.
HALF_FINAL_LOSS_NATS = 1.795977657355069


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    return json.loads(LOG.with_suffix(".json").read_text())


@pytest.fixture(scope="module")
def log() -> TrainingLog:
    return read_training_log(LOG)


@pytest.fixture(scope="module")
def found(log: TrainingLog, record: dict[str, Any]) -> TrainingRun:
    return training_run(log, **record["laws"])


@pytest.fixture(scope="module")
def section() -> str:
    page = (ROOT / "docs" / "explanation" / "training-runs.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("## A real run\n")
    assert rest
    return " ".join(rest.partition("\n## ")[0].split())


def test_the_log_is_whole(log: TrainingLog) -> None:
    assert len(log.steps) == 1536
    assert log.tokens == 24_576 * 128 == 3_145_728
    assert log.start_tokens[0] == 0
    assert (log.start_tokens[1:] == log.end_tokens[:-1]).all()
    # Neither smoothed nor sparse, nor of several epochs.
    assert log.labels == ()


def test_its_figures(found: TrainingRun, log: TrainingLog, record: dict[str, Any]) -> None:
    # By hand: the sum of the batches' losses, and the loss of the fresh pass.
    online = nats_to_bits(float(np.sum(log.train_loss_nats))) * 2048
    final = nats_to_bits(record["laws"]["final_loss_nats_per_token"]) * 3_145_728
    assert found.online_bits == found.online_bits_left == pytest.approx(online, rel=1e-12)
    assert found.final_bits == pytest.approx(final, rel=1e-12)
    assert found.absorbed_bits == pytest.approx(online - final, rel=1e-12)
    assert found.online_bits == pytest.approx(8_930_511.99, abs=0.01)
    assert found.absorbed_bits == pytest.approx(2_048_636.4, abs=0.1)
    assert found.absorbed_bits_per_param == pytest.approx(2.44837, abs=1e-5)
    assert found.eta == pytest.approx(0.682860, abs=1e-6)
    assert found.eta_growth_exponent == pytest.approx(1.0937, abs=1e-4)
    assert found.flags == ()
    assert found.saturation.verdict == "not saturated"


def test_the_page_says_so(found: TrainingRun, record: dict[str, Any], section: str) -> None:
    lengths, fit = found.lengths, found.saturation
    assert lengths is not None
    assert found.absorbed_bits_per_param is not None
    for bits in (
        lengths.baseline_bits,
        lengths.online_bits,
        lengths.final_bits,
        lengths.compression_bits,
        lengths.absorbed_bits,
        lengths.gross_savings_bits,
    ):
        assert f"{bits:,.0f}" in section
        assert f"| {round(bits / 3_145_728, 4):g} |" in section
    for said in (
        f"**{found.absorbed_bits_per_param:.3f} per parameter**",
        f"{lengths.gross_savings_bits / 836_736:.2f} per parameter",
        f"ends at {found.eta:.4f} bits per bit",
        f"D^{found.eta_growth_exponent:.3f} over the last doubling",
        f"ends at {found.eta_absorbed:.5f}",
        *(f"{known.ratio:.2f} times the" for known in found.compared),
        f"{nats_to_bits(record['heldout_loss_nats']):.4f} on 256 KiB held out",
        f"cost {record['first_loss_nats']:.4f} nats",
        f"the formula says {expected_initial_loss_nats(256, 0.02**2 * 128):.4f}",
        f"H1 = {record['unigram_entropy_nats']:.4f} nats",
        f"trains a byte-level transformer of {found.params:,} parameters",
    ):
        assert said in section, said
    for name, interval in (
        ("alpha = ", fit.exponent),
        ("(", fit.floor_nats),
        ("gain ", fit.doubling_gain_nats),
    ):
        assert interval is not None
        low, high = (f"{end:.3f}".replace("0.000", "0") for end in (interval.low, interval.high))
        estimate = f"{interval.estimate:.3f}".replace("0.000", "0")
        assert f"{name}{estimate} [{low}, {high}]" in section


def test_half_of_it(found: TrainingRun, log: TrainingLog, section: str) -> None:
    half = log.tokens // 2
    code = online_code(log.start_tokens, log.end_tokens, log.train_loss_nats)
    absorbed = nats_to_bits(code.up_to(half)[0] - half * HALF_FINAL_LOSS_NATS)
    grown = growth_exponent(absorbed, found.absorbed_bits, 2.0)
    assert f"absorbed {absorbed:,.0f} bits, so it grew as D^{grown:.3f}" in section


def test_without_the_fresh_pass(found: TrainingRun, log: TrainingLog, section: str) -> None:
    estimate = training_run(log)
    assert any(flag.startswith("C uses the last losses") for flag in estimate.flags)
    share = 1 - estimate.absorbed_bits / found.absorbed_bits
    assert f"would be {estimate.absorbed_bits:,.0f} bits, {share:.0%}".replace("%", " %") in section


def test_the_figures_are_of_this_log(found: TrainingRun) -> None:
    drawn = (ROOT / "docs" / "figures" / "run-loss.svg").read_text(encoding="utf-8")
    assert f"absorbed: {found.absorbed_bits / 1e6:.3f} Mbit" in drawn


def test_another_data_sets_hash_is_refused(log: TrainingLog, record: dict[str, Any]) -> None:
    told = record["laws"]
    assert told["predicted_set"] == told["final_predicted_set"]
    with pytest.raises(OptionError, match="B and C are of different tokens: predicted set"):
        training_run(log, **(told | {"final_predicted_set": "0" * 64}))
    assert bits_to_nats(8) == pytest.approx(told["entropy_nats_per_token"])
