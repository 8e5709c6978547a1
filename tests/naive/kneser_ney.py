"""Modified Kneser-Ney."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction

from tests.naive.counts import BEGIN, Document, Gram, ngram_counts, spectrum
from tests.naive.heldout import without_end_id

END = "</s>"
UNKNOWN = "<unk>"


FALLBACK_DISCOUNTS = (Fraction(1, 2), Fraction(1), Fraction(3, 2))


def modified_discounts(
    n1: int, n2: int, n3: int, n4: int
) -> tuple[Fraction, Fraction, Fraction] | None:
    """D1, D2, D3+ from the counts of counts; None where one is undefined or outside [0, j]."""
    if min(n1, n2, n3) <= 0:
        return None
    y = Fraction(n1, n1 + 2 * n2)
    d1 = 1 - 2 * y * Fraction(n2, n1)
    d2 = 2 - 3 * y * Fraction(n3, n2)
    d3 = 3 - 4 * y * Fraction(n4, n3)
    usable = 0 <= d1 <= 1 and 0 <= d2 <= 2 and 0 <= d3 <= 3
    return (d1, d2, d3) if usable else None


class KneserNey:
    """Interpolated modified Kneser-Ney of one order, in the convention "tokens" or "kenlm".

    tokens: BEGIN opens a document, its ids follow, nothing closes it; interpolates with 1/V.
    kenlm: the end id, if any, is left out and END closes the document; ids not seen in training
    are UNKNOWN; interpolates with 1/(types + END + UNKNOWN); vocab_size is ignored.

    discounts[n] = (D1, D2, D3+) and counts[n], contexts[n] are by order n = 1..order;
    fallback[n - 1] says whether order n fell back. number=Fraction makes every probability exact.
    """

    def __init__(
        self,
        documents: Sequence[Document],
        order: int,
        convention: str,
        vocab_size: int | None = None,
        eos_id: int | None = None,
        boundary: str = "end",
        number: type[float | Fraction] = float,
    ):
        if convention not in ("tokens", "kenlm"):
            raise ValueError(f"convention is 'tokens' or 'kenlm', not {convention!r}")
        if convention == "tokens" and vocab_size is None:
            raise ValueError("convention 'tokens' needs vocab_size")
        self.order, self.convention, self.number = order, convention, number
        self.eos_id, self.boundary = eos_id, boundary

        sequences = [(BEGIN, *self.predicted_symbols(document)) for document in documents]
        seen = {symbol for sequence in sequences for symbol in sequence} - {BEGIN}
        if convention == "kenlm":
            seen.add(END)
            self.vocabulary = [*sorted(seen - {END}), END, UNKNOWN]
        else:
            self.vocabulary = list(range(vocab_size))
            if not seen <= set(self.vocabulary):
                raise ValueError("a training id is outside the vocabulary")
        self.seen = seen
        self.uniform = number(1) / len(self.vocabulary)

        self.counts: dict[int, dict[Gram, int]] = {}
        self.counts_of_counts: dict[int, tuple[int, int, int, int]] = {}
        self.discounts: dict[int, tuple] = {}
        self.fallback: list[bool] = []
        self.contexts: dict[int, dict[Gram, list[int]]] = {}
        for n in range(1, order + 1):
            self.counts[n] = self._adjusted_counts(sequences, n)
            phi = spectrum(self.counts[n])
            self.counts_of_counts[n] = tuple(phi.get(r, 0) for r in (1, 2, 3, 4))
            discounts = modified_discounts(*self.counts_of_counts[n])
            self.fallback.append(discounts is None)
            self.discounts[n] = tuple(number(d) for d in discounts or FALLBACK_DISCOUNTS)
            self.contexts[n] = self._context_sums(self.counts[n])

    def _adjusted_counts(self, sequences: Sequence[Document], n: int) -> dict[Gram, int]:
        """a(gram): raw at the top order and after BEGIN, else the number of left neighbours."""
        raw = ngram_counts(sequences, n)
        raw.pop((BEGIN,), None)  # BEGIN alone is never predicted
        if n == self.order:
            return dict(raw)
        left_neighbours = Counter(gram[1:] for gram in ngram_counts(sequences, n + 1))
        return {gram: raw[gram] if gram[0] == BEGIN else left_neighbours[gram] for gram in raw}

    @staticmethod
    def _context_sums(counts: Mapping[Gram, int]) -> dict[Gram, list[int]]:
        """context -> [sum of a, N1, N2, N3+] over its successors."""
        sums: dict[Gram, list[int]] = {}
        for gram, a in counts.items():
            row = sums.setdefault(gram[:-1], [0, 0, 0, 0])
            row[0] += a
            row[min(a, 3)] += 1
        return sums

    def predicted_symbols(self, document: Document) -> list[Hashable]:
        """What the model predicts of a document, in order: its tokens, and END under kenlm."""
        if self.convention == "tokens":
            return list(document)
        return [*without_end_id(document, self.eos_id, self.boundary), END]

    def _symbol(self, symbol: Hashable) -> Hashable:
        """The symbol as the model knows it: kenlm turns what it never saw into UNKNOWN."""
        if self.convention == "kenlm" and symbol not in self.seen and symbol != BEGIN:
            return UNKNOWN
        return symbol

    def probability(self, token: Hashable, history: Sequence[Hashable]) -> float | Fraction:
        """P(token | the last order - 1 symbols of history, BEGIN included where it belongs)."""
        if self.convention == "tokens" and token not in range(len(self.vocabulary)):
            raise ValueError(f"{token!r} is outside the vocabulary")
        if token == BEGIN:
            raise ValueError("BEGIN is never predicted")
        kept = history[max(0, len(history) - (self.order - 1)) :]
        context = tuple(self._symbol(symbol) for symbol in kept)
        return self._interpolated(self._symbol(token), context)

    def _interpolated(self, token: Hashable, context: Gram) -> float | Fraction:
        """p = u + gamma * p(token | shorter context); an unseen context is skipped."""
        shorter = self._interpolated(token, context[1:]) if context else self.uniform
        n = len(context) + 1
        if context not in self.contexts[n]:
            return shorter
        d = (self.number(0), *self.discounts[n])
        total, ones, twos, more = self.contexts[n][context]
        a = self.counts[n].get((*context, token), 0)
        u = (a - d[min(a, 3)]) / total
        gamma = (d[1] * ones + d[2] * twos + d[3] * more) / total
        return u + gamma * shorter

    def document_probabilities(self, document: Document) -> list[float | Fraction]:
        """The probability of each predicted symbol after everything before it."""
        sequence = [BEGIN, *self.predicted_symbols(document)]
        return [
            self.probability(sequence[i], sequence[max(0, i - self.order) : i])
            for i in range(1, len(sequence))
        ]

    def document_log2(self, document: Document) -> float:
        """log2 of the document's probability; -inf where one factor is 0."""
        probabilities = self.document_probabilities(document)
        return math.fsum(math.log2(p) if p > 0 else -math.inf for p in probabilities)

    def document_predicted(self, document: Document) -> int:
        """How many symbols of the document are predicted."""
        return len(self.predicted_symbols(document))

    def document_oov(self, document: Document) -> int:
        """How many predicted symbols were never seen in training."""
        return sum(symbol not in self.seen for symbol in self.predicted_symbols(document))

    def loss_bits_per_token(self, documents: Sequence[Document]) -> float:
        """Mean -log2 probability over all predicted symbols of the documents."""
        predicted = sum(self.document_predicted(document) for document in documents)
        return -math.fsum(self.document_log2(document) for document in documents) / predicted
