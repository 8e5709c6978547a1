"""Energy from files and formulas: codecarbon's CSV, GPU-hours."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from icfast.energy.joules import JoulesSource, SpentJoules
from icfast.errors import LogError, OptionError
from icfast.files import open_regular

_JOULES_PER_KWH = 3.6e6


def codecarbon_joules(path: str | Path) -> SpentJoules:
    """Return the sum of the column energy_consumed (kWh) of codecarbon's emissions.csv, in joules.

    Each row is a run. codecarbon's CPU figures are often a constant model, not a measurement.

    Raises:
        LogError: the file, the column or all rows are missing, or a number is invalid or negative
            (with its line).
    """
    path = Path(path)
    try:
        with open_regular(path, LogError) as file:
            reader = csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline=""))
            spent = [_kwh(path, reader.line_num, row.get("energy_consumed")) for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"cannot read {path}: {error}") from error
    if not spent:
        raise LogError(f"{path}: no rows; expected codecarbon's emissions.csv")
    return SpentJoules(math.fsum(spent) * _JOULES_PER_KWH, JoulesSource.CODECARBON)


def _kwh(path: Path, line: int, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise LogError(f"{path}: line {line}: expected kWh in energy_consumed, found {text!r}")
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
