"""Log of modded-nanogpt: ``step:N/M val_loss:X ...``, in older runs also ``step:N/M train_loss:X``.

A validation at step N happens before batch N (from 0), so the model has learned from N batches.
Training steps count from 1. ``train_loss`` is of the last micro-batch of the first rank only. These
files contain the program before its output, including f-strings that resemble log lines.
"""

from __future__ import annotations

import re

from icfast.logs.rows import Parsed, Row, lines, number, whole

_ROW = re.compile(r"\bstep:(\d+)/\d+\s+(val|train)[ _-]loss:(\S+)", re.IGNORECASE)


def matches(text: str) -> bool:
    """Return whether a text looks like this format."""
    return bool(_ROW.search(text))


def read(text: str) -> Parsed:
    """Return all rows of a log."""
    train: list[Row] = []
    evaluations: list[Row] = []
    for line, content in lines(text):
        if found := _ROW.search(content):
            step, loss = whole(found[1], "step", line), number(found[3], found[2] + "_loss", line)
            (train if found[2].lower() == "train" else evaluations).append(Row(line, step, loss))
    label = "each loss is of one micro-batch on one rank, not of the whole step"
    return Parsed(tuple(train), tuple(evaluations), labels=(label,) if train else ())
