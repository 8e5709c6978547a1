"""Loss of every document of a corpus under a model of any kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from icfast.corpus import Corpus
from icfast.corpus.documents import DocumentSet, all_documents
from icfast.errors import OptionError
from icfast.kneser_ney.compact import CompactModel
from icfast.kneser_ney.model import NgramModel
from icfast.kneser_ney.score import score_documents
from icfast.neural.checkpoint import Checkpoint
from icfast.neural.token_losses import TokenScores, score_tokens, window_policy
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
    """Loss of every document of a corpus under a model: n-gram or neural.

    An n-gram model scores in its own convention. A corpus that is large beside it is scored in
    bulk, five times as fast and to the same bit; that takes 16 bytes an n-gram and about 75 a
    token, of as many tokens as memory holds.

    A neural model is fed windows under a named policy, and every token is scored exactly once; the
    result says under which, and has the losses by position too. The options down to `name` are for
    neural models.

    Args:
        model: an n-gram model, whole or compressed, or the file of one; "hf:DIR", "gguf:FILE", or
            whatever is a :class:`icfast.neural.token_model.TokenModel`; or a function from ids
            i64[windows, positions] to logits (windows, positions, V) of what follows each.
        window: tokens fed at once, at most; by default the model's context, or 1024.
        stride: new tokens each window after a document's first scores; by default the window.
            Smaller ones cost more and show each token more of what stands before it.
        bos: id fed before a document, "none", or "auto": the model's, where the corpus has it not.
            Without it the first token of each document is not predicted.
        packed: join the documents of a shard, so that contexts cross them.
        normaliser: what the loss is stated per: token, byte or word; the sums are the same.
        checkpoint: a folder for finished parts of the work; what it holds is not done again.
        batch: windows given to the model at once, at most; by default 8192 tokens of them. Fewer
            where memory does not hold them.
        vocab_size: columns of a function's logits that count; by default all.
        name: what results call a function, and what its checkpoints go by.
        model_dtype: float32, bfloat16 or float16, what "hf:" and "gguf:" are computed in; by
            default hf as stored, gguf float32. Faster ones round: their logits' format is recorded.
        device: auto, cpu, cuda or cuda:N, where "hf:", "gguf:" and functions compute; a function
            gets torch tensors there. Sums are made there too, the same integers of the same losses.
        memory, threads, backend: as in :func:`icfast.spectra`, of the host.

    Returns:
        :class:`DocumentScores`; ``.total`` is their exact sum, the same for any threads. Of a
        neural model :class:`icfast.neural.token_losses.TokenScores`, with ``.policy``, ``.counts``
        and ``.positions``.

    Raises:
        MergeError: the corpus was written by another tokenizer than the model's.
        CorpusError: an id is outside the model's vocabulary (convention tokens, neural models).
        ArtefactError, ModelError: the model's file is damaged, or not one.
        OptionError: an option has no meaning, or none for this kind of model.
        BackendError: torch or this build can't use the device.
        ResourceError: memory does not hold one window.

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
        "bos": bos,
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


#: Options of neural models that are not None where nobody sets them.
_UNSET = {"bos": "auto", "packed": False, "normaliser": "token"}

#: Those that make the policy.
_POLICY = ("window", "stride", "bos", "packed", "normaliser")


def score_model(
    corpus: Corpus,
    model: NgramModel | CompactModel | TokenModel,
    options: Mapping[str, Any],
    work: Work,
) -> DocumentScores:
    """As :func:`score`, under a model that is open.

    Args:
        options: those of neural models that were set.
    """
    if not isinstance(model, NgramModel | CompactModel):
        return score_neural(all_documents(corpus), model, options, work)
    if options:
        raise OptionError(
            f"{', '.join(options)}: for neural models only; an n-gram model sees whole documents, "
            "and needs no batches and no checkpoint"
        )
    return score_documents(all_documents(corpus, model.convention), model, work)


def score_neural(
    documents: DocumentSet, model: TokenModel, options: Mapping[str, Any], work: Work
) -> TokenScores:
    """Loss of each of the chosen documents under a neural model.

    Args:
        options: those that were set.
    """
    checkpoint = options.get("checkpoint")
    policy = {option: options[option] for option in _POLICY if option in options}
    return score_tokens(
        documents,
        model,
        window_policy(documents.corpus, model, **policy),
        work,
        checkpoint=None if checkpoint is None else Checkpoint.at(checkpoint),
        name=options.get("name"),
        batch=options.get("batch"),
    )
