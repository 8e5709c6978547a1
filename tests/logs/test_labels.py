"""Labels of logs: gaps, means, restarts, smoothing, epochs, late starts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from icfast.errors import LogError
from icfast.logs import TrainingLog, read_training_log
from icfast.logs.smoothing import FEWEST_ROWS, is_smoothed, lag_correlation


def table(path: Path, rows: list[tuple], columns: str = "step,loss", **options: int) -> TrainingLog:
    lines = [columns, *(",".join(map(str, row)) for row in rows)]
    (path / "log.csv").write_text("\n".join(lines) + "\n")
    return read_training_log(path / "log.csv", **{"tokens_per_step": 10, **options})


def labelled(log: TrainingLog, word: str) -> bool:
    return any(label.startswith(word) for label in log.labels)


def test_every_step_has_no_label(tmp_path: Path) -> None:
    log = table(tmp_path, [(step, 5 - step / 10) for step in range(1, 9)])
    assert log.labels == ()
    assert log.every_steps == 1
    assert log.epoch is log.energy_joules is log.learning_rate is None


def test_sparse(tmp_path: Path) -> None:
    log = table(tmp_path, [(step, 5.0) for step in range(0, 50, 5)])
    # From 0: step 0 is the first batch, so step 5 is the sixth.
    assert log.start_tokens.tolist() == [50 * k for k in range(10)]
    assert log.end_tokens.tolist() == [50 * k + 10 for k in range(10)]
    assert labelled(log, "sparse: every 5 steps, so 78.3 %")
    late = table(tmp_path, [(step, 5.0) for step in range(100, 150, 5)])
    assert labelled(late, "begins late: the first 990 tokens are not logged")
    assert labelled(late, "sparse: every 5 steps, so 78.3 %")


def test_means_cover_what_lies_between(tmp_path: Path) -> None:
    rows = ({"step": s, "loss": 5.0, "epoch": s / 1000} for s in (500, 1000, 1500))
    path = tmp_path / "trainer_state.json"
    path.write_text('{"log_history": [' + ",".join(str(r).replace("'", '"') for r in rows) + "]}")
    log = read_training_log(path, tokens_per_step=10)
    assert log.start_tokens.tolist() == [0, 5000, 10000]
    assert labelled(log, "means over 500 steps")
    assert not labelled(log, "sparse")
    assert labelled(log, "several epochs: 1.5; only the first")


def test_a_mean_does_not_reach_before_a_late_log(tmp_path: Path) -> None:
    path = tmp_path / "megatron.log"
    line = " iteration {0}/ 100000 | consumed samples: {1} | lm loss: 2.0 |\n"
    path.write_text("".join(line.format(n, 4 * n) for n in (10_100, 10_200)))
    log = read_training_log(path, tokens_per_sequence=8)
    assert log.start_tokens.tolist() == [32 * 10_000, 32 * 10_100]
    assert labelled(log, "begins late")


def test_steps_run_again_count_once(tmp_path: Path) -> None:
    log = table(tmp_path, [(1, 5.0), (2, 4.0), (3, 3.0), (2, 3.9), (3, 2.9), (4, 2.5)])
    assert log.steps.tolist() == [1, 2, 3, 4]
    assert log.train_loss_nats.tolist() == [5.0, 3.9, 2.9, 2.5]
    assert labelled(log, "resumed: 2 rows")


def test_epochs_by_whole_numbers(tmp_path: Path) -> None:
    rows = [(step, 5.0, step // 4) for step in range(10)]
    log = table(tmp_path, rows, "step,loss,epoch")
    assert log.epoch is not None
    assert log.epoch.tolist() == [0.25 * (step + 1) for step in range(10)]
    assert labelled(log, "several epochs: 2.5; only the first")
    from_one = table(tmp_path, [(s, x, e + 1) for s, x, e in rows], "step,loss,epoch")
    assert from_one.epoch is not None
    assert from_one.epoch.tolist() == log.epoch.tolist()
    with pytest.raises(LogError, match="epochs decreases"):
        table(tmp_path, [(1, 5.0, 2), (2, 5.0, 1)], "step,loss,epoch")


def test_smoothed_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("step,loss_ema\n1,2\n2,1\n")
    log = read_training_log(tmp_path / "a.csv", tokens_per_step=1, loss_column="loss_ema")
    assert labelled(log, "smoothed: by its name")


def test_rows_that_wandb_put_together(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        '"Step","r - loss","r - loss__MIN","r - loss__MAX"\n"0","2","1.5","2.5"\n"9","1","1","1"\n'
    )
    log = read_training_log(tmp_path / "a.csv", tokens_per_step=1)
    assert labelled(log, "smoothed: W&B merged several rows")


def batches(rows: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.05, rows)
    return 2 + 8 * np.arange(1, rows + 1) ** -0.4 + noise


def moving_mean(losses: np.ndarray, weight: float) -> np.ndarray:
    kept, found = losses[0], []
    for loss in losses:
        kept = weight * kept + (1 - weight) * loss
        found.append(kept)
    return np.array(found)


@pytest.mark.parametrize("rows", [FEWEST_ROWS, 1000])
@pytest.mark.parametrize("seed", range(20))
def test_batches_scatter_and_moving_means_do_not(rows: int, seed: int) -> None:
    losses = batches(rows, seed)
    assert not is_smoothed(losses)
    assert is_smoothed(moving_mean(losses, 0.95))


def test_the_weight_of_a_moving_mean_is_found() -> None:
    for weight in (0.0, 0.5, 0.9, 0.99):
        kept = lag_correlation(moving_mean(batches(100_000, 1), weight))
        assert kept == pytest.approx(weight, abs=0.02)


def test_a_smoothed_log_says_so(tmp_path: Path) -> None:
    losses = moving_mean(batches(500, 3), 0.9)
    assert labelled(table(tmp_path, list(enumerate(losses, 1))), "smoothed, or free of noise")
    assert not labelled(table(tmp_path, list(enumerate(batches(500, 3), 1))), "smoothed")


def test_evaluations_only(tmp_path: Path) -> None:
    log = table(tmp_path, [(0, 9.0), (10, 5.0)], "step,val_loss")
    assert labelled(log, "no training losses")
    assert log.eval_tokens.tolist() == [0, 100]
    assert log.tokens == 100


def test_no_scatter_at_all() -> None:
    assert is_smoothed(np.full(FEWEST_ROWS, 3.0))
    assert lag_correlation(np.full(FEWEST_ROWS - 1, 3.0)) is None
