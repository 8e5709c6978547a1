"""Rows of one run, and of one set: choice among the runs of a table, and rows of evaluations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from icfast.columns import folded, named
from icfast.errors import OptionError
from icfast.logs import names as known
from icfast.logs.choose import Numbered

#: Value of ``--run`` that takes all rows as parts of one run, each resumed from the one before.
ALL = "all"

#: Number of runs that a message lists.
_LISTED = 8


def choose_run(
    rows: Numbered, names: Sequence[str], run: str | None
) -> tuple[Numbered, Sequence[str]]:
    """Return the rows and columns of the run that the user names.

    A run is named by a value of a column, by ``COLUMN=VALUE``, or by the part that the names of its
    columns share, such as ``a`` in ``a/loss`` and ``loss_a``.

    Raises:
        OptionError: there is no such run, or several columns have this value.
    """
    if run is None or run == ALL:
        return rows, names
    column, equals, value = run.partition("=")
    found = named(names, column) if equals else []
    if not found:
        value = run
        apart = [name for name in names if not known.has_role(name)]
        found = [name for name in apart if any(_text(row, name) == run for _, row in rows)]
        found = known.matching(found, known.RUN) or found
    if len(found) > 1:
        listed = ", ".join(f"{name}={value}" for name in found)
        raise OptionError(f"several columns have the value {value!r}. Choose one of --run {listed}")
    if found:
        kept = [(line, row) for line, row in rows if _text(row, found[0]) == value]
        if kept:
            return kept, names
    return _columns_of(rows, names, run)


def _columns_of(rows: Numbered, names: Sequence[str], run: str) -> tuple[Numbered, Sequence[str]]:
    """Return the rows with the run's name cut off the names of its columns."""
    ends = re.compile(rf"^{re.escape(run)}[\s_/:.-]+|[\s_/:.-]+{re.escape(run)}$")
    short = {name: ends.sub("", name) for name in names}
    if not any(name != cut for name, cut in short.items()):
        raise OptionError(
            f"there is no run {run!r}: no column has this value, and no name of a column begins or "
            f"ends with it; the columns are {', '.join(names)}"
        )
    own = {cut for name, cut in short.items() if name != cut}
    kept = {name: cut for name, cut in short.items() if name != cut or cut not in own}
    renamed = [(line, {kept[n]: v for n, v in row.items() if n in kept}) for line, row in rows]
    return renamed, list(kept.values())


@dataclass(frozen=True)
class Split:
    """Rows of training and of evaluation, told apart by a column of words."""

    train: Numbered
    evaluations: Numbered
    labels: tuple[str, ...] = ()


def split_rows(
    rows: Numbered, names: Sequence[str], loss: str | None, roles: frozenset[str]
) -> Split | None:
    """Return the rows by set if a column of words such as train and val parts them, else None.

    Raises:
        OptionError: some words of that column are unknown.
    """
    rows = [(line, row) for line, row in rows if loss is not None and _text(row, loss)]
    for name in names:
        words = {_text(row, name) for _, row in rows} if name not in roles else set()
        train = {word for word in words if known.TRAIN_WORD.fullmatch(folded(word))}
        held_out = {word for word in words if known.EVALUATION_WORD.fullmatch(folded(word))}
        others = words - train - held_out
        is_split = known.SPLIT.fullmatch(folded(name)) is not None
        if not held_out or (others and not is_split) or not (train or is_split):
            continue
        if others:
            raise OptionError(
                f"the column {name!r} parts the losses into {_listed(sorted(words))}. Which rows "
                "are of training? Choose them with --run"
            )
        validation = {word for word in held_out if "test" not in folded(word)} or held_out
        ignored = sorted(held_out - validation)
        told = f"evaluations are the rows of {name} {_listed(sorted(validation))}"
        return Split(
            [(line, row) for line, row in rows if _text(row, name) in train],
            [(line, row) for line, row in rows if _text(row, name) in validation],
            (told + (f", not of {_listed(ignored)}" if ignored else ""),),
        )
    return None


def require_one_run(
    rows: Numbered, names: Sequence[str], counter: str | None, roles: frozenset[str]
) -> None:
    """Raise if the rows are of several runs: a column changes where the step falls back.

    Args:
        rows: rows that have a loss.
        names: columns of the table.
        counter: column of the steps, or of the tokens in a log without steps.
        roles: columns whose meaning is known; these tell no runs apart.

    Raises:
        OptionError: the rows are of several runs.
    """
    counts = [_count(row, counter) for _, row in rows]
    falls = {i for i, (a, b) in enumerate(pairwise(counts), 1) if b <= a}
    if not falls:
        return
    found = [
        name for name in names if name not in roles and _tells_apart(rows, name, counts, falls)
    ]
    texts = [name for name in found if not all(_is_number(row.get(name)) for _, row in rows)]
    found = known.matching(found, known.RUN) or texts or found
    if not found:
        return
    name = found[0]
    column = f"{name}=" if known.has_role(name) else ""
    values = list(dict.fromkeys(column + _text(row, name) for _, row in rows))
    line = rows[min(falls)][0]
    raise OptionError(
        f"the table holds several runs: {counter or 'the step'} falls back at line {line}, where "
        f"the column {name!r} changes. Choose a run with --run: {_listed(values)}; or pass "
        f"--run {ALL} if they are parts of one run"
    )


def _tells_apart(rows: Numbered, name: str, counts: Sequence[float], falls: set[int]) -> bool:
    """Return whether a column changes only where the counter falls back, or its groups ascend."""
    values = [_text(row, name) for _, row in rows]
    changes = {i for i, (a, b) in enumerate(pairwise(values), 1) if a != b}
    is_name = known.RUN.fullmatch(folded(name)) is not None
    if not changes or (known.is_measured(name) and not is_name):
        return False
    if changes <= falls:
        return True
    last: dict[str, float] = {}
    for value, count in zip(values, counts, strict=True):
        if count <= last.get(value, -1.0):
            return False
        last[value] = count
    return len(last) <= len(values) // 2


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value).strip()


def _count(row: dict[str, Any], counter: str | None) -> float:
    text = _text(row, counter) if counter is not None else ""
    return float(text.replace(",", "")) if _is_number(text) else 0.0


def _is_number(value: Any) -> bool:
    try:
        float(str(value).replace(",", ""))
    except ValueError:
        return False
    return True


def _listed(values: Sequence[str]) -> str:
    more = len(values) - _LISTED
    listed = ", ".join(map(repr, values[:_LISTED]))
    return listed + (f" and {more} more" if more > 0 else "")
