"""Estimate entropies of ids in memory: write a raw shard, count n-grams, print block entropies."""

import tempfile
from pathlib import Path

import numpy as np

import icfast

rng = np.random.default_rng(0)
ids = np.minimum(rng.zipf(1.3, 200_000), 5_000).astype("<u2")

with tempfile.TemporaryDirectory() as folder:
    shard = Path(folder) / "zipf.bin"
    ids.tofile(shard)
    corpus = icfast.open(shard, dtype="u2", vocab_size=5_001)
    spectra = icfast.spectra(corpus, order=3)

for n in (1, 2, 3):
    plug_in, estimate = (icfast.entropy_bits(spectra[n], name) for name in ("ml", "cwj"))
    print(f"H_{n}: plug-in {plug_in:.4f} bits, Chao-Wang-Jost {estimate:.4f} bits")
