"""Losses of the order-k models of every k, by position in the document, from one walk.

A document is scored in spans, one for each doubling of positions. The tokens before a span that its
histories need are scored with it and once more alone, and their losses taken off again; both times
they are the same whole numbers, so that what is left is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import Alphabet, Piece
from icfast.backends.models import ScoreOut
from icfast.corpus.documents import DocumentSet, check_ids
from icfast.kneser_ney.chunks import Chunk, chunks_of, room_for, symbols_of
from icfast.kneser_ney.model import NgramModel
from icfast.ngrams.alphabet import Symbols
from icfast.parallel.threads import Work
from icfast.sums.by_position import PositionRow
from icfast.sums.loss import LossSum

I64 = NDArray[np.int64]

#: Positions doubled so often are beyond every document.
_BINS = 64


@dataclass(frozen=True)
class LadderLosses:
    """Losses of the same tokens under the models of orders 1..N.

    Attributes:
        total: per order k.
        positions: per order k, the same losses by position in the document: 0, 1, 2..3, 4..7, ...
    """

    total: tuple[LossSum, ...]
    positions: tuple[tuple[PositionRow, ...], ...]


class _Spans(NamedTuple):
    """What is scored as if it were documents.

    starts, stops: i64[spans]; bins: i64[spans], of positions; ended: bool[spans], whether the
    document's end mark follows, where there are such; taken_off: bool[spans], whether the losses
    are to be subtracted.
    """

    starts: I64
    stops: I64
    bins: I64
    ended: NDArray[np.bool_]
    taken_off: NDArray[np.bool_]


def score_ladder(documents: DocumentSet, model: NgramModel, work: Work) -> LadderLosses:
    """Losses of the chosen documents under the order-k model, for each k = 1..N."""
    symbols = symbols_of(documents.corpus, model)
    alphabet = symbols.alphabet._replace(order=model.order)
    sums = _Sums(model.order)

    def score(chunk: Chunk) -> list[tuple[_Spans, ScoreOut]]:
        spans = _spans(chunk, model.order, documents.end_mark)
        return [
            (part, _score(part, chunk, symbols, alphabet, model, work))
            for part in _by_end(spans, documents.end_mark)
        ]

    chunks = list(chunks_of(documents))
    with work.pool() as pool:
        for done, scored in enumerate(pool.map(score, chunks), start=1):
            for part, out in scored:
                sums.add(part, out)
            work.progress("scoring", done / len(chunks))
    return sums.losses(documents)


def _spans(chunk: Chunk, order: int, end_mark: bool) -> _Spans:
    """Every document's doublings of positions, and what stands before each."""
    starts = chunk.part.starts[chunk.first : chunk.last]
    stops = chunk.part.stops[chunk.first : chunk.last]
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
    return _Spans(
        np.concatenate([spans.starts for spans in found]),
        np.concatenate([spans.stops for spans in found]),
        np.concatenate([spans.bins for spans in found]),
        np.concatenate([spans.ended for spans in found]),
        np.concatenate([spans.taken_off for spans in found]),
    )


def _of_bin(
    starts: I64, stops: I64, number: int, ended: NDArray[np.bool_], *, taken_off: bool
) -> _Spans:
    size = len(starts)
    return _Spans(starts, stops, np.full(size, number), ended, np.full(size, taken_off))


def _edges(size: int) -> Iterator[tuple[int, int]]:
    """[0, 1), [1, 2), [2, 4), ... up to a document of this size."""
    low = 0
    while low < size:
        high = max(1, 2 * low)
        yield low, high
        low = high


def _by_end(spans: _Spans, end_mark: bool) -> Iterator[_Spans]:
    """Spans that an end mark follows apart from the others: a kernel's call has it for all."""
    if not end_mark:
        yield spans
        return
    for chosen in (spans.ended, ~spans.ended):
        if chosen.any():
            starts, stops, bins, ended, taken_off = spans
            yield _Spans(
                starts[chosen], stops[chosen], bins[chosen], ended[chosen], taken_off[chosen]
            )


def _score(
    spans: _Spans,
    chunk: Chunk,
    symbols: Symbols,
    alphabet: Alphabet,
    model: NgramModel,
    work: Work,
) -> ScoreOut:
    out = room_for(len(spans.starts), model.order)
    if not len(spans.starts):
        return out
    if not spans.ended.all():
        alphabet = alphabet._replace(end_rank=0)
    begin, end = int(spans.starts.min()), int(spans.stops.max())
    piece = Piece(chunk.part.shard.tokens, spans.starts, spans.stops, begin, end)
    status = work.backend.kernels.score_ngrams(
        symbols.view(piece), alphabet, model.trie, model.discount_table, model.uniform, out
    )
    check_ids(status, chunk.part.shard, symbols.vocab_size)
    return out


class _Sums:
    """Losses and counts by bin and order, in whole numbers of any size."""

    def __init__(self, order: int) -> None:
        self._quanta = [[0] * order for _ in range(_BINS)]
        self._infinite = np.zeros((_BINS, order), np.int64)
        self._predicted, self._oov = np.zeros((2, _BINS), np.int64)

    def add(self, spans: _Spans, out: ScoreOut) -> None:
        """Add what was scored, or take it off."""
        if not len(spans.bins):
            return
        # Neighbours of one bin and sign are added up in halves of words, which can't overflow.
        kind = 2 * spans.bins + spans.taken_off
        firsts = np.flatnonzero(np.diff(kind, prepend=-1))
        low = np.add.reduceat(out.low & np.uint64(0xFFFFFFFF), firsts)
        middle = np.add.reduceat(out.low >> np.uint64(32), firsts)
        high = np.add.reduceat(out.high, firsts)
        for row, first in enumerate(firsts.tolist()):
            number, sign = int(spans.bins[first]), -1 if spans.taken_off[first] else 1
            words = zip(low[row].tolist(), middle[row].tolist(), high[row].tolist(), strict=True)
            for k, (one, two, three) in enumerate(words):
                self._quanta[number][k] += sign * (one + (two << 32) + (three << 64))
        signs = np.where(spans.taken_off, -1, 1)
        np.add.at(self._infinite, spans.bins, signs[:, None] * out.infinite.astype(np.int64))
        np.add.at(self._predicted, spans.bins, signs * out.predicted.astype(np.int64))
        np.add.at(self._oov, spans.bins, signs * out.oov.astype(np.int64))

    def losses(self, documents: DocumentSet) -> LadderLosses:
        """The sums of all documents."""
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
    """First and last position of a bin."""
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
