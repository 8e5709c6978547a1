"""Energy from files and formulas: codecarbon's CSV, GPU-hours."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from icfast.columns import delimiter, folded
from icfast.energy.joules import JoulesSource, SpentJoules
from icfast.errors import LogError, OptionError
from icfast.files import read_regular

_JOULES_PER_KWH = 3.6e6

#: Maximum size of codecarbon's file.
_MOST_BYTES = 1 << 30


def codecarbon_joules(path: str | Path, *, cumulative: bool | None = None) -> SpentJoules:
    """Return the energy in codecarbon's emissions.csv, column energy_consumed (kWh), in joules.

    codecarbon writes a further row for a run whenever it is flushed or stopped again, and these
    rows are cumulative: the last row of each run_id counts. Rows with a task_name are of tasks, and
    all of them add up. codecarbon's CPU figures are often a constant model, not a measurement.

    Args:
        path: the file.
        cumulative: whether the rows of one run are states of one counter; None decides it from the
            columns and raises if two readings are possible.

    Raises:
        LogError: the file, the column or all rows are missing, a number is invalid or negative
            (with its line), or the rows could be states or amounts.
    """
    path = Path(path)
    try:
        text = read_regular(path, LogError, _MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"cannot read {path}: {error}") from error
    rows = _rows(path, text)
    if not rows:
        raise LogError(f"{path}: no rows; expected codecarbon's emissions.csv")
    spent = [_of_run(path, run, cumulative) for run in _runs(rows).values()]
    return SpentJoules(math.fsum(spent) * _JOULES_PER_KWH, JoulesSource.CODECARBON)


@dataclass(frozen=True)
class _Row:
    """One row: its line, its kWh, and the columns that tell runs and tasks apart."""

    line: int
    kwh: float
    run: str | None
    task: str


def _rows(path: Path, text: str) -> list[_Row]:
    """Return the rows of the file; names of columns are compared folded."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(text.splitlines(), delimiter=delimiter(first), skipinitialspace=True)
    names: list[str] | None = None
    found = []
    for fields in reader:
        if not any(field.strip() for field in fields):
            continue
        if names is None:
            names = [folded(field) for field in fields]
            if names.count("energyconsumed") + names.count("energyconsumedkwh") != 1:
                listed = ", ".join(field.strip() for field in fields)
                raise LogError(
                    f"{path}: expected one column energy_consumed, as in codecarbon's "
                    f"emissions.csv, found the columns {listed}"
                )
            continue
        row = dict(zip(names, (field.strip() for field in fields), strict=False))
        kwh = _kwh(path, reader.line_num, row.get("energyconsumed", row.get("energyconsumedkwh")))
        # The first versions of codecarbon called the id of a run experiment_id.
        run = next((row.get(name) for name in ("runid", "experimentid") if name in names), None)
        found.append(_Row(reader.line_num, kwh, run, row.get("taskname", "")))
    return found


def _runs(rows: Sequence[_Row]) -> dict[str | None, list[_Row]]:
    """Return the rows by run, in the order of the file."""
    found: dict[str | None, list[_Row]] = {}
    for row in rows:
        found.setdefault(row.run, []).append(row)
    return found


def _of_run(path: Path, rows: Sequence[_Row], cumulative: bool | None) -> float:
    """Return the kWh of one run.

    Raises:
        LogError: its rows could be states of a counter or amounts.
    """
    tasks = sum(bool(row.task) for row in rows)
    amounts = [row.kwh for row in rows]
    if cumulative is None and len(rows) > 1:
        grows = all(a <= b for a, b in pairwise(amounts))
        if tasks == len(rows):
            cumulative = False
        elif not tasks and rows[0].run and grows:
            cumulative = True
        else:
            what = "have a task_name only in part" if tasks else "do not grow"
            if rows[0].run is None and not tasks:
                what = "have no run_id"
            raise LogError(
                f"{path}: lines {rows[0].line} to {rows[-1].line} {what}, so their "
                "energy_consumed may be states of a counter or amounts. Pass cumulative=True to "
                "use the last row, or cumulative=False to add all rows"
            )
    return amounts[-1] if cumulative else math.fsum(amounts)


def _kwh(path: Path, line: int, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        found = "an empty field" if not text else repr(text)
        raise LogError(f"{path}: line {line}: expected kWh in energy_consumed, found {found}")
    return value


def gpu_hours_joules(gpu_hours: float, watts: float) -> SpentJoules:
    """Return GPU-hours x watts x 3600 in joules.

    With the thermal design power it is an upper estimate for the GPUs alone.

    Raises:
        OptionError: a value is not positive and finite.

    >>> gpu_hours_joules(1000.0, 700.0).joules
    2520000000.0
    """
    for name, value in (("gpu_hours", gpu_hours), ("watts", watts)):
        if not (math.isfinite(value) and value > 0):
            raise OptionError(f"{name} must be positive and finite, found {value}")
    return SpentJoules(gpu_hours * watts * 3600.0, JoulesSource.GPU_HOURS)
