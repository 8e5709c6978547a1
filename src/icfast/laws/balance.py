"""Algebra of IC-1, eta N = D (H - L): units, ranges, and solving for one variable."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence

from icfast.errors import OptionError, UnitError
from icfast.units import nats_to_bits

#: Relative tolerance of two numbers that should be equal.
_CONSISTENT_WITHIN = 1e-9

Known = dict[str, float]

#: IC-1 solved for each variable. A zero divisor means that no value, or every value, fits.
_SOLVERS: dict[str, Callable[[Known], float]] = {
    "eta": lambda v: v["tokens"] * (v["entropy"] - v["loss"]) / v["model_bits"],
    "model_bits": lambda v: v["tokens"] * (v["entropy"] - v["loss"]) / v["eta"],
    "tokens": lambda v: v["eta"] * v["model_bits"] / (v["entropy"] - v["loss"]),
    "entropy": lambda v: v["loss"] + v["eta"] * v["model_bits"] / v["tokens"],
    "loss": lambda v: v["entropy"] - v["eta"] * v["model_bits"] / v["tokens"],
}

#: Name of each variable in messages.
_ARGUMENTS = {
    "eta": "eta",
    "model_bits": "model_bits (or params with bits_per_param)",
    "tokens": "tokens",
    "entropy": "entropy_bits_per_token",
    "loss": "loss_bits_per_token",
}


def in_bits(bits: Sequence[float | None], nats: Sequence[float | None]) -> list[float | None]:
    """Convert H, L and their errors to bits, from the one unit in which they are given.

    Raises:
        UnitError: some are in bits, others in nats.
    """
    some_in_bits, some_in_nats = (any(v is not None for v in values) for values in (bits, nats))
    if some_in_bits and some_in_nats:
        raise UnitError(
            "entropy and loss must be in the same unit, found both _bits_per_token and "
            "_nats_per_token; give both, and their errors, in bits or in nats"
        )
    if not some_in_nats:
        return list(bits)
    return [None if value is None else nats_to_bits(value) for value in nats]


def mixed_model_bits(precisions: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return P = sum P_i and the mean width sum P_i b_i / P of parameters stored in several widths.

    Raises:
        OptionError: there are no pairs, or a number is not positive and finite.

    >>> mixed_model_bits([(3e9, 4), (1e9, 16)])
    (4000000000.0, 7.0)
    """
    if not precisions:
        raise OptionError("precisions is empty; give at least one pair (params, bits_per_param)")
    for params, width in precisions:
        require_positive("params of precisions", params)
        require_positive("bits_per_param of precisions", width)
    total = math.fsum(params for params, _ in precisions)
    return total, math.fsum(params * width for params, width in precisions) / total


def checked_model_bits(
    model_bits: float | None, params: float | None, bits_per_param: float | None
) -> float | None:
    """Return N, from params * bits_per_param if it is not given; None if it is unknown.

    Raises:
        OptionError: a value is not positive and finite, or N is not the product.
    """
    for name, value in (("params", params), ("bits_per_param", bits_per_param)):
        if value is not None:
            require_positive(name, value)
    if params is None or bits_per_param is None:
        return model_bits
    product = float(params) * float(bits_per_param)
    return consistent("model_bits", model_bits, "params * bits_per_param", product)


def consistent(name: str, value: float | None, formula: str, expected: float) -> float:
    """Return the value, or the expected one if it is None; refuse a value that differs."""
    if value is None:
        return expected
    if not math.isclose(value, expected, rel_tol=_CONSISTENT_WITHIN):
        raise OptionError(f"{name} {value} is not {formula} = {expected}; leave one out")
    return value


def require_positive(name: str, value: float) -> None:
    """Refuse a value that is not positive and finite.

    Raises:
        OptionError: the value is not positive and finite.
    """
    if not (math.isfinite(value) and value > 0):
        raise OptionError(f"{name} must be positive and finite, found {value}")


def require_not_negative(name: str, value: float) -> None:
    """Refuse a value that is negative or not finite.

    Raises:
        OptionError: the value is negative or not finite.
    """
    if not (math.isfinite(value) and value >= 0):
        raise OptionError(f"{name} must be finite and not negative, found {value}")


def solve(given: dict[str, float | None]) -> tuple[Known, str | None]:
    """Return all five variables and the name of the one solved for (None if all were given).

    Raises:
        OptionError: more than one is missing, all are given and the balance is off by more than
            1e-9, a value is out of range, or there is no solution.
    """
    known = {name: float(value) for name, value in given.items() if value is not None}
    _check_ranges(known)
    missing = _missing(given)
    if missing is None:
        _check_balance(known)
    else:
        known[missing] = _solve_for(missing, known)
    return known, missing


def _check_ranges(known: Known) -> None:
    for name, value in known.items():
        if name in ("tokens", "model_bits"):
            require_positive(name, value)
        elif not math.isfinite(value) or (name != "eta" and value < 0):
            bound = "" if name == "eta" else " and not negative"
            raise OptionError(f"{_ARGUMENTS[name]} must be finite{bound}, found {value}")


def _missing(given: dict[str, float | None]) -> str | None:
    """Return the variable to solve for, None if all are given."""
    missing = [name for name, value in given.items() if value is None]
    if len(missing) > 1:
        listed = ", ".join(_ARGUMENTS[name] for name in missing)
        raise OptionError(
            f"IC-1 solves for one variable, but missing are {listed}: give all but one"
        )
    return missing[0] if missing else None


def _check_balance(known: Known) -> None:
    stored = known["eta"] * known["model_bits"]
    saved = known["tokens"] * (known["entropy"] - known["loss"])
    # H - L is only as accurate as the rounding of H and L.
    rounding = 4 * sys.float_info.epsilon * known["tokens"] * max(known["entropy"], known["loss"])
    if not math.isclose(stored, saved, rel_tol=_CONSISTENT_WITHIN, abs_tol=rounding):
        raise OptionError(
            f"the values contradict each other: eta * N = {stored} bits but D * (H - L) = {saved} "
            "bits; leave out the one to solve for"
        )


def _solve_for(name: str, known: Known) -> float:
    try:
        value = _SOLVERS[name](known)
    except ZeroDivisionError:
        value = math.nan
    positive = value > 0 or name not in ("tokens", "model_bits")
    if not (math.isfinite(value) and positive):
        listed = ", ".join(f"{_ARGUMENTS[key]} = {known[key]}" for key in known)
        raise OptionError(f"no {_ARGUMENTS[name]} satisfies IC-1 with {listed}")
    return value
