"""Log and output of build-nanogpt: ``N train X``, ``N val X``, or ``step N | loss: X | lr Y``.

Steps count from 0, and a validation at step N comes before batch N. ``N hella X`` is an accuracy.
The output writes ``validation loss: X`` without a step; these lines are counted, not read.
"""

from __future__ import annotations

import re

from icfast.logs.rows import Parsed, Row, lines, number, whole

_ROW = re.compile(r"^\s*(\d+)\s+(train|val)(?:[\s_-]loss)?\s+([^\s|]+)\s*$", re.IGNORECASE)
_OUTPUT = re.compile(
    r"^\s*step\s+(\d+)\s*\|\s*(?:train[\s_-])?loss:?\s*([^\s|]+)(?:.*?\|\s*lr:?\s*([^\s|]+))?",
    re.IGNORECASE,
)
_NO_STEP = re.compile(r"^\s*validation loss:\s*\S+\s*$", re.IGNORECASE)


def matches(text: str) -> bool:
    """Return whether a text looks like this format."""
    return any(_ROW.search(line) or _OUTPUT.search(line) for line in text.splitlines())


def read(text: str) -> Parsed:
    """Return all rows of a log."""
    train: list[Row] = []
    evaluations: list[Row] = []
    lost = 0
    for line, content in lines(text):
        if found := _ROW.search(content):
            step, name = whole(found[1], "step", line), found[2].lower()
            row = Row(line, step, number(found[3], name, line))
            (train if name == "train" else evaluations).append(row)
        elif found := _OUTPUT.search(content):
            step, loss = whole(found[1], "step", line), number(found[2], "loss", line)
            rate = None if found[3] is None else number(found[3], "lr", line)
            train.append(Row(line, step, loss, learning_rate=rate))
        else:
            lost += _NO_STEP.search(content) is not None
    # Forks count from 1.
    from_one = bool(train) and train[0].step == 1
    label = f"{lost} validation losses without a step are ignored"
    return Parsed(
        tuple(train),
        tuple(evaluations),
        counts_from_zero=not from_one,
        labels=(label,) * (lost > 0),
    )
