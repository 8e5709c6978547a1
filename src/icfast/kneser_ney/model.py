"""Interpolated modified Kneser-Ney models of all orders k = 1..N, in one file of counts.

    p_k(w | h) = max(0, c(h w) - D(c(h w))) / sum_v c(h v) + gamma(h) p(w | h')
    gamma(h) = (D1 N1(h) + D2 N2(h) + D3+ N3+(h)) / sum_v c(h v)

h' is h without its oldest symbol. c is the raw count at order k and the continuation count at lower
orders. N1, N2 and N3+ are the numbers of successors of h with count 1, 2, and 3 or more. Order 1
interpolates with the uniform distribution: 1/V (convention tokens) or 1/(types + 2), where </s> and
<unk> are the two (kenlm). Sources: Chen & Goodman 1999; Heafield et al. 2013.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.models import Trie
from icfast.corpus.source import Source
from icfast.errors import ArtefactError
from icfast.files import new_file
from icfast.kneser_ney.discounts import Discounts, OrderDiscounts, discount_table
from icfast.kneser_ney.model_file import (
    Arrays,
    damaged,
    model_output,
    open_model_file,
    read_model_file,
)
from icfast.kneser_ney.validate import trie_fault
from icfast.ngrams.faults import ids_fault
from icfast.notebook import facts_html
from icfast.parallel.mapped_file import MappedFile, unchanged
from icfast.sums.stored import checked
from icfast.units import format_bytes, format_count

_KIND = "modified Kneser-Ney"


@dataclass(frozen=True, eq=False)
class NgramModel:
    """A Kneser-Ney model, memory-mapped from a file of n-gram counts.

    Attributes:
        file: the model's file.
        order: the highest order N. The file holds the order-k models of all k <= N.
        source: conventions and shards that the model was fitted on.
        tokens: number of symbols that the model was fitted on.
        documents: number of documents that the model was fitted on.
        discounts: discounts of orders 1..N.
        ids: u32[U], the token ids that the model has seen, ascending.
        trie: the n-grams.
    """

    file: MappedFile
    order: int
    source: Source
    tokens: int
    documents: int
    discounts: tuple[OrderDiscounts, ...]
    ids: NDArray[np.uint32]
    trie: Trie

    @property
    def path(self) -> Path:
        """Path of the model's file."""
        return self.file.path

    @property
    def mapped_files(self) -> tuple[MappedFile, ...]:
        """The model's file, from which it is read."""
        return (self.file,)

    @property
    def convention(self) -> str:
        """The convention, "tokens" or "kenlm"."""
        return self.source.convention

    @property
    def end_mark(self) -> bool:
        """Whether the model predicts </s> after each document."""
        return self.convention == "kenlm"

    @property
    def uniform(self) -> float:
        """The uniform probability that order 1 interpolates with."""
        return 1.0 / (len(self.ids) + 2 if self.end_mark else self.source.vocab_size)

    @property
    def discount_table(self) -> NDArray[np.float64]:
        """Discounts f64[2, N + 1, 4], as the scoring kernel reads them."""
        return discount_table(self.discounts)

    @property
    def ngrams(self) -> tuple[int, ...]:
        """Number of n-grams of each order 1..N, without the begin mark itself."""
        sizes = np.diff(self.trie.levels)
        return (int(sizes[0]) - 1, *map(int, sizes[1:]))

    @property
    def ngram_counts(self) -> tuple[int, ...]:
        """Number of n-grams of each order as KenLM counts them.

        Convention kenlm counts <s> and <unk> as unigrams.
        """
        first, *rest = self.ngrams
        return (first + (2 if self.end_mark else 0), *rest)

    @property
    def size_bits(self) -> int:
        """Size of the model's file in bits, which is N of the law IC-1."""
        return 8 * self.file.size

    @property
    def sha256(self) -> str:
        """SHA-256 of the model's file."""
        digest: str = self.file.sha256.hexdigest()
        self.file.check_unchanged()
        return digest

    @property
    def parameters(self) -> int:
        """Number of stored parameters.

        The model stores one count per n-gram, and the discounts. Each order has three discounts as
        the highest order. Orders 1..N-1 have three more as a lower order.
        """
        return sum(self.ngrams) + 3 * (2 * self.order - 1)

    def __repr__(self) -> str:
        return (
            f"NgramModel({str(self.path)!r}, order={self.order}, convention={self.convention!r}, "
            f"tokens={self.tokens:,}, ngrams={sum(self.ngrams):,})"
        )

    def _repr_html_(self) -> str:
        facts = {
            "file": str(self.path),
            "size": format_bytes(self.size_bits / 8),
            "convention": self.convention,
            "documents": format_count(self.documents),
            "tokens": format_count(self.tokens),
        }
        sizes = {f"{n}-grams": format_count(count) for n, count in enumerate(self.ngrams, 1)}
        return facts_html(f"Kneser-Ney model of order {self.order}", facts | sizes)

    def save(self, output: str | Path, *, overwrite: bool = False) -> NgramModel:
        """Copy the model's file atomically and return the model mapped from the copy.

        Args:
            output: path of the copy.
            overwrite: whether to replace a model that icfast wrote there.

        Raises:
            OptionError: the copy exists already, or its folder is missing or not writable.
            OutputError: the path is the model's own file, or holds something else.
            ResourceError: the disk is full.
        """
        final = Path(output)
        with (
            new_file(model_output(final), [self.path], overwrite) as temporary,
            unchanged(self.mapped_files),
        ):
            self.file.copy_to(temporary)
        return NgramModel.load(final)

    @classmethod
    def load(cls, file: str | Path) -> NgramModel:
        """Memory-map a model from its file and verify every checksum.

        Raises:
            ArtefactError: the file is not a model, has another version, is truncated or damaged.
        """
        mapped = open_model_file(Path(file))
        return cls.of(mapped, *read_model_file(mapped))

    @classmethod
    def of(cls, file: MappedFile, about: dict[str, Any], arrays: Arrays) -> NgramModel:
        """Make the model from the description and the arrays of its file.

        Raises:
            ArtefactError: the file holds another kind of model, or is damaged.
        """
        path = file.path
        if about.get("kind") != _KIND:
            raise ArtefactError(
                f"{path} holds a {about.get('kind')!r} model, but a {_KIND} model is needed. "
                "Use the model that was compressed; a compressed model can only score."
            )
        try:
            model = cls(
                file=file,
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
            raise damaged(path, f"its description is incomplete or invalid ({error})") from error
        if fault is not None:
            raise damaged(path, fault)
        return model

    def _fault(self, arrays: Mapping[str, NDArray[Any]]) -> str | None:
        """Return the first inconsistency in what was read, or None."""
        if self.order != self.source.order:
            return f"its order is {self.order}, but its source has order {self.source.order}"
        expected = [(n, n == self.order) for n in range(1, self.order + 1)]
        if [(entry.order, entry.lower is None) for entry in self.discounts] != expected:
            return f"its discounts are not those of orders 1 to {self.order}"
        ranks = len(self.ids) + 1 + int(self.end_mark)
        return ids_fault(self.ids, self.source.vocab_size) or trie_fault(arrays, self.order, ranks)


def describe(
    source: Source, tokens: int, documents: int, discounts: tuple[OrderDiscounts, ...]
) -> dict[str, Any]:
    """Return the description of a model file, as :meth:`NgramModel.load` reads it."""
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
        raise ValueError(f"discounts {values} exceed their counts 1, 2 and 3")
    n1, n2, n3, n4 = (checked(n, "int", "counts_of_counts") for n in stored["counts_of_counts"])
    fallback = checked(stored["fallback"], "bool", "fallback")
    return Discounts((d1, d2, d3), (n1, n2, n3, n4), fallback)
