"""Threads, the memory budget and large buffers: the options of work."""

from icfast.parallel.options import WorkOptions
from icfast.parallel.progress import Progress

__all__ = ["Progress", "WorkOptions"]
