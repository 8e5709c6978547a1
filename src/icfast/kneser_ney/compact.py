"""A compressed model: the order-N model's probabilities and backoffs in a few bits each.

N-grams stand in the order of the full model's trie. In place of its oldest symbol an n-gram (h w)
stores the place of its context h among the siblings of h: these are few where what h ends with has
few left neighbours, so that takes few bits (Pibiri & Venturini 2017), and whoever scores a text has
just met h. Losses are whole numbers of 2^-32 nat, looked up in a codebook per order, so every
backend's sums are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.models import CompactTrie
from icfast.corpus.source import Source
from icfast.errors import ArtefactError
from icfast.kneser_ney.model import NgramModel
from icfast.kneser_ney.model_file import Arrays, ModelFileWriter, damaged, read_model_file
from icfast.kneser_ney.validate import compact_fault
from icfast.ngrams.faults import ids_fault
from icfast.sums.stored import checked

#: Kind of model, as its file states it.
COMPACT_KIND = "compressed modified Kneser-Ney"


@dataclass(frozen=True, eq=False)
class CompactModel:
    """A compressed model, memory-mapped from its file or still in memory.

    Attributes:
        order: N; only the order-N model is in it.
        source, tokens, documents: as in :class:`NgramModel`, of the model it was made from.
        bits: bits of each probability and of each backoff above order 1.
        ids: u32[U], ascending.
        trie: its n-grams.
        about: what its file says of it: pruning, the full model's size, losses that were measured.
    """

    order: int
    source: Source
    tokens: int
    documents: int
    bits: int
    ids: NDArray[np.uint32]
    trie: CompactTrie
    about: dict[str, Any]

    @property
    def convention(self) -> str:
        """tokens or kenlm."""
        return self.source.convention

    @property
    def end_mark(self) -> bool:
        """Whether it predicts </s> after each document."""
        return self.convention == "kenlm"

    @property
    def ngrams(self) -> tuple[int, ...]:
        """How many n-grams of each order it holds; <s> alone is not one."""
        first, *rest = np.diff(self.trie.levels).tolist()
        return (first - 1, *rest)

    def save(self, path: Path, measured: dict[str, Any]) -> None:
        """Write it to this very file, with what was measured of it."""
        arrays: Arrays = {"ids": self.ids, **self.trie._asdict()}
        writer = ModelFileWriter(path, {name: (a.dtype, a.shape) for name, a in arrays.items()})
        for name, array in arrays.items():
            writer.arrays[name][...] = array
        writer.finish({**self.about, **measured})

    @classmethod
    def load(cls, file: str | Path) -> CompactModel:
        """Map a compressed model from its file, checking every checksum in it.

        Raises:
            ArtefactError: not a compressed model, of another version, cut off or damaged.
        """
        model = load_model(file)
        if not isinstance(model, cls):
            raise ArtefactError(
                f"{file} holds a whole model, not a compressed one; compress it first"
            )
        return model


def load_model(file: str | Path) -> NgramModel | CompactModel:
    """Map a model of either kind from its file.

    Raises:
        ArtefactError: not a model, of another version, cut off or damaged.
    """
    path = Path(file)
    about, arrays = read_model_file(path)
    if about.get("kind") != COMPACT_KIND:
        return NgramModel.of(path, about, arrays)
    try:
        trie = CompactTrie(*(arrays[name] for name in CompactTrie._fields))
        model = model_from(about, arrays["ids"], trie)
        ranks = len(model.ids) + 1 + int(model.end_mark)
        fault = ids_fault(model.ids, model.source.vocab_size) or compact_fault(
            arrays, model.order, ranks, model.bits
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise damaged(path, f"its description lacks something ({error})") from error
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
