"""The first pass of a run: the row that ends it, and logs without rows of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.laws.examples import NONE, T, logged, power

from icfast.errors import OptionError
from icfast.laws import training_run
from icfast.laws.online_code import online_code
from icfast.logs import TrainingLog, read_training_log

LN2 = math.log(2)


def test_log_final_loss_row(tmp_path: Path) -> None:
    """Means over 10 steps; the pass of 15 steps ends within the second row."""
    losses = [8.0, 1.25, 0.5, 0.4]
    rows = [
        {"epoch": round(10 * n / 15, 4), "loss": loss, "step": 10 * n}
        for n, loss in enumerate(losses, 1)
    ]
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({"log_history": rows}))
    run = training_run(read_training_log(path, tokens_per_step=4096))
    assert run.unique_tokens == 15 * 4096
    assert run.final_loss_bits_per_token == pytest.approx(1.25 / LN2)
    assert run.final_bits == pytest.approx(15 * 4096 * 1.25 / LN2)
    online = (10 * 8.0 + 5 * 1.25) * 4096 / LN2
    assert run.online_bits == pytest.approx(online)
    assert run.absorbed_bits == pytest.approx(online - 15 * 4096 * 1.25 / LN2)


def test_the_loss_at_a_token_is_of_the_row_that_holds_it() -> None:
    code = online_code(
        np.array([0, 100, 300]), np.array([100, 200, 400]), np.array([8.0, 4.0, 2.0])
    )
    at = (50, 100, 101, 199, 200, 250, 300, 301, 400)
    assert [code.loss_at(t) for t in at] == [8, 8, 4, 4, 4, 4, 4, 2, 2]
    fine = online_code(np.arange(1000), np.arange(1, 1001), np.arange(1000.0))
    # The last hundredth of 1000 tokens, and of 500.
    assert fine.loss_at(1000) == pytest.approx(np.arange(990, 1000).mean())
    assert fine.loss_at(500) == pytest.approx(np.arange(495, 500).mean())
    points = online_code(np.array([0, 100]), np.array([0, 100]), np.array([8.0, 4.0]))
    assert (points.loss_at(50), points.loss_at(100)) == (8.0, 4.0)


def late(rows: TrainingLog, tokens: int, **more: object) -> TrainingLog:
    """Return the log without its rows up to a token."""
    kept = rows.start_tokens >= tokens
    epoch = None if rows.epoch is None else rows.epoch[kept]
    return replace(
        rows,
        steps=rows.steps[kept],
        start_tokens=rows.start_tokens[kept],
        end_tokens=rows.end_tokens[kept],
        train_loss_nats=rows.train_loss_nats[kept],
        epoch=epoch,
        **more,  # type: ignore[arg-type]
    )


def test_epochs_that_are_rounded() -> None:
    """transformers rounds epochs to two digits, so many rows are of epoch 1.0."""
    steps = np.arange(1, 6001)
    log = logged(power(6000 * T), epoch=np.round(steps / 1558, 2))
    assert training_run(log).unique_tokens == pytest.approx(1558 * T, rel=2e-3)


def test_a_resumed_run_has_no_first_pass() -> None:
    """Ten passes of 4,000 tokens, of which the log holds the last two."""
    whole = logged(power(40_000), epoch=np.arange(1, 2001) * T / 4000)
    run = training_run(late(whole, 32_000), entropy_nats_per_token=9.0, model_bits=1e4)
    assert (run.unique_tokens, run.epochs, run.tokens_seen) == (4000, 10.0, 40_000)
    unknown = (run.online_bits, run.online_bits_left, run.final_bits, run.absorbed_bits, run.eta)
    assert unknown == (None,) * 5
    more = (run.lengths, run.energy, run.eta_absorbed, run.final_loss_source, run.losses)
    assert more == (None, None, None, None, ())
    assert run.online_reason == "no row of the log is of the first pass"
    assert "no final loss is given" in str(run.final_reason)
    assert run.trajectory == ()
    assert run.saturation.verdict == "unknown"
    given = training_run(late(whole, 32_000), final_loss_nats_per_token=2.0)
    assert (given.online_bits, given.final_reason) == (None, None)
    assert given.final_bits == pytest.approx(4000 * 2 / LN2)


@pytest.mark.ci
def test_a_log_that_begins_within_the_first_pass() -> None:
    whole = logged(power(4000), epoch=np.arange(1, 201) * T / 3000)
    run = training_run(late(whole, 1000))
    assert (run.unique_tokens, run.online_bits) == (3000, None)
    assert run.online_reason == "the log begins after 1000 tokens"
    assert run.final_bits is not None
    assert run.saturation.bins > 0
    # A gap of 1 % at most does not matter.
    assert training_run(late(whole, 20)).online_bits is not None
    sparse = logged(power(40_000), 100)
    assert training_run(late(sparse, 4000)).online_bits is None
    assert training_run(sparse).online_bits is not None


def test_tokens_that_count_from_a_resumption() -> None:
    """Epochs from 8 on, tokens from 0 on: no row is of the first pass."""
    log = logged(power(8000), epoch=8 + np.arange(1, 401) * T / 4000)
    run = training_run(log)
    assert run.unique_tokens == 4000
    assert run.online_bits is None
    assert run.online_reason == "the log counts its tokens from epoch 8.01 on"


def test_an_unknown_length_of_a_pass_is_asked_for() -> None:
    log = logged(power(8000), pass_reason="epochs may be named from 0 or from 1")
    with pytest.raises(OptionError, match=r"named from 0 or from 1. Pass --unique-tokens"):
        training_run(log)
    run = training_run(log, unique_tokens=2000)
    assert (run.unique_tokens, run.online_bits) == (2000, None)


def test_evaluations_alone_of_a_late_log() -> None:
    at = np.array([8000, 9000, 10_000])
    log = TrainingLog("made", NONE, NONE, NONE, np.zeros(0), at // T, at, np.array([3.0, 2.5, 2.0]))
    run = training_run(log)
    assert (run.curve, run.online_bits) == ("evaluations", None)
    assert run.final_loss_bits_per_token == pytest.approx(2.0 / LN2)
