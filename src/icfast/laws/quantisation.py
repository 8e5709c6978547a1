"""Corollary 4.5: fewest bits per parameter that can hold what a model learned."""

from __future__ import annotations

from dataclasses import dataclass

from icfast.errors import OptionError
from icfast.laws.balance import consistent, require_not_negative, require_positive
from icfast.laws.result_table import ResultTable


@dataclass(frozen=True)
class Quantisation(ResultTable):
    """Result of :func:`quantise`.

    Attributes:
        eta: absorbed bits per stored bit, before.
        bits_per_param_stored: b, stored bits per parameter, before.
        minimum_bits_per_param: eta b, a lower bound for every lossless format.
        proposed_bits_per_param: b', None if no format was proposed.
        proposed_eta: eta b / b', absorbed bits per stored bit, after; None without b'.
        loses_information: whether b' < eta b, so that information must be lost. False only means
            that the bound does not exclude the format. None without b'.
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
    """Bound the bits per parameter of a lossless format: b' >= eta b (arXiv 2411.00660 eq. 11-12).

    The bound follows from eta b <= eta' b' and eta' <= 1. It is necessary, not sufficient: a format
    below the bound must lose information, and one above it may. eta here counts bits *absorbed*,
    (B - C) / (P b) from a training log. The gross D (H - L) counts a stored bit at every reuse, so
    it bounds nothing. More tokens learned into the same P raise eta and the bound. Kumar et al.
    2024 (arXiv 2411.04330) find the same direction, if not the same size, for quantisation after
    training (sec. 5.3).

    Args:
        bits_per_param: b > 0, stored bits per parameter now.
        eta: absorbed bits per stored bit, 0..1.
        absorbed_bits: B - C >= 0; with params it replaces eta.
        params: P > 0.
        proposed_bits_per_param: b' > 0, a format to judge.

    Raises:
        OptionError: neither eta nor absorbed_bits with params is given, both contradict each other,
            a value is out of range, or eta b > b, so that eta cannot count absorbed bits.

    >>> found = quantise(bits_per_param=16, eta=0.268, proposed_bits_per_param=4)
    >>> found.minimum_bits_per_param, found.loses_information
    (4.288, True)
    """
    require_positive("bits_per_param", bits_per_param)
    eta = _eta(eta, absorbed_bits, params, bits_per_param)
    minimum = eta * bits_per_param
    if eta > 1:
        raise OptionError(
            f"eta b = {minimum} bits per parameter, but only {bits_per_param} are stored: eta "
            "counts bits saved at every reuse, not bits absorbed; use B - C of a training log"
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
    return consistent("eta", eta, "absorbed_bits / (params * bits_per_param)", held)
