"""Log of llm.c: ``s:N trl:X lr:Y norm:Z`` per step from 0, ``s:N tel:X`` per validation."""

from __future__ import annotations

import re

from icfast.logs.rows import Parsed, Row, lines, number, whole

_ROW = re.compile(r"^s:(\d+)\s+(trl|tel):(\S+)(?:\s+lr:(\S+))?", re.IGNORECASE)


def matches(text: str) -> bool:
    """Return whether a text looks like this format."""
    return bool(re.search(_ROW.pattern, text, re.MULTILINE | re.IGNORECASE))


def read(text: str) -> Parsed:
    """Return all rows of a log; HellaSwag lines (``eval:``) are not losses."""
    train: list[Row] = []
    evaluations: list[Row] = []
    for line, content in lines(text):
        if not (found := _ROW.match(content)):
            continue
        step, loss = whole(found[1], "s", line), number(found[3], found[2], line)
        rate = None if found[4] is None else number(found[4], "lr", line)
        (train if found[2].lower() == "trl" else evaluations).append(
            Row(line, step, loss, learning_rate=rate)
        )
    return Parsed(tuple(train), tuple(evaluations), counts_from_zero=True)
