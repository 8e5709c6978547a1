"""Means of a loss sum: per token, per byte, as a log10 probability, as a perplexity."""

from __future__ import annotations

import math

from icfast.errors import IcfastError
from icfast.measure.loss import LossSum
from icfast.units import nats_to_bits


def bits_per_token(loss: LossSum) -> float:
    """L = nats / (ln 2 * predicted_tokens): the mean code length of a predicted symbol, in bits.

    Raises:
        IcfastError: a symbol has probability 0, or none was predicted; no mean exists.

    >>> bits_per_token(LossSum(3 << 32, 4, 0, 0, 1)) == 3 / math.log(2) / 4
    True
    """
    return _bits(loss) / _some(loss.predicted_tokens, "no token was predicted")


def bits_per_byte(loss: LossSum) -> float:
    """nats / (ln 2 * text_bytes): comparable across tokenizers, unlike bits per token.

    Raises:
        IcfastError: a symbol has probability 0, or the text's bytes are 0 or not known.

    >>> bits_per_byte(LossSum(3 << 32, 4, 0, 0, 1, text_bytes=16)) == 3 / math.log(2) / 16
    True
    """
    if loss.text_bytes is None:
        raise IcfastError(
            "the bytes of the text are not known; corpora made by `icfast tokenize` record them"
        )
    return _bits(loss) / _some(loss.text_bytes, "the text has no bytes")


def total_log10(loss: LossSum) -> float:
    """log10 of the probability of all of it, -nats / ln 10; what KenLM's query calls Total.

    Raises:
        IcfastError: a symbol has probability 0.

    >>> round(total_log10(LossSum(1 << 32, 1, 0, 0, 1)), 12)
    -0.434294481903
    """
    return -_finite(loss).nats / math.log(10.0)


def perplexity(loss: LossSum) -> float:
    """exp(nats / predicted_tokens) = 2^L; KenLM's "Perplexity including OOVs".

    Raises:
        IcfastError: as for :func:`bits_per_token`.

    >>> perplexity(LossSum(0, 4, 0, 0, 1))
    1.0
    """
    return math.pow(2.0, bits_per_token(loss))


def _bits(loss: LossSum) -> float:
    return nats_to_bits(_finite(loss).nats)


def _finite(loss: LossSum) -> LossSum:
    if loss.infinite:
        raise IcfastError(
            f"{loss.infinite} of {loss.predicted_tokens} predicted symbols have probability 0 "
            "under the model, so the loss is infinite"
        )
    return loss


def _some(count: int, missing: str) -> int:
    if not count:
        raise IcfastError(f"{missing}, so there is no mean loss")
    return count
