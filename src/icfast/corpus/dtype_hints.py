"""Recognition of ids that are read in another integer type than they were written in.

The positions of zero bytes in groups of eight tell the width and the byte order: small ids in wide
integers leave zeros at fixed positions. Ids of a true type do not depend on the parity of their
position. A hint needs evidence that true ids give by chance less than once in a million files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.shard import Shard

#: Bytes looked at, from the beginning and from the middle of a file.
_SAMPLE_BYTES = 1 << 19
#: Fewer groups of eight bytes are not judged.
_LEAST_GROUPS = 16
#: Different values that a vocabulary shows. Fewer may be a pattern of a few ids.
_LEAST_VALUES = 8
#: A byte that takes more values than this may take any.
_FEW_VALUES = 128
#: Entropy in bits of a byte that takes nearly any value.
_BROAD_BITS = 7.5
#: Expected contradictions that did not occur.
_EVIDENCE = 20

_REMEDIES = {
    "int64": "int64 (u8 or i8), which is not read: save as u4, with "
    "numpy.fromfile(file, '<i8').astype('<u4').tofile(new)",
    "big-endian int64": "big-endian int64, which is not read: save as u4, with "
    "numpy.fromfile(file, '>i8').astype('<u4').tofile(new)",
    "big-endian u4": "big-endian u4 ids, which are not read: save as little-endian u4, with "
    "numpy.fromfile(file, '>u4').astype('<u4').tofile(new)",
    "big-endian u2": "big-endian u2 ids, which are not read: save as little-endian u2, with "
    "numpy.fromfile(file, '>u2').astype('<u2').tofile(new)",
    "u4": "u4 ids. Pass --dtype u4",
    "u2": "u2 ids. Pass --dtype u2",
    "u1": "u1 ids. Pass --dtype u1",
}


def dtype_hint(shard: Shard) -> str | None:
    """Return a warning if the ids of a headerless file look like another type, or None."""
    if shard.format != "raw":
        return None
    sample = _sampled(shard)
    if sample is None:
        return None
    written = sample.written_as(shard.tokens.itemsize)
    if written is not None:
        return f"{shard.path} is read as {shard.dtype}, but looks like {_REMEDIES[written]}."
    if shard.tokens.itemsize == 4 and sample.share_beyond_vocabularies >= 0.01:
        return (
            f"{shard.path} is read as {shard.dtype}, and {sample.share_beyond_vocabularies:.0%} of "
            "its ids are 2^24 or larger, beyond any vocabulary. Check --dtype."
        )
    return None


def _sampled(shard: Shard) -> _Sample | None:
    content = shard.tokens.view(np.uint8)
    middle = len(content) // 16 * 8
    parts = [content[:_SAMPLE_BYTES]]
    if middle >= _SAMPLE_BYTES:
        parts.append(content[middle : middle + _SAMPLE_BYTES])
    whole = [part[: len(part) // 8 * 8].reshape(-1, 8) for part in parts]
    groups = np.concatenate(whole)
    return _Sample(groups) if len(groups) >= _LEAST_GROUPS else None


@dataclass(frozen=True, eq=False)
class _Sample:
    """Groups of eight bytes, u8[groups, 8]."""

    groups: NDArray[np.uint8]

    def written_as(self, read_bytes: int) -> str | None:
        """Return the type that the bytes were written in if it is not the one they are read in."""
        if self._wide(4, 8):
            return "int64"
        if self._wide(0, 4):
            return "big-endian int64"
        if self._is_u4(0, 1, 2, 3, "<u4") and read_bytes < 4:
            return "u4"
        if self._is_u4(3, 2, 1, 0, ">u4"):
            return "big-endian u4"
        if self._may_be_bytes(read_bytes) and self._is_u1():
            return "u1"
        if self._is_big_endian_u2():
            return "big-endian u2"
        if read_bytes == 1 and self._is_u2():
            return "u2"
        if read_bytes == 4 and self._halves_are_ids():
            return "u2"
        return None

    @property
    def share_beyond_vocabularies(self) -> float:
        """Share of four-byte values of 2^24 and above."""
        return float(1 - (self.zero[3] + self.zero[7]) / 2)

    @cached_property
    def zero(self) -> NDArray[np.float64]:
        """Share of zeros at each of the eight positions."""
        return np.asarray((self.groups == 0).mean(axis=0), np.float64)

    @cached_property
    def even(self) -> NDArray[np.int64]:
        """How often each value occurs at even positions."""
        return np.bincount(self.groups[:, ::2].ravel(), minlength=256)

    @cached_property
    def odd(self) -> NDArray[np.int64]:
        """How often each value occurs at odd positions."""
        return np.bincount(self.groups[:, 1::2].ravel(), minlength=256)

    @property
    def margin(self) -> float:
        """Difference of two shares that is no chance."""
        return float(0.2 + 3 * np.sqrt(0.5 / len(self.groups)))

    def _values(self, dtype: str) -> NDArray[Any]:
        return self.groups.reshape(-1).view(dtype)

    def _wide(self, first: int, last: int) -> bool:
        """Return whether the upper half of each eight bytes is zero, and the lower half varies."""
        if not (self.zero[first:last] == 1).all():
            return False
        lower = self.groups[:, 4 - first : 8 - first]
        return len(np.unique(lower, axis=0)) >= _LEAST_VALUES

    def _is_u4(self, low: int, second: int, third: int, top: int, dtype: str) -> bool:
        """Return whether groups of four bytes are ids below 2^24: their top byte is zero."""
        zero, count = self.zero, len(self.groups)
        if zero[top] < 1 or zero[top + 4] < 1:
            return False
        # In u2 ids, the second and the top byte are alike, as are the lowest and the third.
        unlike = count * (1 - zero[second]) >= _EVIDENCE and zero[second] < 0.9
        if not unlike and zero[third] < zero[low] + self.margin:
            return False
        # Upper halves of a real vocabulary are often zero, or spread.
        spread = zero[third] >= 0.05 or len(np.unique(self.groups[:, third])) >= 16
        return spread and len(np.unique(self._values(dtype))) >= _LEAST_VALUES

    def _may_be_bytes(self, read_bytes: int) -> bool:
        return read_bytes == 2 or (read_bytes == 4 and self.share_beyond_vocabularies > 0.5)

    def _is_u1(self) -> bool:
        """Return whether even and odd bytes are values of one small alphabet."""
        even, odd = self.even > 0, self.odd > 0
        fewer, more = sorted((_shares(self.even)[0], _shares(self.odd)[0]))
        if more > 2 * fewer + 0.05:
            return False
        smaller, larger = sorted((int(even.sum()), int(odd.sum())))
        if smaller >= 6 and larger <= _FEW_VALUES and (even & odd).sum() >= 0.75 * smaller:
            return True
        narrow = max(_bits(self.even), _bits(self.odd)) < _BROAD_BITS
        return smaller >= 6 and narrow and _distance(self.even, self.odd) < 0.1

    def _is_big_endian_u2(self) -> bool:
        return self._has_zeros_at(0) and _is_upper(self.even, self.odd, len(self.groups))

    def _has_zeros_at(self, parity: int) -> bool:
        """Return whether all positions of a parity have zeros, not those of a pattern of ids."""
        zero = self.zero[parity::2]
        return bool(zero.min() >= 0.5 * zero.mean())

    def _is_u2(self) -> bool:
        """Return whether odd bytes are the upper halves of ids whose lower halves are even."""
        if self._has_zeros_at(1) and _is_upper(self.odd, self.even, len(self.groups)):
            return True
        # A vocabulary below 64 k leaves the largest upper bytes out.
        largest = int(np.flatnonzero(self.odd)[-1])
        beyond = int(self.even[largest + 1 :].sum())
        share = beyond / int(self.even.sum())
        return largest < 250 and share >= 0.05 and beyond > 30 and _bits(self.even) >= _BROAD_BITS

    def _halves_are_ids(self) -> bool:
        """Return whether both halves of four-byte values follow one distribution of ids."""
        halves = self._values("<u2")
        low, high = halves[::2], halves[1::2]
        if len(np.unique(high)) < 4:
            return False
        if self.share_beyond_vocabularies < 0.001:
            small = (self.zero[1::2] == 1).all()  # both halves are below 256
            third, first = self.zero[2::4].mean(), self.zero[0::4].mean()
            return bool(small and third < 0.9 and abs(third - first) < self.margin)
        noise = float(np.sqrt(17 / len(low)))
        if abs(float((low == 0).mean()) - float((high == 0).mean())) > 0.1 + noise:
            return False
        return _distance(_sizes(low), _sizes(high)) < 0.15 + noise


def _is_upper(upper: NDArray[np.int64], lower: NDArray[np.int64], count: int) -> bool:
    """Return whether bytes are the upper halves of two-byte ids, by their zeros and their range."""
    zeros_upper, zeros_lower = _shares(upper)[0], _shares(lower)[0]
    values = int(np.count_nonzero(lower))
    if zeros_upper >= 0.9 and zeros_lower < 0.5 and values >= _LEAST_VALUES:
        return bool(zeros_upper - zeros_lower >= 0.2 + 3 * np.sqrt(0.5 / count))
    narrower = _bits(lower) - _bits(upper) >= 0.7
    many = count * (zeros_upper - zeros_lower) >= 10
    return bool(many and zeros_upper - zeros_lower >= 0.08 and values >= 100 and narrower)


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(counts / max(1, int(counts.sum())), np.float64)


def _bits(counts: NDArray[np.int64]) -> float:
    """Return the entropy of counts in bits."""
    shares = _shares(counts)
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


def _distance(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Return the total variation distance of two distributions."""
    return float(np.abs(_shares(one) - _shares(other)).sum() / 2)


def _sizes(ids: NDArray[Any]) -> NDArray[np.int64]:
    """Return how many of the ids above 0 have each number of binary digits."""
    above = ids[ids > 0]
    return np.bincount(np.log2(above).astype(np.int64), minlength=16)
