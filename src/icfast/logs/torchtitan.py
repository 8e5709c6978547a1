"""Log of TorchTitan: ``step: N  loss: X ...`` from 1, ``validate step: N  loss: X``, with colours.

``loss`` is of one step, the mean over ranks. Versions up to early 2025 wrote the mean since the
line before; the lines do not tell which.
"""

from __future__ import annotations

import itertools
import re

from icfast.logs.rows import Parsed, Row, lines, number, whole

_ROW = re.compile(
    r"(\bvalidate )?\bstep:\s*(\d+)\s+loss:\s*(\S+)(?:.*?\blr:\s*(\S+))?", re.IGNORECASE
)


def matches(text: str) -> bool:
    """Return whether a text looks like this format."""
    return any(_ROW.search(content) for _, content in lines(text))


def read(text: str) -> Parsed:
    """Return all rows of a log."""
    train: list[Row] = []
    evaluations: list[Row] = []
    for line, content in lines(text):
        if not (found := _ROW.search(content)):
            continue
        step, loss = whole(found[2], "step", line), number(found[3], "loss", line)
        rate = None if found[4] is None else number(found[4], "lr", line)
        (evaluations if found[1] else train).append(Row(line, step, loss, learning_rate=rate))
    steps = [row.step for row in train]
    label = "losses are read as of single steps; TorchTitan's were means up to early 2025"
    sparse = any(after - before > 1 for before, after in itertools.pairwise(steps))
    return Parsed(tuple(train), tuple(evaluations), labels=(label,) if sparse else ())
