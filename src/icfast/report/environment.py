"""Templates of the pages, with what writes their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from icfast.errors import needs_extra
from icfast.report import numbers
from icfast.units import format_bytes

if TYPE_CHECKING:
    from jinja2 import Environment

#: Functions of `numbers` that templates use as filters.
_FILTERS = (
    "bits",
    "constant",
    "count",
    "coverage",
    "initial_loss",
    "interval",
    "joules",
    "kelvin",
    "per_token",
    "percent",
    "raised_flags",
    "ratio",
    "renyi_order",
    "repeated_share",
    "seconds",
    "spent",
)


def environment() -> Environment:
    """Templates that escape everything a file or tokenizer may be called.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    with needs_extra("report", "an HTML report"):
        from jinja2 import Environment, PackageLoader, StrictUndefined
    made = Environment(
        loader=PackageLoader("icfast.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update({name: getattr(numbers, name) for name in _FILTERS})
    made.filters["file_size"] = format_bytes
    return made
