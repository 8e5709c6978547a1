"""HTML for notebooks: the tables that `_repr_html_` of a result returns.

Cells are text. `icfast.units` formats their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

_NUMBER = ' style="text-align:right"'
_NAME = ' style="text-align:left"'
_CAPTION = ' style="text-align:left;font-weight:bold"'


def facts_html(title: str, facts: Mapping[str, str]) -> str:
    """Return an HTML table of names and values.

    >>> facts_html("Sum", {"tokens": "1,024"})  # doctest: +ELLIPSIS
    '<table><caption ...>Sum</caption><tbody><tr><th ...>tokens</th><td ...>1,024</td></tr>...'
    """
    return table_html(title, (), facts.items())


def table_html(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table whose first column names the row.

    Args:
        title: caption of the table.
        columns: heading of each column; none for a table without headings.
        rows: cells as text, one per column.
    """
    head = "".join(_cell("th", text, at) for at, text in enumerate(columns))
    body = "".join(f"<tr>{_row(row)}</tr>" for row in rows)
    return (
        f"<table><caption{_CAPTION}>{escape(title)}</caption>"
        + (f"<thead><tr>{head}</tr></thead>" if columns else "")
        + f"<tbody>{body}</tbody></table>"
    )


def _row(cells: Sequence[str]) -> str:
    return "".join(_cell("td" if at else "th", text, at) for at, text in enumerate(cells))


def _cell(tag: str, text: str, column: int) -> str:
    return f"<{tag}{_NUMBER if column else _NAME}>{escape(text)}</{tag}>"
