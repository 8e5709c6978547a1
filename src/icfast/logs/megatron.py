"""Output of Megatron-LM: ``iteration N/ M | key: value | ...``, read by key.

``lm loss`` is the mean since the line before, without skipped iterations. Megatron-DeepSpeed counts
consumed tokens. Other versions count consumed samples, and the sequence length is not in the log.
Energy is per iteration and GPU.
"""

from __future__ import annotations

import re

from icfast.logs.rows import Parsed, Row, lines, number, whole

_TRAIN = re.compile(r"\biteration\s+(\d+)\s*/\s*\d+\s*\|(.*)")
_EVALUATION = re.compile(r"\bvalidation loss at iteration (\d+).*?\|\s*lm loss value:\s*([^\s|]+)")


def matches(text: str) -> bool:
    """Return whether a text looks like this format."""
    return bool(_TRAIN.search(text) and "lm loss" in text)


def read(text: str) -> Parsed:
    """Return all rows of a log; a skipped iteration has no ``lm loss`` and leaves a gap."""
    train: list[Row] = []
    evaluations: list[Row] = []
    for line, content in lines(text):
        if found := _EVALUATION.search(content):
            loss = number(found[2], "lm loss value", line)
            evaluations.append(Row(line, whole(found[1], "iteration", line), loss))
        elif found := _TRAIN.search(content):
            fields = dict(_fields(found[2]))
            if "lm loss" in fields:
                train.append(_row(line, whole(found[1], "iteration", line), fields))
    return Parsed(tuple(train), tuple(evaluations), is_mean=True)


def _fields(text: str) -> list[tuple[str, str]]:
    pairs = (field.rpartition(":") for field in text.split("|") if ":" in field)
    return [(key.strip(), value.strip()) for key, _, value in pairs]


def _row(line: int, step: int, fields: dict[str, str]) -> Row:
    def optional(key: str) -> float | None:
        return number(fields[key], key, line) if key in fields else None

    samples, tokens = fields.get("consumed samples"), fields.get("consumed tokens")
    return Row(
        line,
        step,
        number(fields["lm loss"], "lm loss", line),
        tokens=None if tokens is None else whole(tokens, "consumed tokens", line),
        sequences=None if samples is None else whole(samples, "consumed samples", line),
        learning_rate=optional("learning rate"),
        joules_per_step_per_gpu=optional("energy per GPU (J/iter/GPU)"),
    )
