"""Tables: CSV and JSONL with a column of losses, and CSV exports of W&B.

Losses are in nats per token. Columns are recognised by the names that loggers use, in any case and
without a folder: ``train/loss`` is ``loss``, ``eval/loss`` is ``eval_loss``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from typing import Any

from icfast.errors import LogError, OptionError
from icfast.logs.names import EPOCH, EVALUATION, JOULES, RATE, STEP, TOKENS, TRAIN, column
from icfast.logs.rows import FieldReader, Parsed, Row

#: Parts of column names that indicate a moving mean.
_SMOOTH_NAMES = ("ema", "smooth", "moving", "running", "avg")

Numbered = list[tuple[int, dict[str, Any]]]


def matches_jsonl(text: str) -> bool:
    """Return whether the first non-empty line is a complete JSON object."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return first.lstrip().startswith("{") and first.rstrip().endswith("}")


def matches_wandb(text: str) -> bool:
    """Return whether the columns are ``Step`` and ``<run> - <metric>``."""
    header = _header(text)
    return header[:1] == ["Step"] and any(" - " in name for name in header)


def matches_csv(text: str) -> bool:
    """Return whether the first line names a column of losses, steps or tokens among others."""
    header = [name.lower() for name in _header(text)]
    return len(header) > 1 and any(name in (*TRAIN, *EVALUATION, *STEP, *TOKENS) for name in header)


def read_jsonl(text: str, loss_column: str | None) -> Parsed:
    """Return all rows of a JSONL log; objects without a loss are ignored.

    Raises:
        LogError: a line is not a JSON object, or no row has a loss.
        OptionError: the loss column does not exist.
    """
    rows: Numbered = []
    for line, content in enumerate(text.splitlines(), 1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except json.JSONDecodeError as error:
            raise LogError(f"line {line}: invalid JSON: {error.msg}") from None
        if not isinstance(row, dict):
            raise LogError(f"line {line}: expected a JSON object, found {content[:40]!r}")
        rows.append((line, row))
    return _read(rows, list({name: None for _, row in rows for name in row}), loss_column)


def read_csv(text: str, loss_column: str | None) -> Parsed:
    """Return all rows of a CSV log; rows without a loss are ignored.

    Raises:
        LogError: a row has more fields than the header, or no column is known.
        OptionError: the loss column does not exist.
    """
    rows, header = csv_rows(text)
    return _read(rows, header, loss_column)


def read_wandb(text: str, loss_column: str | None) -> Parsed:
    """Return all rows of a W&B export; ``__MIN`` and ``__MAX`` show whether W&B merged rows.

    Raises:
        LogError: a row has more fields than the header.
        OptionError: several columns could be the loss, or the loss column does not exist.
    """
    rows, header = csv_rows(text)
    metrics = [name for name in header if " - " in name and not name.endswith(("__MIN", "__MAX"))]
    loss = loss_column or _only_loss(metrics)
    labels = ["W&B's Step counts calls of log(); it is the optimiser step if each step logs once"]
    if any(_differs(row, loss) for _, row in rows):
        labels.append("smoothed: W&B merged several rows into one (its __MIN and __MAX differ)")
    run = loss.partition(" - ")[0]
    renamed: Numbered = [
        (line, {name.removeprefix(f"{run} - "): value for name, value in row.items()})
        for line, row in rows
    ]
    names = [name.removeprefix(f"{run} - ") for name in header]
    return _read(renamed, names, loss.removeprefix(f"{run} - "), tuple(labels))


def _only_loss(metrics: Sequence[str]) -> str:
    known = [name for name in metrics if name.partition(" - ")[2].lower() in TRAIN]
    known = known or [name for name in metrics if name.partition(" - ")[2].lower() in EVALUATION]
    if len(known) != 1:
        listed = ", ".join(repr(name) for name in known or metrics)
        raise OptionError(f"choose the column of training losses with --loss-column: {listed}")
    return known[0]


def _differs(row: dict[str, Any], loss: str) -> bool:
    least, most = row.get(f"{loss}__MIN"), row.get(f"{loss}__MAX")
    return bool(least) and bool(most) and least != most


def is_smooth_name(name: str) -> bool:
    """Return whether a column's name tells of a moving mean; a mean over ranks is not one."""
    known = name.lower() in TRAIN
    return not known and any(word in name.lower() for word in _SMOOTH_NAMES)


def _header(text: str) -> list[str]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return [name.strip() for name in next(csv.reader([first]), [])]


def csv_rows(text: str) -> tuple[Numbered, list[str]]:
    """Return the rows with their line numbers, and the columns.

    Raises:
        LogError: a row has more fields than the header.
    """
    reader = csv.reader(text.splitlines())
    header: list[str] = []
    rows: Numbered = []
    for fields in reader:
        if not fields:
            continue
        if not header:
            header = [name.strip() for name in fields]
            continue
        if len(fields) > len(header):
            raise LogError(
                f"line {reader.line_num}: {len(fields)} fields but {len(header)} columns"
            )
        rows.append((reader.line_num, dict(zip(header, fields, strict=False))))
    return rows, header


def _read(
    rows: Numbered, names: Sequence[str], loss_column: str | None, labels: tuple[str, ...] = ()
) -> Parsed:
    if loss_column is not None and loss_column not in names:
        raise OptionError(f"there is no column {loss_column!r}; found {', '.join(names)}")
    evaluation = column(names, EVALUATION)
    train = loss_column if loss_column is not None else column(names, TRAIN)
    if train is not None and train == evaluation:
        train = None
    if train is None and evaluation is None:
        raise LogError(
            f"no loss among the columns {', '.join(names)}; expected one of {', '.join(TRAIN)}. "
            "Name the column with --loss-column"
        )
    if train is not None and is_smooth_name(train):
        labels = (*labels, f"smoothed: by its name, {train!r} is a moving mean")
    found = _rows(rows, names, train), _rows(rows, names, evaluation)
    first = found[0][0].step if found[0] else 1
    return Parsed(*found, counts_from_zero=first == 0, labels=labels)


def _rows(rows: Numbered, names: Sequence[str], loss: str | None) -> tuple[Row, ...]:
    step, tokens = column(names, STEP), column(names, TOKENS)
    if step is None and tokens is None:
        raise LogError(
            f"no step or token count among the columns {', '.join(names)}; expected one of "
            f"{', '.join((*STEP, *TOKENS))}"
        )
    found: list[Row] = []
    for line, fields in rows:
        reader = FieldReader(line, fields)
        if loss is None or not reader.has(loss):
            continue
        found.append(
            Row(
                line,
                reader.whole(step) if step is not None else len(found) + 1,
                reader.number(loss),
                tokens=reader.optional_whole(tokens),
                learning_rate=reader.optional_number(column(names, RATE)),
                epoch=reader.optional_number(column(names, EPOCH)),
                joules=reader.optional_number(column(names, JOULES)),
            )
        )
    return tuple(found)
