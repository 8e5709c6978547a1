"""Tables of finished runs for scaling fits: CSV with parameters, tokens and final loss."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from icfast.errors import LogError
from icfast.files import read_regular
from icfast.logs.log import Floats
from icfast.logs.names import column
from icfast.logs.rows import FieldReader
from icfast.logs.table import csv_rows

#: Maximum size of a table of runs.
_MOST_BYTES = 1 << 30

_PARAMS = ("params", "parameters", "n", "n_params", "model size", "model_size")
_TOKENS = ("tokens", "d", "training tokens", "training_tokens", "n_tokens")
_LOSS = ("loss", "loss_nats", "l", "final_loss", "loss_nats_per_token")


@dataclass(frozen=True)
class ScalingPoints:
    """One run per row: P, D and final loss in nats per token; f64[runs] each."""

    params: Floats
    tokens: Floats
    loss_nats: Floats


def read_scaling_points(path: str | Path) -> ScalingPoints:
    """Read a CSV with columns params, tokens and loss (or N, D, L), losses in nats per token.

    Raises:
        LogError: a column is missing, a field is not a finite number (with its line), or there are
            no rows.
    """
    path = Path(path)
    try:
        text = read_regular(path, LogError, _MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"cannot read {path}: {error}") from error
    try:
        rows, names = csv_rows(text)
        known = [column(names, words) for words in (_PARAMS, _TOKENS, _LOSS)]
        if None in known or not rows:
            raise LogError(
                "expected a CSV with columns params, tokens and loss (or N, D, L) and at least one "
                f"row, found {len(rows)} rows with the columns {', '.join(names) or '(none)'}"
            )
        found = [[FieldReader(line, row).number(str(name)) for name in known] for line, row in rows]
    except LogError as error:
        raise LogError(f"{path}: {error}") from error
    return ScalingPoints(*np.array(found, np.float64).T)
