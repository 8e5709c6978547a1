"""Cost of a counting pass, known before it begins."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What counting takes.

    Attributes:
        order: N.
        windows: how many windows of N symbols are counted, those with marked histories included.
        passes: how often the corpus is read for them.
        memory_bytes: most that is allocated at once; the mapped corpus is not counted.
        table_bytes: about the size of the count table; 0 where none is written.
        temporary_bytes: what is written and removed again: keys that memory does not hold, a table
            made only to fit a model.
        seconds: about the time from the plan on, where nothing else runs on these cores: the
            sample's time on one thread, shared out.
    """

    order: int
    windows: int
    passes: int
    memory_bytes: int
    table_bytes: int
    temporary_bytes: int
    seconds: float
