"""TorchTitan's log: ``step: N  loss: X ...`` from 1, ``validate step: N  loss: X``; colours too."""

from __future__ import annotations

import re

from icfast.runs.rows import Parsed, Row, lines, number, whole

_ROW = re.compile(r"(\bvalidate )?\bstep:\s*(\d+)\s+loss:\s*(\S+)(?:.*?\blr:\s*(\S+))?")


def matches(text: str) -> bool:
    """Whether a log looks like it."""
    return any(_ROW.search(content) for _, content in lines(text))


def read(text: str) -> Parsed:
    """All rows of a log."""
    train: list[Row] = []
    evaluations: list[Row] = []
    for line, content in lines(text):
        if not (found := _ROW.search(content)):
            continue
        step, loss = whole(found[2], "step", line), number(found[3], "loss", line)
        rate = None if found[4] is None else number(found[4], "lr", line)
        (evaluations if found[1] else train).append(Row(line, step, loss, learning_rate=rate))
    return Parsed(tuple(train), tuple(evaluations))
