"""Status of a predicted token: whether its loss enters a sum."""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """What became of a row; only scored ones enter a sum."""

    SCORED = 0
    IGNORED = 1
    INFINITE = 2
    NAN = 3
    OUT_OF_RANGE = 4
    HUGE = 5
