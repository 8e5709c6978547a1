"""Threads, the memory budget, large buffers and progress."""

from icfast.parallel.options import WorkOptions
from icfast.parallel.progress import Progress

__all__ = ["Progress", "WorkOptions"]
