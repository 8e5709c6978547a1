"""Corollary 4.3: number of tokens that fill a model, and of parameters that hold a corpus."""

from __future__ import annotations

from dataclasses import dataclass

from icfast.errors import OptionError
from icfast.laws.balance import in_bits, require_not_negative, require_positive
from icfast.laws.known_capacities import KNOWLEDGE_BITS_PER_PARAM
from icfast.laws.result_table import ResultTable

#: Compute-optimal tokens per parameter: Hoffmann et al. 2022, arXiv 2203.15556.
CHINCHILLA_TOKENS_PER_PARAM = 20.0


@dataclass(frozen=True)
class Size(ResultTable):
    """Result of :func:`size`.

    Attributes:
        params: P.
        tokens: D.
        gain_bits_per_token: H - L.
        capacity_bits_per_param: c, capacity of a parameter in bits.
        tokens_per_param: D / P = c / (H - L).
        chinchilla_tokens: 20 P, for comparison.
        chinchilla_params: D / 20, for comparison.
        chinchilla_ratio: 20 / (D / P), compute-optimal tokens over these tokens.
    """

    params: float
    tokens: float
    gain_bits_per_token: float
    capacity_bits_per_param: float
    tokens_per_param: float
    chinchilla_tokens: float
    chinchilla_params: float
    chinchilla_ratio: float


def size(
    *,
    params: float | None = None,
    tokens: float | None = None,
    entropy_bits_per_token: float | None = None,
    loss_bits_per_token: float | None = None,
    entropy_nats_per_token: float | None = None,
    loss_nats_per_token: float | None = None,
    capacity_bits_per_param: float = KNOWLEDGE_BITS_PER_PARAM,
) -> Size:
    """Return D = c P / (H - L) from P, or P from D: IC-1 at capacity (arXiv 2411.00660 sec. 4.3).

    With c = 2 bits and 16 stored bits per parameter, eta is 2/16 = 0.125. The result tells when a
    model that gains H - L per fresh token is full, not how to train one. With H - L = 12.2 bits it
    is 0.16 tokens per parameter, while compute-optimal training (Hoffmann et al. 2022) takes 20.
    Models continue to learn far beyond it, because a stored bit saves again at every reuse.

    Args:
        params: P > 0, to solve for D.
        tokens: D > 0, to solve for P.
        entropy_bits_per_token: H > L.
        loss_bits_per_token: L >= 0, of the same tokens.
        entropy_nats_per_token: H in nats, instead of bits.
        loss_nats_per_token: L in nats, instead of bits.
        capacity_bits_per_param: c > 0.

    Raises:
        UnitError: H and L are in different units.
        OptionError: both or neither of P and D are given, H or L is missing, H <= L, or a value is
            out of range.

    >>> found = size(params=1e9, entropy_bits_per_token=15.6, loss_bits_per_token=3.4)
    >>> round(found.tokens_per_param, 4), round(found.chinchilla_ratio)
    (0.1639, 122)
    """
    entropy, loss = in_bits(
        (entropy_bits_per_token, loss_bits_per_token), (entropy_nats_per_token, loss_nats_per_token)
    )
    if entropy is None or loss is None:
        raise OptionError("sizing needs the entropy H and the loss L, both in bits or both in nats")
    require_not_negative("entropy_bits_per_token", entropy)
    require_not_negative("loss_bits_per_token", loss)
    require_positive("capacity_bits_per_param", capacity_bits_per_param)
    if entropy <= loss:
        raise OptionError(
            f"no information is gained: the entropy of {entropy} bits per token is not above the "
            f"loss of {loss}; no number of tokens fills a model"
        )
    ratio = capacity_bits_per_param / (entropy - loss)
    params, tokens = _both(params, tokens, ratio)
    return Size(
        params=params,
        tokens=tokens,
        gain_bits_per_token=entropy - loss,
        capacity_bits_per_param=float(capacity_bits_per_param),
        tokens_per_param=ratio,
        chinchilla_tokens=CHINCHILLA_TOKENS_PER_PARAM * params,
        chinchilla_params=tokens / CHINCHILLA_TOKENS_PER_PARAM,
        chinchilla_ratio=CHINCHILLA_TOKENS_PER_PARAM / ratio,
    )


def _both(params: float | None, tokens: float | None, ratio: float) -> tuple[float, float]:
    if params is not None and tokens is None:
        require_positive("params", params)
        return float(params), params * ratio
    if tokens is not None and params is None:
        require_positive("tokens", tokens)
        return tokens / ratio, float(tokens)
    found = "neither" if params is None else "both"
    raise OptionError(f"give either params or tokens, found {found}")
