"""Output of nanoGPT: ``iter N: loss X, time ...`` and ``step N: train loss X, val loss Y``.

Steps count from 0. ``loss`` is of the first rank's last micro-batch of the step only. The
``train loss`` of a ``step`` line is an estimate under the current model, not an online loss, and is
ignored.
"""

from __future__ import annotations

import re

from icfast.logs.rows import Parsed, Row, lines, number, whole

_TRAIN = re.compile(
    r"\biter(?:ation)?[\s_]+(\d+)\s*:\s*(?:train(?:ing)?[\s_-]*)?loss[\s:=]+([^\s,]+)",
    re.IGNORECASE,
)
_EVALUATION = re.compile(
    r"\bstep[\s_]+(\d+)\s*:\s*train(?:ing)?[\s_-]*loss[\s:=]+[^\s,]+,\s*"
    r"val(?:id(?:ation)?)?[\s_-]*loss[\s:=]+([^\s,]+)",
    re.IGNORECASE,
)


def matches(text: str) -> bool:
    """Return whether a text looks like this format."""
    return bool(_TRAIN.search(text) or _EVALUATION.search(text))


def read(text: str) -> Parsed:
    """Return all rows of a log."""
    train: list[Row] = []
    evaluations: list[Row] = []
    for line, content in lines(text):
        for pattern, rows in ((_TRAIN, train), (_EVALUATION, evaluations)):
            if found := pattern.search(content):
                step, loss = whole(found[1], "iter", line), number(found[2], "loss", line)
                rows.append(Row(line, step, loss))
    label = "each loss is of one micro-batch on one rank, not of the whole step"
    return Parsed(tuple(train), tuple(evaluations), counts_from_zero=True, labels=(label,))
