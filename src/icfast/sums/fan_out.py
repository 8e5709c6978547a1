"""Fan-out spectra: how many contexts have r distinct successors. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from icfast.errors import OptionError
from icfast.sums.spectrum import Spectra, Spectrum


@dataclass(frozen=True)
class FanOut:
    """Distinct successors of the contexts of orders 1..N, those without any left out.

    Attributes:
        order: N.
        empty: of the empty context: one type, seen as often as there are distinct tokens.
        complete: per length 1..N - 1 of the context, of those that are complete n-grams.
        starting: the same of those whose first symbol is the begin mark (length 1: it alone).
    """

    order: int
    empty: Spectrum
    complete: tuple[Spectrum, ...]
    starting: tuple[Spectrum, ...]

    @classmethod
    def of_unigrams(cls, spectra: Spectra) -> FanOut:
        """Order 1, which spectra know themselves.

        >>> from icfast.sums.spectrum import Spectra, Spectrum
        >>> one = Spectra(1, 4, 1, (Spectrum.from_counts([3, 1]),), (), (), (), ())
        >>> FanOut.of_unigrams(one).padded(1).multiplicity
        array([2], dtype=uint64)
        """
        return cls(1, Spectrum.from_counts([spectra[1].distinct]), (), ())

    def padded(self, order: int) -> Spectrum:
        """Distinct successors of the marked histories of ``Spectra.padded_contexts``.

        Raises:
            OptionError: the order is not in 1..N.
        """
        if not 1 <= order <= self.order:
            raise OptionError(f"order {order} was not counted; this fan-out holds 1..{self.order}")
        if order == 1:
            return self.empty
        return Spectrum.total([self.complete[order - 2], *self.starting[: order - 1]])
