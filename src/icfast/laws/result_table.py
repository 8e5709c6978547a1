"""HTML tables of results for notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from icfast.laws.bootstrap import Interval
from icfast.notebook import facts_html
from icfast.units import DASH, format_bits, format_count, format_joules, format_ratio


class ResultTable:
    """Mixin of result dataclasses: notebooks show their values as a table.

    Values in bits and joules carry their unit, and names of fields carry the others. Nested
    results and points of curves are not shown.
    """

    def _repr_html_(self) -> str:
        return facts_html(type(self).__name__, dict(_rows(self)))


def _rows(result: Any) -> Iterator[tuple[str, str]]:
    for field in fields(result):
        value = getattr(result, field.name)
        parts = value if isinstance(value, dict) else {"": value}
        for key, part in parts.items():
            text = _text(field.name, part)
            if text is not None:
                yield f"{field.name}: {key}" if key else field.name, text


def _text(name: str, value: Any) -> str | None:
    """Return a value as text, None for nested results and curves."""
    if value is None:
        return DASH
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return format_count(value)
    if isinstance(value, float):
        return _number(name, value)
    if isinstance(value, Interval):
        low, high = _number(name, value.low), _number(name, value.high)
        return f"{_number(name, value.estimate)} [{low}, {high}]"
    if isinstance(value, tuple) and all(isinstance(part, str) for part in value):
        return "; ".join(value) or DASH
    return None


def _number(name: str, value: float) -> str:
    if name == "bits" or name.startswith("bits_saved") or name.endswith("_bits"):
        return format_bits(value)
    return format_joules(value) if name.endswith("_joules") else format_ratio(value)
