"""Templates of the pages, with the filters that format their numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from icfast import units
from icfast.errors import needs_extra
from icfast.report import phrases

if TYPE_CHECKING:
    from jinja2 import Environment


def _items(record: Any) -> list[tuple[str, Any]]:
    """Return the names and values of a record."""
    return [(described.name, getattr(record, described.name)) for described in fields(record)]


def _finished(value: Any) -> Any:
    """Return the value of an expression, without control characters unless it is markup."""
    return units.printable(value) if type(value) is str else value


_FILTERS: dict[str, Callable[..., Any]] = {
    "bits": units.format_bits,
    "constant": phrases.constant,
    "count": units.format_count,
    "coverage": units.format_coverage,
    "facts_of": _items,
    "file_size": units.format_bytes,
    "initial_loss": phrases.initial_loss,
    "interval": phrases.interval,
    "joules": units.format_joules,
    "kelvin": units.format_kelvin,
    "per_token": units.format_fixed,
    "perplexity": units.format_perplexity,
    "percent": units.format_percent,
    "raised_flags": phrases.raised_flags,
    "ratio": units.format_ratio,
    "renyi_order": phrases.renyi_order,
    "repeated_share": phrases.repeated_share,
    "seconds": units.format_seconds,
    "spent": phrases.spent,
}


def environment() -> Environment:
    """Return the templates; they escape every name that comes from a file or a tokenizer.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    with needs_extra("report", "an HTML report"):
        from jinja2 import Environment, PackageLoader, StrictUndefined
    made = Environment(
        loader=PackageLoader("icfast.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finished,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(_FILTERS)
    return made
