"""Threads and memory of a computation. Kernels release the GIL, so threads use all cores."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from icfast.backends.select import Backend, select
from icfast.errors import OptionError
from icfast.files import sweep
from icfast.parallel.cost import Cost
from icfast.parallel.progress import Progress, silent

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Names of the threads of pools begin with this.
_PREFIX = "icfast"
#: Seconds that a pool waits for its calls after Ctrl-C.
_ABANDONED_SECONDS = 0.3

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]i?B|B|)", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_bytes(size: str | int) -> int:
    """Return the bytes of a size such as ``"4GiB"``, ``"250MB"`` or ``1024``.

    Raises:
        OptionError: the text is not a positive number with a unit (B, kB, KiB, MB, MiB, ...).

    >>> parse_bytes("256MiB"), parse_bytes("1.5GB"), parse_bytes(4096)
    (268435456, 1500000000, 4096)
    """
    match = _SIZE.fullmatch(str(size).strip())
    if match is None:
        raise OptionError(
            f"size {size!r} is not a number with a unit. Pass a size such as 512MiB or 4GB."
        )
    unit = match["unit"].lower()
    base = 1024 if "i" in unit else 1000
    count = int(float(match["number"]) * base ** _POWERS[unit.rstrip("b").rstrip("i")])
    if count <= 0:
        raise OptionError(f"size {size!r} is not positive. Pass a size such as 512MiB or 4GB.")
    return count


def available_threads() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def available_memory() -> int:
    """Return the bytes that can be allocated without swapping; 4 GiB if that is unknown."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 4 << 30


@contextmanager
def thread_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Yield an executor. If the body fails, calls that have not begun are cancelled.

    Calls that run are waited for. After Ctrl-C or a signal that wait is short: a kernel may run for
    long, and it keeps its arrays until it ends.
    """
    executor = ThreadPoolExecutor(threads, thread_name_prefix=_PREFIX)
    try:
        yield executor
    except (KeyboardInterrupt, SystemExit):
        executor.shutdown(wait=False, cancel_futures=True)
        _join_for(_ABANDONED_SECONDS)
        raise
    except BaseException:
        executor.shutdown(wait=True, cancel_futures=True)
        raise
    executor.shutdown(wait=True)


def _join_for(seconds: float) -> None:
    """Wait for the threads of pools, no longer than some seconds."""
    until = time.monotonic() + seconds
    for thread in threading.enumerate():
        if thread.name.startswith(_PREFIX):
            thread.join(max(0.0, until - time.monotonic()))


def apart(call: Callable[..., Result], *given: Any) -> Result:
    """Return what a long call returns, and raise what it raises. Ctrl-C ends the wait at once.

    The call runs in another thread. After Ctrl-C it continues to its end, and its result is
    dropped then.
    """
    with thread_pool(1) as executor:
        return executor.submit(call, *given).result()


@dataclass(frozen=True)
class Work:
    """Resolved work options: a backend that is loaded, threads, and memory in bytes.

    Attributes:
        backend: the loaded backend.
        threads: number of threads.
        memory_bytes: maximum bytes that icfast allocates; memory-mapped input is not counted.
        progress: receives the progress of the work.
        announce: receives the cost of a count before it begins, or None.
        temporary: folder for temporary files, or None to write none.
    """

    backend: Backend
    threads: int
    memory_bytes: int
    progress: Progress = silent
    announce: Callable[[Cost], None] | None = None
    temporary: Path | None = None

    @classmethod
    def of(
        cls,
        backend: str = "auto",
        threads: int | None = None,
        memory: str | int | None = None,
        progress: Progress = silent,
        announce: Callable[[Cost], None] | None = None,
        temporary: str | Path | None = None,
    ) -> Work:
        """Return the work for options as :class:`icfast.parallel.WorkOptions` describes them.

        Raises:
            OptionError: the backend, size, number of threads or folder is invalid.
            BackendError: the backend is not available.
        """
        if threads is not None and threads < 1:
            raise OptionError(f"threads {threads} is invalid: it must be at least 1")
        size = available_memory() // 2 if memory is None else parse_bytes(memory)
        folder = None if temporary is None else Path(temporary)
        if folder is not None and not folder.is_dir():
            raise OptionError(
                f"temporary folder {folder} does not exist. Make it, or pass another folder."
            )
        if folder is not None:
            sweep(folder)
        cores = threads or available_threads()
        return cls(select(backend), cores, size, progress, announce, folder)

    @contextmanager
    def pool(self) -> Iterator[Pool]:
        """Yield a pool of threads. If the body fails, calls that have not begun are cancelled."""
        with thread_pool(self.threads) as executor:
            yield Pool(executor, self.threads)


@dataclass(frozen=True)
class Pool:
    """Pool of threads that returns results in the order of the items."""

    executor: ThreadPoolExecutor
    threads: int

    def map(self, call: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield call(item) for each item, in order.

        At most one call more than there are threads is submitted, so that few results wait.
        """
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(self.executor.submit(call, item))
            if len(waiting) > self.threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def for_each(self, call: Callable[[Item], None], items: Iterable[Item]) -> None:
        """Call a function for each item."""
        for _ in self.map(call, items):
            pass
