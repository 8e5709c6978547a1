"""Build a model file from a count table.

The first pass appends all n-grams to a trie. The second pass adds the successor counts of each
context. Only contexts that are not followed exactly once get a row for them (see models.hpp): in
natural text that is about a third.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.contract import Kernels
from icfast.backends.models import CONTEXT_FIELDS, Bigrams, ContextScratch, Trie
from icfast.errors import ArtefactError, check
from icfast.kneser_ney.contexts import ForEach, for_each_range
from icfast.kneser_ney.discounts import order_discounts
from icfast.kneser_ney.model import describe
from icfast.kneser_ney.model_file import ModelFileWriter, scratch
from icfast.ngrams.table import CountTable
from icfast.parallel.mapped_file import refuses_changes
from icfast.sums.spectrum import Spectra


@refuses_changes
def build_model(table: CountTable, path: Path, kernels: Kernels, for_each: ForEach) -> None:
    """Write the Kneser-Ney model of a table to `path`.

    Raises:
        ArtefactError: the table is damaged.
        ResourceError: the disk is too full for the model.
    """
    spectra = table.spectra()
    levels = _levels(table, spectra)
    contexts = int(levels[-2])
    largest = max(int(levels[-1]), table.totals.tokens)
    word = np.uint32 if largest < 2**32 else np.uint64
    layout: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
        "ids": (np.uint32, (len(table.ids),)),
        "levels": (np.int64, (table.order + 1,)),
        "symbols": (np.uint32, (int(levels[-1]),)),
        "counts": (word, (int(levels[-1]),)),
        "child": (word, (contexts + 1,)),
        "marks": (np.uint64, (-(-contexts // 64), 2)),
        "contexts": (word, (1 + _rows(spectra, contexts), len(CONTEXT_FIELDS))),
    }
    writer = ModelFileWriter(path, layout)
    arrays = writer.arrays
    arrays["ids"][:] = table.ids
    arrays["levels"][:] = levels
    trie = Trie(*(arrays[name] for name in Trie._fields))
    followed = scratch(path.parent, word, contexts)
    _grow(table, trie, followed, kernels)
    _mark(table, trie, followed, kernels)
    _link_root(trie, table.totals.tokens)

    def link(bigrams: Bigrams, low: int, high: int, scratch: ContextScratch) -> None:
        check(kernels.link_contexts(trie, bigrams, low, high, scratch), table.directory)

    for_each_range(trie, link, for_each)
    found = tuple(order_discounts(spectra, n) for n in range(1, table.order + 1))
    totals = table.totals
    writer.finish(describe(table.source, totals.tokens, totals.documents, found))


def _levels(table: CountTable, spectra: Spectra) -> NDArray[np.int64]:
    """Return i64[N + 1]: levels[n] is the number of n-grams of orders 1..n.

    Order 1 is indexed by rank, so it includes the begin mark.
    """
    ranks = len(table.ids) + 1 + int(table.end_mark)
    longer = range(2, table.order + 1)
    sizes = [ranks, *(spectra[n].distinct + spectra.starting[n - 1].distinct for n in longer)]
    if spectra[1].distinct != ranks - 1:
        raise ArtefactError(
            f"{table.directory} is damaged: it lists {ranks - 1} symbols and its spectra count "
            f"{spectra[1].distinct}. Count the corpus again."
        )
    return np.append(0, np.cumsum(sizes)).astype(np.int64)


def _rows(spectra: Spectra, contexts: int) -> int:
    """Return the number of contexts that are not followed exactly once."""
    kinds = (*spectra.followed[:-1], *spectra.starting_followed[:-1])
    return contexts - sum(spectrum.seen(1) for spectrum in kinds)


def _grow(table: CountTable, trie: Trie, followed: NDArray[Any], kernels: Kernels) -> None:
    shape, ends = table.shape, table.ends()
    path = np.zeros(2 + shape.words, np.uint64)
    cursors = trie.levels[:-1].copy()
    cursors[0] = 1
    if shape.order > 1:
        # The begin mark has no left neighbour, and every document follows it once.
        trie.child[0] = trie.levels[1]
        followed[0] = table.totals.documents
    for run in table.runs():
        status = kernels.grow_trie(run, ends, shape.bits, path, cursors, trie, followed)
        check(status, table.directory)
    if not np.array_equal(cursors, trie.levels[1:]):
        raise _other_ngrams(table)
    trie.child[-1] = trie.levels[-1]
    # Every token except the first of each document follows another token.
    tokens = int(followed[1 : int(trie.levels[1])].sum(dtype=np.uint64))
    if shape.order > 1 and (
        np.any(followed[1:] > trie.counts[1 : len(followed)])
        or tokens != table.totals.tokens - table.totals.documents
    ):
        raise ArtefactError(
            f"{table.directory} is damaged: the windows that end its documents do not match its "
            "n-grams. Count the corpus again."
        )


def _other_ngrams(table: CountTable) -> ArtefactError:
    return ArtefactError(
        f"{table.directory} is damaged: its n-grams do not match its spectra. "
        "Count the corpus again."
    )


def _mark(table: CountTable, trie: Trie, followed: NDArray[Any], kernels: Kernels) -> None:
    check(kernels.mark_contexts(trie, followed), table.directory)
    found = sum(int(bits).bit_count() + int(before) for bits, before in trie.marks[-1:])
    if found != len(trie.contexts) - 1:
        raise _other_ngrams(table)


def _link_root(trie: Trie, tokens: int) -> None:
    """Fill the row of the empty context, which every symbol but the begin mark follows."""
    symbols = slice(1, int(trie.levels[1]))
    counts = trie.counts[symbols]
    row = [tokens, len(counts), np.sum(counts == 1), np.sum(counts == 2)]
    if len(trie.levels) > 2:
        adjusted = np.diff(trie.child[: int(trie.levels[1]) + 1])[symbols]
        row += [adjusted.sum(dtype=np.uint64), np.sum(adjusted == 1), np.sum(adjusted == 2)]
    trie.contexts[0, : len(row)] = row
