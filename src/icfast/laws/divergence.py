"""Renyi entropies, and the Jensen-Shannon divergence of shards."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from icfast.errors import OptionError
from icfast.laws.estimators import ml
from icfast.sums.spectrum import Spectrum
from icfast.units import nats_to_bits


def renyi_entropy_bits(spectrum: Spectrum, q: float) -> float:
    """Return the plug-in Renyi entropy ln(sum p^q) / (1 - q), p = r/N, in bits (Renyi 1961).

    q = 0 gives log2 K, q = 1 Shannon's entropy, q = 2 the collision entropy, and q = infinity
    log2(N / largest r). It decreases with q. Near 1, ln(1 + sum p (p^(q-1) - 1)) avoids
    cancellation.

    Raises:
        OptionError: nothing was counted, or q is negative or NaN.

    >>> [round(renyi_entropy_bits(Spectrum.from_counts([2, 1, 1]), q), 6) for q in (0, 1, 2, 1e400)]
    [1.584963, 1.5, 1.415037, 1.0]
    """
    if not q >= 0:
        raise OptionError(f"q must not be negative, found {q}")
    if spectrum.windows == 0:
        raise OptionError("the spectrum is empty: nothing was counted")
    if q == 1:
        return nats_to_bits(ml(spectrum))
    rows = spectrum.multiplicity.astype(np.float64)
    logs = -np.log1p((spectrum.windows - rows) / rows)
    if q == math.inf:
        return nats_to_bits(-float(logs[-1]))
    weights = spectrum.types.astype(np.float64) * (rows / spectrum.windows)
    if abs(q - 1) < 0.5:
        excess = math.fsum((weights * np.expm1((q - 1) * logs)).tolist())
        return nats_to_bits(math.log1p(excess) / (1 - q))
    # Relative to the largest power, which may underflow.
    powers = q * logs + np.log(spectrum.types.astype(np.float64))
    most = float(powers.max())
    total = math.fsum(np.exp(powers - most).tolist())
    return nats_to_bits((most + math.log(total)) / (1 - q))


def jensen_shannon_bits(
    counts: Sequence[ArrayLike], weights: Sequence[float] | None = None
) -> float:
    """Return the Jensen-Shannon divergence H(sum w_i p_i) - sum w_i H(p_i) in bits (Lin 1991).

    It is 0 for equal distributions and H(w) if no two share a type. Weighted by size (the default),
    it is the information that a token gives about its shard. As a plug-in value it is positive even
    for two samples of one source: about (shards - 1)(types - 1)/(2 N ln 2) with N tokens in total.

    Args:
        counts: two or more arrays of equal length; each cell is a type.
        weights: one positive weight per array, normalised here; the default is the sums.

    Raises:
        OptionError: there are fewer than two arrays, they are not 1-D or differ in length, counts
            are not finite or negative, an array is all zero, or weights are not positive, finite
            and one per array.

    >>> jensen_shannon_bits([[1, 0], [0, 1]]), jensen_shannon_bits([[1, 2], [2, 4]])
    (1.0, 0.0)
    """
    arrays = [np.asarray(array, np.float64) for array in counts]
    if len(arrays) < 2 or any(a.ndim != 1 or a.shape != arrays[0].shape for a in arrays):
        raise OptionError("the divergence needs at least two 1-D count arrays of equal length")
    held = np.stack(arrays)
    if not np.all(np.isfinite(held) & (held >= 0)) or not np.all(held.sum(axis=1) > 0):
        raise OptionError("counts must be finite and not negative, with a positive one per array")
    sizes = held.sum(axis=1)
    given = sizes if weights is None else np.asarray(weights, np.float64)
    if given.shape != sizes.shape or not np.all(np.isfinite(given) & (given > 0)):
        raise OptionError(f"weights must be {len(sizes)} positive numbers, found {weights}")
    share = given / given.sum()
    p = held / sizes[:, None]
    mixed = share @ p
    seen = p > 0
    ratio = np.divide(p, mixed, where=seen, out=np.ones_like(p))
    bits = math.fsum((share[:, None] * p * np.log2(ratio)).ravel().tolist())
    # A divergence is not negative, but the sum of its rounded terms can be.
    return max(bits, 0.0)


def shard_divergence_bits(mixed: Spectrum, shards: Sequence[Spectrum]) -> float:
    """Return the Jensen-Shannon divergence of shards from their spectra, in bits.

    It is H(mixed) - sum (N_i/N) H(shard_i), weighted by size, with plug-in entropies. The spectra
    suffice; count arrays over a common alphabet are not needed.

    Args:
        mixed: spectrum of all shards counted together.
        shards: spectrum of each shard.

    Raises:
        OptionError: nothing was counted, or the shards do not add up to `mixed`.

    >>> one, other = Spectrum.from_counts([1]), Spectrum.from_counts([1])
    >>> shard_divergence_bits(Spectrum.from_counts([1, 1]), [one, other])
    1.0
    """
    sizes = [shard.windows for shard in shards]
    if not mixed.windows or sum(sizes) != mixed.windows:
        raise OptionError(
            f"shards of {sizes} tokens do not add up to the {mixed.windows} tokens counted together"
        )
    within = math.fsum(
        size / mixed.windows * ml(shard) for size, shard in zip(sizes, shards, strict=True) if size
    )
    # A divergence is not negative, but the difference of rounded entropies can be.
    return max(nats_to_bits(ml(mixed) - within), 0.0)


def sampling_floor_bits(shards: int, types: int, tokens: int) -> float:
    """Return (S - 1)(K - 1)/(2 N ln 2), expected divergence of S samples of one source, in bits.

    This is Miller's (1955) bias for independent tokens. Tokens of a document are correlated, so
    shards of whole documents diverge more, even from one source.

    Args:
        shards: S.
        types: K.
        tokens: N, tokens in total.

    Raises:
        OptionError: a number is below 1.

    >>> round(sampling_floor_bits(2, 1000, 100_000), 6)
    0.007206
    """
    for name, value in (("shards", shards), ("types", types), ("tokens", tokens)):
        if value < 1:
            raise OptionError(f"{name} must be at least 1, found {value}")
    return (shards - 1) * (types - 1) / (2 * tokens * math.log(2.0))
