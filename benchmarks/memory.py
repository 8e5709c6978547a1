"""What a job holds: anonymous memory of this process and of the processes it starts."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

Result = TypeVar("Result")

#: Processes that the running job has started and that have not ended.
_processes: set[int] = set()


@dataclass
class Peak:
    """Most bytes at any one time.

    Attributes:
        anonymous: this process, over what it had before, and the processes started (RssAnon).
        processes: all resident memory of the processes started, mapped files too (VmHWM).
    """

    anonymous: int = 0
    processes: int = 0


def run_process(
    command: list[str | Path], stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
) -> None:
    """Run a command to its end, watched; CalledProcessError carries what it said."""
    with subprocess.Popen(
        command, stdin=stdin, stdout=stdout or subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        # Only now: until the command has been loaded its memory is a copy of this process.
        _processes.add(process.pid)
        try:
            _, said = process.communicate()
        finally:
            _processes.discard(process.pid)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=said)


def watched(run: Callable[[], Result]) -> tuple[Result, Peak]:
    """The result of a run, and its peak, looked at every 5 ms."""
    _give_back()
    before = _status("self")["RssAnon"]
    peak = Peak()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            started = [_status(pid) for pid in tuple(_processes)]
            held = _status("self")["RssAnon"] - before + sum(one["RssAnon"] for one in started)
            peak.anonymous = max(peak.anonymous, held)
            peak.processes = max(peak.processes, sum(one["VmHWM"] for one in started))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return run(), peak
    finally:
        done.set()
        watcher.join()


def _give_back() -> None:
    """Return freed memory to the system, or the run would use it again unseen.

    glibc is told to; the allocators of polars and DuckDB do so by themselves, a little later.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    held = _status("self")["RssAnon"]
    for _ in range(20):
        time.sleep(0.25)
        held, before = _status("self")["RssAnon"], held
        if before - held < 1 << 20:
            return


def _status(process: int | str) -> dict[str, int]:
    """Bytes in the status of a process; zeros of one that has ended."""
    found = {"RssAnon": 0, "VmHWM": 0}
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        name, _, value = line.partition(":")
        if name in found:
            found[name] = int(value.split()[0]) * 1024
    return found
