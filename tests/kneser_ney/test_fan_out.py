"""Fan-out of fitted models against sets of successors, and code lengths from it."""

from __future__ import annotations

from collections import defaultdict

import pytest
from tests.conftest import backends_under_test
from tests.kneser_ney.test_kneser_ney import TRAINING, documents
from tests.ngrams.corpora import write_shards

import icfast
from icfast.laws import pitman_yor_code_bits, pitman_yor_code_lengths
from icfast.sums.spectrum import Spectrum


def successors_of(shards, length, end_mark):
    """Return the successors of each history of up to `length` symbols within its document."""
    found = defaultdict(set)
    for document in (d for shard in shards for d in shard):
        marked = ["^", *document, *(["$"] if end_mark else [])]
        for i in range(1, len(marked)):
            found[tuple(marked[max(0, i - length) : i])].add(marked[i])
    return found


@pytest.mark.parametrize("convention", ["tokens", "kenlm"])
@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("backend", backends_under_test())
def test_fan_out_is_the_number_of_successors(backend, order, convention, tmp_path):
    # There are enough ids that the nodes of all orders span words of the bitmap.
    shards = [*TRAINING, documents(5, 300, [400, 3, 1])]
    options = {"vocab_size": 400, "eos_id": 0, "boundary": "end", "dtype": "u2"}
    corpus = write_shards(tmp_path / "corpus", shards, **options).corpus
    kenlm = convention == "kenlm"
    table = icfast.count(corpus, tmp_path / "table", order, convention=convention, backend=backend)
    found, spectra = icfast.fan_out(icfast.fit(table, backend=backend)), table.spectra()
    assert found.order == order
    # Convention kenlm replaces the end id by the end mark.
    ended = shards if kenlm else [[[*d, 0] for d in shard] for shard in shards]
    for n in range(1, order + 1):
        naive = successors_of(ended, n - 1, kenlm)
        assert found.padded(n) == Spectrum.from_counts([len(seen) for seen in naive.values()])
        # The code length checks that it matches the spectra of the same corpus.
        bits = pitman_yor_code_bits(
            spectra.padded(n), spectra.padded_contexts(n), found.padded(n), 400, 0.5, 1.0
        )
        assert bits > 0
        best = pitman_yor_code_lengths(spectra, found, n, 400)
        assert best.lengths.online_bits <= bits + best.parameter_bits
