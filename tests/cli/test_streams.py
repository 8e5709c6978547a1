"""Closed, full and broken streams: one line at most, the right exit code, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import OPTIONS

#: How a shell writes the redirections, and the descriptors that they concern.
CLOSED_OUT, CLOSED_ERR, FULL_OUT, FULL_ERR = ">&-", "2>&-", ">/dev/full", "2>/dev/full"

NO_STDOUT = "error: stdout is closed. Redirect it to a file, or to /dev/null.\n"
FULL = "error: the result cannot be written to stdout: No space left on device."


def shell(line: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a line of sh in which "$@" is the command line of icfast."""
    command = [sys.executable, "-m", "icfast", *map(str, arguments)]
    return subprocess.run(
        ["sh", "-c", line, "sh", *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def commands(shard: Path, folder: Path) -> dict[str, list[object]]:
    return {
        "help": ["--help"],
        "version": ["--version"],
        "help of a command": ["count", "--help"],
        "usage": ["count", "--no-such-option"],
        "error": ["inspect", folder / "missing"],
        "entropy": ["entropy", shard, *OPTIONS, "--order", "1"],
        "json": ["inspect", shard, *OPTIONS, "--json"],
        "count": ["count", shard, *OPTIONS, "--order", "2", "--output", folder / "t"],
    }


NAMES = [*commands(Path(), Path())]
#: Commands that fail whatever their streams are, and their exit codes.
FAILING = {"usage": 2, "error": 3}
#: Commands that run in the quick suite; the others are of the same kinds.
QUICK = ("help", "json")


def marked(names: list[str]) -> list[object]:
    return [n if n in QUICK else pytest.param(n, marks=pytest.mark.ci) for n in names]


@pytest.mark.parametrize("name", marked(NAMES))
def test_closed_streams_stdout(shards: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    done = shell(f'"$@" {CLOSED_OUT}', *commands(shards[0], tmp_path)[name])
    assert (done.returncode, done.stdout, done.stderr) == (1, "", NO_STDOUT)
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("redirection", [CLOSED_ERR, pytest.param(FULL_ERR, marks=pytest.mark.ci)])
@pytest.mark.parametrize("name", marked(NAMES))
def test_closed_streams_stderr(
    shards: tuple[Path, Path], tmp_path: Path, name: str, redirection: str
) -> None:
    done = shell(f'"$@" {redirection}', *commands(shards[0], tmp_path)[name])
    assert (done.returncode, done.stderr) == (FAILING.get(name, 0), "")
    assert bool(done.stdout) is (name != "usage")
    assert (tmp_path / "t").exists() is (name == "count")


@pytest.mark.parametrize("name", marked([name for name in NAMES if name != "usage"]))
def test_closed_streams_full(shards: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    done = shell(f'"$@" {FULL_OUT}', *commands(shards[0], tmp_path)[name])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(FULL)
    assert done.stderr.count("\n") == 1


@pytest.mark.ci
@pytest.mark.parametrize(
    "line",
    [f'"$@" {CLOSED_OUT} {CLOSED_ERR}', f'"$@" {FULL_OUT} {FULL_ERR}', f'"$@" {FULL_OUT} 2>&-'],
)
def test_closed_streams_both(shards: tuple[Path, Path], tmp_path: Path, line: str) -> None:
    done = shell(line, *commands(shards[0], tmp_path)["entropy"])
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.ci
@pytest.mark.parametrize("name", ["help", "entropy", "json"])
def test_a_pipe_whose_reader_is_gone(shards: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    line = '{ "$@"; echo $? >&2; } | true'
    done = shell(f"sleep 0.01; {line}", *commands(shards[0], tmp_path)[name])
    assert done.stderr in ("1\n", "0\n")  # 0: it was written before the reader left
    assert done.stdout == ""


@pytest.mark.ci
def test_a_closed_stdin_is_not_the_first_file(shards: tuple[Path, Path], tmp_path: Path) -> None:
    done = shell('"$@" <&-', *commands(shards[0], tmp_path)["count"])
    assert (done.returncode, done.stderr) == (0, "")
