"""IC-1, eta N = D (H - L): how many bits a model's stored bits save on D tokens."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

from icfast.errors import OptionError, UnitError
from icfast.units import nats_to_bits

#: How far two numbers that should be equal may differ, relative to the larger.
_CONSISTENT_WITHIN = 1e-9


@dataclass(frozen=True)
class Capacity:
    """One balance of IC-1, every variable known; built by :func:`capacity`.

    Attributes:
        tokens: D.
        entropy_bits_per_token: H, the baseline's code length of a token.
        loss_bits_per_token: L, the model's code length of the same tokens.
        model_bits: N = params * bits_per_param_stored.
        params: P, None where unknown.
        bits_per_param_stored: b, the width a parameter is kept at; None where unknown.
        bits_saved: D (H - L).
        bits_per_param: bits_saved / P, None where P is unknown.
        eta: bits saved per stored bit. Not bounded by 1.
        flags: what a reader should be told, in words.
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


_Known = dict[str, float]

#: Per variable: IC-1 solved for it. A zero divisor means that no value, or every value, fits.
_SOLVERS: dict[str, Callable[[_Known], float]] = {
    "eta": lambda v: v["tokens"] * (v["entropy"] - v["loss"]) / v["model_bits"],
    "model_bits": lambda v: v["tokens"] * (v["entropy"] - v["loss"]) / v["eta"],
    "tokens": lambda v: v["eta"] * v["model_bits"] / (v["entropy"] - v["loss"]),
    "entropy": lambda v: v["loss"] + v["eta"] * v["model_bits"] / v["tokens"],
    "loss": lambda v: v["entropy"] - v["eta"] * v["model_bits"] / v["tokens"],
}

#: What a message calls each variable.
_ARGUMENTS = {
    "eta": "eta",
    "model_bits": "model_bits (or params with bits_per_param)",
    "tokens": "tokens",
    "entropy": "entropy_bits_per_token",
    "loss": "loss_bits_per_token",
}


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
    eta: float | None = None,
) -> Capacity:
    """Solve IC-1, eta N = D (H - L), for the one variable left out (arXiv 2411.00660 eq. 6-8).

    H and L are code lengths of the *same* D tokens, under a named baseline and under the model.
    N is in bits, so the result's H and L are in bits too. With N unknown, params or
    bits_per_param alone gives the other through N = params * bits_per_param.

    Args:
        tokens: D > 0.
        entropy_bits_per_token: H >= 0; or
        entropy_nats_per_token: the same in nats.
        loss_bits_per_token: L >= 0; or
        loss_nats_per_token: the same in nats.
        model_bits: N > 0; or
        params: P > 0, with
        bits_per_param: b > 0, the width a parameter is kept at.
        eta: bits saved per stored bit; above 1 and below 0 are values like any other.

    Raises:
        UnitError: H or L in nats beside H or L in bits.
        OptionError: more than one variable missing, none missing and the balance wrong by more
            than 1e-9, a value out of range, or no solution.

    >>> two_bits_per_param = capacity(
    ...     tokens=2e9, entropy_bits_per_token=10.0, loss_bits_per_token=9.0,
    ...     params=1e9, bits_per_param=16)
    >>> two_bits_per_param.eta, two_bits_per_param.bits_per_param
    (0.125, 2.0)
    """
    entropy, loss = _in_bits(
        (entropy_bits_per_token, loss_bits_per_token), (entropy_nats_per_token, loss_nats_per_token)
    )
    model_bits = _checked_model_bits(model_bits, params, bits_per_param)
    given = {
        "tokens": tokens,
        "entropy": entropy,
        "loss": loss,
        "model_bits": model_bits,
        "eta": eta,
    }
    known = {name: float(value) for name, value in given.items() if value is not None}
    _check_ranges(known)
    solved_for = _missing(given)
    if solved_for is None:
        _check_balance(known)
    else:
        known[solved_for] = _solve(solved_for, known)
    return _result(known, solved_for, params, bits_per_param)


def _in_bits(
    bits: tuple[float | None, float | None], nats: tuple[float | None, float | None]
) -> tuple[float | None, float | None]:
    """H and L in bits, from whichever pair was used."""
    if bits != (None, None) and nats != (None, None):
        raise UnitError(
            "entropy and loss must be in the same unit: found both _bits_per_token and "
            "_nats_per_token; give both in bits or both in nats"
        )
    if nats == (None, None):
        return bits
    entropy, loss = (None if value is None else nats_to_bits(value) for value in nats)
    return entropy, loss


def _checked_model_bits(
    model_bits: float | None, params: float | None, bits_per_param: float | None
) -> float | None:
    """N, from the product where it isn't given; None where it is what's missing."""
    for name, value in (("params", params), ("bits_per_param", bits_per_param)):
        if value is not None:
            _require_positive(name, value)
    if params is None or bits_per_param is None:
        return model_bits
    product = float(params) * float(bits_per_param)
    if model_bits is None:
        return product
    if not math.isclose(model_bits, product, rel_tol=_CONSISTENT_WITHIN):
        raise OptionError(
            f"model_bits {model_bits} is not params * bits_per_param = {product}; leave one out"
        )
    return model_bits


def _require_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise OptionError(f"{name} must be positive and finite, found {value}")


def _check_ranges(known: _Known) -> None:
    for name, value in known.items():
        if name in ("tokens", "model_bits"):
            _require_positive(name, value)
        elif not math.isfinite(value) or (name != "eta" and value < 0):
            bound = "" if name == "eta" else " and not negative"
            raise OptionError(f"{_ARGUMENTS[name]} must be finite{bound}, found {value}")


def _missing(given: dict[str, float | None]) -> str | None:
    """The one variable to solve for, None where all are given."""
    missing = [name for name, value in given.items() if value is None]
    if len(missing) > 1:
        listed = ", ".join(_ARGUMENTS[name] for name in missing)
        raise OptionError(
            f"IC-1 gives one variable from the others; missing are {listed}: give all but one"
        )
    return missing[0] if missing else None


def _check_balance(known: _Known) -> None:
    stored = known["eta"] * known["model_bits"]
    saved = known["tokens"] * (known["entropy"] - known["loss"])
    # H - L cannot be had better than H and L are rounded.
    rounding = 4 * sys.float_info.epsilon * known["tokens"] * max(known["entropy"], known["loss"])
    if not math.isclose(stored, saved, rel_tol=_CONSISTENT_WITHIN, abs_tol=rounding):
        raise OptionError(
            f"eta * N = {stored} bits but D * (H - L) = {saved} bits: the values given contradict "
            "each other; leave out the one to solve for"
        )


def _solve(name: str, known: _Known) -> float:
    try:
        value = _SOLVERS[name](known)
    except ZeroDivisionError:
        value = math.nan
    positive = value > 0 or name not in ("tokens", "model_bits")
    if not (math.isfinite(value) and positive):
        listed = ", ".join(f"{_ARGUMENTS[key]} = {known[key]}" for key in known)
        raise OptionError(f"no {_ARGUMENTS[name]} satisfies IC-1 with {listed}")
    return value


def _result(
    known: _Known, solved_for: str | None, params: float | None, width: float | None
) -> Capacity:
    model_bits = known["model_bits"]
    if params is None and width is not None:
        params = model_bits / width
    elif width is None and params is not None:
        width = model_bits / params
    if solved_for in ("entropy", "loss"):
        # H - L would only give back the solution with its digits cancelled.
        bits_saved = known["eta"] * model_bits
    else:
        bits_saved = known["tokens"] * (known["entropy"] - known["loss"])
    return Capacity(
        tokens=known["tokens"],
        entropy_bits_per_token=known["entropy"],
        loss_bits_per_token=known["loss"],
        model_bits=model_bits,
        params=params,
        bits_per_param_stored=width,
        bits_saved=bits_saved,
        bits_per_param=None if params is None else bits_saved / params,
        eta=known["eta"],
        flags=_flags(known),
    )


def _flags(known: _Known) -> tuple[str, ...]:
    flags = []
    if known["eta"] > 1:
        flags.append("reuse regime: eta > 1, each stored bit saves again at every reuse")
    if known["entropy"] <= known["loss"]:
        flags.append("no information gained: the loss is not below the baseline entropy")
    if known["entropy"] < 0 or known["loss"] < 0:
        flags.append("impossible code length: the solved entropy or loss is below 0 bits per token")
    return tuple(flags)
