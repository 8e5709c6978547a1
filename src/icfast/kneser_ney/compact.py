"""Compressed models: the order-N model with its probabilities and backoffs in a few bits each.

N-grams have the same order as in the trie of the full model. An n-gram (h w) does not store its
symbol: it stores the position of its context h among the siblings of h. Few siblings need few bits
(Pibiri & Venturini 2017), and scoring knows h already. Losses are integers in units of 2^-32 nat,
read from one codebook per order, so the sums of all backends are equal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.models import CompactTrie
from icfast.corpus.source import Source
from icfast.errors import ArtefactError
from icfast.kneser_ney.model import NgramModel
from icfast.kneser_ney.model_file import (
    Arrays,
    ModelFileWriter,
    damaged,
    open_model_file,
    read_model_file,
)
from icfast.kneser_ney.validate import compact_fault
from icfast.ngrams.faults import ids_fault
from icfast.notebook import facts_html
from icfast.parallel.mapped_file import MappedFile
from icfast.sums.stored import checked
from icfast.units import format_count

#: Kind of model in the description of its file.
COMPACT_KIND = "compressed modified Kneser-Ney"


@dataclass(frozen=True, eq=False)
class CompactModel:
    """A compressed model, memory-mapped from its file or in memory.

    Attributes:
        order: the order N. Only the order-N model is stored.
        source: that of the full model, as in :class:`NgramModel`.
        tokens: tokens of the full model.
        documents: documents of the full model.
        bits: bits per probability and per backoff above order 1.
        ids: u32[U], the token ids that the model has seen, ascending.
        trie: the n-grams.
        about: description in the file: pruning threshold, size of the full model, measured losses.
        mapped_files: the model's file. Empty for a model in memory.
    """

    order: int
    source: Source
    tokens: int
    documents: int
    bits: int
    ids: NDArray[np.uint32]
    trie: CompactTrie
    about: dict[str, Any]
    mapped_files: tuple[MappedFile, ...] = ()

    @property
    def convention(self) -> str:
        """The convention, "tokens" or "kenlm"."""
        return self.source.convention

    @property
    def end_mark(self) -> bool:
        """Whether the model predicts </s> after each document."""
        return self.convention == "kenlm"

    @property
    def ngrams(self) -> tuple[int, ...]:
        """Number of n-grams of each order 1..N, without the begin mark itself."""
        first, *rest = np.diff(self.trie.levels).tolist()
        return (first - 1, *rest)

    def __repr__(self) -> str:
        return (
            f"CompactModel(order={self.order}, bits={self.bits}, convention={self.convention!r}, "
            f"tokens={self.tokens:,}, ngrams={sum(self.ngrams):,})"
        )

    def _repr_html_(self) -> str:
        facts = {
            "bits per number": str(self.bits),
            "convention": self.convention,
            "documents": format_count(self.documents),
            "tokens": format_count(self.tokens),
        }
        sizes = {f"{n}-grams": format_count(count) for n, count in enumerate(self.ngrams, 1)}
        return facts_html(f"Compressed Kneser-Ney model of order {self.order}", facts | sizes)

    def save(self, path: Path, measured: dict[str, Any]) -> None:
        """Write the model to this path directly, with measured facts for its description."""
        arrays: Arrays = {"ids": self.ids, **self.trie._asdict()}
        writer = ModelFileWriter(path, {name: (a.dtype, a.shape) for name, a in arrays.items()})
        for name, array in arrays.items():
            writer.arrays[name][...] = array
        writer.finish({**self.about, **measured})

    @classmethod
    def load(cls, file: str | Path) -> CompactModel:
        """Memory-map a compressed model from its file and verify every checksum.

        Raises:
            ArtefactError: the file is not a compressed model, has another version, is truncated or
                damaged.
        """
        model = load_model(file)
        if not isinstance(model, cls):
            raise ArtefactError(
                f"{file} holds a full model, but a compressed model is needed. Compress it first."
            )
        return model


def load_model(file: str | Path) -> NgramModel | CompactModel:
    """Memory-map a model from its file, full or compressed.

    Raises:
        ArtefactError: the file is not a model, has another version, is truncated or damaged.
    """
    mapped = open_model_file(Path(file))
    path = mapped.path
    about, arrays = read_model_file(mapped)
    if about.get("kind") != COMPACT_KIND:
        return NgramModel.of(mapped, about, arrays)
    try:
        trie = CompactTrie(*(arrays[name] for name in CompactTrie._fields))
        model = replace(model_from(about, arrays["ids"], trie), mapped_files=(mapped,))
        ranks = len(model.ids) + 1 + int(model.end_mark)
        fault = ids_fault(model.ids, model.source.vocab_size) or compact_fault(
            arrays, model.order, ranks, model.bits
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise damaged(path, f"its description is incomplete or invalid ({error})") from error
    if fault is not None:
        raise damaged(path, fault)
    return model


def model_from(about: dict[str, Any], ids: NDArray[np.uint32], trie: CompactTrie) -> CompactModel:
    """Make a model from the description and the arrays of its file."""
    source = Source.from_json(about["source"])
    order, tokens, documents, bits = (
        checked(about[name], "int", name) for name in ("order", "tokens", "documents", "bits")
    )
    return CompactModel(order, source, tokens, documents, bits, ids, trie, about)
