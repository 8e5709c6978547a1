"""Names in any spelling: case, blanks around them, and separators never change what is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icfast.columns import folded
from icfast.logs import LogOptions, TrainingLog, hf, megatron, nanogpt, table
from icfast.logs.rows import Row

Read = Callable[..., TrainingLog]

COLUMNS = (
    "global_step",
    "train_loss",
    "val_loss",
    "learning_rate",
    "epoch",
    "total_tokens",
    "energy_joules",
)
ROWS = [(s, 9 - s / 10, 9.5 if s % 2 else "", 0.1, s / 4, 64 * s, 3 * s) for s in range(1, 9)]
SEPARATORS = " -_/."

few = settings(max_examples=25)
randoms = st.randoms(use_true_random=False)


def spelled(name: str, random: Random, separators: str = SEPARATORS) -> str:
    """Return a name with other separators, other case and blanks around it."""
    text = "".join(random.choice(separators) if c in "_ " else c for c in name)
    text = "".join(c.upper() if random.random() < 0.5 else c for c in text)
    return " " * random.randrange(4) + text + " " * random.randrange(4)


def values(rows: Iterable[Row]) -> list[Row]:
    """Return rows without their lines."""
    return [replace(row, line=0) for row in rows]


@few
@given(randoms)
def test_columns_in_any_spelling(random: Random) -> None:
    options, names = LogOptions(), [spelled(name, random) for name in COLUMNS]
    lines = [",".join(map(str, row)) for row in ROWS]
    plain = table.read_csv("\n".join([",".join(COLUMNS), *lines]), options)
    assert (len(plain.train), plain.train[0].joules, len(plain.evaluations)) == (8, 3.0, 4)
    assert table.read_csv("\n".join([",".join(names), *lines]), options) == plain
    history = [dict(zip(names, row, strict=True)) for row in ROWS]
    for parsed in (
        table.read_jsonl("\n".join(map(json.dumps, history)), options),
        hf.read(json.dumps({"log_history": history}), options),
    ):
        assert values(parsed.train) == values(plain.train)
        assert values(parsed.evaluations) == values(plain.evaluations)


@few
@given(randoms)
def test_exports_of_wandb_in_any_spelling(random: Random) -> None:
    step, train, held_out = (spelled(n, random) for n in ("step", "train loss", "val loss"))
    lines = [f'"{s}","{9 - s / 10}","9"' for s in range(4)]
    text = "\n".join([f'"{step}","r - {train}","r - {held_out}"', *lines])
    assert table.matches_wandb(text)
    parsed = table.read_wandb(text, LogOptions())
    assert [row.loss_nats for row in parsed.train] == [9 - s / 10 for s in range(4)]
    assert len(parsed.evaluations) == 4


@few
@given(randoms)
def test_keys_of_megatron_in_any_spelling(random: Random) -> None:
    keys = ("consumed samples", "learning rate", "lm loss")
    samples, rate, loss = (spelled(key, random, " -_") for key in keys)
    text = "".join(
        f" iteration {i}/ 9 | {samples}: {64 * i} | {rate}: 1.0E-4 | {loss}: {12 - i / 10} | "
        "loss scale: 1.0 |\n"
        for i in range(1, 5)
    )
    assert megatron.matches(text)
    parsed = megatron.read(text)
    assert [row.loss_nats for row in parsed.train] == [12 - i / 10 for i in range(1, 5)]
    assert [row.sequences for row in parsed.train] == [64, 128, 192, 256]
    assert {row.learning_rate for row in parsed.train} == {1e-4}


MEGATRON = (
    " iteration {0:8d}/    1000 | consumed samples: {1:12d} | elapsed time per iteration (ms): 1.0 "
    "| learning rate: 1.000E-04 | global batch size:    64 | {2}: {3:.6E} | loss scale: 1.0 | "
    "number of skipped iterations:   0 |\n"
)


@pytest.mark.parametrize("name", ["lm loss", "lm-loss", "lm_loss", "LM Loss"])
def test_log_spelling(read_text: Read, name: str) -> None:
    """Megatron, Megatron-DeepSpeed of 2021 and GPT-NeoX spell the loss in three ways."""
    text = "".join(MEGATRON.format(i, 64 * i, name, 12 - i / 10) for i in range(1, 11))
    for given_format in (None, "megatron"):
        log = read_text(text, tokens_per_sequence=1024, format=given_format)
        assert (log.format, log.tokens) == ("megatron", 655_360)
        assert log.train_loss_nats == pytest.approx([12 - i / 10 for i in range(1, 11)])


@pytest.mark.parametrize(
    "line",
    [
        " validation loss at iteration 2 | lm loss value: 3.5E+00 | lm loss PPL: 3.3E+01 |",
        " validation loss at iteration 2 on validation set | lm-loss value: 3.5 | lm-loss PPL: 3 |",
        " validation results at iteration 2 | lm_loss value: 3.500000E+00 | lm_loss_ppl value: 3 |",
    ],
)
def test_validations_of_megatron_and_neox(line: str) -> None:
    train = " samples/sec: 1.1 | iteration        2/  320000 | elapsed time per iteration: 3 | "
    parsed = megatron.read(train + "learning rate: 1.875E-07 | lm_loss: 1.1E+01 |\n" + line)
    assert [(row.step, row.loss_nats) for row in parsed.train] == [(2, 11.0)]
    assert [(row.step, row.loss_nats) for row in parsed.evaluations] == [(2, 3.5)]


@pytest.mark.parametrize(
    ("train", "held_out"),
    [
        ("iter 0: loss 9.5, time 1ms", "step 0: train loss 9.6, val loss 9.7"),
        ("Iter 0: train_loss 9.5, time 1ms", "Step 0: train_loss 9.6, val_loss 9.7"),
        ("iteration 0: Train Loss: 9.5", "step 0: train-loss: 9.6, valid-loss: 9.7"),
    ],
)
def test_lines_of_nanogpt_and_its_forks(train: str, held_out: str) -> None:
    parsed = nanogpt.read(f"{held_out}\n{train}\n")
    assert nanogpt.matches(train)
    assert [row.loss_nats for row in parsed.train] == [9.5]
    assert [row.loss_nats for row in parsed.evaluations] == [9.7]


def test_names_fold() -> None:
    assert {folded(f" TRAIN{s}Loss ") for s in SEPARATORS} == {"trainloss"}
