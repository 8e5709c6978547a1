"""Names that loggers give to columns and tags, the first match first, in lower case."""

from __future__ import annotations

from collections.abc import Sequence

TRAIN = (
    "loss",
    "train_loss",
    "train/loss",
    "training_loss",
    "training/loss",
    "loss/train",
    "lm_loss",
    "lm loss",
    "loss_nats",
    "loss_metrics/global_avg_loss",
)
EVALUATION = (
    "eval_loss",
    "val_loss",
    "eval/loss",
    "val/loss",
    "valid_loss",
    "validation_loss",
    "validation/loss",
    "loss/eval",
    "loss/val",
    "loss/valid",
    "loss/validation",
    "lm loss validation",
    "validation_metrics/loss",
)
STEP = ("step", "global_step", "train/global_step", "iteration", "iter", "steps")
TOKENS = (
    "tokens",
    "tokens_seen",
    "consumed_tokens",
    "num_tokens",
    "n_tokens_seen",
    "num_input_tokens_seen",
    "train/num_input_tokens_seen",
)
RATE = ("lr", "learning_rate", "train/learning_rate", "train/lr", "lr/train", "learning-rate")
EPOCH = ("epoch", "train/epoch")
JOULES = ("energy_joules", "joules")


def column(names: Sequence[str], known: Sequence[str]) -> str | None:
    """Return the first known name that a table has, in the table's own case."""
    lower = {name.lower(): name for name in names}
    return next((lower[name] for name in known if name in lower), None)
