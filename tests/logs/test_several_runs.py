"""Tables with several runs: refused with the column that tells them apart, or one is chosen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from icfast.errors import OptionError
from icfast.logs import TrainingLog

Read = Callable[..., TrainingLog]


def stacked(*names: object, steps: int = 5) -> list[tuple]:
    return [
        (name, step, place + 9 - step)
        for place, name in enumerate(names)
        for step in range(1, steps + 1)
    ]


@pytest.mark.parametrize("column", ["run", "Name", "experiment", "seed", "n_layer", "optimizer"])
def test_log_several_runs(read_table: Read, column: str) -> None:
    rows = stacked("4", "8", "12") if column in ("seed", "n_layer") else stacked("a", "b", "c")
    name = rows[5][0]
    refused = rf"step falls back at line 7, where the column '{column}' changes.*--run: .*'{name}'"
    with pytest.raises(OptionError, match=refused):
        read_table(f"{column},step,loss", rows, tokens_per_step=10)
    for run in (name, f"{column}={name}"):
        log = read_table(f"{column},step,loss", rows, tokens_per_step=10, run=run)
        assert log.train_loss_nats.tolist() == [9, 8, 7, 6, 5]
    with pytest.raises(OptionError, match="there is no run 'x'"):
        read_table(f"{column},step,loss", rows, tokens_per_step=10, run="x")


def test_runs_of_a_sweep_of_learning_rates(read_table: Read) -> None:
    rows = stacked("0.001", "0.0003")
    with pytest.raises(OptionError, match=r"the column 'lr' changes.*'lr=0.001', 'lr=0.0003'"):
        read_table("lr,step,loss", rows, tokens_per_step=10)
    assert len(read_table("lr,step,loss", rows, tokens_per_step=10, run="lr=0.0003").steps) == 5
    falling = [(1 / step, step, 9 - step) for step in (1, 2, 3, 2, 3, 4)]
    assert len(read_table("lr,step,loss", falling, tokens_per_step=10).steps) == 4


def test_one_row_for_each_run(read_table: Read) -> None:
    rows = [("baseline", "finished", 5000, 0.63), ("rope", "finished", 5000, 0.55)]
    with pytest.raises(OptionError, match=r"the column 'Name' changes.*'baseline', 'rope'"):
        read_table("Name,State,iter,train/loss", rows, tokens_per_step=10)


def test_runs_in_turn(read_table: Read) -> None:
    """Rows sorted by step, and rows of several ranks, hold a step more than once."""
    for column in ("run", "rank", "worker"):
        rows = [(name, step, 9 - step) for step in (1, 2, 3) for name in (0, 1)]
        with pytest.raises(OptionError, match=f"the column '{column}' changes"):
            read_table(f"{column},step,loss", rows, tokens_per_step=10)
        assert len(read_table(f"{column},step,loss", rows, tokens_per_step=10, run="1").steps) == 3


def test_a_resumed_run_changes_nothing_else(read_table: Read) -> None:
    rows = [("h", n, step, 9 - step) for n, step in enumerate([1, 2, 3, 2, 3, 4])]
    log = read_table("host,time,step,loss", rows, tokens_per_step=10)
    assert any(label.startswith("resumed: 2 rows") for label in log.labels)
    moved = [("g" if n > 2 else "h", n, step, loss) for _, n, step, loss in rows]
    with pytest.raises(
        OptionError, match=r"'host' changes.*--run all if they are parts of one run"
    ):
        read_table("host,time,step,loss", moved, tokens_per_step=10)
    log = read_table("host,time,step,loss", moved, tokens_per_step=10, run="all")
    assert log.steps.tolist() == [1, 2, 3, 4]


def test_a_value_of_two_columns(read_table: Read) -> None:
    rows = [(name, 2 - name, step, 9 - step) for name in (0, 1) for step in (1, 2)]
    with pytest.raises(OptionError, match="--run run=1, seed=1"):
        read_table("run,seed,step,loss", rows, tokens_per_step=10, run="1")
    log = read_table("run,seed,step,loss", rows, tokens_per_step=10, run="seed=1")
    assert len(log.steps) == 2


def test_long_tables_of_metrics(read_table: Read) -> None:
    """One row for each value, as trackers export them."""
    rows = [
        (metric, step, value)
        for metric, value in (("train/loss", 5.0), ("train/lr", 0.1))
        for step in (1, 2)
    ]
    options = {"tokens_per_step": 10, "loss_column": "value"}
    with pytest.raises(OptionError, match=r"the column 'metric' changes.*'train/loss', 'train/lr'"):
        read_table("metric,step,value", rows, **options)
    log = read_table("metric,step,value", rows, **options, run="train/loss")
    assert log.train_loss_nats.tolist() == [5.0, 5.0]


WIDE = """"Step","{0} - train/loss","{1} - train/loss","{1} - val_loss"
"0","5","6","7"
"1","4","5",""
"""


def test_runs_side_by_side_in_an_export(read_text: Read) -> None:
    text = WIDE.format("run1", "run2")
    with pytest.raises(OptionError, match=r"several runs: 'run1', 'run2'.*--run, or a column with"):
        read_text(text, tokens_per_step=10)
    log = read_text(text, tokens_per_step=10, run="run2")
    assert (log.train_loss_nats.tolist(), log.eval_loss_nats.tolist()) == ([6, 5], [7])
    named = read_text(text, tokens_per_step=10, loss_column="run1 - train/loss")
    assert named.train_loss_nats.tolist() == [5, 4]
    with pytest.raises(OptionError, match="there is no run 'run3'; the runs are 'run1', 'run2'"):
        read_text(text, tokens_per_step=10, run="run3")


@pytest.mark.parametrize("shape", ["{0}/{1}", "{1}_{0}", "{0} {1}", "{0}-{1}"])
def test_runs_side_by_side_in_a_table(read_table: Read, shape: str) -> None:
    columns = ",".join(["step", *(shape.format(run, "loss") for run in ("gpt", "mamba"))])
    rows = [(1, 5.0, 6.0), (2, 4.0, 5.0)]
    with pytest.raises(OptionError, match=r"these could be it: '.*gpt.*', '.*mamba.*'"):
        read_table(columns, rows, tokens_per_step=10)
    log = read_table(columns, rows, tokens_per_step=10, run="mamba")
    assert log.train_loss_nats.tolist() == [6.0, 5.0]


def test_steps_that_restart_with_each_epoch(read_table: Read) -> None:
    """The step of a batch in its epoch is no run, and no resumed run."""
    rows = [(epoch, step, 9 - step) for epoch in (0, 1) for step in range(4)]
    log = read_table("epoch,step,loss", rows, tokens_per_step=10)
    assert log.end_tokens.tolist() == [10 * n for n in range(1, 9)]
    assert any("steps count within each epoch" in label for label in log.labels)
    assert log.epoch is not None
    assert log.epoch[-1] == 2.0
    log = read_table("epoch,batch_idx,loss", rows, tokens_per_step=10)
    assert log.tokens == 80
    sparse = [(epoch, step, 9 - step / 50) for epoch in (1, 2) for step in (50, 100)]
    log = read_table("epoch,step,loss", sparse, tokens_per_step=10)
    assert log.steps.tolist() == [50, 100, 200, 250]
