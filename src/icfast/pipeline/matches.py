"""The entropy rate of a corpus from its match lengths."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from icfast.corpus import Corpus
from icfast.laws.matches import MatchEntropy, match_estimates
from icfast.ngrams.matches import match_lengths
from icfast.parallel.progress import Progress, silent
from icfast.parallel.threads import Work


def match_entropy(
    corpus: Corpus,
    *,
    tokens: int | None = None,
    memory: str | int | None = None,
    threads: int | None = None,
    backend: str = "auto",
    progress: Progress = silent,
) -> MatchEntropy:
    """Entropy rate from how far each token's future occurred before, in bits per token.

    Lambda_i = 1 + the longest l such that the l tokens from i on, inside i's document, also stand
    from an earlier token on, inside its document; overlaps count. Three estimates from it stand
    in ``bits_per_token``; icfast.laws.matches states their formulas, sources and bias.

    Args:
        tokens: only the first so many tokens of the corpus; the default is all.
        memory: what icfast may allocate, such as ``"4GiB"``: 16 bytes a token and document, all at
            once. The default is half of what is available.
        threads: how many list the ids; sorting takes one.
        backend: auto, core, numba or cuda.

    Raises:
        CorpusError: an id is outside the vocabulary, or a document is empty.
        ResourceError: the memory cap is too small, or there are more than 2^31 - 1 tokens and
            documents.
        OptionError: an argument has no meaning.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import icfast
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "abracadabra.bin"
    ...     _ = path.write_bytes(b"abracadabra")
    ...     corpus = icfast.open(path, dtype="u1", vocab_size=256)
    ...     found = icfast.match_entropy(corpus)
    >>> found.longest_match, round(found.bits_per_token["mean_length"], 9)
    (4, 1.274415466)
    """
    return _estimates(corpus, Work.of(backend, threads, memory, progress), tokens)


def match_result(corpus: Corpus, work: Work, tokens: int | None = None) -> dict[str, Any]:
    """The same as a record of a result.

    Raises:
        CorpusError, OptionError, ResourceError: as match_entropy does.
    """
    return asdict(_estimates(corpus, work, tokens))


def _estimates(corpus: Corpus, work: Work, tokens: int | None) -> MatchEntropy:
    return match_estimates(match_lengths(corpus, work, tokens))
