"""Names of columns, compared without case, blanks and punctuation."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SEPARATORS = re.compile(r"[\W_]+")

#: Characters that separate the columns of a table.
DELIMITERS = (",", "\t", ";")


def folded(name: str) -> str:
    """Return a name without case, blanks and punctuation.

    >>> folded("lm loss"), folded(" LM-Loss "), folded("train/loss")
    ('lmloss', 'lmloss', 'trainloss')
    """
    return _SEPARATORS.sub("", name).casefold()


def delimiter(header: str) -> str:
    """Return the character that separates the columns of a header: the most frequent one.

    >>> delimiter("step;loss;lr"), delimiter("step,loss")
    (';', ',')
    """
    return max(DELIMITERS, key=header.count)


def named(names: Sequence[str], wanted: str) -> list[str]:
    """Return the names that are equal to the wanted one, or, without any, those that fold to it.

    >>> named(["Loss ", "loss", "lr"], "loss"), named(["Loss", "lr"], "loss")
    (['loss'], ['Loss'])
    """
    exact = [name for name in names if name == wanted]
    return exact or [name for name in names if folded(name) == folded(wanted)]
