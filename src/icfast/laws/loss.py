"""Means of a loss sum (per token, byte or word, perplexity) and the standard error of a mean."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from icfast.errors import IcfastError
from icfast.sums.loss import LossSum
from icfast.units import nats_to_bits

#: 2 to this power is the first power of 2 above the largest floating-point number.
_MOST_BITS = 1024.0


def bits_per_token(loss: LossSum) -> float:
    """Return L = nats / (ln 2 * predicted_tokens), the mean code length per token in bits.

    Raises:
        IcfastError: no mean exists, because no token was predicted or a token is excluded from the
            sum (probability 0, NaN, id out of range, or a loss of 2^31 nats or more).

    >>> bits_per_token(LossSum(3 << 32, 4, 0, 0, 1)) == 3 / math.log(2) / 4
    True
    """
    return _bits(loss) / _some(loss.predicted_tokens, "no token was predicted")


def nats_per_token(loss: LossSum) -> float:
    """Return nats / predicted_tokens, the loss that training logs show.

    Raises:
        IcfastError: see :func:`bits_per_token`.

    >>> nats_per_token(LossSum(3 << 32, 4, 0, 0, 1))
    0.75
    """
    return _finite(loss).nats / _some(loss.predicted_tokens, "no token was predicted")


def bits_per_byte(loss: LossSum) -> float:
    """Return nats / (ln 2 * text_bytes), which is comparable across tokenizers.

    Raises:
        IcfastError: a token is excluded from the sum, or the number of bytes is 0 or unknown.

    >>> bits_per_byte(LossSum(3 << 32, 4, 0, 0, 1, text_bytes=16)) == 3 / math.log(2) / 16
    True
    """
    if loss.text_bytes is None:
        raise IcfastError(
            "the text's number of bytes is unknown; `icfast tokenize` records it in the corpora "
            "that it writes"
        )
    return _bits(loss) / _some(loss.text_bytes, "the text has no bytes")


def bits_per_word(loss: LossSum) -> float:
    """Return nats / (ln 2 * words), which is comparable across tokenizers.

    A word is a run of characters between white space.

    Raises:
        IcfastError: a token is excluded from the sum, or the number of words is 0 or unknown.

    >>> bits_per_word(LossSum(3 << 32, 4, 0, 0, 1, words=2)) == 3 / math.log(2) / 2
    True
    """
    if loss.words is None:
        raise IcfastError(
            "the text's number of words is unknown; icfast counts words only if the ids are bytes"
        )
    return _bits(loss) / _some(loss.words, "the text has no words")


def bits_per(unit: str, loss: LossSum) -> float:
    """Return the mean loss per token, byte or word, in bits.

    Raises:
        IcfastError: see :func:`bits_per_token`, :func:`bits_per_byte` and :func:`bits_per_word`.

    >>> bits_per("byte", LossSum(3 << 32, 4, 0, 0, 1, text_bytes=16)) == 3 / math.log(2) / 16
    True
    """
    return {"token": bits_per_token, "byte": bits_per_byte, "word": bits_per_word}[unit](loss)


def total_log10(loss: LossSum) -> float:
    """Return log10 of the text's probability, -nats / ln 10, which KenLM's query calls Total.

    Raises:
        IcfastError: a token is excluded from the sum.

    >>> round(total_log10(LossSum(1 << 32, 1, 0, 0, 1)), 12)
    -0.434294481903
    """
    return -_finite(loss).nats / math.log(10.0)


def perplexity(loss: LossSum) -> float:
    """Return exp(nats / predicted_tokens) = 2^L, KenLM's "Perplexity including OOVs".

    It is infinite if L is 1024 bits or more, where 2^L is above the largest floating-point number.

    Raises:
        IcfastError: see :func:`bits_per_token`.

    >>> perplexity(LossSum(0, 4, 0, 0, 1))
    1.0
    """
    return two_to_the(bits_per_token(loss))


def two_to_the(bits: float) -> float:
    """Return 2^bits, infinity above the largest floating-point number.

    >>> two_to_the(3.0), two_to_the(1500.0)
    (8.0, inf)
    """
    return math.pow(2.0, bits) if bits < _MOST_BITS else math.inf


def standard_error(loss_nats: NDArray[np.float64], predicted_tokens: NDArray[np.uint64]) -> float:
    """Return the standard error of the mean loss in nats per token, with documents as clusters.

    The mean m = sum L_d / sum n_d is a ratio of sums over G independent documents, so
    SE = sqrt(G / (G - 1) sum (L_d - m n_d)^2) / sum n_d. Tokens of one document may depend on each
    other in any way. (Cochran 1977, Sampling Techniques, ch. 6 and 9A: ratio to size, clusters of
    unequal sizes, no finite-population correction.)

    Args:
        loss_nats: f64[documents], loss of each document in nats.
        predicted_tokens: u64[documents]; documents without predicted tokens are ignored.

    Raises:
        IcfastError: a loss is infinite or NaN, or fewer than two documents have predicted tokens.

    >>> round(standard_error(np.array([1.0, 5.0]), np.array([1, 3])), 12)
    0.25
    """
    counted = predicted_tokens > 0
    nats, tokens = loss_nats[counted], predicted_tokens[counted].astype(np.float64)
    clusters = len(nats)
    if clusters < 2:
        raise IcfastError(
            f"a standard error needs at least two documents, found {clusters}. Pass --eos-id (and "
            "--boundary) if the corpus has documents"
        )
    if not np.isfinite(nats).all():
        raise IcfastError("a document's loss is not finite, so the mean has no standard error")
    off = nats - nats.sum() / tokens.sum() * tokens
    return math.sqrt(clusters / (clusters - 1) * float(off @ off)) / float(tokens.sum())


def _bits(loss: LossSum) -> float:
    return nats_to_bits(_finite(loss).nats)


def _finite(loss: LossSum) -> LossSum:
    faults = (
        (loss.infinite, "have probability 0 under the model"),
        (loss.nan, "have no distribution (a logit is NaN or +inf, or all logits are -inf)"),
        (loss.out_of_range, "are ids without a logit in the model"),
        (loss.huge, "have a loss of 2^31 nats or more"),
    )
    found = [(count, words) for count, words in faults if count]
    if found:
        listed = ", ".join(
            f"{count} of {loss.predicted_tokens} predicted symbols {words}"
            for count, words in found
        )
        infinite = len(found) == 1 and loss.infinite
        raise IcfastError(
            f"{listed}, so {'the loss is infinite' if infinite else 'no mean exists'}"
        )
    return loss


def _some(count: int, missing: str) -> int:
    if not count:
        raise IcfastError(f"{missing}, so there is no mean loss")
    return count
