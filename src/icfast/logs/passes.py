"""Epochs completed at each row, from the epochs that a log names or counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icfast.errors import LogError
from icfast.logs.log import Floats, Integers

#: A pass whose length is known to this share is not worth a label.
_EXACT = 0.01


@dataclass(frozen=True)
class Passes:
    """Epochs completed at each row, None if unknown; `reason` says why, if epochs are logged."""

    epoch: Floats | None = None
    reason: str | None = None
    labels: tuple[str, ...] = ()


def passes(
    epochs: Sequence[float | None],
    ends: Integers,
    has_epochs_completed: bool,
    has_gaps: bool = True,
) -> Passes:
    """Return the epochs completed at each row; whole numbers name the current epoch.

    The length L of a pass is the smallest that agrees with every row: a row of pass k, counted from
    0, ends after more than k L and at most (k + 1) L tokens. If the log begins late, names may
    count from 0 or from 1; the reading in which the log begins with a pass is preferred.

    Args:
        epochs: epoch of each row, None where it is not logged.
        ends: i64[rows], tokens seen after each row.
        has_epochs_completed: whether the epochs are the number completed, also if all are whole.
        has_gaps: whether tokens between the rows are not logged.

    Raises:
        LogError: the epochs decrease.
    """
    known = [epoch for epoch in epochs if epoch is not None]
    if not known or len(known) != len(epochs):
        return Passes()
    names = np.array(known, np.float64)
    if np.any(np.diff(names) < 0):
        raise LogError("the column of epochs decreases; did another run append to this log?")
    if has_epochs_completed or not np.all(names == np.floor(names)):
        return Passes(names)
    spacing = float(np.median(np.diff(ends))) if len(ends) > 1 else float(ends[0])
    begins_late = ends[0] > spacing + max([spacing, *np.diff(ends[:2])])
    if names[0] == names[-1]:
        return _one_pass(names[0], ends, begins_late)
    bases = [base for base in (0.0, 1.0) if base <= names[0]]
    if not begins_late and names[0] <= 1:
        return _from_the_start(names - names[0], ends, has_gaps)
    found = {base: _length(names - base, ends) for base in bases} if begins_late else {}
    lengths = {base: length[0] for base, length in found.items() if length[0] <= length[1]}
    whole = [b for b, n in lengths.items() if _is_whole((ends[0] - spacing) / n, spacing / n)]
    chosen = whole if len(whole) == 1 else list(lengths)
    if not chosen:
        return _relative(names, ends, spacing)
    if len(chosen) > 1:
        readings = " or ".join(f"{round(lengths[base]):,}" for base in chosen)
        return Passes(
            reason=f"the log begins late, in epoch {names[0]:g}, and its epochs may be named from "
            f"0 or from 1: a pass has {readings} tokens"
        )
    base, length = chosen[0], lengths[chosen[0]]
    label = (
        f"resumed in epoch {names[0]:g}: epochs are named from {base:g}, so a pass has "
        f"{round(length):,} tokens"
    )
    return Passes(ends / length, labels=(label,))


def _one_pass(name: float, ends: Integers, begins_late: bool) -> Passes:
    if name > 1 or (name == 1 and begins_late):
        return Passes(reason=f"the log holds rows of epoch {name:g} alone")
    return Passes(ends / ends[-1])


def _length(place: Floats, ends: Integers) -> tuple[float, float]:
    """Return the smallest length of a pass that agrees with every row, and the limit above it."""
    later = place >= 1
    limit = float((ends[later] / place[later]).min()) if later.any() else float("inf")
    return float((ends / (place + 1)).max()), limit


def _from_the_start(place: Floats, ends: Integers, has_gaps: bool) -> Passes:
    length, limit = _length(place, ends)
    labels: tuple[str, ...] = ()
    if length > limit:
        # Passes differ in length, and the first one counts.
        length, limit = float(ends[place == 0][-1]), float(ends[place > 0][0])
    if has_gaps and limit - length > _EXACT * length and len(ends) > len(np.unique(place)):
        labels = (
            f"the first pass ends between two rows: it has between {round(length):,} and "
            f"{round(limit):,} tokens",
        )
    return Passes(ends / length, labels=labels)


def _relative(names: Floats, ends: Integers, spacing: float) -> Passes:
    """Return the epochs of a log whose tokens do not count from the run's beginning."""
    every, first = np.unique(names, return_index=True)
    if len(every) < 3:
        return Passes(
            reason=f"the log begins in epoch {names[0]:g}, but not with its tokens, and holds no "
            "whole pass"
        )
    length = (ends[first[-1]] - ends[first[1]]) / (every[-1] - every[1])
    label = f"resumed in epoch {names[0]:g}: a pass has {round(length):,} tokens"
    # The first row of a pass ends about one row after the pass begins.
    begin = ends[first[1]] - spacing
    return Passes(every[1] + (ends - begin) / length, labels=(label,))


def _is_whole(value: float, tolerance: float) -> bool:
    return abs(value - round(value)) <= tolerance
