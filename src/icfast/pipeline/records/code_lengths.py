"""Records of the code lengths A, B and C of adaptive codes."""

from __future__ import annotations

from dataclasses import dataclass, field

from icfast.laws.code_length import CodeLengths
from icfast.pipeline.records.base import FLAT, OPTIONAL


@dataclass(frozen=True, kw_only=True)
class CodeOrder:
    """Code lengths of one order.

    Attributes:
        order: n, tokens in the longest n-gram.
        discount: d of a Pitman-Yor code; absent for other codes.
        strength: theta of a Pitman-Yor code; absent for other codes.
        parameter_bits: bits that send d and theta, included in B; absent for other codes.
        lengths: A, B, C and their differences, bits.
    """

    order: int
    discount: float | None = field(default=None, metadata=OPTIONAL)
    strength: float | None = field(default=None, metadata=OPTIONAL)
    parameter_bits: float | None = field(default=None, metadata=OPTIONAL)
    lengths: CodeLengths = field(metadata=FLAT)


@dataclass(frozen=True)
class CodeFamily:
    """Code lengths of one family of codes.

    Attributes:
        family: name of the family.
        formula: cost of one token.
        orders: code lengths of every order.
        best_order: order with the shortest B.
    """

    family: str
    formula: str
    orders: tuple[CodeOrder, ...]
    best_order: int


@dataclass(frozen=True)
class BestCode:
    """Code with the shortest B of all families and orders.

    Attributes:
        family: name of the family.
        order: n, tokens in the longest n-gram.
        online_bits: B, bits.
        absorbed_bits: B - C, bits.
    """

    family: str
    order: int
    online_bits: float
    absorbed_bits: float


@dataclass(frozen=True)
class LearnedCodes:
    """Code lengths of the training documents.

    Attributes:
        documents: name of the documents that were coded.
        tokens: number of tokens in them.
        alphabet_size: V of the baseline and of both codes.
        convention: padding at the start of a document.
        families: code lengths by family.
        best: code with the shortest B.
    """

    documents: str
    tokens: int
    alphabet_size: int
    convention: str
    families: tuple[CodeFamily, ...]
    best: BestCode
