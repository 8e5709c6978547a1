"""Options that tell a reader of training logs what the log itself leaves out."""

from __future__ import annotations

from dataclasses import dataclass, field

from icfast.errors import OptionError

_PANEL = "Reading the log"
_COLUMNS = "Columns of the log, if their names are unusual"


@dataclass(frozen=True)
class LogOptions:
    """Options for reading a training log; the keywords of `read_training_log`.

    The metadata of each field holds the help text that the command line shows.

    Attributes:
        tokens_per_step: tokens in one optimiser step over all ranks (sequence length x batch x
            gradient accumulation x data-parallel ranks); required if the log does not count tokens.
        tokens_per_sequence: tokens in one sequence; required if the log counts sequences
            (Megatron) and tokens_per_step is not given.
        gpus: number of GPUs of the run; required to sum energy that is logged per GPU (Megatron).
        format: one of `FORMATS`; None detects the format from the content.
        loss_column: column of the training losses in a table (CSV, JSON, W&B, transformers), or
            their tag in TensorBoard files; None looks for the usual names. The column of the
            evaluations reads these alone.
        evaluation_column: column or tag of the held-out losses; "none" ignores them.
        step_column: column of the optimiser steps.
        tokens_column: column of the tokens that all ranks have seen; "none" counts steps instead.
        epoch_column: column of the epochs; "none" ignores them.
        run: the run to read if a table holds several: a value of a column, COLUMN=VALUE, or the
            part that the names of its columns share. "all" reads all rows as parts of one run.

    Raises:
        OptionError: a number is below 1.
    """

    tokens_per_step: int | None = field(
        default=None,
        metadata={
            "metavar": "TOKENS",
            "help": "Tokens in one optimiser step over all ranks; required if the log does not "
            "count tokens.",
            "panel": _PANEL,
        },
    )
    tokens_per_sequence: int | None = field(
        default=None,
        metadata={
            "metavar": "TOKENS",
            "help": "Tokens in one sequence, if the log counts sequences.",
            "panel": _PANEL,
        },
    )
    gpus: int | None = field(
        default=None,
        metadata={
            "metavar": "N",
            "help": "Number of GPUs, if the log states energy per GPU.",
            "panel": _PANEL,
        },
    )
    format: str | None = field(
        default=None,
        metadata={
            "metavar": "NAME",
            "help": "Format of the log: hf, jsonl, wandb, csv, megatron, llmc, modded-nanogpt, "
            "torchtitan, nanogpt, build-nanogpt or tensorboard. Default: detected from the "
            "content.",
            "panel": _PANEL,
        },
    )
    loss_column: str | None = field(
        default=None,
        metadata={
            "metavar": "NAME",
            "help": "Column (CSV, JSON) or tag (TensorBoard) of the training losses, in nats.",
            "panel": _COLUMNS,
        },
    )
    evaluation_column: str | None = field(
        default=None,
        metadata={
            "metavar": "NAME",
            "help": "Column or tag of the held-out losses, in nats; none ignores them.",
            "panel": _COLUMNS,
        },
    )
    step_column: str | None = field(
        default=None,
        metadata={
            "metavar": "NAME",
            "help": "Column of the optimiser steps.",
            "panel": _COLUMNS,
        },
    )
    tokens_column: str | None = field(
        default=None,
        metadata={
            "metavar": "NAME",
            "help": "Column of the tokens that all ranks have seen; none counts steps instead.",
            "panel": _COLUMNS,
        },
    )
    epoch_column: str | None = field(
        default=None,
        metadata={
            "metavar": "NAME",
            "help": "Column of the epochs; none ignores them.",
            "panel": _COLUMNS,
        },
    )
    run: str | None = field(
        default=None,
        metadata={
            "metavar": "NAME",
            "help": "The run to read, if a table holds several: a value of a column, "
            "COLUMN=VALUE, or a part of the names of its columns. all reads every row as one run.",
            "panel": _COLUMNS,
        },
    )

    def __post_init__(self) -> None:
        for name in ("tokens_per_step", "tokens_per_sequence", "gpus"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"{name} must be at least 1, found {value}")

    @property
    def of_tables(self) -> list[str]:
        """Names of the options given that only tables and TensorBoard files have."""
        return [
            name
            for name, value in vars(self).items()
            if value is not None and (name == "run" or name.endswith("_column"))
        ]
