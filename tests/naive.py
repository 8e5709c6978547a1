"""The slow oracle: every count, entropy and model of icfast, straight from its definition.

It imports nothing of icfast and no numpy: plain dictionaries, exact fractions, one position at a
time, so that it can be checked by eye. A corpus is a list of documents, a document is a sequence
of ids, and an end id, where there is one, is an ordinary token of its document. Windows never
cross documents.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import takewhile
from typing import NamedTuple

BEGIN = "<s>"
END = "</s>"
UNKNOWN = "<unk>"

Document = Sequence[Hashable]
Gram = tuple[Hashable, ...]


# Counts --------------------------------------------------------------------------------------


def ngram_counts(documents: Iterable[Document], n: int) -> Counter[Gram]:
    """How often each complete n-gram occurs inside the documents."""
    counts: Counter[Gram] = Counter()
    for document in documents:
        for first in range(len(document) - n + 1):
            counts[tuple(document[first : first + n])] += 1
    return counts


def starting_counts(documents: Iterable[Document], n: int) -> Counter[Gram]:
    """How often each n-gram (BEGIN, the first n-1 tokens of a document) occurs."""
    return Counter((BEGIN, *document[: n - 1]) for document in documents if len(document) >= n - 1)


def followed_counts(documents: Iterable[Document], n: int) -> Counter[Gram]:
    """How often each complete n-gram is followed by a token of its document, where it ever is."""
    return ngram_counts([document[:-1] for document in documents], n)


def starting_followed_counts(documents: Iterable[Document], n: int) -> Counter[Gram]:
    """The same for the n-grams that start with BEGIN; n = 1 is the bare BEGIN."""
    return starting_counts([document[:-1] for document in documents if len(document)], n)


def left_neighbour_counts(documents: Iterable[Document], n: int) -> Counter[Gram]:
    """Number of distinct left neighbours of each complete n-gram; BEGIN is one of them."""
    begun = [(BEGIN, *document) for document in documents]
    return Counter(gram[1:] for gram in ngram_counts(begun, n + 1))


def fan_out_counts(documents: Iterable[Document], n: int) -> Counter[Gram]:
    """Number of distinct successors of each complete n-gram that has one."""
    return Counter(gram[:-1] for gram in ngram_counts(documents, n + 1))


def starting_fan_out_counts(documents: Iterable[Document], n: int) -> Counter[Gram]:
    """Number of distinct successors of each n-gram that starts with BEGIN and has one."""
    return Counter(gram[:-1] for gram in starting_counts(documents, n + 1))


def spectrum(counts: Mapping[Gram, int]) -> dict[int, int]:
    """r -> phi_r, the number of types counted r times, r ascending."""
    return dict(sorted(Counter(counts.values()).items()))


def ranks(documents: Iterable[Document]) -> dict[int, int]:
    """id -> 1..U, order-preserving over the U ids in use; 0 is left free for the padding."""
    used = sorted({token for document in documents for token in document})
    return {token: rank for rank, token in enumerate(used, start=1)}


def padded_windows(documents: Sequence[Document], n: int) -> list[tuple[int, ...]]:
    """One window (w_t, w_{t-1}, ..., w_{t-n+1}) of ranks for each token, 0 before the document."""
    rank = ranks(documents)
    padded = [[0] * (n - 1) + [rank[token] for token in document] for document in documents]
    return [
        tuple(line[last - back] for back in range(n))
        for line in padded
        for last in range(n - 1, len(line))
    ]


def padded_window_counts(documents: Sequence[Document], n: int) -> Counter[tuple[int, ...]]:
    """How often each padded window occurs."""
    return Counter(padded_windows(documents, n))


# Plug-in entropies, bits ---------------------------------------------------------------------


def _mean_surprise_bits(events: Sequence[tuple[Gram, Hashable]]) -> float:
    """Mean of -log2 P(outcome | context) over (context, outcome) events, P their own frequencies.

    Corpora without a single such event have no mean: ValueError.
    """
    if not events:
        raise ValueError("no window of this length")
    together = Counter(events)
    alone = Counter(context for context, _ in events)
    surprises = (-math.log2(together[event] / alone[event[0]]) for event in events)
    return math.fsum(surprises) / len(events)


def block_entropy_bits(documents: Iterable[Document], n: int) -> float:
    """H_n of the complete windows inside documents; H_0 = 0."""
    if n == 0:
        return 0.0
    windows = [
        tuple(document[first : first + n])
        for document in documents
        for first in range(len(document) - n + 1)
    ]
    return _mean_surprise_bits([((), window) for window in windows])


def prefix_marginal_bits(documents: Iterable[Document], n: int) -> float:
    """h_n over the complete windows: the context is counted where a token follows it."""
    return _mean_surprise_bits(
        [
            (tuple(document[last - n + 1 : last]), document[last])
            for document in documents
            for last in range(n - 1, len(document))
        ]
    )


def bos_padded_bits(documents: Iterable[Document], n: int) -> float:
    """h_n over all tokens: a history that reaches over the document start is cut and marked."""
    return _mean_surprise_bits(
        [
            (begun[max(0, last - n + 1) : last], begun[last])
            for begun in [(BEGIN, *document) for document in documents]
            for last in range(1, len(begun))
        ]
    )


def difference_bits(documents: Sequence[Document], n: int) -> float:
    """H_n - H_{n-1}, each over its own windows."""
    return block_entropy_bits(documents, n) - block_entropy_bits(documents, n - 1)


# Match lengths -------------------------------------------------------------------------------


def match_length(documents: Sequence[Document], d: int, t: int, earlier: bool) -> int:
    """1 + the longest l such that the l tokens from t on in document d stand elsewhere as well.

    Elsewhere: from an earlier token on, or from any other; inside one document, overlaps allowed.
    """
    longest = 0
    for other, document in enumerate(documents):
        for start in range(len(document)):
            if (other, start) == (d, t) or (earlier and (other, start) > (d, t)):
                continue
            pairs = zip(document[start:], documents[d][t:], strict=False)
            longest = max(
                longest, sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            )
    return 1 + longest


def match_lengths(documents: Sequence[Document], earlier: bool) -> list[int]:
    """The match length of every token, document after document."""
    return [
        match_length(documents, d, t, earlier)
        for d, document in enumerate(documents)
        for t in range(len(document))
    ]


def cut_matches(documents: Sequence[Document]) -> int:
    """Matches from earlier tokens on that run to the end of the document they are found for."""
    return sum(
        match_length(documents, d, t, earlier=True) - 1 == len(document) - t
        for d, document in enumerate(documents)
        for t in range(len(document))
    )


# Modified Kneser-Ney -------------------------------------------------------------------------

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


def without_end_id(document: Document, eos_id: int | None, boundary: str = "end") -> Document:
    """The document less one trailing (boundary "end") or one leading ("start") end id."""
    if boundary not in ("end", "start"):
        raise ValueError(f"boundary is 'end' or 'start', not {boundary!r}")
    if eos_id is None or len(document) == 0:
        return document
    if boundary == "end":
        return document[:-1] if document[-1] == eos_id else document
    return document[1:] if document[0] == eos_id else document


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


# The frozen held-out hash, the fixed point ---------------------------------------------------

MASK64 = 2**64 - 1


def fnv1a_64(data: bytes) -> int:
    """64-bit FNV-1a of the bytes."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & MASK64
    return value


def fmix64(value: int) -> int:
    """The 64-bit finaliser of MurmurHash3."""
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & MASK64
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & MASK64
    return value ^ value >> 33


def document_hash(document: Sequence[int], eos_id: int | None = None, boundary: str = "end") -> int:
    """fmix64(FNV-1a of the ids as little-endian u32), the end id left out."""
    kept = without_end_id(document, eos_id, boundary)
    return fmix64(fnv1a_64(b"".join(struct.pack("<I", token) for token in kept)))


def is_heldout(
    document: Sequence[int], fraction: float, eos_id: int | None = None, boundary: str = "end"
) -> bool:
    """True where the hash is below floor(fraction * 2^64)."""
    return document_hash(document, eos_id, boundary) < math.floor(fraction * 2**64)


def fixed_point_nats(nll: float) -> int:
    """The loss in units of 2^-32 nat, rounded half to even."""
    return round(nll * 2**32)


# Losses of logits ----------------------------------------------------------------------------


class TokenLoss(NamedTuple):
    """Of one row of logits: what became of it, and what is known of the rest."""

    kind: str
    nll_nats: float
    logsumexp_nats: float = math.nan
    entropy_nats: float = math.nan
    rank: int = -1


def token_loss(
    logits: Sequence[float],
    target: int,
    ignore_index: int = -100,
    softcap: float | None = None,
    temperature: float = 1.0,
) -> TokenLoss:
    """-ln softmax(logits)[target], each probability by itself and their sum rounded once."""
    targeted = target != ignore_index and 0 <= target < len(logits)
    missing = TokenLoss("out_of_range", math.nan)
    if target == ignore_index:
        missing = TokenLoss("ignored", 0.0)
    largest = max(logits)
    if any(math.isnan(x) for x in logits) or math.isinf(largest):
        return TokenLoss("nan", math.nan) if targeted else missing
    capped = [
        x if softcap is None or math.isinf(x) else softcap * math.tanh(x / softcap) for x in logits
    ]
    # Differences first: a logit of -inf has probability 0, and an offset common to all is nothing.
    largest = max(capped)
    below = [(x - largest) / temperature for x in capped]
    log_sum = math.log(math.fsum(map(math.exp, below)))
    logs = [x - log_sum for x in below]
    entropy = -math.fsum(math.exp(x) * x for x in logs if x > -math.inf)
    distribution = (largest / temperature + log_sum, entropy)
    if not targeted:
        return TokenLoss(*missing[:2], *distribution)
    rank = sum(x > logits[target] for x in logits)
    kind = "infinite" if logs[target] == -math.inf else "scored"
    return TokenLoss(kind, -logs[target], *distribution, rank)
