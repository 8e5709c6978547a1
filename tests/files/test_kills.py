"""SIGKILL at file-system calls and at random moments: no mixed set, nothing left, reruns equal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.files.kills import CASES


def killed(*arguments: object) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.files.kills", "--json", *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def check(rows: list[dict[str, Any]], kills: int) -> None:
    assert [row["command"] for row in rows] == list(CASES)
    for row in rows:
        assert row["kills"] >= kills
        assert row["old"]
        assert row["left"], "the kills came too early to leave a temporary"
        assert (row["mixed"], row["left_after"]) == (0, 0), row
        assert row["identical"] == row["kills"], row


@pytest.mark.ci
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the commands run in forked processes")
def test_measure_killed_over_older_leaves_the_old_or_the_new_set() -> None:
    """Every eighth call of each command; the other calls are tested with -m slow."""
    check(killed("--step", 8), kills=4)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the commands run in forked processes")
def test_every_call_and_200_random_moments() -> None:
    check(killed("--random", 200), kills=100)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the commands run in forked processes")
def test_the_run_that_puts_older_files_back_is_killed_too() -> None:
    check(killed("--twice", "--step", 2), kills=10)
