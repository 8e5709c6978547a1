"""What others would use for the same job: one small module a peer, each optional.

Every module has a NAME and ``available()``, which says why the peer can't run here, or None.
Those that count n-grams have ``counters(ids, folder)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import ModuleType

from peers import (
    duckdb_groups,
    kenlm_package,
    kenlm_tools,
    numpy_sort,
    polars_groups,
    tokengrams_index,
    torch_losses,
    torch_unique,
)

#: All of them.
PEERS: tuple[ModuleType, ...] = (
    numpy_sort,
    polars_groups,
    duckdb_groups,
    torch_unique,
    torch_losses,
    tokengrams_index,
    kenlm_tools,
    kenlm_package,
)

#: Those that count the n-grams of one order.
COUNTING = (numpy_sort, polars_groups, duckdb_groups, torch_unique)


def present(peers: Iterable[ModuleType]) -> Iterator[ModuleType]:
    """The peers that can run here; of the others it is said aloud why not."""
    for peer in peers:
        reason = peer.available()
        if reason is None:
            yield peer
        else:
            print(f"\nwithout {peer.NAME}: {reason}")
