"""Tables: CSV and JSON with a column of losses, and CSV exports of W&B.

Losses are in nats per token. Columns are recognised by the names that loggers use (`names`), and
the user can name each of them (`LogOptions`).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from icfast.columns import delimiter, folded
from icfast.errors import LogError, OptionError
from icfast.logs import names as known
from icfast.logs.choose import Columns, Numbered, choose
from icfast.logs.options import LogOptions
from icfast.logs.rows import FieldReader, Parsed, Row, counts_from_zero
from icfast.logs.runs import ALL, choose_run, require_one_run, split_rows

#: Text between the run and the metric in the columns of a W&B export.
_OF_RUN = " - "

#: Ends of the names of the columns in which W&B shows what it merged.
_MERGED = ("__MIN", "__MAX")


def matches_jsonl(text: str) -> bool:
    """Return whether the first line is a complete JSON object, or the text a list of objects."""
    first = next((line for line in text.splitlines() if line.strip()), "").strip()
    if first.startswith("["):
        return text.lstrip()[1:].lstrip().startswith("{")
    return first.startswith("{") and first.endswith("}")


def matches_wandb(text: str) -> bool:
    """Return whether the columns are a step and ``<run> - <metric>``."""
    names = header(text)
    return bool(known.matching(names[:1], known.STEP)) and any(_OF_RUN in name for name in names)


def matches_csv(text: str) -> bool:
    """Return whether the first line names a column of losses, steps or tokens among others."""
    names = header(text)
    roles = (known.TRAIN, known.TRAIN_EPOCH, known.EVALUATION, known.STEP, known.TOKENS)
    return len(names) > 1 and any(known.matching(names, role) for role in roles)


def read_jsonl(text: str, options: LogOptions) -> Parsed:
    """Return all rows of a log of JSON objects; objects without a loss are ignored.

    Raises:
        LogError: a line is not a JSON object, or no row has a loss.
        OptionError: a column does not exist, or several could be meant.
    """
    read = _json_list if text.lstrip().startswith("[") else _json_lines
    return read_rows([(line, _flat(row)) for line, row in read(text)], options)


def read_csv(text: str, options: LogOptions) -> Parsed:
    """Return all rows of a CSV log; rows without a loss are ignored.

    Raises:
        LogError: a row has more fields than the header, or no column is known.
        OptionError: a column does not exist, or several could be meant.
    """
    rows, names = csv_rows(text)
    return read_rows(rows, options, names)


def read_wandb(text: str, options: LogOptions) -> Parsed:
    """Return all rows of a W&B export; ``__MIN`` and ``__MAX`` show whether W&B merged rows.

    Raises:
        LogError: a row has more fields than the header.
        OptionError: several runs or columns could be meant, or one does not exist.
    """
    rows, names = csv_rows(text)
    run = _wandb_run(names, options)
    start = f"{run}{_OF_RUN}"
    # The first column is W&B's own count, which any other count of steps replaces.
    short = {name: name.removeprefix(start) for name in names if name.startswith(start)}
    own = {names[0]: "_step", **{k: v for k, v in short.items() if not k.endswith(_MERGED)}}
    given = {
        key: value.removeprefix(start)
        for key, value in vars(options).items()
        if key.endswith("_column") and value is not None
    }
    renamed = [(line, {own[n]: v for n, v in row.items() if n in own}) for line, row in rows]
    parsed = read_rows(
        renamed, LogOptions(**{**vars(options), **given, "run": None}), list(own.values())
    )
    merged = any(
        row.get(f"{name}__MIN") and row.get(f"{name}__MIN") != row.get(f"{name}__MAX")
        for _, row in rows
        for name in known_losses(short)
    )
    label = "smoothed: W&B merged several rows into one (its __MIN and __MAX differ)"
    return Parsed(**{**vars(parsed), "labels": (*parsed.labels, *[label] * merged)})


def known_losses(short: dict[str, str]) -> list[str]:
    """Return the full names of the columns of a run that may be losses."""
    return [name for name, metric in short.items() if "loss" in folded(metric)]


def _wandb_run(names: Sequence[str], options: LogOptions) -> str:
    """Return the run whose columns are read."""
    if options.loss_column is not None and _OF_RUN in options.loss_column:
        return options.loss_column.rpartition(_OF_RUN)[0]
    metrics = [name for name in names if _OF_RUN in name and not name.endswith(_MERGED)]
    runs = list(dict.fromkeys(name.rpartition(_OF_RUN)[0] for name in metrics))
    if options.run is not None and options.run != ALL:
        if options.run not in runs:
            listed = ", ".join(map(repr, runs))
            raise OptionError(f"there is no run {options.run!r}; the runs are {listed}")
        return options.run
    if len(runs) > 1:
        listed = ", ".join(map(repr, runs))
        columns = ", ".join(repr(n) for n in metrics if "loss" in folded(n.rpartition(_OF_RUN)[2]))
        raise OptionError(
            f"the table holds several runs: {listed}. Choose one with --run, or a column with "
            f"--loss-column: {columns}"
        )
    return runs[0]


def header(text: str) -> list[str]:
    """Return the names of the columns in the first line that is not empty."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    fields = next(csv.reader([first], delimiter=delimiter(first), skipinitialspace=True), [])
    return [name.strip() for name in fields]


def csv_rows(text: str) -> tuple[Numbered, list[str]]:
    """Return the rows with their line numbers, and the columns; blanks around both are dropped.

    Raises:
        LogError: a row has more fields than the header, or two columns have one name.
    """
    names = header(text)
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(text.splitlines(), delimiter=delimiter(first), skipinitialspace=True)
    rows: Numbered = []
    is_header = True
    for fields in reader:
        if not any(field.strip() for field in fields):
            continue
        if is_header:
            is_header = False
            continue
        if len(fields) > len(names) and any(field.strip() for field in fields[len(names) :]):
            raise LogError(f"line {reader.line_num}: {len(fields)} fields but {len(names)} columns")
        stripped = [field.strip() for field in fields]
        rows.append((reader.line_num, dict(zip(names, stripped, strict=False))))
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise LogError(
            f"several columns are called {', '.join(map(repr, twice))}, so their values cannot be "
            "told apart. Rename them in the first line"
        )
    return rows, names


def table_rows(text: str) -> tuple[Numbered, list[str]]:
    """Return the rows of a CSV or JSON table with their line numbers, and the columns.

    Raises:
        LogError: a row cannot be read (with its line).
    """
    if not matches_jsonl(text):
        return csv_rows(text)
    read = _json_list if text.lstrip().startswith("[") else _json_lines
    rows = [(line, _flat(row)) for line, row in read(text)]
    return rows, list({name: None for _, row in rows for name in row})


def _json_lines(text: str) -> Numbered:
    rows: Numbered = []
    for line, content in enumerate(text.splitlines(), 1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except (json.JSONDecodeError, RecursionError) as error:
            raise LogError(f"line {line}: invalid JSON: {_problem(error)}") from None
        if not isinstance(row, dict):
            raise LogError(f"line {line}: expected a JSON object, found {content[:40]!r}")
        rows.append((line, row))
    return rows


def _json_list(text: str) -> Numbered:
    try:
        rows = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise LogError(f"line {line}: invalid JSON: {_problem(error)}") from None
    if not all(isinstance(row, dict) for row in rows):
        raise LogError("the list must hold JSON objects only, one for each row")
    return list(enumerate(rows, 1))


def _problem(error: Exception) -> str:
    return getattr(error, "msg", "it is nested too deeply")


def _flat(row: dict[str, Any], folder: str = "") -> dict[str, Any]:
    """Return the fields of an object; those of an object inside it get its name in front."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found.update(_flat(value, f"{folder}{name}/"))
        elif not isinstance(value, list):
            found[f"{folder}{name}".strip()] = value
    return found


def read_rows(
    rows: Numbered, options: LogOptions, names: Sequence[str] | None = None, what: str = "column"
) -> Parsed:
    """Return the losses of a table.

    Args:
        rows: rows with their line numbers.
        options: columns and run that the user names.
        names: columns in their order; None takes those of the rows.
        what: word for a column in messages.

    Raises:
        LogError: no column holds losses, or a field is not a number (with its line).
        OptionError: several columns or runs could be meant, or one does not exist.
    """
    every = list({name: None for _, row in rows for name in row}) if names is None else names
    rows, every = choose_run(rows, every, options.run)
    rows = [(line, row) for line, row in rows if not _is_summary(row)]
    columns = choose(rows, every, options, what)
    if columns.step is None and columns.tokens is None:
        raise LogError(
            f"no step or token count among the {what}s {', '.join(every)}"
            + (
                f". {columns.epoch!r} counts only epochs: pass --step-column {columns.epoch!r} and "
                "--tokens-per-step with the tokens of one epoch, or name the column of the steps"
                if columns.epoch is not None
                else "; name one with --step-column or --tokens-column"
            )
        )
    split = split_rows(rows, every, columns.train, columns.roles)
    losses = _with(rows, columns.train) if split is None else split.train
    held_out = _with(rows, columns.evaluation)
    loss = columns.evaluation
    if split is not None and split.evaluations:
        held_out, loss = split.evaluations, columns.train
    labels = [*columns.labels, *(() if split is None else split.labels)]
    losses, more = _one_run(losses, every, columns, options)
    labels += more
    held_out, _ = _one_run(held_out, every, columns, options)
    train = _rows(losses, columns.train, columns)
    evaluations = _rows(held_out, loss, columns)
    return Parsed(
        train,
        evaluations,
        counts_from_zero=counts_from_zero([row.step for row in train]),
        is_mean=columns.is_mean,
        has_steps=columns.step is not None,
        labels=tuple(labels),
    )


def _is_summary(row: dict[str, Any]) -> bool:
    """Return whether transformers wrote a row at the end: ``train_loss`` is of the whole run."""
    filled = {folded(name) for name, value in row.items() if value not in (None, "")}
    return "trainloss" in filled and not filled.isdisjoint({"trainruntime", "totalflos"})


def _with(rows: Numbered, loss: str | None) -> Numbered:
    return [(line, row) for line, row in rows if FieldReader(line, row).has(loss)]


def _one_run(
    rows: Numbered, names: Sequence[str], columns: Columns, options: LogOptions
) -> tuple[Numbered, list[str]]:
    """Return the rows with steps of the whole run.

    Raises:
        OptionError: the rows are of several runs.
    """
    whole = _steps_of_epochs(rows, columns)
    if whole is not None:
        return whole, ["steps count within each epoch; icfast counts on from epoch to epoch"]
    counter = columns.step or columns.tokens
    if options.run != ALL and len(_with(rows, counter)) == len(rows):
        # Runs of a sweep may differ in a constant learning rate.
        roles = columns.roles - {columns.rate}
        require_one_run(rows, names, counter, roles)
    return rows, []


def _steps_of_epochs(rows: Numbered, columns: Columns) -> Numbered | None:
    """Return the rows with steps that count on, if the steps restart with each epoch, else None."""
    step, epoch = columns.step, columns.epoch
    if step is None or epoch is None or step == epoch:
        return None
    readers = [FieldReader(line, row) for line, row in rows]
    if not all(reader.has(step) and reader.has(epoch) for reader in readers):
        return None
    steps = [reader.whole(step) for reader in readers]
    epochs = [reader.number(epoch) for reader in readers]
    falls = [i for i in range(1, len(steps)) if steps[i] <= steps[i - 1]]
    rises = [i for i in range(1, len(steps)) if epochs[i] != epochs[i - 1]]
    if not falls or falls != rises or any(epochs[i] < epochs[i - 1] for i in rises):
        return None
    diffs = [b - a for a, b in pairwise(steps) if b > a]
    every = sorted(diffs)[len(diffs) // 2] if diffs else 1
    length = max(steps) + (1 if every == 1 and min(steps) == 0 else every if every > 1 else 0)
    first = epochs[0]
    return [
        (line, {**row, step: whole + round(name - first) * length})
        for (line, row), whole, name in zip(rows, steps, epochs, strict=True)
    ]


def _rows(rows: Numbered, loss: str | None, columns: Columns) -> tuple[Row, ...]:
    found: list[Row] = []
    for line, fields in rows:
        reader = FieldReader(line, fields)
        if loss is None or not reader.has(loss):
            continue
        found.append(
            Row(
                line,
                reader.whole(columns.step) if columns.step is not None else len(found) + 1,
                reader.number(loss),
                tokens=reader.optional_whole(columns.tokens),
                sequences=reader.optional_whole(columns.sequences),
                learning_rate=reader.optional_number(columns.rate),
                epoch=reader.optional_number(columns.epoch),
                joules=reader.optional_number(columns.joules),
            )
        )
    return tuple(found)
