"""Exact, mergeable sums of losses.

Each loss is rounded to a multiple of 2^-32 nat and added as a whole number. The total does not
depend on the summation order, and so not on threads, shards or resumption. `icfast.laws.loss`
derives means.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from icfast.errors import needs_extra
from icfast.notebook import facts_html, table_html
from icfast.units import format_count, format_fixed, nats_to_bits

if TYPE_CHECKING:
    import pyarrow

U64 = NDArray[np.uint64]

#: Units of the fixed-point sums per nat.
QUANTA_PER_NAT = 1 << 32

#: Counts of predicted symbols whose loss is not in the sum.
_LEFT_OUT = ("infinite", "nan", "out_of_range", "huge")

#: Documents that a notebook lists before it counts the rest.
_SHOWN_DOCUMENTS = 10


@dataclass(frozen=True, repr=False)
class LossSum:
    """Sum of losses, with counts of the tokens whose loss is not in the sum.

    A mean exists only if infinite, nan, out_of_range and huge are 0.

    Attributes:
        quanta: the sum in units of 2^-32 nat, a whole number of any size and sign.
        predicted_tokens: number of predicted symbols, with those whose loss is not in the sum.
        oov: number of predicted symbols whose id does not occur in the training data.
        infinite: number of predicted symbols with probability 0.
        documents: number of documents.
        text_bytes: UTF-8 bytes of their text, or None if unknown.
        ignored: number of tokens of the documents that were not predicted.
        nan: number of predicted symbols without a distribution: a logit is NaN or +inf, or all are
            -inf.
        out_of_range: number of predicted symbols for which the model has no logit.
        huge: number of predicted symbols with a loss of 2^31 nats or more.
        words: number of words of their text (runs of bytes between white space), or None if
            unknown.

    >>> (LossSum(3 << 32, 4, 0, 0, 1) + LossSum(1 << 31, 2, 0, 0, 1)).nats
    3.5
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
        """Sum in nats, rounded once."""
        return float(Fraction(self.quanta, QUANTA_PER_NAT))

    def __repr__(self) -> str:
        left_out = [f"{name}={getattr(self, name)}" for name in _LEFT_OUT if getattr(self, name)]
        counts = (
            f"{format_fixed(self.nats)} nats",
            f"{format_count(self.predicted_tokens)} predicted tokens",
            f"{format_count(self.documents)} documents",
        )
        return f"LossSum({', '.join([*counts, *left_out])})"

    def _repr_html_(self) -> str:
        facts = {
            "loss in nats": format_fixed(self.nats),
            "loss in bits": format_fixed(nats_to_bits(self.nats)),
            "predicted tokens": format_count(self.predicted_tokens),
            "documents": format_count(self.documents),
            "text bytes": format_count(self.text_bytes),
            "words": format_count(self.words),
            "ignored tokens": format_count(self.ignored),
            "unknown ids": format_count(self.oov),
            **{f"not in the sum: {name}": format_count(getattr(self, name)) for name in _LEFT_OUT},
        }
        return facts_html("Sum of losses", facts)

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
    """Return the sum of 128-bit numbers in two's complement, given as 64-bit halves.

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
    """Add 128-bit numbers to the numbers in `low` and `high`, in place.

    >>> low, high = np.array([2**64 - 1], np.uint64), np.array([0], np.uint64)
    >>> add_halves(low, high, np.array([2], np.uint64), np.array([5], np.uint64))
    >>> low, high
    (array([1], dtype=uint64), array([6], dtype=uint64))
    """
    low += more_low
    high += more_high + (low < more_low)


def halves_to_nats(low: U64, high: U64) -> NDArray[np.float64]:
    """Convert 128-bit sums in units of 2^-32 nat to nats.

    >>> halves_to_nats(np.array([2**64 - 1], np.uint64), np.array([2**64 - 1], np.uint64)) * 2**32
    array([-1.])
    """
    signed = low.astype(np.int64)
    # Nearly every sum fits one word. Two words of a small negative sum would cancel.
    one_word = high.astype(np.int64) == signed >> 63
    nats = high.astype(np.int64) * 2.0**32 + low / float(QUANTA_PER_NAT)
    return np.where(one_word, signed / float(QUANTA_PER_NAT), nats)


@dataclass(frozen=True, eq=False, repr=False)
class DocumentScores:
    """Losses of each document. `icfast.score` returns one.

    Attributes:
        shards: names of the shards.
        shard: i32[documents], index into shards.
        document: i64[documents], the document's number in its shard.
        predicted_tokens: u64[documents], as in `LossSum`.
        oov: u64[documents], as in `LossSum`.
        infinite: u64[documents], as in `LossSum`.
        low: u64[documents], low half of the loss in units of 2^-32 nat, two's complement.
        high: u64[documents], high half of the loss.
        text_bytes: bytes of all documents, or None if unknown.
        words: words of all documents, or None if unknown.
        ignored: u64[documents], as in `LossSum`.
        nan: u64[documents], as in `LossSum`.
        out_of_range: u64[documents], as in `LossSum`.
        huge: u64[documents], as in `LossSum`.
        fitted_shards: names of the shards that the model was fitted on, by their digests.
        warnings: what looks unusual in the corpus, conventions of it that differ from the model's,
            and whether the model was fitted on it.
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
    fitted_shards: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.document)

    def __repr__(self) -> str:
        tokens = format_count(int(self.predicted_tokens.sum()))
        return f"DocumentScores({format_count(len(self))} documents, {tokens} predicted tokens)"

    def _repr_html_(self) -> str:
        rows = [
            (self.shards[shard], str(document), format_count(tokens), format_fixed(nats))
            for shard, document, tokens, nats in zip(
                self.shard[:_SHOWN_DOCUMENTS].tolist(),
                self.document[:_SHOWN_DOCUMENTS].tolist(),
                self.predicted_tokens[:_SHOWN_DOCUMENTS].tolist(),
                self.loss_nats[:_SHOWN_DOCUMENTS].tolist(),
                strict=True,
            )
        ]
        if (hidden := len(self) - len(rows)) > 0:
            rows.append((f"{format_count(hidden)} more", "", "", ""))
        columns = ("shard", "document", "predicted tokens", "loss in nats")
        return table_html("Document scores", columns, rows) + self.total._repr_html_()

    @property
    def loss_nats(self) -> NDArray[np.float64]:
        """Loss of each document in nats, f64[documents].

        The loss is infinite if a symbol has probability 0. It is NaN if the loss of a symbol is
        not in the sum for another reason.
        """
        nats = halves_to_nats(self.low, self.high)
        nats = np.where(self.infinite > 0, np.inf, nats)
        return np.where((self.nan > 0) | (self.out_of_range > 0) | (self.huge > 0), np.nan, nats)

    @property
    def total(self) -> LossSum:
        """Sum over all documents."""
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
        """Return an Arrow table with one row per document.

        The columns are shard, document, predicted_tokens, loss_nats, oov, infinite, ignored, nan,
        out_of_range and huge.

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
