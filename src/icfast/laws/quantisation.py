"""Corollary 4.5: the fewest bits a parameter can be rounded to without losing what was learned."""

from __future__ import annotations

from dataclasses import dataclass

from icfast.errors import OptionError
from icfast.laws.balance import agreeing, require_not_negative, require_positive


@dataclass(frozen=True)
class Quantisation:
    """Result of :func:`quantise`.

    Attributes:
        eta: bits held per stored bit before.
        bits_per_param_stored: b, bits a parameter is stored in before.
        minimum_bits_per_param: eta b, what every lossless format needs at least.
        proposed_bits_per_param: b', None where none was proposed.
        proposed_eta: eta b / b', bits held per stored bit after; None where none was proposed.
        loses_information: whether b' < eta b, so that information must be lost; False only says
            that the bound does not exclude the format. None where none was proposed.
        verdict: the same in words.
    """

    eta: float
    bits_per_param_stored: float
    minimum_bits_per_param: float
    proposed_bits_per_param: float | None
    proposed_eta: float | None
    loses_information: bool | None
    verdict: str


def quantise(
    *,
    bits_per_param: float,
    eta: float | None = None,
    absorbed_bits: float | None = None,
    params: float | None = None,
    proposed_bits_per_param: float | None = None,
) -> Quantisation:
    """b' >= eta b, from eta b <= eta' b' and eta' <= 1 (arXiv 2411.00660 eq. 11-12).

    Necessary, not sufficient: a format above the bound may lose information, one below it must.
    eta here is of bits *absorbed*, (B - C) / (P b) from a training log. The gross D (H - L) counts
    a stored bit at every reuse, is no content of the weights, and bounds nothing. More tokens
    learned into the same P raise eta, and with it the bound: the direction, if not the size, of
    what Kumar et al. 2024 (arXiv 2411.04330) find for rounding after training (sec. 5.3).

    Args:
        bits_per_param: b > 0, bits a parameter is stored in now.
        eta: absorbed bits per stored bit, 0..1; or
        absorbed_bits: B - C >= 0, with
        params: P > 0.
        proposed_bits_per_param: b' > 0, a format to judge.

    Raises:
        OptionError: neither eta nor absorbed_bits with params, both but contradicting, a value
            out of range, or eta b > b: more bits than are stored, so not bits absorbed.

    >>> found = quantise(bits_per_param=16, eta=0.268, proposed_bits_per_param=4)
    >>> found.minimum_bits_per_param, found.loses_information
    (4.288, True)
    """
    require_positive("bits_per_param", bits_per_param)
    eta = _eta(eta, absorbed_bits, params, bits_per_param)
    minimum = eta * bits_per_param
    if eta > 1:
        raise OptionError(
            f"eta b = {minimum} bits per parameter, but only {bits_per_param} are stored: these "
            "are bits saved and saved again, not bits absorbed; use B - C of a training log"
        )
    if proposed_bits_per_param is not None:
        require_positive("proposed_bits_per_param", proposed_bits_per_param)
    proposed = proposed_bits_per_param
    loses = None if proposed is None else proposed < minimum
    return Quantisation(
        eta=eta,
        bits_per_param_stored=float(bits_per_param),
        minimum_bits_per_param=minimum,
        proposed_bits_per_param=proposed,
        proposed_eta=None if proposed is None else minimum / proposed,
        loses_information=loses,
        verdict=_VERDICTS[loses],
    )


_VERDICTS: dict[bool | None, str] = {
    None: "no format was proposed",
    True: "information must be lost: the format is below the bound",
    False: "not excluded: the format is above the bound, which is necessary and not sufficient",
}


def _eta(
    eta: float | None, absorbed_bits: float | None, params: float | None, width: float
) -> float:
    if eta is not None:
        require_not_negative("eta", eta)
    if absorbed_bits is None or params is None:
        if eta is None or (absorbed_bits, params) != (None, None):
            raise OptionError("give eta, or absorbed_bits with params")
        return float(eta)
    require_not_negative("absorbed_bits", absorbed_bits)
    require_positive("params", params)
    held = absorbed_bits / (params * width)
    return agreeing("eta", eta, "absorbed_bits / (params * bits_per_param)", held)
