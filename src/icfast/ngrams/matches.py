"""Match lengths of a corpus, from the suffix array of its documents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from icfast.backends.arrays import I32
from icfast.corpus import Corpus
from icfast.corpus.chunks import check_ids
from icfast.corpus.documents import DocumentSet, ShardDocuments, all_documents
from icfast.errors import OptionError, ResourceError, check
from icfast.ngrams.alphabet import Symbols, is_sparse, list_symbols, thread_chunks
from icfast.parallel.buffers import zeros
from icfast.parallel.mapped_file import refuses_changes
from icfast.parallel.threads import Work, apart
from icfast.sums.matches import MatchLengths
from icfast.units import format_bytes

#: Bytes per token and per separator between documents: text, suffix array and two links.
_SYMBOL_BYTES = 16

#: Bytes per document: its bounds and lengths.
_DOCUMENT_BYTES = 64

#: Interpreter objects, thread stacks, and arrays of one NumPy step.
_OVERHEAD_BYTES = 16 << 20

#: Bytes for the translation of sparse ids.
_SPARSE_BYTES = 48 << 20

#: Maximum symbols: positions are signed 32-bit integers.
_MOST_SYMBOLS = 2**31 - 1

#: Lengths of one NumPy step.
_CHUNK = 1 << 16


@refuses_changes
def match_lengths(corpus: Corpus, work: Work, tokens: int | None = None) -> MatchLengths:
    """Return the match lengths of every token of a corpus, or of its first `tokens` tokens.

    icfast builds the suffix array on one thread in linear time, with 16 bytes per token and
    document.

    Raises:
        CorpusError: an id is outside the vocabulary, or a document is empty.
        OptionError: `tokens` is below 1.
        ResourceError: the memory is too little, or 32-bit positions are too few.
    """
    chosen = _first_tokens(all_documents(corpus), tokens)
    _refuse_too_many(chosen, work)
    work.progress("listing ids", 0, chosen.tokens)
    with work.pool() as pool:
        symbols = list_symbols(chosen, 1, work, pool)
    size = chosen.tokens + len(chosen)
    text, order, links = zeros(size, np.int32), zeros(size, np.int32), zeros(2 * size, np.int32)
    _join(chosen, symbols, work, text)
    kernels, separator = work.backend.kernels, len(symbols.ids)
    work.progress("sorting suffixes", 0, chosen.tokens)
    check(apart(kernels.sort_suffixes, text, separator + len(chosen), order, links))
    work.progress("matching", 0, chosen.tokens)
    check(apart(kernels.match_lengths, text, separator, order, links))
    del links
    earlier, anywhere = _without_separators(order), _without_separators(text)
    lengths = MatchLengths(earlier, anywhere, _cut_tokens(earlier, chosen.lengths))
    work.progress("matching", chosen.tokens, chosen.tokens)
    return lengths


def _first_tokens(documents: DocumentSet, tokens: int | None) -> DocumentSet:
    """Return the first `tokens` tokens of the documents; the last document is cut."""
    if tokens is None:
        return documents
    if tokens < 1:
        raise OptionError(
            f"match lengths of {tokens} tokens do not exist. Pass at least 1 (--match-tokens), or "
            "leave it out."
        )
    by_shard = []
    for held in documents.by_shard:
        lengths = held.stops - held.starts
        room = tokens - (np.cumsum(lengths) - lengths)
        kept = room > 0
        stops = held.starts + np.minimum(lengths, room)
        chosen = held.starts[kept], stops[kept], held.numbers[kept]
        by_shard.append(ShardDocuments(held.shard, *chosen, text_bytes=None))
        tokens -= int(lengths[kept].sum())
    return replace(documents, by_shard=tuple(by_shard), chosen=f"{documents.chosen}, first tokens")


def _refuse_too_many(documents: DocumentSet, work: Work) -> None:
    tokens, size = documents.tokens, documents.tokens + len(documents)
    found = f"match lengths of {tokens} tokens in {len(documents)} documents"
    if size > _MOST_SYMBOLS:
        raise ResourceError(
            f"{found} need {size} positions, and 32 bits number at most {_MOST_SYMBOLS}. "
            f"{_advice(tokens * _MOST_SYMBOLS // size)}"
        )
    vocab_size = documents.corpus.vocab_size
    ids = _SPARSE_BYTES if is_sparse(vocab_size) else vocab_size * (8 * work.threads + 4)
    fixed = _OVERHEAD_BYTES + ids + len(documents) * _DOCUMENT_BYTES
    needed = fixed + size * _SYMBOL_BYTES
    if needed > work.memory_bytes:
        free = max(0, work.memory_bytes - fixed) // _SYMBOL_BYTES
        raise ResourceError(
            f"{found} need {format_bytes(needed)}, and --memory is "
            f"{format_bytes(work.memory_bytes)}. Raise it, or use less: "
            f"{_advice(tokens * free // size)}"
        )


def _advice(tokens: int) -> str:
    return f"Use only the first tokens of the corpus, such as {max(1, tokens)} (--match-tokens)."


def _join(documents: DocumentSet, symbols: Symbols, work: Work, text: I32) -> None:
    """Write the documents one after another, each followed by a distinct separator."""
    at, separator = 0, len(symbols.ids)
    for chunks in thread_chunks(documents, work):
        for chunk, shard in chunks:
            view = symbols.view(chunk)
            status = work.backend.kernels.join_documents(
                view, symbols.alphabet, separator, text[at:]
            )
            check_ids(status, shard, symbols.vocab_size)
            ended = int(np.count_nonzero(chunk.stops <= chunk.end))
            lengths = np.minimum(chunk.stops, chunk.end) - np.maximum(chunk.starts, chunk.begin)
            at, separator = at + int(lengths.sum()) + ended, separator + ended


def _without_separators(lengths: I32) -> NDArray[np.int32]:
    """Move the lengths above 0 to the front, in place, and return them."""
    at = 0
    for start in range(0, len(lengths), _CHUNK):
        some = lengths[start : start + _CHUNK]
        kept = some[some > 0]
        lengths[at : at + len(kept)] = kept
        at += len(kept)
    return lengths[:at]


def _cut_tokens(lengths: I32, of_documents: NDArray[np.int64]) -> int:
    """Return the number of matches that end with their document."""
    stops, cut = np.cumsum(of_documents), 0
    for first in range(0, len(lengths), _CHUNK):
        tokens = np.arange(first, min(first + _CHUNK, len(lengths)))
        low, high = np.searchsorted(stops, [tokens[0], tokens[-1]], "right")
        edges = np.append(stops[low:high], len(tokens) + first)
        often = np.diff(edges, prepend=first)
        ends = np.repeat(stops[low : high + 1], often)
        cut += int(np.count_nonzero(tokens + lengths[tokens[0] : tokens[-1] + 1] - 1 == ends))
    return cut
