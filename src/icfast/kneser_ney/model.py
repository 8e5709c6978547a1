"""Interpolated modified Kneser-Ney models of every order k = 1..N, in one file of counts.

p_k(w | h) = max(0, c - D(c)) / sum_w c + gamma(h) p(w | h'), raw counts c at order k, continuation
counts below; gamma(h) = (D1 N1 + D2 N2 + D3 N3+) / sum. Order-1 probabilities interpolate with
1/V (convention tokens) or 1/|types + </s> + <unk>| (kenlm). Sources: Chen & Goodman 1999;
Heafield et al. 2013.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.models import Trie
from icfast.corpus.source import Source
from icfast.errors import ArtefactError
from icfast.files import atomic_path
from icfast.kneser_ney.discounts import Discounts, OrderDiscounts, discount_table
from icfast.kneser_ney.model_file import Arrays, damaged, read_model_file
from icfast.kneser_ney.validate import trie_fault
from icfast.ngrams.faults import ids_fault
from icfast.sums.stored import checked

_KIND = "modified Kneser-Ney"


@dataclass(frozen=True, eq=False)
class NgramModel:
    """A Kneser-Ney model, memory-mapped from one file that carries its counts.

    Attributes:
        path: the file it is mapped from.
        order: N; the order-k model of every k <= N is in it.
        source: conventions and shards it was fitted on.
        tokens: how many symbols it was fitted on.
        documents: how many documents.
        discounts: per order 1..N.
        ids: u32[U], the ids it has seen, ascending.
        trie: its n-grams.
    """

    path: Path
    order: int
    source: Source
    tokens: int
    documents: int
    discounts: tuple[OrderDiscounts, ...]
    ids: NDArray[np.uint32]
    trie: Trie

    @property
    def convention(self) -> str:
        """tokens or kenlm."""
        return self.source.convention

    @property
    def end_mark(self) -> bool:
        """Whether it predicts </s> after each document."""
        return self.convention == "kenlm"

    @property
    def uniform(self) -> float:
        """The probability that order 1 interpolates with, 1 / vocabulary."""
        return 1.0 / (len(self.ids) + 2 if self.end_mark else self.source.vocab_size)

    @property
    def discount_table(self) -> NDArray[np.float64]:
        """f64[2, N + 1, 4] for the scoring kernel."""
        return discount_table(self.discounts)

    @property
    def ngrams(self) -> tuple[int, ...]:
        """How many n-grams of each order it holds; <s> alone is not one."""
        sizes = np.diff(self.trie.levels)
        return (int(sizes[0]) - 1, *map(int, sizes[1:]))

    @property
    def ngram_counts(self) -> tuple[int, ...]:
        """N-grams of each order as KenLM counts them: under kenlm, <s> and <unk> are unigrams."""
        first, *rest = self.ngrams
        return (first + (2 if self.end_mark else 0), *rest)

    @property
    def size_bits(self) -> int:
        """N of IC-1 in bits: eight times the bytes of the model's file."""
        return 8 * self.path.stat().st_size

    @property
    def sha256(self) -> str:
        """SHA-256 of the model's file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @property
    def parameters(self) -> int:
        """Stored numbers a probability depends on: one count per n-gram, three discounts per
        order as a top and per order below one."""
        return sum(self.ngrams) + 3 * (2 * self.order - 1)

    def save(self, file: str | Path) -> NgramModel:
        """Write the model to a file, atomically, and return it mapped from there.

        Raises:
            OptionError: the folder is missing or not writable.
            ResourceError: the disk is full.
        """
        final = Path(file)
        with atomic_path(final) as temporary:
            shutil.copyfile(self.path, temporary)
        return NgramModel.load(final)

    @classmethod
    def load(cls, file: str | Path) -> NgramModel:
        """Map a model from its file, checking every checksum in it.

        Raises:
            ArtefactError: not a model, of another version, cut off or damaged.
        """
        path = Path(file)
        return cls.of(path, *read_model_file(path))

    @classmethod
    def of(cls, path: Path, about: dict[str, Any], arrays: Arrays) -> NgramModel:
        """The model that a file holds, as :func:`read_model_file` read it.

        Raises:
            ArtefactError: another kind of model.
        """
        if about.get("kind") != _KIND:
            raise ArtefactError(
                f"{path} holds a {about.get('kind')!r}, not a {_KIND} model; "
                "of a compressed one only the order-N loss is left, which `icfast score` reads"
            )
        try:
            model = cls(
                path=path,
                order=checked(about["order"], "int", "order"),
                source=Source.from_json(about["source"]),
                tokens=checked(about["tokens"], "int", "tokens"),
                documents=checked(about["documents"], "int", "documents"),
                discounts=tuple(_order_discounts(stored) for stored in about["discounts"]),
                ids=arrays["ids"],
                trie=Trie(*(arrays[name] for name in Trie._fields)),
            )
            fault = model._fault(arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(path, f"its description lacks something ({error})") from error
        if fault is not None:
            raise damaged(path, fault)
        return model

    def _fault(self, arrays: Mapping[str, NDArray[Any]]) -> str | None:
        """What does not fit together in what was read; None where all does."""
        if self.order != self.source.order:
            return f"it is of order {self.order}, its source of {self.source.order}"
        expected = [(n, n == self.order) for n in range(1, self.order + 1)]
        if [(entry.order, entry.lower is None) for entry in self.discounts] != expected:
            return f"its discounts are not of orders 1 to {self.order}"
        ranks = len(self.ids) + 1 + int(self.end_mark)
        return ids_fault(self.ids, self.source.vocab_size) or trie_fault(arrays, self.order, ranks)


def describe(
    source: Source, tokens: int, documents: int, discounts: tuple[OrderDiscounts, ...]
) -> dict[str, Any]:
    """What a model file says of itself; the inverse of what :meth:`NgramModel.load` reads."""
    return {
        "kind": _KIND,
        "order": source.order,
        "source": source.as_json(),
        "tokens": tokens,
        "documents": documents,
        "discounts": [
            {
                "order": entry.order,
                "top": vars(entry.top),
                "lower": None if entry.lower is None else vars(entry.lower),
            }
            for entry in discounts
        ],
    }


def _order_discounts(stored: dict[str, Any]) -> OrderDiscounts:
    lower = stored["lower"]
    return OrderDiscounts(
        checked(stored["order"], "int", "order"),
        _discounts(stored["top"]),
        None if lower is None else _discounts(lower),
    )


def _discounts(stored: dict[str, Any]) -> Discounts:
    values = tuple(map(float, stored["values"]))
    d1, d2, d3 = values
    if not (0 <= d1 <= 1 and 0 <= d2 <= 2 and 0 <= d3 <= 3):
        raise ValueError(f"discounts {values} are not below their counts")
    n1, n2, n3, n4 = (checked(n, "int", "counts_of_counts") for n in stored["counts_of_counts"])
    fallback = checked(stored["fallback"], "bool", "fallback")
    return Discounts((d1, d2, d3), (n1, n2, n3, n4), fallback)
