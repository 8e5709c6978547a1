"""The held-out split: documents to predict, chosen by the hash of their ids."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from icfast.backends.contract import Kernels
from icfast.backends.counting import Chunk
from icfast.corpus import Corpus
from icfast.corpus.documents import DocumentSet
from icfast.errors import CorpusError, OptionError, check
from icfast.parallel.mapped_file import refuses_changes


def content_hashes(corpus: Corpus, kernels: Kernels) -> list[NDArray[np.uint64]]:
    """Return u64[documents] per shard: a 64-bit hash of each document's ids without the end id.

    The hash is fmix64(FNV-1a(ids as little-endian u32)). It must never change: splits depend on it.
    """
    hashes = []
    for shard in corpus.shards:
        found = corpus.content(shard)
        starts = np.ascontiguousarray(found.starts, np.int64)
        stops = np.ascontiguousarray(found.stops, np.int64)
        values = np.zeros(len(starts), np.uint64)
        chunk = Chunk(shard.tokens, starts, stops, 0, len(shard.tokens))
        status = kernels.hash_documents(chunk, values)
        shard.check_readable()
        check(status, shard.path)
        hashes.append(values)
    return hashes


@dataclass(frozen=True)
class Split:
    """Split of a corpus into training documents and held-out documents.

    Attributes:
        training: the documents to fit on.
        heldout: the documents to predict.
        fraction: requested share of held-out documents.
        predicted_set_sha256: SHA-256 over the sorted hashes of the held-out documents. Two losses
            are comparable only if it is equal.
        repeated_documents: documents on both sides whose ids, without the end id, repeat an
            earlier document.
        repeated_tokens: tokens of the repeated documents.
    """

    training: DocumentSet
    heldout: DocumentSet
    fraction: float
    predicted_set_sha256: str
    repeated_documents: int
    repeated_tokens: int


@refuses_changes
def split(documents: DocumentSet, fraction: float, kernels: Kernels) -> Split:
    """Hold out the documents whose hash is below fraction * 2^64.

    Equal documents are on the same side, and the side of a document does not depend on the others.

    Raises:
        OptionError: the fraction is not between 0 and 1.
        CorpusError: a side is empty, or the corpus has only one document.
    """
    if not 0.0 < fraction < 1.0:
        raise OptionError(f"held-out fraction {fraction} is invalid: it must be between 0 and 1")
    if len(documents) < 2:
        raise CorpusError(
            "the corpus has one document and cannot be split into training and held-out documents. "
            "Pass --eos-id (and --boundary) so that its documents are found, or add shards."
        )
    hashes = content_hashes(documents.corpus, kernels)
    threshold = np.uint64(int(fraction * 2.0**64))
    held = [values < threshold for values in hashes]
    sides = _Sides(documents, held)
    training, heldout = sides.take(False, fraction), sides.take(True, fraction)
    if not len(training) or not len(heldout):
        raise _empty_side("held-out" if len(training) else "training", fraction, hashes)
    chosen = [values[side] for values, side in zip(hashes, held, strict=True)]
    again = _seen_before(np.concatenate(hashes))
    return Split(
        training,
        heldout,
        fraction,
        _set_sha256(chosen),
        int(again.sum()),
        int(documents.lengths[again].sum()),
    )


def _empty_side(name: str, fraction: float, hashes: list[NDArray[np.uint64]]) -> CorpusError:
    different = np.unique(np.concatenate(hashes))
    documents = sum(map(len, hashes))
    if len(different) == 1:
        return CorpusError(
            f"the {name} side is empty: all {documents} documents of the corpus are equal, and "
            "equal documents fall on the same side for every --heldout. Add other documents."
        )
    # Between the first two hashes, and between the last two, both sides have documents.
    low, high = (different[:2] if name == "held-out" else different[-2:]).astype(float) / 2.0**64
    middle = (f"{(low + high) / 2:.{digits}g}" for digits in (2, 4, 8, 17))
    found = next((text for text in middle if low < float(text) < high), "0.5")
    return CorpusError(
        f"the {name} side is empty: the corpus has {documents} documents, {len(different)} of them "
        f"different, and the held-out fraction is {fraction}. Pass another --heldout, such as "
        f"{found}, or add documents."
    )


def _seen_before(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return bool[documents]: whether an earlier document has an equal hash."""
    again = np.ones(len(hashes), np.bool_)
    again[np.unique(hashes, return_index=True)[1]] = False
    return again


def predicted_set_sha256(documents: DocumentSet, kernels: Kernels) -> str:
    """Return the SHA-256 over the sorted hashes of the documents, as in :class:`Split`."""
    hashes = content_hashes(documents.corpus, kernels)
    by_shard = zip(hashes, documents.by_shard, strict=True)
    return _set_sha256([values[held.numbers] for values, held in by_shard])


def _set_sha256(hashes: Sequence[NDArray[np.uint64]]) -> str:
    return hashlib.sha256(np.sort(np.concatenate(hashes)).astype("<u8").tobytes()).hexdigest()


@dataclass(frozen=True)
class _Sides:
    documents: DocumentSet
    held: Sequence[NDArray[np.bool_]]

    def take(self, heldout: bool, fraction: float) -> DocumentSet:
        by_shard = tuple(
            shard.where(held if heldout else ~held)
            for shard, held in zip(self.documents.by_shard, self.held, strict=True)
        )
        name = f"{'held out' if heldout else 'training'} at {fraction}"
        return replace(self.documents, by_shard=by_shard, chosen=name)
