"""modded-nanogpt's log: ``step:N/M val_loss:X ...``, in older runs ``step:N/M train_loss:X`` too.

A validation at step N comes before the N-th batch counted from 0, so N batches were learned from;
training steps count from 1. ``train_loss`` is of the last micro-batch of the first rank alone. The
program itself stands above its output in these files, f-strings of such lines included.
"""

from __future__ import annotations

import re

from icfast.logs.rows import Parsed, Row, lines, number, whole

_ROW = re.compile(r"\bstep:(\d+)/\d+\s+(val|train)_loss:(\S+)")


def matches(text: str) -> bool:
    """Whether a log looks like it."""
    return bool(_ROW.search(text))


def read(text: str) -> Parsed:
    """All rows of a log."""
    train: list[Row] = []
    evaluations: list[Row] = []
    for line, content in lines(text):
        if found := _ROW.search(content):
            step, loss = whole(found[1], "step", line), number(found[3], found[2] + "_loss", line)
            (train if found[2] == "train" else evaluations).append(Row(line, step, loss))
    label = "a step's last micro-batch on one rank stands for all of it"
    return Parsed(tuple(train), tuple(evaluations), labels=(label,) if train else ())
