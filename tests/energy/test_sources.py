"""Joules of codecarbon's files and of GPU-hours, compared with Landauer's bound."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from icfast.energy import JoulesSource, SpentJoules, codecarbon_joules, gpu_hours_joules
from icfast.errors import LogError, OptionError
from icfast.laws import energy

HEADER = "timestamp,run_id,duration,cpu_energy,energy_consumed\n"


def test_codecarbon(tmp_path: Path) -> None:
    path = tmp_path / "emissions.csv"
    path.write_text(HEADER + "t,a,10,9,0.5\nt,b,10,9,0.25\n")
    spent = codecarbon_joules(path)
    assert spent == SpentJoules(0.75 * 3.6e6, JoulesSource.CODECARBON)
    found = energy(bits=1e9, temperature_kelvin=300, spent=spent)
    assert found.spent_source is JoulesSource.CODECARBON
    assert found.spent_log10_ratio == pytest.approx(math.log10(2.7e6 / 2.87097888508e-12))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEADER, "no rows"),
        (HEADER + "t,a,10,9,0.5\nt,b,10,9,x\n", "line 3: expected kWh"),
        (HEADER + "t,a,10,9,-1\n", "line 2"),
        (HEADER + "t,a,10,9,nan\n", "line 2"),
        (HEADER + "t,a\n", "line 2"),
        ("a,b\n1,2\n", "expected one column energy_consumed.*found the columns a, b"),
        ("energy_consumed,Energy consumed\n1,2\n", "expected one column energy_consumed"),
    ],
)
def test_codecarbon_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "emissions.csv").write_text(text)
    with pytest.raises(LogError, match=said):
        codecarbon_joules(tmp_path / "emissions.csv")
    with pytest.raises(LogError, match="cannot read"):
        codecarbon_joules(tmp_path / "none.csv")


def test_gpu_hours() -> None:
    assert gpu_hours_joules(2, 700) == SpentJoules(2 * 700 * 3600, JoulesSource.GPU_HOURS)
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(OptionError, match="gpu_hours must be positive"):
            gpu_hours_joules(wrong, 700)
        with pytest.raises(OptionError, match="watts must be positive"):
            gpu_hours_joules(1, wrong)
