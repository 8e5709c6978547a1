"""Rows as the readers find them, and the lines and numbers they are found in."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from icfast.errors import LogError

#: Colours that loggers write into files as well.
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Row:
    """One loss with what stood beside it; `line` is for error messages, from 1."""

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
    """All rows of a log, in its order.

    Attributes:
        train: losses of batches before they are learned from.
        evaluations: losses of another set.
        counts_from_zero: whether step s names the batch that comes after s others.
        is_mean: whether a training loss is the mean since the row before, not of one batch.
        labels: what this format makes one tell.
    """

    train: tuple[Row, ...]
    evaluations: tuple[Row, ...] = ()
    counts_from_zero: bool = False
    is_mean: bool = False
    labels: tuple[str, ...] = ()


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines, from 1, without colours."""
    for number, line in enumerate(text.splitlines(), 1):
        yield number, _ESCAPES.sub("", line)


def number(text: str, what: str, line: int) -> float:
    """A finite number, thousands separators allowed.

    Raises:
        LogError: it is none.

    >>> number("1,024.5", "tps", 3)
    1024.5
    """
    try:
        value = float(text.strip().replace(",", ""))
    except ValueError:
        raise LogError(
            f"line {line}: expected a number for {what}, found {text.strip()!r}; "
            "cut the line out if the run was interrupted there"
        ) from None
    if not math.isfinite(value):
        raise LogError(
            f"line {line}: {what} is {value}; a mean over it means nothing: cut the log before it, "
            "or leave the run out"
        )
    return value


def whole(text: str, what: str, line: int) -> int:
    """A whole number that is not negative.

    Raises:
        LogError: it is none.
    """
    value = number(text, what, line)
    if value != int(value) or value < 0:
        raise LogError(f"line {line}: expected a whole number for {what}, found {text.strip()!r}")
    return int(value)


@dataclass(frozen=True)
class FieldReader:
    """The fields of one row; an empty one is as good as none."""

    line: int
    fields: Mapping[str, Any]

    def has(self, name: str | None) -> bool:
        """Whether a field is there and says something."""
        return name is not None and self.fields.get(name) not in (None, "")

    def number(self, name: str) -> float:
        """A finite number.

        Raises:
            LogError: the field is missing, or no number.
        """
        return number(self._text(name), name, self.line)

    def whole(self, name: str) -> int:
        """A whole number that is not negative.

        Raises:
            LogError: the field is missing, or no such number.
        """
        return whole(self._text(name), name, self.line)

    def optional_number(self, name: str | None) -> float | None:
        """A number, None where the field is missing."""
        return self.number(name) if name is not None and self.has(name) else None

    def optional_whole(self, name: str | None) -> int | None:
        """A whole number, None where the field is missing."""
        return self.whole(name) if name is not None and self.has(name) else None

    def _text(self, name: str) -> str:
        if not self.has(name):
            raise LogError(f"line {self.line}: {name} is missing")
        return str(self.fields[name])
