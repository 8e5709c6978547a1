"""Exact n-gram entropy, held-out cross-entropy and information capacity of token corpora."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from icfast import laws
    from icfast.corpus import open_corpus as open  # noqa: A004 - icfast.open is the public name
    from icfast.errors import IcfastError
    from icfast.job.matches import match_entropy
    from icfast.kernels.cross_entropy import cross_entropy, linear_cross_entropy
    from icfast.laws.entropy import entropy_bits
    from icfast.measure.spectrum import Spectra, Spectrum
    from icfast.measure.table import CountTable
    from icfast.models.compact import CompactModel
    from icfast.models.fan_out import fan_out
    from icfast.models.ngram import NgramModel
    from icfast.passes.compress import compress
    from icfast.passes.count import count, merge
    from icfast.passes.export import write_arpa
    from icfast.passes.fit import fit
    from icfast.passes.score import score
    from icfast.passes.spectra import cost, spectra

__version__ = "0.1.0"

#: Public name -> (module, name there). Loaded on first use, so `import icfast` stays light.
_PUBLIC = {
    "CompactModel": ("icfast.models.compact", "CompactModel"),
    "CountTable": ("icfast.measure.table", "CountTable"),
    "IcfastError": ("icfast.errors", "IcfastError"),
    "NgramModel": ("icfast.models.ngram", "NgramModel"),
    "Spectra": ("icfast.measure.spectrum", "Spectra"),
    "Spectrum": ("icfast.measure.spectrum", "Spectrum"),
    "compress": ("icfast.passes.compress", "compress"),
    "cost": ("icfast.passes.spectra", "cost"),
    "count": ("icfast.passes.count", "count"),
    "cross_entropy": ("icfast.kernels.cross_entropy", "cross_entropy"),
    "entropy_bits": ("icfast.laws.entropy", "entropy_bits"),
    "fan_out": ("icfast.models.fan_out", "fan_out"),
    "fit": ("icfast.passes.fit", "fit"),
    "laws": ("icfast.laws", None),
    "linear_cross_entropy": ("icfast.kernels.cross_entropy", "linear_cross_entropy"),
    "match_entropy": ("icfast.job.matches", "match_entropy"),
    "merge": ("icfast.passes.count", "merge"),
    "open": ("icfast.corpus", "open_corpus"),
    "score": ("icfast.passes.score", "score"),
    "spectra": ("icfast.passes.spectra", "spectra"),
    "write_arpa": ("icfast.passes.export", "write_arpa"),
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
