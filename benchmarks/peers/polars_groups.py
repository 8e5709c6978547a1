"""polars: streaming group-by of packed keys, which it is given."""

from __future__ import annotations

from pathlib import Path

from peers.counter import Counter, Counts, Ids, four_gram_keys, missing_package

NAME = "polars"


def available() -> str | None:
    return missing_package("polars")


def counters(ids: Ids, folder: Path) -> list[Counter]:
    import polars

    frame = polars.DataFrame({"key": four_gram_keys(ids)})

    def run() -> Counts:
        groups = frame.lazy().group_by("key").len().collect(engine="streaming")
        return groups["len"].to_numpy()

    return [Counter("polars 4-gram: streaming group-by; keys given", run)]
