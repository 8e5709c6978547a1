"""Each format as its writer prints it: rows, tokens, and ignored lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from icfast.errors import LogError, OptionError
from icfast.logs import FORMATS, TrainingLog, read_training_log

Read = Callable[..., TrainingLog]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_text(text: str, **options: object) -> TrainingLog:
        path = tmp_path / "log"
        path.write_text(text, encoding="utf-8")
        return read_training_log(path, **options)  # type: ignore[arg-type]

    return read_text


NANOGPT = """tokens per iteration will be: 100
step 0: train loss 10.9898, val loss 10.9905
iter 0: loss 10.9886, time 40023.99ms, mfu -100.00%
iter 1: loss 9.5, time 4023.99ms, mfu 3.00%
step 2: train loss 9.1, val loss 9.2
iter 2: loss 9.0, time 4023.99ms, mfu 3.00%
"""
LLMC = """s:0 tel:10.9
s:0 eval:0.2440
s:0 trl:10.8 lr:8.57e-07 norm:30.1
s:1 trl:10.5 lr:1.71e-06 norm:29.8
s:2 tel:10.1
s:2 trl:10.0 lr:2.57e-06 norm:20.0
"""
MEGATRON = """ [2024-01-01 00:00:00] iteration      10/     100 | consumed samples:          40 | \
elapsed time per iteration (ms): 500.0 | learning rate: 1.0E-04 | global batch size:     4 | \
lm loss: 9.500000E+00 | loss scale: 1.0 | grad norm: 2.0 | number of skipped iterations:   0 |
 iteration      15/     100 | consumed samples:  60 | number of skipped iterations: 5 |
 iteration      20/     100 | lm loss: 8.0E+00 | consumed samples:          80 | \
learning rate: 2.0E-04 | energy per GPU (J/iter/GPU): 2.5 |
 validation loss at iteration 20 | lm loss value: 7.900000E+00 | lm loss PPL: 2.7E+03 |
"""
MODDED = """step:0/5100 val_loss:10.8258 train_time:0ms step_avg:nanms
step:1/5100 train_loss:10.7 train_time:100ms
step:125/5100 val_loss:4.6 train_time:11931ms step_avg:95.45ms
"""
TORCHTITAN = """[rank0]:[titan] - root - INFO - \x1b[31mstep:  1  \x1b[32mloss: 12.2721  \
\x1b[38mgrad_norm:  3.1  \x1b[33mmemory: 2.0GiB  \x1b[34mtps: 1,234  \x1b[39m
[rank0]:[titan] - root - INFO - step: 2  loss:  11.5  memory: 2GiB
[rank0]:[titan] - root - INFO - validate step: 2  loss: 11.4  memory: 2GiB
"""
BUILD_NANOGPT = """0 val 10.9519
0 hella 0.2487
0 train 10.955011
1 train 10.5
2 val 9.9
2 train 10.0
"""
HF = {
    "epoch": 2.0,
    "log_history": [
        {"epoch": 1.0, "grad_norm": 1.0, "learning_rate": 5e-5, "loss": 4.0, "step": 10},
        {"epoch": 1.0, "eval_loss": 3.9, "eval_runtime": 1.0, "step": 10},
        {"epoch": 2.0, "grad_norm": 1.0, "learning_rate": 2e-5, "loss": 3.0, "step": 20},
        {"epoch": 2.0, "step": 20, "train_loss": 3.5, "total_flos": 1e9},
    ],
}
WANDB = """"Step","run-1 - _step","run-1 - _step__MIN","run-1 - train/loss",\
"run-1 - train/loss__MIN","run-1 - train/loss__MAX"
"0","0","0","10.5","10.5","10.5"
"1","1","1","10.0","10.0","10.0"
"""
CSV = "step,loss,lr,val_loss\n1,5.5,0.1,\n2,5.25,0.2,5.3\n"
JSONL = '{"step": 0, "train/loss": 6.0, "tokens_seen": 50}\n\n{"step": 1, "train/loss": 5.0, \
"tokens_seen": 100}\n{"step": 2, "eval/loss": 4.5, "tokens_seen": 100}\n'

#: Text, format, options, start and end tokens, losses, evaluations (tokens, loss), learning rates.
KNOWN = [
    (
        NANOGPT,
        "nanogpt",
        {"tokens_per_step": 100},
        [0, 100, 200],
        [100, 200, 300],
        [10.9886, 9.5, 9.0],
        [(0, 10.9905), (200, 9.2)],
        None,
    ),
    (
        LLMC,
        "llmc",
        {"tokens_per_step": 64},
        [0, 64, 128],
        [64, 128, 192],
        [10.8, 10.5, 10.0],
        [(0, 10.9), (128, 10.1)],
        [8.57e-07, 1.71e-06, 2.57e-06],
    ),
    (
        MEGATRON,
        "megatron",
        {"tokens_per_sequence": 8},
        [0, 320],
        [320, 640],
        [9.5, 8.0],
        [(640, 7.9)],
        [1e-4, 2e-4],
    ),
    (
        MODDED,
        "modded-nanogpt",
        {"tokens_per_step": 10},
        [0],
        [10],
        [10.7],
        [(0, 10.8258), (1250, 4.6)],
        None,
    ),
    (
        TORCHTITAN,
        "torchtitan",
        {"tokens_per_step": 7},
        [0, 7],
        [7, 14],
        [12.2721, 11.5],
        [(14, 11.4)],
        None,
    ),
    (
        json.dumps(HF),
        "hf",
        {"tokens_per_step": 5},
        [0, 50],
        [50, 100],
        [4.0, 3.0],
        [(50, 3.9)],
        [5e-5, 2e-5],
    ),
    (
        BUILD_NANOGPT,
        "build-nanogpt",
        {"tokens_per_step": 7},
        [0, 7, 14],
        [7, 14, 21],
        [10.955011, 10.5, 10.0],
        [(0, 10.9519), (14, 9.9)],
        None,
    ),
    (WANDB, "wandb", {"tokens_per_step": 3}, [0, 3], [3, 6], [10.5, 10.0], [], None),
    (CSV, "csv", {"tokens_per_step": 3}, [0, 3], [3, 6], [5.5, 5.25], [(6, 5.3)], [0.1, 0.2]),
    (JSONL, "jsonl", {}, [0, 50], [50, 100], [6.0, 5.0], [(100, 4.5)], None),
]


@pytest.mark.parametrize("case", KNOWN, ids=[case[1] for case in KNOWN])
def test_format(read: Read, case: tuple) -> None:
    text, name, options, starts, ends, losses, evaluations, rates = case
    for given in (None, name):
        log = read(text, format=given, **options)
        assert log.format == name
        assert log.start_tokens.tolist() == starts
        assert log.end_tokens.tolist() == ends
        assert log.train_loss_nats.tolist() == losses
        found = zip(log.eval_tokens.tolist(), log.eval_loss_nats.tolist(), strict=True)
        assert list(found) == evaluations
        assert (None if log.learning_rate is None else log.learning_rate.tolist()) == rates
        assert log.steps.dtype == log.start_tokens.dtype == np.int64
        assert log.tokens == max(ends[-1], *(at for at, _ in evaluations), 0)


def test_every_format_is_tried() -> None:
    # Event files are no text, and have tests of their own.
    assert {case[1] for case in KNOWN} | {"tensorboard"} == set(FORMATS)


@pytest.mark.parametrize("case", KNOWN[:-1], ids=[case[1] for case in KNOWN[:-1]])
def test_tokens_of_a_step_are_required(read: Read, case: tuple) -> None:
    with pytest.raises(OptionError, match=r"--tokens-per-(step|sequence)"):
        read(case[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (NANOGPT.replace("9.5,", "nan,"), "line 4: loss is nan"),
        (NANOGPT.replace("9.5,", "9.x,"), "line 4: expected a number for loss, found '9.x'"),
        (LLMC.replace("trl:10.5", "trl:inf"), "line 4: trl is inf"),
        (MEGATRON.replace("lm loss: 8.0E+00", "lm loss: NaN"), "line 3: lm loss is nan"),
        (CSV.replace("5.25", "oops"), "line 3: expected a number for loss, found 'oops'"),
        (CSV.replace("2,5.25", "2.5,5.25"), "line 3: expected a whole number for step"),
        (CSV + "3,4,5,6,7\n", "line 4: 5 fields but 4 columns"),
        (JSONL + "{broken\n", "line 5: invalid JSON"),
        (JSONL + "[1]\n", "line 5: expected a JSON object"),
        (
            JSONL.replace("100}\n{", "40}\n{", 1),
            "line 3: tokens .* 40 at step 1 and 50 before",
        ),
        (json.dumps(HF).replace('"loss": 3.0', '"loss": NaN'), "line 3: loss is nan"),
        (json.dumps(HF).replace('"loss": 3.0, "step": 20', '"loss": 3.0'), "line 3: step is miss"),
        (json.dumps({"log_history": 3}), "must be a list of objects"),
        (json.dumps({"log_history": []}), "contains no losses"),
        ('{"log_history": [', "line 1: invalid JSON"),
        ("step,accuracy\n1,2\n", "no loss among the columns step, accuracy"),
        ("loss,accuracy\n1,2\n", "no step or token count among the columns loss, accuracy"),
        ("nothing of the kind\n", "unknown format; icfast reads"),
        ("", "unknown format; icfast reads"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "pointer of Git LFS"),
    ],
)
def test_what_is_wrong_is_said(read: Read, text: str, said: str) -> None:
    with pytest.raises(LogError, match=f"log: .*{said}"):
        read(text, tokens_per_step=10, tokens_per_sequence=10)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="cannot read"):
        read_training_log(tmp_path / "none")


@pytest.mark.parametrize("name", ["tokens_per_step", "tokens_per_sequence", "gpus"])
def test_sizes_are_positive(read: Read, name: str) -> None:
    with pytest.raises(OptionError, match=f"{name} must be at least 1"):
        read(CSV, **{name: 0})


def test_columns_by_name(read: Read) -> None:
    two = WANDB.replace("run-1 - _step,", "run-1 - _step,").replace(
        '"run-1 - _step"', '"run-2 - train/loss"'
    )
    with pytest.raises(OptionError, match=r"--loss-column.*'run-2 - train/loss'"):
        read(two, tokens_per_step=1)
    log = read(two, tokens_per_step=1, loss_column="run-2 - train/loss")
    assert log.train_loss_nats.tolist() == [0.0, 1.0]
    assert read(CSV, tokens_per_step=1, loss_column="lr").train_loss_nats.tolist() == [0.1, 0.2]
    with pytest.raises(OptionError, match="no column 'losses'"):
        read(CSV, tokens_per_step=1, loss_column="losses")
    with pytest.raises(OptionError, match="for CSV, JSONL and TensorBoard logs"):
        read(LLMC, tokens_per_step=1, loss_column="trl")
    with pytest.raises(OptionError, match="format must be one of"):
        read(LLMC, tokens_per_step=1, format="mlflow")


def test_energy_of_megatron_is_of_all_gpus(read: Read) -> None:
    text = MEGATRON.replace("lm loss: 9.5", "energy per GPU (J/iter/GPU): 1.5 | lm loss: 9.5")
    options = {"tokens_per_sequence": 8}
    log = read(text, gpus=4, **options)
    assert log.energy_joules is not None
    # 10 iterations of 1.5 J, then 10 of 2.5 J, on four GPUs.
    assert log.energy_joules.tolist() == [60.0, 160.0]
    unknown = read(text, **options)
    assert unknown.energy_joules is None
    assert any("pass --gpus, the number of GPUs" in label for label in unknown.labels)


def test_energy_of_a_table(read: Read) -> None:
    log = read("step,loss,energy_joules\n1,2,10\n2,1,30\n", tokens_per_step=1)
    assert log.energy_joules is not None
    assert log.energy_joules.tolist() == [10.0, 30.0]
