"""Output of Megatron-LM: ``iteration N/ M | key: value | ...``, read by key.

``lm loss`` (``lm-loss`` in Megatron-DeepSpeed of 2021, ``lm_loss`` in GPT-NeoX) is the mean since
the line before, without skipped iterations. Megatron-DeepSpeed counts consumed tokens. Other
versions count consumed samples, and the sequence length is not in the log. Energy is per iteration
and GPU.
"""

from __future__ import annotations

import re

from icfast.columns import folded
from icfast.logs.names import TRAIN
from icfast.logs.rows import Parsed, Row, lines, number, whole

_TRAIN = re.compile(r"\biteration\s*:?\s*(\d+)\s*/\s*\d+\s*\|(.*)", re.IGNORECASE)
_EVALUATION = re.compile(
    r"\bvalid(?:ation)?[\s_-]+(?:loss|results?)[\s_-]+at[\s_-]+iteration\s+(\d+)([^|]*\|.*)",
    re.IGNORECASE,
)
_LOSS = re.compile(r"\|[^|:]*\bloss\s*:|\|[^|:]*[_-]loss\s*:", re.IGNORECASE)


def matches(text: str) -> bool:
    """Return whether a text looks like this format."""
    return any(_LOSS.search(found[0]) for found in _TRAIN.finditer(text))


def read(text: str) -> Parsed:
    """Return all rows of a log; a skipped iteration has no ``lm loss`` and leaves a gap."""
    train: list[Row] = []
    evaluations: list[Row] = []
    for line, content in lines(text):
        if found := _EVALUATION.search(content):
            fields = _fields(found[2], "value")
            if loss := _loss(fields):
                value = number(fields[loss], "lm loss value", line)
                evaluations.append(Row(line, whole(found[1], "iteration", line), value))
        elif found := _TRAIN.search(content):
            fields = _fields(found[2])
            if _loss(fields):
                train.append(_row(line, whole(found[1], "iteration", line), fields))
    return Parsed(tuple(train), tuple(evaluations), is_mean=True)


def _fields(text: str, ending: str = "") -> dict[str, str]:
    """Return the values by key; keys are folded, and an ending is cut off."""
    pairs = (field.rpartition(":") for field in text.split("|") if ":" in field)
    return {folded(key).removesuffix(ending): value.strip() for key, _, value in pairs}


def _loss(fields: dict[str, str]) -> str | None:
    """Return the key of the loss of the language model, None if a line has none."""
    found = [key for key in fields if TRAIN.fullmatch(key)]
    return "lmloss" if "lmloss" in found else next(iter(found), None)


def _row(line: int, step: int, fields: dict[str, str]) -> Row:
    def optional(start: str) -> float | None:
        key = next((key for key in fields if key.startswith(start)), None)
        return None if key is None else number(fields[key], start, line)

    loss = _loss(fields) or "lmloss"
    samples, tokens = fields.get("consumedsamples"), fields.get("consumedtokens")
    return Row(
        line,
        step,
        number(fields[loss], "lm loss", line),
        tokens=None if tokens is None else whole(tokens, "consumed tokens", line),
        sequences=None if samples is None else whole(samples, "consumed samples", line),
        learning_rate=optional("learningrate"),
        joules_per_step_per_gpu=optional("energypergpu"),
    )
