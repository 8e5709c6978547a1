"""Fan-out spectra: how many contexts have r distinct successors."""

from __future__ import annotations

from dataclasses import dataclass

from icfast.errors import OptionError
from icfast.sums.spectrum import Spectra, Spectrum


@dataclass(frozen=True)
class FanOut:
    """Numbers of distinct successors of the contexts of orders 1..N, as spectra.

    A context without a successor is left out.

    Attributes:
        order: N.
        empty: spectrum of the empty context: one type whose multiplicity is the number of distinct
            tokens.
        complete: spectra of the contexts without a begin mark, by length 1..N - 1.
        starting: spectra of the contexts whose first symbol is the begin mark, by length 1..N - 1.
            At length 1 this is the begin mark alone.
    """

    order: int
    empty: Spectrum
    complete: tuple[Spectrum, ...]
    starting: tuple[Spectrum, ...]

    @classmethod
    def of_unigrams(cls, spectra: Spectra) -> FanOut:
        """Return the fan-out of order 1, which follows from spectra.

        >>> from icfast.sums.spectrum import Spectra, Spectrum
        >>> one = Spectra(1, 4, 1, (Spectrum.from_counts([3, 1]),), (), (), (), ())
        >>> FanOut.of_unigrams(one).padded(1).multiplicity
        array([2], dtype=uint64)
        """
        return cls(1, Spectrum.from_counts([spectra[1].distinct]), (), ())

    def padded(self, order: int) -> Spectrum:
        """Return the spectrum of distinct successors of the histories of `Spectra.padded_contexts`.

        Raises:
            OptionError: the order is not in 1..N.
        """
        if not 1 <= order <= self.order:
            raise OptionError(
                f"order {order} was not counted: this fan-out holds 1..{self.order}. "
                "Ask for one of them, or fit a model of a higher order."
            )
        if order == 1:
            return self.empty
        return Spectrum.total([self.complete[order - 2], *self.starting[: order - 1]])
