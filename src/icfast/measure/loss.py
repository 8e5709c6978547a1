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

from icfast.errors import MissingExtraError

if TYPE_CHECKING:
    import pyarrow

U64 = NDArray[np.uint64]

#: One nat in units of the fixed-point sums.
QUANTA_PER_NAT = 1 << 32


@dataclass(frozen=True)
class LossSum:
    """Losses added up.

    Attributes:
        quanta: the sum in units of 2^-32 nat, a whole number of any size.
        predicted_tokens: symbols predicted, those of probability 0 among them.
        oov: predicted symbols whose id the model never saw.
        infinite: predicted symbols of probability 0, not in the sum; no mean exists beside them.
        documents: how many documents.
        text_bytes: UTF-8 bytes of their text, or None where not known.
    """

    quanta: int
    predicted_tokens: int
    oov: int
    infinite: int
    documents: int
    text_bytes: int | None = None

    @property
    def nats(self) -> float:
        """The sum in nats, rounded once."""
        return float(Fraction(self.quanta, QUANTA_PER_NAT))

    def __add__(self, other: LossSum) -> LossSum:
        known = self.text_bytes is not None and other.text_bytes is not None
        return LossSum(
            self.quanta + other.quanta,
            self.predicted_tokens + other.predicted_tokens,
            self.oov + other.oov,
            self.infinite + other.infinite,
            self.documents + other.documents,
            (self.text_bytes or 0) + (other.text_bytes or 0) if known else None,
        )


def whole_sum(low: U64, high: U64) -> int:
    """The sum of 128-bit numbers given as low and high 64-bit halves.

    >>> whole_sum(np.array([2**64 - 1, 2], np.uint64), np.array([0, 1], np.uint64)) == 2**65 + 1
    True
    """
    mask = np.uint64(0xFFFFFFFF)
    below = int((low & mask).sum(dtype=np.uint64)) + (
        int((low >> np.uint64(32)).sum(dtype=np.uint64)) << 32
    )
    return below + (int(high.sum(dtype=np.uint64)) << 64)


@dataclass(frozen=True, eq=False)
class DocumentScores:
    """Losses of each document.

    Attributes:
        shards: names of the shards.
        shard: i32[documents], index into shards.
        document: i64[documents], the document's number in its shard.
        predicted_tokens, oov, infinite: u64[documents], as in :class:`LossSum`.
        low, high: u64[documents], halves of the loss in units of 2^-32 nat.
        text_bytes: UTF-8 bytes of all of them, or None.
    """

    shards: tuple[str, ...]
    shard: NDArray[np.int32]
    document: NDArray[np.int64]
    predicted_tokens: U64
    oov: U64
    infinite: U64
    low: U64
    high: U64
    text_bytes: int | None = None

    @property
    def loss_nats(self) -> NDArray[np.float64]:
        """f64[documents]: each document's loss in nats; infinite where a symbol has none."""
        nats = self.high * 2.0**32 + self.low / float(QUANTA_PER_NAT)
        return np.where(self.infinite > 0, np.inf, nats)

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
        )

    def to_arrow(self) -> pyarrow.Table:
        """An Arrow table: shard, document, predicted_tokens, loss_nats, oov, infinite.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        try:
            import pyarrow
        except ImportError as error:
            raise MissingExtraError(
                "Arrow tables need pyarrow: pip install 'icfast[arrow]'"
            ) from error
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
        }
        return pyarrow.table(columns)
