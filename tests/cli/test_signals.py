"""Ctrl-C and other signals end the program within a second, with one line and 128 + n."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

#: A kernel that takes long, in the main thread or in a thread of its own, and says that it began.
SLOW = (
    "import hashlib, signal, time\n"
    # A shell lets its background jobs ignore SIGINT and SIGQUIT.
    "for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):"
    " signal.signal(number, signal.SIG_DFL)\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "import icfast.ngrams.matches as room\n"
    "def slow(*_):\n"
    "    print('began', flush=True)\n"
    "    hashlib.pbkdf2_hmac('sha256', b'', b'', 40_000_000)\n"  # without the GIL
    "    return 0, 0, 0\n"
)
END = "from icfast.cli import main; main()\n"


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def ended(process: subprocess.Popen[str], sent: signal.Signals) -> tuple[int, str, float]:
    """Send a signal when the kernel has begun; return exit code, stderr and seconds."""
    assert process.stdout is not None
    assert process.stdout.readline() == "began\n"
    time.sleep(0.1)  # into the call
    begin = time.monotonic()
    process.send_signal(sent)
    err = process.communicate(timeout=15)[1]
    return process.returncode, err, time.monotonic() - begin


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    np.tile([1, 2, 3, 0], 50).astype("<u2").tofile(tmp_path / "c.bin")
    return tmp_path / "c.bin"


OPTIONS = ("--dtype", "u2", "--eos-id", "0", "--vocab-size", "10", "--order", "2")


@pytest.mark.ci
@pytest.mark.parametrize(
    ("sent", "line"),
    [
        (signal.SIGINT, "interrupted; no incomplete file was kept\n"),
        (signal.SIGTERM, "ended by SIGTERM; no incomplete file was kept\n"),
        (signal.SIGHUP, "ended by SIGHUP; no incomplete file was kept\n"),
        (signal.SIGQUIT, "ended by SIGQUIT; no incomplete file was kept\n"),
    ],
)
def test_a_signal_during_match_lengths(corpus: Path, sent: signal.Signals, line: str) -> None:
    """The kernel runs in a thread of its own, so the main thread ends by itself."""
    code = SLOW + "room.apart = lambda *_, apart=room.apart: apart(slow)\n" + END
    process = start(code, "entropy", corpus, *OPTIONS, "--match-length")
    exit_code, err, seconds = ended(process, sent)
    assert (exit_code, err) == (128 + sent, line)
    assert seconds < 1


@pytest.mark.ci
def test_a_signal_during_a_call_that_blocks_the_main_thread(corpus: Path) -> None:
    code = SLOW + "room.apart = slow\n" + END
    process = start(code, "entropy", corpus, *OPTIONS, "--match-length")
    exit_code, err, seconds = ended(process, signal.SIGINT)
    assert exit_code == 130
    assert err == "interrupted; the next run removes its temporary files\n"
    assert seconds < 1.2


@pytest.mark.ci
def test_a_second_interrupt_during_clean_up(corpus: Path) -> None:
    """Clean-up of 0.3 s is not disturbed: one line, and 130."""
    code = (
        SLOW
        + "def cleaned(*_):\n"
        + "    try: print('began', flush=True); time.sleep(10)\n"
        + "    finally: time.sleep(0.3); print('cleaned', flush=True)\n"
        + "room.apart = cleaned\n"
        + END
    )
    process = start(code, "entropy", corpus, *OPTIONS, "--match-length")
    assert process.stdout is not None
    assert process.stdout.readline() == "began\n"
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    out, err = process.communicate(timeout=15)
    assert (process.returncode, out) == (130, "cleaned\n")
    assert err == "interrupted; no incomplete file was kept\n"


@pytest.mark.ci
@pytest.mark.parametrize(
    ("command", "backend"), [("entropy", "core"), ("entropy", "numba"), ("fit", "core")]
)
def test_a_real_interrupt_at_some_moment(tmp_path: Path, command: str, backend: str) -> None:
    """Whatever runs at that moment, the program ends within a second and leaves nothing."""
    pytest.importorskip("icfast.backends._core" if backend == "core" else "numba")
    ids = np.minimum(np.random.default_rng(0).zipf(1.2, 3_000_000), 49_999).astype("<u2")
    ids.tofile(tmp_path / "c.bin")
    output = () if command == "entropy" else ("--output", tmp_path / "out")
    more = ("--match-length",) if command == "entropy" else ()
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n" + END
    options = ("--dtype", "u2", "--vocab-size", "50257", "--eos-id", "1", "--backend", backend)
    process = start(code, command, tmp_path / "c.bin", *options, *output, *more)
    time.sleep(1.2)
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    err = process.communicate(timeout=15)[1]
    assert time.monotonic() - begin < 1
    if process.returncode == 0:
        return  # it had finished
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("interrupted;")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
