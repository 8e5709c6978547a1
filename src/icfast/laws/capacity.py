"""IC-1, eta N = D (H - L): bits that a model's stored bits save on D tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from icfast.errors import OptionError
from icfast.laws.balance import (
    Known,
    checked_model_bits,
    consistent,
    in_bits,
    mixed_model_bits,
    require_not_negative,
    require_positive,
    solve,
)
from icfast.laws.known_capacities import CapacityComparison, compared_capacities
from icfast.laws.result_table import ResultTable
from icfast.units import bits_to_nats


@dataclass(frozen=True)
class Capacity(ResultTable):
    """Solved balance of IC-1; built by :func:`capacity`.

    Attributes:
        tokens: D.
        entropy_bits_per_token: H, code length per token under the baseline.
        loss_bits_per_token: L, code length per token of the same tokens under the model.
        model_bits: N = params * bits_per_param_stored.
        params: P, None if unknown.
        bits_per_param_stored: b, bits in which a parameter is stored, the mean if several widths
            are used; None if unknown.
        bits_saved: D (H - L).
        bits_per_param: bits_saved / P, None if P is unknown.
        eta: bits saved per stored bit. It can exceed 1.
        flags: warnings for the reader, in words.
        baseline: name of the baseline that H refers to, None if not given.
        eta_nats_per_bit: eta ln 2, nats saved per stored bit, as printed by papers that give H and
            L in nats.
        model_bits_per_token: k = N / D = (H - L) / eta.
        bits_saved_standard_error: from the standard errors of H and L, None without them.
        eta_standard_error: from the standard errors of H and L, None without them.
        compared: bits_per_param compared with published capacities; empty if P is unknown.
    """

    tokens: float
    entropy_bits_per_token: float
    loss_bits_per_token: float
    model_bits: float
    params: float | None
    bits_per_param_stored: float | None
    bits_saved: float
    bits_per_param: float | None
    eta: float
    flags: tuple[str, ...]
    baseline: str | None
    eta_nats_per_bit: float
    model_bits_per_token: float
    bits_saved_standard_error: float | None
    eta_standard_error: float | None
    compared: tuple[CapacityComparison, ...]


def capacity(
    *,
    tokens: float | None = None,
    entropy_bits_per_token: float | None = None,
    loss_bits_per_token: float | None = None,
    entropy_nats_per_token: float | None = None,
    loss_nats_per_token: float | None = None,
    model_bits: float | None = None,
    params: float | None = None,
    bits_per_param: float | None = None,
    precisions: Sequence[tuple[float, float]] | None = None,
    model_bits_per_token: float | None = None,
    eta: float | None = None,
    entropy_standard_error_bits_per_token: float | None = None,
    loss_standard_error_bits_per_token: float | None = None,
    entropy_standard_error_nats_per_token: float | None = None,
    loss_standard_error_nats_per_token: float | None = None,
    error_correlation: float = 0.0,
    baseline: str | None = None,
    entropy_predicted_set: str | None = None,
    loss_predicted_set: str | None = None,
) -> Capacity:
    """Solve IC-1, eta N = D (H - L), for the one variable left out (arXiv 2411.00660 eq. 6-8).

    H and L are code lengths of the *same* D tokens, under a named baseline and under the model. N
    is in bits, so H and L of the result are in bits too. If N is unknown, params or bits_per_param
    gives the other through N = params * bits_per_param. k gives N or D through N = k D (eq. 13); if
    both are unknown, use :func:`capacity_per_token`.

    Args:
        tokens: D > 0.
        entropy_bits_per_token: H >= 0.
        loss_bits_per_token: L >= 0.
        entropy_nats_per_token: H in nats, instead of bits.
        loss_nats_per_token: L in nats, instead of bits.
        model_bits: N > 0.
        params: P > 0; with bits_per_param it replaces model_bits.
        bits_per_param: b > 0, bits in which a parameter is stored.
        precisions: pairs (params, bits_per_param), for a model stored in several widths.
        model_bits_per_token: k > 0, with N or D.
        eta: bits saved per stored bit; it may be above 1 or below 0.
        entropy_standard_error_bits_per_token: standard error of H, 0 if H is exact. Give it with
            that of L, and give both H and L.
        loss_standard_error_bits_per_token: standard error of L.
        entropy_standard_error_nats_per_token: standard error of H in nats, if H is in nats.
        loss_standard_error_nats_per_token: standard error of L in nats.
        error_correlation: correlation of the two errors, in -1..1. H and L are of the same tokens,
            so it is usually positive and 0 is conservative.
        baseline: name of the baseline that H refers to.
        entropy_predicted_set: hash of the tokens of H.
        loss_predicted_set: hash of the tokens of L.

    Returns:
        All variables of the balance, with flags.

    Raises:
        UnitError: some of H, L and their errors are in nats, others in bits.
        OptionError: more than one variable is missing; none is missing and the balance is off by
            more than 1e-9; a value is out of range; there is no solution; the predicted sets
            differ; or a standard error is given for the variable to solve for.

    >>> two_bits_per_param = capacity(
    ...     tokens=2e9, entropy_bits_per_token=10.0, loss_bits_per_token=9.0,
    ...     params=1e9, bits_per_param=16)
    >>> two_bits_per_param.eta, two_bits_per_param.bits_per_param
    (0.125, 2.0)
    """
    _check_predicted_sets(entropy_predicted_set, loss_predicted_set)
    # in_bits refuses a mixture of units.
    entropy, loss, entropy_error, loss_error = in_bits(
        (
            entropy_bits_per_token,
            loss_bits_per_token,
            entropy_standard_error_bits_per_token,
            loss_standard_error_bits_per_token,
        ),
        (
            entropy_nats_per_token,
            loss_nats_per_token,
            entropy_standard_error_nats_per_token,
            loss_standard_error_nats_per_token,
        ),
    )
    error = _difference_error(entropy_error, loss_error, error_correlation)
    if precisions is not None:
        if (params, bits_per_param) != (None, None):
            raise OptionError("give precisions, or params and bits_per_param, not both")
        params, bits_per_param = mixed_model_bits(precisions)
    model_bits = checked_model_bits(model_bits, params, bits_per_param)
    tokens, model_bits = _with_ratio(tokens, model_bits, model_bits_per_token)
    known, solved_for = solve(
        {"tokens": tokens, "entropy": entropy, "loss": loss, "model_bits": model_bits, "eta": eta}
    )
    if error is not None and solved_for in ("entropy", "loss"):
        raise OptionError(
            f"the {solved_for} is solved for, so it cannot have a standard error; leave it out"
        )
    return _result(known, solved_for, (params, bits_per_param), error, baseline)


def capacity_per_token(
    *,
    entropy_bits_per_token: float | None = None,
    loss_bits_per_token: float | None = None,
    entropy_nats_per_token: float | None = None,
    loss_nats_per_token: float | None = None,
    model_bits_per_token: float | None = None,
    eta: float | None = None,
) -> Capacity:
    """Solve eta k = H - L, IC-1 per token, for the variable left out (arXiv 2411.00660 eq. 13-14).

    k = N / D is model_bits_per_token, and the result has tokens = 1. The other arguments and the
    errors raised are those of :func:`capacity`.

    >>> found = capacity_per_token(
    ...     entropy_bits_per_token=10.0, loss_bits_per_token=7.0, model_bits_per_token=704 / 27)
    >>> round(found.eta, 15)
    0.115056818181818
    """
    return capacity(
        tokens=1,
        entropy_bits_per_token=entropy_bits_per_token,
        loss_bits_per_token=loss_bits_per_token,
        entropy_nats_per_token=entropy_nats_per_token,
        loss_nats_per_token=loss_nats_per_token,
        model_bits=model_bits_per_token,
        eta=eta,
    )


def _check_predicted_sets(of_entropy: str | None, of_loss: str | None) -> None:
    if of_entropy != of_loss:
        raise OptionError(
            "H and L must be code lengths of the same tokens, found the predicted sets "
            f"{of_entropy} and {of_loss}; score the baseline and the model on one set"
        )


def _difference_error(
    of_entropy: float | None, of_loss: float | None, correlation: float
) -> float | None:
    """Return the standard error of H - L in bits per token, None if neither error was given."""
    if not -1.0 <= correlation <= 1.0:
        raise OptionError(f"error_correlation must be in -1..1, found {correlation}")
    if of_entropy is None and of_loss is None:
        return None
    if of_entropy is None or of_loss is None:
        raise OptionError("H and L each need a standard error (0 if exact); found only one")
    require_not_negative("the standard error of the entropy", of_entropy)
    require_not_negative("the standard error of the loss", of_loss)
    # (s - t)^2 + 2 (1 - rho) s t avoids cancellation if the errors are almost equal.
    both = 2 * (1 - correlation) * of_entropy * of_loss
    return math.sqrt((of_entropy - of_loss) ** 2 + both)


def _with_ratio(
    tokens: float | None, model_bits: float | None, ratio: float | None
) -> tuple[float | None, float | None]:
    """Return D and N, computing a missing one from k."""
    if ratio is None:
        return tokens, model_bits
    require_positive("model_bits_per_token", ratio)
    if tokens is None and model_bits is not None:
        return model_bits / ratio, model_bits
    if tokens is None:
        return tokens, model_bits
    return tokens, consistent(
        "model_bits", model_bits, "tokens * model_bits_per_token", tokens * ratio
    )


def _result(
    known: Known,
    solved_for: str | None,
    parameters: tuple[float | None, float | None],
    error: float | None,
    baseline: str | None,
) -> Capacity:
    model_bits, tokens = known["model_bits"], known["tokens"]
    params, width = parameters
    if params is None and width is not None:
        params = model_bits / width
    elif width is None and params is not None:
        width = model_bits / params
    if solved_for in ("entropy", "loss"):
        # H - L would return the solution with cancelled digits.
        bits_saved = known["eta"] * model_bits
    else:
        bits_saved = tokens * (known["entropy"] - known["loss"])
    per_param = None if params is None else bits_saved / params
    return Capacity(
        tokens=tokens,
        entropy_bits_per_token=known["entropy"],
        loss_bits_per_token=known["loss"],
        model_bits=model_bits,
        params=params,
        bits_per_param_stored=width,
        bits_saved=bits_saved,
        bits_per_param=per_param,
        eta=known["eta"],
        flags=_flags(known, error),
        baseline=baseline,
        eta_nats_per_bit=bits_to_nats(known["eta"]),
        model_bits_per_token=model_bits / tokens,
        bits_saved_standard_error=None if error is None else tokens * error,
        eta_standard_error=None if error is None else tokens * error / model_bits,
        compared=() if per_param is None else compared_capacities(per_param),
    )


def _flags(known: Known, error: float | None) -> tuple[str, ...]:
    flags = []
    if known["eta"] > 1:
        flags.append("reuse regime: eta > 1, a stored bit saves again at every reuse")
    if known["entropy"] <= known["loss"]:
        flags.append("no information gained: the loss is not below the baseline entropy")
    elif error is not None and known["entropy"] - known["loss"] < 2 * error:
        flags.append("within the error: H - L is less than two standard errors above 0")
    if known["entropy"] < 0 or known["loss"] < 0:
        flags.append("impossible code length: the solved entropy or loss is below 0 bits per token")
    return tuple(flags)
