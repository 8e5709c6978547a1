"""Rows that readers return, and parsing of their lines, fields and numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from icfast.errors import LogError

#: Terminal colours, which some loggers also write into files.
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Row:
    """One loss with the other values of its line; `line` counts from 1, for messages."""

    line: int
    step: int
    loss_nats: float
    tokens: int | None = None
    sequences: int | None = None
    learning_rate: float | None = None
    epoch: float | None = None
    joules: float | None = None
    joules_per_step_per_gpu: float | None = None


@dataclass(frozen=True)
class Parsed:
    """All rows of a log in its order.

    Attributes:
        train: losses of batches before the model learns from them.
        evaluations: losses of another set.
        counts_from_zero: whether step s is the batch after s others.
        is_mean: whether a training loss is the mean since the row before, not of one batch.
        has_epochs_completed: whether epochs are always the number completed, also if all are whole.
        has_steps: whether the steps are the log's own; otherwise rows are numbered.
        labels: labels that this format adds.
    """

    train: tuple[Row, ...]
    evaluations: tuple[Row, ...] = ()
    counts_from_zero: bool = False
    is_mean: bool = False
    has_epochs_completed: bool = False
    has_steps: bool = True
    labels: tuple[str, ...] = ()


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines with their numbers from 1, without terminal colours."""
    for number, line in enumerate(text.splitlines(), 1):
        yield number, _ESCAPES.sub("", line)


def counts_from_zero(steps: Sequence[int]) -> bool:
    """Return whether step s is the batch after s others: it begins at 0, or logs end at k - 1.

    Lightning counts from 0 and logs the batch that completes each k steps: 49, 99, 149, ...
    """
    if not steps:
        return False
    every = math.gcd(*(abs(after - before) for before, after in pairwise(steps)))
    return steps[0] == 0 or (every > 2 and (steps[0] + 1) % every == 0)


def number(text: str, what: str, line: int) -> float:
    """Parse a finite number, with or without thousands separators.

    Raises:
        LogError: the text is not a finite number.

    >>> number("1,024.5", "tps", 3)
    1024.5
    """
    try:
        value = float(text.strip().replace(",", ""))
    except ValueError:
        raise LogError(
            f"line {line}: expected a number for {what}, found {text.strip()!r}; "
            "delete the line if the run was interrupted there"
        ) from None
    if not math.isfinite(value):
        raise LogError(
            f"line {line}: {what} is {value}, so means are undefined; cut the log before this line"
        )
    return value


def whole(text: str, what: str, line: int) -> int:
    """Parse a whole number that is not negative.

    Raises:
        LogError: the text is not such a number.
    """
    value = number(text, what, line)
    if value != int(value) or value < 0:
        raise LogError(f"line {line}: expected a whole number for {what}, found {text.strip()!r}")
    return int(value)


@dataclass(frozen=True)
class FieldReader:
    """Fields of one row of JSON or CSV; an empty field counts as missing."""

    line: int
    fields: Mapping[str, Any]

    def has(self, name: str | None) -> bool:
        """Return whether a field exists and is not empty."""
        return name is not None and self.fields.get(name) not in (None, "")

    def number(self, name: str) -> float:
        """Return a field as a finite number.

        Raises:
            LogError: the field is missing or not a number.
        """
        return number(self._text(name), name, self.line)

    def whole(self, name: str) -> int:
        """Return a field as a whole number that is not negative.

        Raises:
            LogError: the field is missing or not such a number.
        """
        return whole(self._text(name), name, self.line)

    def optional_number(self, name: str | None) -> float | None:
        """Return a field as a number, None if it is missing."""
        return self.number(name) if name is not None and self.has(name) else None

    def optional_whole(self, name: str | None) -> int | None:
        """Return a field as a whole number, None if it is missing."""
        return self.whole(name) if name is not None and self.has(name) else None

    def _text(self, name: str) -> str:
        if not self.has(name):
            raise LogError(f"line {self.line}: {name} is missing")
        return str(self.fields[name])
