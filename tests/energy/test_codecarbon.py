"""codecarbon's files: rows of one run are states of a counter, rows of tasks are amounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from icfast.energy import codecarbon_joules
from icfast.errors import LogError

KWH = 3.6e6


def joules(folder: Path, text: str, **options: bool) -> float:
    path = folder / "emissions.csv"
    path.write_text(text)
    return codecarbon_joules(path, **options).joules


def table(*rows: tuple, columns: str = "timestamp,run_id,duration,energy_consumed") -> str:
    return "\n".join([columns, *(",".join(map(str, row)) for row in rows)]) + "\n"


def test_energy_cumulative(tmp_path: Path) -> None:
    """Each flush and each further stop adds a row with the energy so far."""
    states = [("t", "a", 3600 * n, float(n)) for n in (1, 2, 3)] + [("t", "a", 10801, 3.0)]
    assert joules(tmp_path, table(*states)) == 3 * KWH
    other = [("t", "b", 60, 0.25), ("t", "b", 120, 0.5)]
    mixed = [states[0], other[0], states[1], other[1], *states[2:]]
    assert joules(tmp_path, table(*mixed)) == 3.5 * KWH


def test_rows_of_tasks_are_amounts(tmp_path: Path) -> None:
    columns = "task_name,run_id,energy_consumed"
    tasks = [("load", "a", 0.25), ("train", "a", 2.0), ("test", "a", 0.5)]
    assert joules(tmp_path, table(*tasks, columns=columns)) == 2.75 * KWH
    growing = [("load", "a", 0.25), ("train", "a", 0.5)]
    assert joules(tmp_path, table(*growing, columns=columns)) == 0.75 * KWH
    with pytest.raises(LogError, match="task_name only in part"):
        joules(tmp_path, table(*tasks, ("", "a", 2.75), columns=columns))
    # A column of tasks without any task is no file of tasks.
    empty = [("", "a", 1.0), ("", "a", 2.0)]
    assert joules(tmp_path, table(*empty, columns=columns)) == 2 * KWH


def test_rows_with_two_readings_are_asked_for(tmp_path: Path) -> None:
    falls = table(("t", "a", 1, 2.0), ("t", "a", 2, 1.0))
    with pytest.raises(LogError, match=r"lines 2 to 3 do not grow.*cumulative=True"):
        joules(tmp_path, falls)
    assert joules(tmp_path, falls, cumulative=False) == 3 * KWH
    assert joules(tmp_path, falls, cumulative=True) == 1 * KWH
    early = table(("a", 1.0), ("b", 0.5), ("a", 2.0), columns="experiment_id,energy_consumed")
    assert joules(tmp_path, early) == 2.5 * KWH
    nameless = table((1, 1.0), (2, 2.0), columns="duration,energy_consumed")
    with pytest.raises(LogError, match="have no run_id"):
        joules(tmp_path, nameless)
    assert joules(tmp_path, nameless, cumulative=False) == 3 * KWH
    assert joules(tmp_path, table((1, 1.0), columns="duration,energy_consumed")) == KWH


@pytest.mark.parametrize(
    "columns",
    [
        "timestamp           ,run_id     ,duration ,energy_consumed        ",
        "Timestamp,Run ID,Duration,Energy Consumed (kWh)",
        "timestamp,run-id,duration,ENERGY-CONSUMED",
    ],
)
def test_energy_padded_names(tmp_path: Path, columns: str) -> None:
    rows = [("2026-01-01 ", "aaaaaaaa-1 ", " 10", "0.0125       ")]
    assert joules(tmp_path, table(*rows, columns=columns)) == 45_000
    semicolons = table(*rows, columns=columns).replace(",", ";")
    assert joules(tmp_path, semicolons) == 45_000


def test_a_missing_column_is_not_blamed_on_a_value(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="found the columns timestamp, run_id, emissions"):
        joules(tmp_path, table(("t", "a", 1), columns="timestamp,run_id ,emissions"))
    with pytest.raises(LogError, match="line 2: expected kWh in energy_consumed, found an empty"):
        joules(tmp_path, "run_id,energy_consumed\na\n")
