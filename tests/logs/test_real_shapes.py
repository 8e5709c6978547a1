"""Shapes of real logs: other lines around and between those with losses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from icfast.laws import training_run
from icfast.logs import TrainingLog, read_training_log


def read(folder: Path, text: str, **options: int) -> TrainingLog:
    path = folder / "log"
    path.write_text(text)
    return read_training_log(path, **options)


def test_megatron_deepspeed_counts_tokens(tmp_path: Path) -> None:
    """A batch-size ramp: the log counts tokens, so no sequence length is needed."""
    head = "    [Rank 0] (after 1 iterations) memory (MB) | allocated: 182.6 | reserved: 467.0\n"
    line = (
        " iteration {:8d}/   95367 | consumed samples: {:12d} | consumed tokens: {:12d} | elapsed "
        "time per iteration (s): 76.99 | learning rate: 3.787E-06 | global batch size:  2048 | lm "
        "loss: {:.6E} | loss scale: 4096.0 | grad norm: 159.210 | num zeros: 0.0 | number of "
        "skipped iterations:   0 | number of nan iterations:   0 | samples per second: 26.6 |\n"
    )
    rule = "-" * 80 + "\n"
    validation = (
        f"{rule} validation loss at iteration 20 on validation set | lm loss value: 9.647480E+00 | "
        f"lm loss PPL: 1.548272E+04 | \n{rule}time (ms)\n"
    )
    text = head + line.format(10, 160, 327_680, 10.5) + line.format(20, 480, 983_040, 9.75)
    log = read(tmp_path, text + validation)
    assert log.format == "megatron"
    assert log.start_tokens.tolist() == [0, 327_680]
    assert log.end_tokens.tolist() == [327_680, 983_040]
    assert log.train_loss_nats.tolist() == [10.5, 9.75]
    assert log.learning_rate is not None
    assert (log.eval_tokens.tolist(), log.eval_loss_nats.tolist()) == ([983_040], [9.64748])


def test_llmc_of_its_first_versions_and_of_its_evaluations(tmp_path: Path) -> None:
    """The first lines lack a learning rate, and some runs only keep validation lines."""
    first = read(tmp_path, "s:0 tel:10.968\ns:0 trl:10.965\ns:1 trl:10.81\n", tokens_per_step=8)
    assert first.learning_rate is None
    assert first.end_tokens.tolist() == [8, 16]
    assert first.eval_tokens.tolist() == [0]
    alone = read(tmp_path, "s:0 tel:10.98\ns:250 tel:6.3\ns:500 tel:5.5\n", tokens_per_step=8)
    assert alone.format == "llmc"
    assert alone.eval_tokens.tolist() == [0, 2000, 4000]
    assert "no training losses: evaluations only" in alone.labels


def test_modded_nanogpt_has_its_program_in_front(tmp_path: Path) -> None:
    program = (
        "import os\n"
        'print(f"step:{step+1}/{args.num_iterations} train_loss:{train_loss.item():.4f}")\n'
        'print0(f"step:{step}/{train_steps} val_loss:{val_loss:.4f} train_time:{ms:.0f}ms")\n'
        "    # iter 0: loss of the first step\n" + "=" * 80 + "\n"
        "Running pytorch 2.5.0\n|   0  NVIDIA H100 80GB HBM3  On  |   00000000:61:00.0 Off | 0 |\n"
    )
    run = (
        "step:0/5100 val_loss:15.98 train_time:238ms step_avg:nanms\n"
        "step:1/5100 train_loss:16.0026 train_time:42703ms step_avg:nanms\n"
        "step:2/5100 train_loss:9.4947 train_time:53466ms step_avg:nanms\n"
        "peak memory consumption: 34489 MiB\n"
    )
    log = read(tmp_path, program + run, tokens_per_step=8)
    assert log.format == "modded-nanogpt"
    assert log.train_loss_nats.tolist() == [16.0026, 9.4947]
    assert log.eval_tokens.tolist() == [0]
    assert any("one rank, not of the whole step" in label for label in log.labels)


TITAN = (
    "[rank{rank}]:[titan] 2025-11-25 19:45:01,441 - root - INFO - step: {step:2d}  loss:  {loss}  "
    "grad_norm:  1.4604  memory:  1.21GiB(0.86%)  tps: 5,756  tflops: 0.41  mfu: 0.04%\n"
)


def test_torchtitan_among_other_lines(tmp_path: Path) -> None:
    text = "W1125 torch/distributed/run.py:803] *****\n[rank0]:NCCL version 2.27.5+cuda12.9\n"
    text += "[rank0]:[titan] 2025-11-25 - root - INFO - Training starts at step 1\n"
    for step, loss in ((1, 8.0277), (10, 7.5), (20, 6.9532)):
        text += TITAN.format(rank=0, step=step, loss=loss)
    log = read(tmp_path, text, tokens_per_step=8)
    assert log.steps.tolist() == [1, 10, 20]
    assert log.train_loss_nats.tolist() == [8.0277, 7.5, 6.9532]
    assert any("means up to early 2025" in label for label in log.labels)
    older = "2024-10-03 16:44:28,481 - root - INFO - step:  1  loss: 10.8235  memory: 26.73GiB"
    assert read(tmp_path, f"{older}  wps: 1,176\n", tokens_per_step=8).steps.tolist() == [1]


def test_two_ranks_in_one_log_are_no_restart(tmp_path: Path) -> None:
    text = "".join(
        TITAN.format(rank=rank, step=step, loss=9.0 - step / 10)
        for step in (1, 2, 3)
        for rank in (0, 1)
    )
    log = read(tmp_path, text, tokens_per_step=8)
    assert log.steps.tolist() == [1, 2, 3]
    assert any(label.startswith("repeated: 3 rows") for label in log.labels)
    assert not any("resumed" in label for label in log.labels)


def test_nanogpt_with_its_settings_in_front(tmp_path: Path) -> None:
    text = (
        "tokens per iteration will be: 491,520\nnumber of parameters: 123.59M\n"
        "num decayed parameter tensors: 50, with 124,354,560 parameters\nusing fused AdamW: True\n"
        "step 0: train loss 10.9210, val loss 10.9209\n"
        "iter 0: loss 10.9118, time 27488.56ms, mfu -100.00%\n"
        "iter 10: loss 6.2081, time 48.67ms, mfu 10.07%\nsaving checkpoint to out\n"
    )
    log = read(tmp_path, text, tokens_per_step=100)
    assert log.train_loss_nats.tolist() == [10.9118, 6.2081]
    assert log.end_tokens.tolist() == [100, 1100]
    assert log.eval_loss_nats.tolist() == [10.9209]


def test_transformers_leaves_its_own_count_of_tokens_at_zero(tmp_path: Path) -> None:
    """By default transformers does not count tokens, so tokens_per_step is required."""
    rows = [
        {"epoch": 0.4, "grad_norm": 1.1, "learning_rate": 2e-4, "loss": 2.5, "step": 50},
        {"epoch": 0.8, "grad_norm": 1.0, "learning_rate": 4e-4, "loss": 1.3254374, "step": 100},
        {"epoch": 0.8, "eval_loss": 1.2738, "eval_runtime": 8.6, "step": 100},
        {"epoch": 0.8, "step": 100, "total_flos": 1e15, "train_loss": 1.9, "train_runtime": 9.0},
    ]
    state = {"global_step": 100, "log_history": rows, "num_input_tokens_seen": 0, "max_steps": 500}
    log = read(tmp_path, json.dumps(state, indent=4), tokens_per_step=10)
    assert log.format == "hf"
    assert log.train_loss_nats == pytest.approx([2.5, 1.3254374])
    assert log.start_tokens.tolist() == [0, 500]
    assert log.eval_tokens.tolist() == [1000]


def test_output_of_build_nanogpt(tmp_path: Path) -> None:
    text = "total desired batch size: 524288\nvalidation loss: 10.9519\n"
    line = "step {0:5d} | loss: {1} | lr {2} | norm: 22.65 | dt: 704.72ms | tok/sec: 743961.34\n"
    text += line.format(0, 10.955, "8.3916e-07") + line.format(1, 10.5, "1.6783e-06")
    log = read(tmp_path, text, tokens_per_step=8)
    assert (log.format, log.end_tokens.tolist()) == ("build-nanogpt", [8, 16])
    assert log.learning_rate is not None
    assert log.labels == ("1 validation losses without a step are ignored",)
    fork = line.format(1, 10.5, "1e-06") + line.format(2, 10.0, "2e-06")
    assert read(tmp_path, fork, tokens_per_step=8).end_tokens.tolist() == [8, 16]


def test_evaluations_that_grow_denser_do_not_begin_late(tmp_path: Path) -> None:
    steps = [125, 250, 375, 500, *range(501, 520)]
    text = "".join(f"step:{step}/519 val_loss:{4 - step / 1000} train_time:1s\n" for step in steps)
    run = training_run(read(tmp_path, text, tokens_per_step=8))
    assert run.online_reason is None
