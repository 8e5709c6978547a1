"""torch: unique with counts of packed keys, which it is given, on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from peers.counter import Counter, Counts, Ids, four_gram_keys, missing_package

NAME = "torch"


def available() -> str | None:
    return missing_package("torch")


def counters(ids: Ids, folder: Path) -> list[Counter]:
    import torch

    # It has no unsigned sort; equal keys stay equal.
    keys = torch.from_numpy(four_gram_keys(ids).view(np.int64))

    def run() -> Counts:
        return torch.unique(keys, return_counts=True)[1].numpy()

    return [Counter("torch.unique 4-gram; keys given", run)]
