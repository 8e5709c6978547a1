"""Threads and memory of a pass. Kernels release the GIL, so plain threads use all cores."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from icfast.errors import OptionError
from icfast.kernels.select import Backend, select
from icfast.units import parse_bytes

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Reports how far long work has come: a stage's name and a share from 0 to 1.
Progress = Callable[[str, float], None]


def silent(stage: str, share: float) -> None:
    """A Progress that says nothing."""


def available_memory() -> int:
    """Bytes that can be allocated without swapping, as the system tells; 4 GiB if it does not."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 4 << 30


def available_threads() -> int:
    """Cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


@dataclass(frozen=True)
class Work:
    """How a pass is done: on which backend, by how many threads, in how much memory.

    Attributes:
        memory_bytes: what icfast itself may allocate; mapped input is not counted.
    """

    backend: Backend
    threads: int
    memory_bytes: int
    progress: Progress = silent

    @classmethod
    def of(
        cls,
        backend: str = "auto",
        threads: int | None = None,
        memory: str | int | None = None,
        progress: Progress = silent,
    ) -> Work:
        """Work options as users give them; memory defaults to half of what is available.

        Raises:
            OptionError: not a backend, a size or a number of threads.
            BackendError: the forced backend is missing.
        """
        if threads is not None and threads < 1:
            raise OptionError(f"threads {threads} must be at least 1")
        size = available_memory() // 2 if memory is None else parse_bytes(memory)
        return cls(select(backend), threads or available_threads(), size, progress)

    @contextmanager
    def pool(self) -> Iterator[Pool]:
        """Threads for one pass; what is still waiting is dropped when the body fails."""
        executor = ThreadPoolExecutor(self.threads, thread_name_prefix="icfast")
        try:
            yield Pool(executor, self.threads)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class Pool:
    """A few threads, and results in the order of the work."""

    executor: ThreadPoolExecutor
    threads: int

    def map(self, call: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """call(item) for each item, in order; at most twice as many results wait as there are
        threads, so memory stays bounded."""
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(self.executor.submit(call, item))
            if len(waiting) >= 2 * self.threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
