"""Sums of losses: exact, mergeable, the same for every order of addition. Pure data.

A loss is quantised to 2^-32 nat and added in whole numbers, so totals do not depend on threads,
shards or resumption. Means are derived in ``laws.loss``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from icfast.errors import needs_extra

if TYPE_CHECKING:
    import pyarrow

U64 = NDArray[np.uint64]

#: One nat in units of the fixed-point sums.
QUANTA_PER_NAT = 1 << 32


@dataclass(frozen=True)
class LossSum:
    """Losses added up.

    What is in no sum is counted: a mean exists only where infinite, nan, out_of_range and huge
    are 0.

    Attributes:
        quanta: the sum in units of 2^-32 nat, a whole number of any size and sign.
        predicted_tokens: symbols predicted, those that are in no sum among them.
        oov: predicted symbols whose id the model never saw.
        infinite: predicted symbols of probability 0.
        documents: how many documents.
        text_bytes: UTF-8 bytes of their text, or None where not known.
        ignored: tokens of the documents that were not predicted.
        nan: predicted symbols without a distribution: a NaN or +inf among the logits, or all -inf.
        out_of_range: predicted symbols that the model has no logit for.
        huge: predicted symbols of 2^31 nats or more.
        words: of their text, runs of bytes between white space; None where not known.
    """

    quanta: int
    predicted_tokens: int
    oov: int
    infinite: int
    documents: int
    text_bytes: int | None = None
    ignored: int = 0
    nan: int = 0
    out_of_range: int = 0
    huge: int = 0
    words: int | None = None

    @property
    def nats(self) -> float:
        """The sum in nats, rounded once."""
        return float(Fraction(self.quanta, QUANTA_PER_NAT))

    def __add__(self, other: LossSum) -> LossSum:
        return LossSum(
            self.quanta + other.quanta,
            self.predicted_tokens + other.predicted_tokens,
            self.oov + other.oov,
            self.infinite + other.infinite,
            self.documents + other.documents,
            _known(self.text_bytes, other.text_bytes),
            self.ignored + other.ignored,
            self.nan + other.nan,
            self.out_of_range + other.out_of_range,
            self.huge + other.huge,
            _known(self.words, other.words),
        )


def _known(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def whole_sum(low: U64, high: U64) -> int:
    """The sum of 128-bit numbers in two's complement, given as low and high 64-bit halves.

    >>> whole_sum(np.array([2**64 - 1, 2], np.uint64), np.array([0, 1], np.uint64)) == 2**65 + 1
    True
    >>> whole_sum(np.array([2**64 - 3], np.uint64), np.array([2**64 - 1], np.uint64))
    -3
    """
    mask = np.uint64(0xFFFFFFFF)
    below = int((low & mask).sum(dtype=np.uint64)) + (
        int((low >> np.uint64(32)).sum(dtype=np.uint64)) << 32
    )
    return below + (int(high.astype(np.int64).sum()) << 64)


def add_halves(low: U64, high: U64, more_low: U64, more_high: U64) -> None:
    """Add 128-bit numbers to others in place.

    >>> low, high = np.array([2**64 - 1], np.uint64), np.array([0], np.uint64)
    >>> add_halves(low, high, np.array([2], np.uint64), np.array([5], np.uint64))
    >>> low, high
    (array([1], dtype=uint64), array([6], dtype=uint64))
    """
    low += more_low
    high += more_high + (low < more_low)


def halves_to_nats(low: U64, high: U64) -> NDArray[np.float64]:
    """128-bit sums in units of 2^-32 nat, in nats.

    >>> halves_to_nats(np.array([2**64 - 1], np.uint64), np.array([2**64 - 1], np.uint64)) * 2**32
    array([-1.])
    """
    signed = low.astype(np.int64)
    # One word holds nearly every sum; as two, a small negative one would cancel.
    one_word = high.astype(np.int64) == signed >> 63
    nats = high.astype(np.int64) * 2.0**32 + low / float(QUANTA_PER_NAT)
    return np.where(one_word, signed / float(QUANTA_PER_NAT), nats)


@dataclass(frozen=True, eq=False)
class DocumentScores:
    """Losses of each document.

    Attributes:
        shards: names of the shards.
        shard: i32[documents], index into shards.
        document: i64[documents], the document's number in its shard.
        predicted_tokens, oov, infinite, ignored, nan, out_of_range, huge: u64[documents], as in
            :class:`LossSum`.
        low, high: u64[documents], halves of the loss in units of 2^-32 nat, two's complement.
        text_bytes, words: of all of them, or None.
    """

    shards: tuple[str, ...]
    shard: NDArray[np.int32]
    document: NDArray[np.int64]
    predicted_tokens: U64
    oov: U64
    infinite: U64
    low: U64
    high: U64
    ignored: U64
    nan: U64
    out_of_range: U64
    huge: U64
    text_bytes: int | None = None
    words: int | None = None

    @property
    def loss_nats(self) -> NDArray[np.float64]:
        """f64[documents]: each document's loss in nats; infinite where a symbol has probability 0,
        NaN where one is in no sum for another reason."""
        nats = halves_to_nats(self.low, self.high)
        nats = np.where(self.infinite > 0, np.inf, nats)
        return np.where((self.nan > 0) | (self.out_of_range > 0) | (self.huge > 0), np.nan, nats)

    @property
    def total(self) -> LossSum:
        """All documents added up."""
        return LossSum(
            whole_sum(self.low, self.high),
            int(self.predicted_tokens.sum()),
            int(self.oov.sum()),
            int(self.infinite.sum()),
            len(self.document),
            self.text_bytes,
            int(self.ignored.sum()),
            int(self.nan.sum()),
            int(self.out_of_range.sum()),
            int(self.huge.sum()),
            self.words,
        )

    def to_arrow(self) -> pyarrow.Table:
        """An Arrow table: shard, document, predicted_tokens, loss_nats, oov, infinite, ignored,
        nan, out_of_range, huge.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        with needs_extra("arrow", "an Arrow table"):
            import pyarrow
        names = pyarrow.DictionaryArray.from_arrays(
            pyarrow.array(self.shard), pyarrow.array(self.shards, pyarrow.string())
        )
        columns: dict[str, Any] = {
            "shard": names,
            "document": self.document,
            "predicted_tokens": self.predicted_tokens,
            "loss_nats": self.loss_nats,
            "oov": self.oov,
            "infinite": self.infinite,
            "ignored": self.ignored,
            "nan": self.nan,
            "out_of_range": self.out_of_range,
            "huge": self.huge,
        }
        return pyarrow.table(columns)
