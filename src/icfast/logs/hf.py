"""Logs of transformers: ``log_history`` in trainer_state.json.

``loss`` is the mean since the row before.
"""

from __future__ import annotations

import json
from dataclasses import replace

from icfast.errors import LogError
from icfast.logs.options import LogOptions
from icfast.logs.rows import Parsed
from icfast.logs.table import read_rows


def matches(text: str) -> bool:
    """Return whether a text looks like this format."""
    return text.lstrip().startswith("{") and '"log_history"' in text


def read(text: str, options: LogOptions) -> Parsed:
    """Return all rows of a log; the position in `log_history`, from 1, serves as line number.

    Raises:
        LogError: the text is not JSON, or `log_history` is not a list of objects.
        OptionError: a column does not exist, or several could be meant.
    """
    try:
        state = json.loads(text)
    except json.JSONDecodeError as error:
        raise LogError(f"line {error.lineno}: invalid JSON: {error.msg}") from None
    except RecursionError:
        raise LogError("the JSON is nested too deeply; is this a trainer_state.json?") from None
    history = state.get("log_history") if isinstance(state, dict) else None
    if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
        raise LogError("log_history must be a list of objects; is this a trainer_state.json?")
    if not history:
        return Parsed(())
    parsed = read_rows(list(enumerate(history, 1)), options)
    return replace(parsed, is_mean=True, counts_from_zero=False, has_epochs_completed=True)
