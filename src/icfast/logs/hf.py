"""Logs of transformers: ``log_history`` in trainer_state.json.

``loss`` is the mean since the row before. ``train_loss`` in the last row is the mean of the whole
run and is ignored.
"""

from __future__ import annotations

import json
from typing import Any

from icfast.errors import LogError
from icfast.logs.rows import FieldReader, Parsed, Row


def matches(text: str) -> bool:
    """Return whether a text looks like this format."""
    return text.lstrip().startswith("{") and '"log_history"' in text


def read(text: str) -> Parsed:
    """Return all rows of a log; the position in `log_history`, from 1, serves as line number.

    Raises:
        LogError: the text is not JSON, or `log_history` is not a list of objects.
    """
    try:
        history = json.loads(text)["log_history"]
    except json.JSONDecodeError as error:
        raise LogError(f"line {error.lineno}: invalid JSON: {error.msg}") from None
    if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
        raise LogError("log_history must be a list of objects; is this a trainer_state.json?")
    train: list[Row] = []
    evaluations: list[Row] = []
    for index, fields in enumerate(history, 1):
        if "loss" in fields:
            train.append(_row(index, fields, "loss"))
        elif "eval_loss" in fields:
            evaluations.append(_row(index, fields, "eval_loss"))
    return Parsed(tuple(train), tuple(evaluations), is_mean=True)


def _row(index: int, fields: dict[str, Any], loss: str) -> Row:
    reader = FieldReader(index, fields)
    return Row(
        index,
        reader.whole("step"),
        reader.number(loss),
        tokens=reader.optional_whole("num_input_tokens_seen"),
        learning_rate=reader.optional_number("learning_rate"),
        epoch=reader.optional_number("epoch"),
    )
