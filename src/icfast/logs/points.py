"""Tables of finished runs for scaling fits: parameters, tokens and final loss of each run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from icfast.errors import IcfastError, LogError, OptionError
from icfast.files import read_regular
from icfast.logs import names as known
from icfast.logs.choose import Table
from icfast.logs.log import Floats
from icfast.logs.rows import FieldReader
from icfast.logs.table import table_rows

#: Maximum size of a table of runs.
_MOST_BYTES = 1 << 30

_PARAMS = re.compile(
    r"(?:n|num(?:ber)?(?:of)?|total|model)?(?:nonembedding|nonemb|active)?(?:params?|parameters?)"
    r"(?:count|total|nonembedding|nonemb|active)?|n|modelsize"
)
_TOKENS = re.compile(rf"{known.TOKENS.pattern}|(?:training|dataset)tokens|d|datasetsize")
_LOSS = re.compile(
    rf"(?:final|last|min|best)?(?:{known.TRAIN.pattern}|{known.EVALUATION.pattern})(?:final)?|l"
)


@dataclass(frozen=True)
class ScalingColumns:
    """Columns of a table of runs; the keywords of `read_scaling_points`.

    The metadata of each field holds the help text that the command line shows.

    Attributes:
        params_column: column of the parameters P; None looks for the usual names.
        tokens_column: column of the training tokens D.
        loss_column: column of the final loss L, in nats per token.
    """

    params_column: str | None = field(
        default=None,
        metadata={"metavar": "NAME", "help": "Column of the parameters P."},
    )
    tokens_column: str | None = field(
        default=None,
        metadata={"metavar": "NAME", "help": "Column of the training tokens D."},
    )
    loss_column: str | None = field(
        default=None,
        metadata={"metavar": "NAME", "help": "Column of the final loss L, in nats per token."},
    )


@dataclass(frozen=True)
class ScalingPoints:
    """One run per row: P, D and final loss in nats per token; f64[runs] each."""

    params: Floats
    tokens: Floats
    loss_nats: Floats


def read_scaling_points(
    path: str | Path, columns: ScalingColumns | None = None, **fields: Any
) -> ScalingPoints:
    """Read a CSV or JSON table with params, tokens and loss (or N, D, L), losses in nats per token.

    Args:
        path: the table, one run per row.
        columns: columns with other names; see `ScalingColumns`.
        **fields: fields of `ScalingColumns`, given by keyword; they override those of columns.

    Raises:
        LogError: a column is missing, a field is not a finite number (with its line), or there are
            no rows.
        OptionError: several columns could be meant, or the column named does not exist.
    """
    given = replace(columns or ScalingColumns(), **fields)
    path = Path(path)
    try:
        text = read_regular(path, LogError, _MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"cannot read {path}: {error}") from error
    try:
        return _points(text, given)
    except IcfastError as error:
        raise type(error)(f"{path}: {error}") from error


def _points(text: str, given: ScalingColumns) -> ScalingPoints:
    rows, names = table_rows(text)
    table = Table.of(rows, names)
    roles = (
        ("parameters", _PARAMS, given.params_column, "--params-column"),
        ("tokens", _TOKENS, given.tokens_column, "--tokens-column"),
        ("final loss", _LOSS, given.loss_column, "--loss-column"),
    )
    chosen = [table.one(*role) for role in roles]
    missing = [role for role, name in zip(roles, chosen, strict=True) if name is None]
    if missing or not rows:
        options = ", ".join(option for _, _, _, option in missing)
        raise LogError(
            "expected a table with columns params, tokens and loss (or N, D, L) and at least one "
            f"row, found {len(rows)} rows with the columns {', '.join(names) or '(none)'}"
            + (f". Name a column with {options}" if missing else "")
        )
    if known.is_not_in_nats(str(chosen[2])):
        raise OptionError(f"the column {chosen[2]!r} is by its name not in nats per token")
    found = [[FieldReader(line, row).number(str(name)) for name in chosen] for line, row in rows]
    return ScalingPoints(*np.array(found, np.float64).T)
