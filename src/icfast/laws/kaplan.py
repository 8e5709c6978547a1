"""Kaplan's scaling laws combined with IC-1, as printed and as corrected (section 5.1).

Kaplan et al. 2020 (arXiv 2001.08361) fit two separate limits in nats per token: with enough
parameters L(D) = (D / 5.4e13)^-0.095, with enough tokens L(P) = (P / 8.8e13)^-0.076. The paper
(arXiv 2411.00660 eq. 15-16) sets P = N / 16, equates the two, and treats N / D as a constant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from icfast.laws.balance import require_positive
from icfast.units import nats_to_bits

TOKENS_SCALE = 5.4e13
TOKENS_EXPONENT = 0.095
PARAMS_SCALE = 8.8e13
PARAMS_EXPONENT = 0.076

#: Bits per parameter in the paper's N.
STORED_BITS_PER_PARAM = 16.0

#: N / D as printed in the paper, and as its own numbers give: 16 * 8.8 / 5.4.
PRINTED_BITS_PER_TOKEN = 26.08
CORRECTED_BITS_PER_TOKEN = 704 / 27


def kaplan_loss_nats_from_tokens(tokens: float) -> float:
    """Return L(D) = (D / 5.4e13)^-0.095 in nats per token, for enough parameters.

    Raises:
        OptionError: D is not positive and finite.

    >>> round(kaplan_loss_nats_from_tokens(5.4e9), 6)
    2.398833
    """
    require_positive("tokens", tokens)
    return math.exp(-TOKENS_EXPONENT * math.log(tokens / TOKENS_SCALE))


def kaplan_loss_nats_from_model_bits(model_bits: float) -> float:
    """Return L(N) = (N / 16 / 8.8e13)^-0.076 in nats per token, for enough tokens.

    Raises:
        OptionError: N is not positive and finite.

    >>> round(kaplan_loss_nats_from_model_bits(16 * 8.8e9), 6)
    2.013724
    """
    require_positive("model_bits", model_bits)
    scale = STORED_BITS_PER_PARAM * PARAMS_SCALE
    return math.exp(-PARAMS_EXPONENT * math.log(model_bits / scale))


def kaplan_bits_per_token(loss_nats_per_token: float) -> float:
    """Return k(L) = N / D = (704/27) L^(1/0.095 - 1/0.076), with both limits at loss L in nats.

    The exponent is -2.63, so k is 704/27 only at L = 1 nat.

    Raises:
        OptionError: L is not positive and finite.

    >>> kaplan_bits_per_token(1.0) == 704 / 27, round(kaplan_bits_per_token(3.0), 4)
    (True, 1.4475)
    """
    require_positive("loss_nats_per_token", loss_nats_per_token)
    exponent = 1 / TOKENS_EXPONENT - 1 / PARAMS_EXPONENT
    return CORRECTED_BITS_PER_TOKEN * math.exp(exponent * math.log(loss_nats_per_token))


@dataclass(frozen=True)
class KaplanEta:
    """Value of eta = (H - L) / k for one pair of H and L; a row of :func:`kaplan_etas`.

    Attributes:
        label: k that was used: printed, corrected or exact.
        entropy_nats_per_token: H.
        loss_nats_per_token: L.
        model_bits_per_token: k = N / D.
        eta_nats_per_bit: nats saved per stored bit, the paper's eta.
        eta: bits saved per stored bit.
    """

    label: str
    entropy_nats_per_token: float
    loss_nats_per_token: float
    model_bits_per_token: float
    eta_nats_per_bit: float
    eta: float


def kaplan_etas() -> tuple[KaplanEta, ...]:
    """Return the paper's eta in [0.115, 0.268] as printed, corrected, and with k at its own loss.

    H = 10 and L = 7 and 3 nats are the paper's numbers. Its text says L in [2, 7], so 2 is added.

    >>> for row in kaplan_etas()[:4]:
    ...     print(row.label, row.loss_nats_per_token, f"{row.eta_nats_per_bit:.6f} {row.eta:.6f}")
    printed 7.0 0.115031 0.165954
    printed 3.0 0.268405 0.387226
    corrected 7.0 0.115057 0.165992
    corrected 3.0 0.268466 0.387314
    """
    rows = [("printed", PRINTED_BITS_PER_TOKEN, loss) for loss in (7.0, 3.0)]
    rows += [("corrected", CORRECTED_BITS_PER_TOKEN, loss) for loss in (7.0, 3.0, 2.0)]
    rows += [("exact k(L)", kaplan_bits_per_token(loss), loss) for loss in (7.0, 3.0, 2.0)]
    return tuple(_row(label, ratio, loss) for label, ratio, loss in rows)


def _row(label: str, ratio: float, loss: float) -> KaplanEta:
    entropy = 10.0
    in_nats = (entropy - loss) / ratio
    return KaplanEta(label, entropy, loss, ratio, in_nats, nats_to_bits(in_nats))
