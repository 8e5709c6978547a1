"""More than 2^31 windows with known spectra; takes minutes and 2.2 GB of disk."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from tests.ngrams.corpora import as_dict

import icfast

SIZE = 2_200_000_000
pytestmark = pytest.mark.slow


def test_one_id_over_two_thousand_million_times(tmp_path):
    """Return zeros and three other ids in a sparse file, which takes no disk."""
    path = tmp_path / "x.bin"
    planted = {SIZE // 3: 1, 2 * SIZE // 3: 2, SIZE - 1: 3}
    with path.open("wb") as file:
        for position, token in planted.items():
            file.seek(position)
            file.write(bytes([token]))
    assert path.stat().st_size == SIZE
    corpus = icfast.open(path, dtype="u1", vocab_size=256)
    spectra = icfast.spectra(corpus, 5, memory="1GiB")
    zeros = [stop - start - 1 for start, stop in pairwise([-1, *planted])]
    for n in range(1, 6):
        # All zeros, or one planted id in any of its places; the last one in its last place.
        alike = sum(length - n + 1 for length in zeros)
        assert as_dict(spectra[n]) == {1: 2 * n + 1, alike: 1}
        # The last window has no successor; neither has the mark that the first one follows two.
        assert spectra[n].windows == SIZE - n + 1
        assert spectra.padded(n).windows == spectra.padded_contexts(n).windows == SIZE
        assert as_dict(spectra.starting[n - 1]) == ({} if n == 1 else {1: 1})


def test_a_period_over_two_thousand_million_tokens(tmp_path):
    """Return 0, 1, ..., 250, 0, 1, ...: the last token determines every n-gram."""
    period = 251
    path = tmp_path / "x.bin"
    whole = np.tile(np.arange(period, dtype=np.uint8), 40_000).tobytes()
    with path.open("wb") as file:
        left = SIZE
        while left:
            left -= file.write(whole[: min(left, len(whole))])
    corpus = icfast.open(path, dtype="u1", vocab_size=256)
    table = icfast.count(corpus, tmp_path / "t", 5, memory="1GiB")
    spectra = table.spectra()
    for n in range(1, 6):
        # A window ends at each position from n - 1 on.
        ends = np.bincount(np.arange(n - 1, n - 1 + period) % period, minlength=period)
        often = ends * ((SIZE - n + 1) // period)
        often[np.arange(n - 1, n - 1 + (SIZE - n + 1) % period) % period] += 1
        assert as_dict(spectra[n]) == dict(Counter(often.tolist()))
        assert as_dict(spectra.starting[n - 1]) == ({} if n == 1 else {1: 1})
    windows = sum(int(run.counts.sum()) for run in table.runs())
    assert windows == SIZE
