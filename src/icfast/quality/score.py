"""Score the documents of a corpus under a model of any kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from icfast.corpus import Corpus
from icfast.corpus.documents import DocumentSet, all_documents
from icfast.errors import OptionError
from icfast.kneser_ney.compact import CompactModel
from icfast.kneser_ney.compared import compare
from icfast.kneser_ney.model import NgramModel
from icfast.kneser_ney.score import score_documents
from icfast.neural.checkpoint import Checkpoint
from icfast.neural.context_policy import ContextPolicy
from icfast.neural.score import NeuralScores, score_tokens
from icfast.neural.token_model import CPU, TokenModel
from icfast.parallel.progress import Progress, silent
from icfast.parallel.threads import Work
from icfast.quality.open_model import AnyModel, open_model
from icfast.sums.loss import DocumentScores


def score(
    corpus: Corpus,
    model: AnyModel,
    *,
    window: int | None = None,
    stride: int | None = None,
    bos: int | str | None = "auto",
    packed: bool = False,
    normaliser: str = "token",
    checkpoint: str | Path | None = None,
    batch: int | None = None,
    vocab_size: int | None = None,
    name: str | None = None,
    model_dtype: str | None = None,
    device: str = CPU,
    memory: str | int | None = None,
    threads: int | None = None,
    backend: str = "auto",
    progress: Progress = silent,
) -> DocumentScores:
    """Return the loss of every document of a corpus under an n-gram or neural model.

    An n-gram model scores in the convention that it was fitted in. A corpus that is large compared
    with the model is scored in bulk: about five times as fast, with the same bits. Bulk scoring
    takes 16 bytes of memory per n-gram, and about 75 per token for as many tokens as memory holds.

    A neural model reads windows of tokens under a context policy, which the result records. Every
    token is scored exactly once, and the result includes losses by position. The options from
    `window` to `name` are for neural models.

    Args:
        corpus: the documents to score.
        model: an n-gram model, full or compressed, or its file; "hf:DIR" or "gguf:FILE"; a
            :class:`icfast.neural.token_model.TokenModel`; or a function from ids
            i64[windows, positions] to logits (windows, positions, V) of the next tokens.
        window: largest number of tokens that the model reads at once; by default the model's
            context length, or 1024.
        stride: new tokens that each window after a document's first one scores; by default the
            window. A smaller stride costs more and gives each token more context.
        bos: id fed before each document, "none" or "auto". "auto" feeds the model's id if the
            corpus does not contain it. Without such an id the first token of each document is not
            predicted.
        packed: whether to join the documents of a shard, so that contexts cross documents.
        normaliser: unit of the mean loss: token, byte or word. The sums do not depend on it.
        checkpoint: folder for finished parts of the work. A later call resumes from it.
        batch: largest number of windows given to the model at once. By default a batch has 8192
            tokens, or fewer if memory is too small.
        vocab_size: for a function, the number of columns of its logits that count; by default all.
        name: for a function, its name in results and checkpoints.
        model_dtype: float32, bfloat16 or float16, the dtype in which "hf:" and "gguf:" compute. By
            default "hf:" uses the stored dtype and "gguf:" float32. 16-bit dtypes are faster but
            round logits; the result records the format.
        device: auto, cpu, cuda or cuda:N, the device of "hf:", "gguf:" and functions. A function
            receives torch tensors on this device. Sums are computed there as well; equal losses
            give equal sums on every device.
        memory, threads, backend: as in :func:`icfast.spectra`, for the host.
        progress: called with the progress.

    Returns:
        :class:`DocumentScores`. ``.total`` is the exact sum, which does not depend on the number of
        threads. A neural model returns :class:`icfast.neural.score.NeuralScores`, which adds
        ``.policy``, ``.counts`` and ``.positions``.

    Raises:
        MergeError: the corpus and the model have different tokenizers or vocabularies.
        CorpusError: an id is outside the model's vocabulary (convention tokens, neural models).
        ArtefactError, ModelError: the model's file is damaged, or not a model.
        OptionError: an option is invalid or does not apply to this kind of model.
        BackendError: torch or this build can't use the device.
        ResourceError: memory is too small for one window.

    >>> import tempfile
    >>> import icfast
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "abracadabra.bin"
    ...     _ = path.write_bytes(b"abracadabra")
    ...     corpus = icfast.open(path, dtype="u1", vocab_size=256)
    ...     scores = icfast.score(corpus, icfast.fit(corpus, order=2))
    >>> scores.total.predicted_tokens, round(scores.total.nats, 6)
    (11, 9.594036)
    """
    options = {
        "window": window,
        "stride": stride,
        "bos": "none" if bos is None else str(bos),
        "packed": packed,
        "normaliser": normaliser,
        "checkpoint": checkpoint,
        "batch": batch,
        "name": name,
    }
    given = {option: value for option, value in options.items() if value != _UNSET.get(option)}
    work = Work.of(backend, threads, memory, progress)
    loaded = open_model(
        model,
        vocab_size=vocab_size,
        name=name,
        model_dtype=model_dtype,
        backend=backend,
        device=device,
    )
    return score_model(corpus, loaded, given, work)


#: Defaults of the options of neural models whose default is not None.
_UNSET = {"bos": "auto", "packed": False, "normaliser": "token"}

#: Options that define the context policy.
_POLICY = ("window", "stride", "bos", "packed", "normaliser")


def score_model(
    corpus: Corpus,
    model: NgramModel | CompactModel | TokenModel,
    options: Mapping[str, Any],
    work: Work,
) -> DocumentScores:
    """Return the loss of every document under an open model, as :func:`score`.

    Args:
        options: options of neural models that differ from their defaults.
    """
    if not isinstance(model, NgramModel | CompactModel):
        neural = score_neural(all_documents(corpus), model, options, work)
        return replace(neural, warnings=corpus.warnings)
    if options:
        raise OptionError(
            f"{', '.join(options)}: for neural models only. "
            "An n-gram model scores whole documents; omit these options."
        )
    scores = score_documents(all_documents(corpus, model.convention), model, work)
    compared = compare(corpus, model)
    return replace(
        scores,
        fitted_shards=compared.fitted_shards,
        warnings=(*corpus.warnings, *compared.warnings),
    )


def score_neural(
    documents: DocumentSet, model: TokenModel, options: Mapping[str, Any], work: Work
) -> NeuralScores:
    """Return the loss of each document under a neural model.

    Args:
        options: options that differ from their defaults.
    """
    checkpoint = options.get("checkpoint")
    policy = {option: options[option] for option in _POLICY if option in options}
    return score_tokens(
        documents,
        model,
        ContextPolicy(**policy),
        work,
        checkpoint=None if checkpoint is None else Checkpoint.at(checkpoint),
        name=options.get("name"),
        batch=options.get("batch"),
    )
