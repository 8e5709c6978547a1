"""Small corpora on disk, and the documents that icfast must find in them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from tests.backends.definitions import naive_spectra

import icfast
from icfast.backends.counting import KINDS
from icfast.corpus import Corpus
from icfast.sums.spectrum import Spectra, Spectrum

Documents = Sequence[Sequence[int]]


class Written(NamedTuple):
    """Corpus, and its documents as sequences of ids, end ids included."""

    corpus: Corpus
    documents: list[list[int]]
    paths: list[Path]


def write_shards(
    folder: Path,
    shards: Sequence[Documents],
    *,
    dtype: str = "u2",
    eos_id: int | None = None,
    boundary: str = "end",
    **options: Any,
) -> Written:
    """Write shards without headers; without an end id each shard is one document."""
    folder.mkdir(exist_ok=True)
    paths, documents = [], []
    for number, shard in enumerate(shards):
        held = [list(document) for document in shard]
        if eos_id is not None:
            at_end = boundary == "end"
            held = [[*d, eos_id] if at_end else [eos_id, *d] for d in held]
        documents += held
        paths.append(folder / f"{number}.bin")
        np.array([token for document in held for token in document], f"<{dtype}").tofile(paths[-1])
    corpus = icfast.open(paths, dtype=dtype, eos_id=eos_id, boundary=boundary, **options)
    return Written(corpus, documents, paths)


def as_dict(spectrum: Spectrum) -> dict[int, int]:
    return dict(zip(spectrum.multiplicity.tolist(), spectrum.types.tolist(), strict=True))


def as_dicts(spectra: Spectra) -> dict[str, list[dict[int, int]]]:
    return {kind: [as_dict(spectrum) for spectrum in getattr(spectra, kind)] for kind in KINDS}


def assert_spectra(spectra: Spectra, documents: Documents) -> None:
    """Compare every kind and order, tokens and documents with naive counts."""
    expected = naive_spectra(documents, spectra.order)
    if spectra.order > 1:
        expected["starting_followed"][0] = {len(documents): 1}
    assert as_dicts(spectra) == expected
    assert spectra.tokens == sum(map(len, documents))
    assert spectra.documents == len(documents)


def drawn_shards(largest_id: int, longest: int) -> st.SearchStrategy[list[list[list[int]]]]:
    """Draw up to three shards of documents with ids from 1 on."""
    document = st.lists(st.integers(1, largest_id), max_size=longest)
    return st.lists(st.lists(document, min_size=1, max_size=5), min_size=1, max_size=3)


def assert_counted(
    shards: Sequence[Documents], order: int, threads: int, boundary: str, backend: str
) -> None:
    """Count the shards in a folder of their own and compare the spectra with naive counts."""
    with tempfile.TemporaryDirectory() as folder:
        written = write_shards(Path(folder), shards, eos_id=0, boundary=boundary)
        found = icfast.spectra(written.corpus, order, threads=threads, backend=backend)
        assert_spectra(found, written.documents)
