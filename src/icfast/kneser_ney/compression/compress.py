"""Compress a model and measure the increase in loss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from icfast.corpus import Corpus
from icfast.corpus.documents import all_documents
from icfast.errors import OptionError, ResourceError
from icfast.files import new_file
from icfast.kneser_ney.compact import CompactModel
from icfast.kneser_ney.compression.levels import levels_of, mean_log2_mass
from icfast.kneser_ney.compression.pack import pack
from icfast.kneser_ney.compression.prune import prune as prune_levels
from icfast.kneser_ney.compression.quantise import decoded, quantised
from icfast.kneser_ney.model import NgramModel
from icfast.kneser_ney.model_file import model_output
from icfast.kneser_ney.score import score_documents
from icfast.kneser_ney.weights import weigh
from icfast.parallel.mapped_file import refuses_changes
from icfast.parallel.progress import Progress, silent
from icfast.parallel.threads import Work
from icfast.sums.loss import LossSum
from icfast.units import format_bytes

#: Peak memory per n-gram: the levels, the weights, and temporary arrays of packing.
_NGRAM_BYTES = 80


def compress(
    model: NgramModel | str | Path,
    output: str | Path,
    *,
    bits: int = 8,
    prune: float = 0.0,
    heldout: Corpus | None = None,
    overwrite: bool = False,
    memory: str | int | None = None,
    threads: int | None = None,
    backend: str = "auto",
    progress: Progress = silent,
) -> CompactModel:
    """Write the order-N model with its probabilities and backoffs in a few bits each, atomically.

    :func:`icfast.score` accepts the compressed model. The counts are not stored, so the models of
    lower orders and the discounts are lost.

    Args:
        model: a model or its file.
        output: the file to write.
        bits: 1..16 bits per probability and per backoff above order 1. Order 1 stays exact.
        prune: removes each n-gram whose removal raises the model's expected perplexity by less than
            this fraction (Stolcke 1998). 0 keeps all n-grams.
        heldout: documents whose loss under both models is measured and recorded in ``about``.
        overwrite: whether to replace a model that icfast wrote there.
        memory, threads, backend: as in :func:`icfast.spectra`. Compression needs 80 bytes of memory
            per n-gram.
        progress: called with the progress of each stage.

    Raises:
        OptionError: bits or prune is out of range, or the output exists or can't be written.
        OutputError: the output is also an input, or is not a model.
        ResourceError: the memory is too small, or the disk is full.
        ArtefactError: the model's file is damaged, or holds a compressed model.
        MergeError: the held-out corpus was written by another tokenizer.

    >>> import tempfile
    >>> import icfast
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "abracadabra.bin"
    ...     _ = path.write_bytes(b"abracadabra")
    ...     corpus = icfast.open(path, dtype="u1", vocab_size=256)
    ...     whole = icfast.fit(corpus, order=2)
    ...     small = icfast.compress(whole, Path(folder) / "small", bits=1, heldout=corpus)
    >>> small.ngrams == whole.ngrams, round(abs(small.about["heldout"]["excess_bits_per_token"]), 6)
    (True, 0.0)
    """
    work = Work.of(backend, threads, memory, progress)
    if not isinstance(model, NgramModel):
        model = NgramModel.load(model)
    return compress_to(Path(output), model, work, bits, prune, heldout, overwrite)


@refuses_changes
def compress_to(
    output: Path,
    model: NgramModel,
    work: Work,
    bits: int,
    prune: float,
    heldout: Corpus | None,
    overwrite: bool,
) -> CompactModel:
    """Write the compressed model of an open model; see `compress`."""
    inputs = [model.path, *(heldout.files if heldout is not None else ())]
    with new_file(model_output(output), inputs, overwrite) as temporary:
        _compress(temporary, model, work, bits, prune, heldout)
    return CompactModel.load(output)


def _compress(
    path: Path, model: NgramModel, work: Work, bits: int, prune: float, heldout: Corpus | None
) -> None:
    """Write the compressed model to this path directly."""
    if not 0 <= prune < math.inf:
        raise OptionError(
            f"prune is {prune}, but must be a fraction of the perplexity, 0 or more. "
            "Pass 0 to keep all n-grams, or a small number such as 1e-8."
        )
    ngrams = sum(model.ngrams)
    need = ngrams * _NGRAM_BYTES
    if need > work.memory_bytes:
        raise ResourceError(
            f"compressing {ngrams:,} n-grams needs {format_bytes(need)} of memory, but only "
            f"{format_bytes(work.memory_bytes)} are allowed. "
            "Allow more (--memory), or fit a lower order."
        )
    work.progress("compressing", 0, ngrams, "n-grams")
    with work.pool() as pool:
        levels = levels_of(model, weigh(model, work.backend.kernels, pool.for_each))
    if prune > 0:
        levels = prune_levels(levels, prune, model.documents)
    codes = quantised(levels, bits)
    described = {
        "bits": bits,
        "prune": prune,
        "whole_bytes": model.size_bits // 8,
        "whole_ngrams": model.ngrams,
        "mean_log2_mass": mean_log2_mass(decoded(levels, codes)),
    }
    small = pack(model, levels, codes, described)
    del levels, codes
    work.progress("compressing", ngrams, ngrams, "n-grams")
    small.save(path, {"heldout": None if heldout is None else _excess(model, small, heldout, work)})


def _excess(whole: NgramModel, small: CompactModel, heldout: Corpus, work: Work) -> dict[str, Any]:
    documents = all_documents(heldout, whole.convention)
    sums = [score_documents(documents, model, work).total for model in (whole, small)]
    before, after = map(_bits_per_token, sums)
    return {
        "predicted_tokens": sums[0].predicted_tokens,
        "documents": sums[0].documents,
        "whole_bits_per_token": before,
        "bits_per_token": after,
        "excess_bits_per_token": None if before is None or after is None else after - before,
    }


def _bits_per_token(loss: LossSum) -> float | None:
    """Return the loss in bits per token, or None if it is undefined or infinite."""
    if loss.infinite or not loss.predicted_tokens:
        return None
    return loss.nats / math.log(2) / loss.predicted_tokens
