"""Score documents under the models of all orders 1..N in one pass, by position in the document.

Each document is cut at every doubling of positions, and each cut is scored like a document. The
preceding tokens that its histories need are scored with it. They are then scored once more alone,
and their losses are subtracted: both sums are the same integers, so the remainder is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import Alphabet, Chunk
from icfast.backends.models import ScoreOut
from icfast.corpus.chunks import check_ids
from icfast.corpus.documents import DocumentSet
from icfast.kneser_ney.chunks import ScoredChunk, chunks_of, empty_scores, symbols_of
from icfast.kneser_ney.model import NgramModel
from icfast.ngrams.alphabet import Symbols
from icfast.parallel.mapped_file import refuses_changes
from icfast.parallel.threads import Work
from icfast.sums.by_position import PositionRow
from icfast.sums.loss import LossSum

I64 = NDArray[np.int64]

#: Number of position bins. Bin b holds positions 2^(b-1) .. 2^b - 1, so 64 bins hold any document.
_BINS = 64


@dataclass(frozen=True)
class LadderLosses:
    """Losses of the same tokens under the models of orders 1..N.

    Attributes:
        total: one sum per order k.
        positions: for each order k, the same losses by position in the document: 0, 1, 2..3, 4..7,
            and so on.
    """

    total: tuple[LossSum, ...]
    positions: tuple[tuple[PositionRow, ...], ...]


class _Binned(NamedTuple):
    """Documents cut at doublings of positions, each cut scored like a document.

    starts, stops: i64[cuts]; bins: i64[cuts], position bins; ended: bool[cuts], whether the
    document's end mark follows; taken_off: bool[cuts], whether the losses are subtracted.
    """

    starts: I64
    stops: I64
    bins: I64
    ended: NDArray[np.bool_]
    taken_off: NDArray[np.bool_]


@refuses_changes
def score_ladder(documents: DocumentSet, model: NgramModel, work: Work) -> LadderLosses:
    """Return the losses of the documents under the order-k model, for each k = 1..N.

    Raises:
        MergeError: the corpus and the model have different tokenizers or vocabularies.
        CorpusError: an id is outside the model's vocabulary (convention tokens).
    """
    symbols = symbols_of(documents.corpus, model)
    alphabet = symbols.alphabet._replace(order=model.order)
    sums = _Sums(model.order)

    def score(scored: ScoredChunk) -> list[tuple[_Binned, ScoreOut]]:
        whole = _binned(scored, model.order, documents.end_mark)
        return [
            (binned, _score(binned, scored, symbols, alphabet, model, work))
            for binned in _by_end(whole, documents.end_mark)
        ]

    chunks = list(chunks_of(documents))
    done, total = 0, sum(chunk.windows for chunk in chunks)
    with work.pool() as pool:
        for chunk, losses in zip(chunks, pool.map(score, chunks), strict=True):
            for binned, out in losses:
                sums.add(binned, out)
            done += chunk.windows
            work.progress("scoring", done, total)
    return sums.losses(documents)


def _binned(scored: ScoredChunk, order: int, end_mark: bool) -> _Binned:
    """Cut each document at its position bins; add the tokens before each cut, to be subtracted."""
    starts, stops = scored.chunk.starts, scored.chunk.stops
    sizes = stops - starts + int(end_mark)
    found = []
    for number, (low, high) in enumerate(_edges(int(sizes.max(initial=0)))):
        long = sizes > low
        first, last = starts[long], np.minimum(starts[long] + high, stops[long])
        begin = first + max(low - (order - 1), 0)
        ended = sizes[long] <= high
        found.append(_of_bin(begin, last, number, ended, taken_off=False))
        if low and order > 1:
            before = _of_bin(begin, first + low, number, np.zeros_like(ended), taken_off=True)
            found.append(before)
    if not found:
        return _of_bin(starts[:0], stops[:0], 0, np.zeros(0, np.bool_), taken_off=False)
    return _Binned(
        np.concatenate([binned.starts for binned in found]),
        np.concatenate([binned.stops for binned in found]),
        np.concatenate([binned.bins for binned in found]),
        np.concatenate([binned.ended for binned in found]),
        np.concatenate([binned.taken_off for binned in found]),
    )


def _of_bin(
    starts: I64, stops: I64, number: int, ended: NDArray[np.bool_], *, taken_off: bool
) -> _Binned:
    size = len(starts)
    return _Binned(starts, stops, np.full(size, number), ended, np.full(size, taken_off))


def _edges(size: int) -> Iterator[tuple[int, int]]:
    """Yield the bins [0, 1), [1, 2), [2, 4), ... that a document of this size reaches."""
    low = 0
    while low < size:
        high = max(1, 2 * low)
        yield low, high
        low = high


def _by_end(binned: _Binned, end_mark: bool) -> Iterator[_Binned]:
    """Separate cuts by whether an end mark follows: a kernel adds it to all documents or none."""
    if not end_mark:
        yield binned
        return
    for chosen in (binned.ended, ~binned.ended):
        if chosen.any():
            starts, stops, bins, ended, taken_off = binned
            yield _Binned(
                starts[chosen], stops[chosen], bins[chosen], ended[chosen], taken_off[chosen]
            )


def _score(
    binned: _Binned,
    scored: ScoredChunk,
    symbols: Symbols,
    alphabet: Alphabet,
    model: NgramModel,
    work: Work,
) -> ScoreOut:
    out = empty_scores(len(binned.starts), model.order)
    if not len(binned.starts):
        return out
    if not binned.ended.all():
        alphabet = alphabet._replace(end_rank=0)
    begin, end = int(binned.starts.min()), int(binned.stops.max())
    chunk = Chunk(scored.shard.tokens, binned.starts, binned.stops, begin, end)
    status = work.backend.kernels.score_ngrams(
        symbols.view(chunk), alphabet, model.trie, model.discount_table, model.uniform, out
    )
    check_ids(status, scored.shard, symbols.vocab_size)
    return out


class _Sums:
    """Sums of losses and counts by bin and order, in integers of any size."""

    def __init__(self, order: int) -> None:
        self._quanta = [[0] * order for _ in range(_BINS)]
        self._infinite = np.zeros((_BINS, order), np.int64)
        self._predicted, self._oov = np.zeros((2, _BINS), np.int64)

    def add(self, binned: _Binned, out: ScoreOut) -> None:
        """Add the losses of these cuts, or subtract them where they are marked."""
        if not len(binned.bins):
            return
        # Consecutive cuts of one bin and sign are added in 32-bit halves, which cannot overflow.
        kind = 2 * binned.bins + binned.taken_off
        firsts = np.flatnonzero(np.diff(kind, prepend=-1))
        low = np.add.reduceat(out.low & np.uint64(0xFFFFFFFF), firsts)
        middle = np.add.reduceat(out.low >> np.uint64(32), firsts)
        high = np.add.reduceat(out.high, firsts)
        for row, first in enumerate(firsts.tolist()):
            number, sign = int(binned.bins[first]), -1 if binned.taken_off[first] else 1
            words = zip(low[row].tolist(), middle[row].tolist(), high[row].tolist(), strict=True)
            for k, (one, two, three) in enumerate(words):
                self._quanta[number][k] += sign * (one + (two << 32) + (three << 64))
        signs = np.where(binned.taken_off, -1, 1)
        np.add.at(self._infinite, binned.bins, signs[:, None] * out.infinite.astype(np.int64))
        np.add.at(self._predicted, binned.bins, signs * out.predicted.astype(np.int64))
        np.add.at(self._oov, binned.bins, signs * out.oov.astype(np.int64))

    def losses(self, documents: DocumentSet) -> LadderLosses:
        """Return the sums of all documents."""
        used = np.flatnonzero(self._predicted).tolist()
        positions = tuple(
            tuple(PositionRow(*_range(b), self._sum(b, k)) for b in used)
            for k in range(self._infinite.shape[1])
        )
        return LadderLosses(
            tuple(_total([row.loss for row in rows], documents) for rows in positions), positions
        )

    def _sum(self, number: int, k: int) -> LossSum:
        return LossSum(
            quanta=self._quanta[number][k],
            predicted_tokens=int(self._predicted[number]),
            oov=int(self._oov[number]),
            infinite=int(self._infinite[number, k]),
            documents=0,
        )


def _range(number: int) -> tuple[int, int]:
    """Return the first and the last position of a bin."""
    return (0, 0) if number == 0 else (1 << (number - 1), (1 << number) - 1)


def _total(losses: list[LossSum], documents: DocumentSet) -> LossSum:
    return LossSum(
        quanta=sum(loss.quanta for loss in losses),
        predicted_tokens=sum(loss.predicted_tokens for loss in losses),
        oov=sum(loss.oov for loss in losses),
        infinite=sum(loss.infinite for loss in losses),
        documents=len(documents),
        text_bytes=documents.text_bytes,
    )
