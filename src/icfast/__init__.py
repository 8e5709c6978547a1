"""Exact n-gram entropy, held-out cross-entropy and information capacity of token corpora."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from icfast import laws
    from icfast.corpus import open_corpus as open  # noqa: A004 - icfast.open is the public name
    from icfast.errors import IcfastError
    from icfast.kneser_ney.arpa import write_arpa
    from icfast.kneser_ney.compact import CompactModel
    from icfast.kneser_ney.compression.compress import compress
    from icfast.kneser_ney.fan_out import fan_out
    from icfast.kneser_ney.fit import fit
    from icfast.kneser_ney.model import NgramModel
    from icfast.laws.entropy import entropy_bits
    from icfast.losses.cross_entropy import cross_entropy, linear_cross_entropy
    from icfast.ngrams.count import count, merge
    from icfast.ngrams.spectra import cost, spectra
    from icfast.ngrams.table import CountTable
    from icfast.pipeline.matches import match_entropy
    from icfast.quality.score import score
    from icfast.sums.spectrum import Spectra, Spectrum

__version__ = "0.1.0"

#: Public name -> (module, name there). Loaded on first use, so `import icfast` stays light.
_PUBLIC = {
    "CompactModel": ("icfast.kneser_ney.compact", "CompactModel"),
    "CountTable": ("icfast.ngrams.table", "CountTable"),
    "IcfastError": ("icfast.errors", "IcfastError"),
    "NgramModel": ("icfast.kneser_ney.model", "NgramModel"),
    "Spectra": ("icfast.sums.spectrum", "Spectra"),
    "Spectrum": ("icfast.sums.spectrum", "Spectrum"),
    "compress": ("icfast.kneser_ney.compression.compress", "compress"),
    "cost": ("icfast.ngrams.spectra", "cost"),
    "count": ("icfast.ngrams.count", "count"),
    "cross_entropy": ("icfast.losses.cross_entropy", "cross_entropy"),
    "entropy_bits": ("icfast.laws.entropy", "entropy_bits"),
    "fan_out": ("icfast.kneser_ney.fan_out", "fan_out"),
    "fit": ("icfast.kneser_ney.fit", "fit"),
    "laws": ("icfast.laws", None),
    "linear_cross_entropy": ("icfast.losses.cross_entropy", "linear_cross_entropy"),
    "match_entropy": ("icfast.pipeline.matches", "match_entropy"),
    "merge": ("icfast.ngrams.count", "merge"),
    "open": ("icfast.corpus", "open_corpus"),
    "score": ("icfast.quality.score", "score"),
    "spectra": ("icfast.ngrams.spectra", "spectra"),
    "write_arpa": ("icfast.kneser_ney.arpa", "write_arpa"),
}

__all__ = [
    "CompactModel",
    "CountTable",
    "IcfastError",
    "NgramModel",
    "Spectra",
    "Spectrum",
    "__version__",
    "compress",
    "cost",
    "count",
    "cross_entropy",
    "entropy_bits",
    "fan_out",
    "fit",
    "laws",
    "linear_cross_entropy",
    "match_entropy",
    "merge",
    "open",
    "score",
    "spectra",
    "write_arpa",
]


def __getattr__(name: str) -> Any:
    try:
        module, attribute = _PUBLIC[name]
    except KeyError:
        raise AttributeError(f"module 'icfast' has no attribute {name!r}") from None
    found = import_module(module)
    value = found if attribute is None else getattr(found, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
