"""DuckDB: group by packed keys, which it is given; then again with little memory."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peers.counter import Counter, Counts, Ids, four_gram_keys, missing_package

NAME = "duckdb"
_MEMORY = "200MB"
_SPECTRUM = """
    SELECT n, count(*) AS types
    FROM (SELECT count(*) AS n FROM keys GROUP BY column0) GROUP BY n
"""


def available() -> str | None:
    return missing_package("duckdb")


def counters(ids: Ids, folder: Path) -> list[Counter]:
    keys = four_gram_keys(ids)
    limit = {"memory_limit": _MEMORY}
    return [
        Counter("duckdb 4-gram: group by; keys given", partial(_spectrum, keys, folder, {})),
        Counter(
            f"duckdb 4-gram: group by, memory_limit {_MEMORY}; keys given",
            partial(_spectrum, keys, folder, limit),
        ),
    ]


def _spectrum(keys: NDArray[np.uint64], folder: Path, settings: dict[str, str]) -> Counts:
    import duckdb

    config = {"temp_directory": str(folder), "preserve_insertion_order": "false", **settings}
    with duckdb.connect(config=config) as connection:
        connection.register("keys", {"column0": keys})
        found = connection.execute(_SPECTRUM).fetchnumpy()
    return dict(zip(found["n"].tolist(), found["types"].tolist(), strict=True))
