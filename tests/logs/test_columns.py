"""Columns of tables: unusual names, several that could be meant, and options that name them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from icfast.errors import LogError, OptionError
from icfast.laws import training_run
from icfast.logs import TrainingLog

Read = Callable[..., TrainingLog]


def lightning(epochs: int, steps: int, every: int) -> list[tuple]:
    """Return rows of epoch, step, train_loss_epoch, train_loss_step, val_loss."""
    rows: list[tuple] = []
    for epoch in range(epochs):
        first = epoch * steps
        logged = range(first + every - 1, first + steps, every)
        rows += [(epoch, s, "", f"{2 + 6 * (s + 1) ** -0.3:.4f}", "") for s in logged]
        last = first + steps - 1
        rows += [(epoch, last, "", "", f"{3 - epoch / 10}"), (epoch, last, 2.5, "", "")]
    return rows


def test_log_evaluations_for_training(read_table: Read) -> None:
    """Lightning's metrics.csv: a held-out loss does not take the place of the training loss."""
    columns = "epoch,step,train_loss_epoch,train_loss_step,val_loss"
    log = read_table(columns, lightning(10, 1000, 50), tokens_per_step=1000)
    assert (len(log.steps), len(log.eval_steps)) == (200, 10)
    assert log.train_loss_nats[0] == pytest.approx(2 + 6 * 50**-0.3, abs=1e-4)
    # Step 49 is the 50th, and an evaluation at step 999 comes after 1,000 steps.
    assert log.end_tokens[:2].tolist() == [50_000, 100_000]
    assert log.eval_tokens[0] == 1_000_000
    run = training_run(log)
    assert (run.curve, run.unique_tokens, run.epochs) == ("training", 1_000_000, 10.0)
    assert any("not the means 'train_loss_epoch'" in flag for flag in run.flags)


def test_means_of_epochs_alone_are_means(read_table: Read) -> None:
    rows = [(0, 99, 4.0, 3.9), (1, 199, 3.0, 3.5)]
    log = read_table("epoch,step,train_loss_epoch,val_loss", rows, tokens_per_step=10)
    assert log.start_tokens.tolist() == [0, 1000]
    assert log.train_loss_nats.tolist() == [4.0, 3.0]
    assert training_run(log).unique_tokens == 1000


@pytest.mark.parametrize("name", ["train_objective", "my_loss", "train_ce", "loss_mb", "train_obj"])
def test_an_unknown_training_loss_is_asked_for(read_table: Read, name: str) -> None:
    rows = [(1, 4.0, 3.9), (2, 3.0, 3.5)]
    with pytest.raises(OptionError, match=f"could be it: '{name}'.*--loss-column 'val_loss'"):
        read_table(f"step,{name},val_loss", rows, tokens_per_step=10)
    log = read_table(f"step,{name},val_loss", rows, tokens_per_step=10, loss_column=name)
    assert log.train_loss_nats.tolist() == [4.0, 3.0]
    only = read_table(f"step,{name},val_loss", rows, tokens_per_step=10, loss_column="val_loss")
    assert len(only.steps) == 0
    assert only.eval_loss_nats.tolist() == [3.9, 3.5]


@pytest.mark.parametrize(
    "name", ["train_time", "train_acc", "grad_norm", "loss_scale", "val_acc", "lr", "train_tps"]
)
def test_other_measurements_are_no_losses(read_table: Read, name: str) -> None:
    log = read_table(f"step,{name},val_loss", [(1, 4.0, 3.9), (2, 3.0, 3.5)], tokens_per_step=10)
    assert any("evaluations only" in label for label in log.labels)


def test_two_training_losses_are_asked_for(read_table: Read) -> None:
    rows = [(1, 4.0, 3.9), (2, 3.0, 3.5)]
    for columns in ("step,loss,lm loss", "step,loss,train_loss", "step,loss,loss.1"):
        with pytest.raises(OptionError, match="several columns could be the training loss: 'loss'"):
            read_table(columns, rows, tokens_per_step=10)
    same = [(step, loss, loss) for step, loss, _ in rows]
    assert len(read_table("step,loss,train_loss", same, tokens_per_step=10).steps) == 2
    with pytest.raises(LogError, match="several columns are called 'loss'"):
        read_table("step,loss,loss", rows, tokens_per_step=10)


def test_two_evaluations_are_told_or_asked_for(read_table: Read) -> None:
    rows = [(1, 4.0, 3.9, 3.8), (2, 3.0, 3.5, 3.4)]
    log = read_table("step,loss,val_loss,test_loss", rows, tokens_per_step=10)
    assert log.eval_loss_nats.tolist() == [3.9, 3.5]
    assert "evaluations are of 'val_loss', not of 'test_loss'" in log.labels
    options = {"tokens_per_step": 10, "evaluation_column": "test_loss"}
    log = read_table("step,loss,val_loss,test_loss", rows, **options)
    assert log.eval_loss_nats.tolist() == [3.8, 3.4]
    log = read_table("step,loss,val_loss_step,val_loss_epoch", rows, tokens_per_step=10)
    assert log.eval_loss_nats.tolist() == [3.8, 3.4]
    with pytest.raises(OptionError, match="--evaluation-column"):
        read_table("step,x,val_loss,test_loss", rows, tokens_per_step=10)
    with pytest.raises(OptionError, match="--evaluation-column"):
        read_table("step,loss,val_loss,eval_loss", rows, tokens_per_step=10)


def test_log_tokens_per_rank(read_table: Read) -> None:
    """litgpt counts the tokens of one rank and of all."""
    rows = [(i, 9 - i / 10, i - 1, 1024 * i, 4096 * i) for i in range(1, 41)]
    log = read_table("iter,loss,step,tokens,total_tokens", rows)
    assert log.tokens == 40 * 4096
    assert any("'total_tokens', which is 4 times 'tokens'" in label for label in log.labels)
    chosen = read_table("iter,loss,step,tokens,total_tokens", rows, tokens_column="tokens")
    assert chosen.tokens == 40 * 1024
    with pytest.raises(OptionError, match="could count the tokens: 'tokens', 'num_tokens'"):
        read_table("iter,loss,step,tokens,num_tokens", rows)
    uneven = [(i, loss, step, a, 4096 * i + i % 2) for i, loss, step, a, _ in rows]
    with pytest.raises(OptionError, match="--tokens-column"):
        read_table("iter,loss,step,tokens,total_tokens", uneven)


def test_tokens_of_each_step_are_no_count(read_table: Read) -> None:
    rows = [(i, 9 - i / 10, 512) for i in range(1, 6)]
    with pytest.raises(LogError, match="pass --tokens-column none and --tokens-per-step"):
        read_table("step,loss,tokens", rows)
    log = read_table("step,loss,tokens", rows, tokens_column="none", tokens_per_step=512)
    assert log.tokens == 5 * 512
    both = [(i, loss, n, n * i) for i, loss, n in rows]
    assert read_table("step,loss,tokens,tokens_seen", both).tokens == 5 * 512


def test_stated_and_counted_tokens_must_agree(read_table: Read) -> None:
    rows = [(i, 9 - i / 10, 1024 * i) for i in range(1, 6)]
    with pytest.raises(OptionError, match=r"counts 1024 tokens in a step, .* states 4096"):
        read_table("step,loss,tokens", rows, tokens_per_step=4096)
    assert read_table("step,loss,tokens", rows, tokens_per_step=1024).tokens == 5120
    options = {"tokens_per_step": 4096, "tokens_column": "none"}
    assert read_table("step,loss,tokens", rows, **options).tokens == 5 * 4096


def test_log_split_column(read_text: Read) -> None:
    """One key loss, and a word that tells rows of training from rows of validation."""
    rows = []
    for step in range(1, 301):
        rows.append({"step": step, "split": "train", "loss": 3 + 6 / step})
        if step % 50 == 0:
            rows.append({"step": step, "split": "val", "loss": 4.0})
    log = read_text("\n".join(map(json.dumps, rows)), tokens_per_step=1000)
    assert (len(log.steps), log.eval_steps.tolist()) == (300, [50, 100, 150, 200, 250, 300])
    assert log.train_loss_nats[49] == 3 + 6 / 50
    assert not any("repeated" in label for label in log.labels)


@pytest.mark.parametrize("name", ["split", "Phase", "type", "stage", "mode", "data split", "event"])
@pytest.mark.parametrize("words", [("train", "val"), ("Training", "Validation"), ("TRAIN", "eval")])
def test_words_for_sets(read_table: Read, name: str, words: tuple[str, str]) -> None:
    rows = [(1, words[0], 5.0), (2, words[0], 4.0), (2, words[1], 4.5)]
    log = read_table(f"step,{name},loss", rows, tokens_per_step=10)
    assert (log.train_loss_nats.tolist(), log.eval_loss_nats.tolist()) == ([5.0, 4.0], [4.5])


def test_other_words_for_sets(read_table: Read) -> None:
    rows = [(1, "train", 5.0), (2, "train", 4.0), (2, "val", 4.5), (2, "test", 4.6)]
    log = read_table("step,split,loss", rows, tokens_per_step=10)
    assert log.eval_loss_nats.tolist() == [4.5]
    assert "evaluations are the rows of split 'val', not of 'test'" in log.labels
    unknown = [*rows, (2, "shadow", 4.6)]
    with pytest.raises(OptionError, match="'split' parts the losses into 'shadow', 'test'"):
        read_table("step,split,loss", unknown, tokens_per_step=10)
    log = read_table("step,split,loss", unknown, tokens_per_step=10, run="train")
    assert log.train_loss_nats.tolist() == [5.0, 4.0]
    # Rows without a loss may have any word.
    other = [*rows, (3, "checkpoint", "")]
    assert len(read_table("step,split,loss", other, tokens_per_step=10).steps) == 2


def test_every_column_can_be_named(read_table: Read) -> None:
    columns, rows = "a,b,c,d,e", [(10, 0.5, 5.0, 5.5, 7), (20, 1.0, 4.0, 4.5, 8)]
    options = {"step_column": "e", "tokens_column": "a", "epoch_column": "b"}
    options |= {"loss_column": "c", "evaluation_column": "d"}
    log = read_table(columns, rows, **options)
    assert (log.format, log.steps.tolist(), log.end_tokens.tolist()) == ("csv", [7, 8], [10, 20])
    assert log.epoch is not None
    assert log.epoch.tolist() == [0.5, 1.0]
    assert (log.train_loss_nats.tolist(), log.eval_loss_nats.tolist()) == ([5, 4], [5.5, 4.5])
    for name in options:
        with pytest.raises(OptionError, match="there is no column 'x'; found a, b, c, d, e"):
            read_table(columns, rows, **{**options, name: "x"})


def test_several_steps_and_epochs(read_table: Read) -> None:
    rows = [(i, 4 * i, 9 - i / 10) for i in range(1, 9)]
    with pytest.raises(OptionError, match=r"could be the step: 'step', 'iter'.*--step-column"):
        read_table("step,iter,loss", rows, tokens_per_step=10)
    assert read_table("step,iter,loss", rows, tokens_per_step=10, step_column="step").tokens == 80
    # W&B's own counter gives way to any other.
    assert read_table("step,_step,loss", rows, tokens_per_step=10).tokens == 80
    with pytest.raises(OptionError, match="--epoch-column"):
        read_table("step,epoch,train/epoch,loss", [(1, 1, 2, 5.0)], tokens_per_step=10)


def test_a_table_that_counts_epochs_only(read_table: Read) -> None:
    rows = [(1, 4.0, 3.9), (2, 3.0, 3.5)]
    with pytest.raises(LogError, match="pass --step-column 'epoch' and --tokens-per-step with the"):
        read_table("epoch,train_loss,val_loss", rows, tokens_per_step=10)
    options = {"tokens_per_step": 1000, "step_column": "epoch"}
    log = read_table("epoch,train_loss,val_loss", rows, **options)
    assert (log.start_tokens.tolist(), log.end_tokens.tolist()) == ([0, 1000], [1000, 2000])
    assert training_run(log).unique_tokens == 1000


def test_other_units_are_refused(read_table: Read) -> None:
    for name in ("loss_bits", "val_ppl", "train bpb"):
        with pytest.raises(OptionError, match="not in nats per token"):
            read_table(f"step,{name}", [(1, 5.0)], tokens_per_step=10, loss_column=name)


@pytest.mark.parametrize("separator", ["\t", ";"])
def test_other_separators(read_text: Read, separator: str) -> None:
    text = "step,loss,lr\n1,5.0,0.1\n2,4.0,0.1\n".replace(",", separator)
    assert read_text(text, tokens_per_step=10).train_loss_nats.tolist() == [5.0, 4.0]


def test_other_shapes_of_json(read_text: Read) -> None:
    rows = [{"step": 1, "train": {"loss": 5.0}}, {"step": 2, "train": {"loss": 4.0}}]
    nested = read_text("\n".join(map(json.dumps, rows)), tokens_per_step=10)
    listed = read_text(json.dumps(rows, indent=1), tokens_per_step=10)
    assert nested.train_loss_nats.tolist() == listed.train_loss_nats.tolist() == [5.0, 4.0]
    with pytest.raises(LogError, match="the list must hold JSON objects only"):
        read_text('[{"step": 1, "loss": 5.0}, 3]', tokens_per_step=10)
    with pytest.raises(LogError, match="nested too deeply"):
        read_text('{"log_history": ' + "[" * 100_000, tokens_per_step=10)


def test_the_summary_of_transformers_is_no_loss(read_text: Read) -> None:
    rows = [{"step": 10, "loss": 5.0}, {"step": 20, "loss": 4.0}]
    summary = {"step": 20, "train_loss": 4.5, "train_runtime": 9.0}
    log = read_text("\n".join(map(json.dumps, [*rows, summary])), tokens_per_step=10)
    assert log.train_loss_nats.tolist() == [5.0, 4.0]
