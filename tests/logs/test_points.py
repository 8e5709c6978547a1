"""Tables of runs for scaling fits: names of columns, and options that name them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from icfast.errors import LogError, OptionError
from icfast.logs import ScalingColumns, read_scaling_points

ROWS = [(1e8, 1e9, 3.5), (1e9, 1e10, 2.5)]


def points(folder: Path, columns: str, rows: list[tuple] = ROWS, **options: str) -> list[list]:
    path = folder / "runs.csv"
    path.write_text("\n".join([columns, *(",".join(map(str, row)) for row in rows)]) + "\n")
    found = read_scaling_points(path, **options)
    return [found.params.tolist(), found.tokens.tolist(), found.loss_nats.tolist()]


EXPECTED = [list(column) for column in zip(*ROWS, strict=True)]


@pytest.mark.parametrize(
    "columns",
    [
        "N,D,L",
        "params,tokens,loss",
        " Num Params , Training-Tokens ,Final Loss",
        "model_size,n_tokens,val_loss",
        "n_parameters,tokens_seen,loss_nats_per_token",
        "Non-embedding parameters,total_tokens,eval/loss",
    ],
)
def test_usual_names(tmp_path: Path, columns: str) -> None:
    assert points(tmp_path, columns) == EXPECTED


def test_any_names(tmp_path: Path) -> None:
    options = {"params_column": "size", "tokens_column": "data", "loss_column": "y"}
    assert points(tmp_path, "size,data,y", **options) == EXPECTED
    path = tmp_path / "runs.csv"
    assert read_scaling_points(path, ScalingColumns(**options)).params.tolist() == EXPECTED[0]
    with pytest.raises(LogError, match="Name a column with --params-column, --loss-column"):
        points(tmp_path, "size,tokens,y")
    with pytest.raises(OptionError, match="there is no column 'z'; found size, data, y"):
        points(tmp_path, "size,data,y", **{**options, "loss_column": "z"})


def test_two_readings_are_asked_for(tmp_path: Path) -> None:
    rows = [(*row, 0.9 * row[0], row[2] + 0.1) for row in ROWS]
    with pytest.raises(OptionError, match=r"hold the parameters: 'params', 'params_nonembedding'"):
        points(tmp_path, "params,tokens,loss,params_nonembedding,x", rows)
    with pytest.raises(OptionError, match=r"the final loss: 'loss', 'val_loss'.*--loss-column"):
        points(tmp_path, "params,tokens,loss,x,val_loss", rows)
    chosen = points(tmp_path, "params,tokens,loss,x,val_loss", rows, loss_column="loss")
    assert chosen == EXPECTED
    with pytest.raises(OptionError, match="not in nats"):
        points(tmp_path, "params,tokens,bits", loss_column="bits")


def test_other_formats(tmp_path: Path) -> None:
    path = tmp_path / "runs"
    path.write_text("\n".join(json.dumps(dict(zip("NDL", row, strict=True))) for row in ROWS))
    assert read_scaling_points(path).tokens.tolist() == EXPECTED[1]
    path.write_text("N\tD\tL\n1e8\t1e9\t3.5\n")
    assert read_scaling_points(path).loss_nats.tolist() == [3.5]
