"""Records of `icfast measure`."""

from __future__ import annotations

from dataclasses import dataclass

from icfast.corpus.source import ShardRecord
from icfast.pipeline.records.base import Result
from icfast.pipeline.records.capacity import CapacityRows, LadderRow, MeasuredFloor
from icfast.pipeline.records.code_lengths import LearnedCodes
from icfast.pipeline.records.corpus_laws import CorpusLaws
from icfast.pipeline.records.entropy import Convention, OrderResult
from icfast.pipeline.records.models import Discounts
from icfast.pipeline.records.score import NeuralResult
from icfast.pipeline.records.spending import SpentEnergy
from icfast.units import format_bits, format_count, format_fixed, format_ratio


@dataclass(frozen=True)
class MeasuredCorpus:
    """Corpus that was measured.

    Attributes:
        tokens: number of tokens, document ends included.
        documents: number of documents.
        vocab_size: V, number of ids in the vocabulary.
        vocab_size_given: whether V was given, not read from the largest id.
        shards: number of files.
        formats: formats of the files.
        tokenizer: name of the tokenizer, None if unknown.
        eos_id: id that separates documents, None if there is none.
        boundary: whether the end id ends or starts a document.
        cross_documents: whether each file counts as one document.
        text_bytes: UTF-8 bytes of the text, None if unknown.
        skipped_documents: empty documents that were skipped.
        skipped_files: empty files that were skipped.
        skipped_texts: texts that were skipped when the corpus was tokenised.
    """

    tokens: int
    documents: int
    vocab_size: int
    vocab_size_given: bool
    shards: int
    formats: tuple[str, ...]
    tokenizer: str | None
    eos_id: int | None
    boundary: str
    cross_documents: bool
    text_bytes: int | None
    skipped_documents: int
    skipped_files: int
    skipped_texts: int


@dataclass(frozen=True)
class Heldout:
    """Documents held out of training.

    Attributes:
        fraction_asked: share of documents that was asked for.
        tokens: D, number of held-out tokens.
        documents: number of held-out documents.
        share_of_tokens: share of all tokens.
        text_bytes: UTF-8 bytes of their text, None if unknown.
        oov: held-out tokens that the training documents do not have.
        predicted_set_sha256: hash of the held-out documents.
    """

    fraction_asked: float
    tokens: int
    documents: int
    share_of_tokens: float
    text_bytes: int | None
    oov: int
    predicted_set_sha256: str


@dataclass(frozen=True)
class Training:
    """Documents that the models were fitted to."""

    tokens: int
    documents: int


@dataclass(frozen=True)
class FittedModel:
    """Kneser-Ney model of the training documents.

    Attributes:
        kind: kind of smoothing.
        order: tokens in its longest n-grams.
        convention: ``tokens`` or ``kenlm``.
        file: name of the model file.
        model_bits: N, size of the file, bits.
        params: P, number of parameters.
        sha256: hash of the file.
        ngram_counts: number of n-grams by order.
        discounts: discounts by order.
    """

    kind: str
    order: int
    convention: str
    file: str
    model_bits: int
    params: int
    sha256: str
    ngram_counts: tuple[int, ...]
    discounts: tuple[Discounts, ...]


@dataclass(frozen=True, repr=False)
class MeasureResult(Result):
    """Result of `icfast measure`; the content of result.json.

    Attributes:
        schema_version: version of the field names.
        icfast_version: version of icfast that measured.
        corpus: corpus that was measured.
        convention: conventions of every figure.
        units: units of figures whose name does not end in one.
        formulas: formulas of the figures.
        inputs: files with their hashes.
        backend: backend that counted.
        threads: number of threads.
        memory_bytes: memory that icfast was allowed to allocate, bytes.
        orders: entropies of orders 1..N over all documents.
        heldout: documents held out.
        training: documents the models were fitted to.
        model: Kneser-Ney model of the training documents.
        ladder: losses on the held-out tokens, from a uniform guess to the best model.
        neural: a neural model on the same tokens; None if not asked for.
        code_lengths: A, B and C of the training documents.
        corpus_laws: laws of the corpus.
        ic1: bits saved and capacity used.
        ic2: Landauer's floor.
        spent: energy spent; None if not metered.
        wall_seconds: duration, seconds.
        warnings: what looks unusual in the corpus but may be right.
    """

    schema_version: int
    icfast_version: str
    corpus: MeasuredCorpus
    convention: Convention
    units: dict[str, str]
    formulas: dict[str, str]
    inputs: tuple[ShardRecord, ...]
    backend: str
    threads: int
    memory_bytes: int
    orders: tuple[OrderResult, ...]
    heldout: Heldout
    training: Training
    model: FittedModel
    ladder: tuple[LadderRow, ...]
    neural: NeuralResult | None
    code_lengths: LearnedCodes
    corpus_laws: CorpusLaws
    ic1: CapacityRows
    ic2: MeasuredFloor
    spent: SpentEnergy | None
    wall_seconds: float
    warnings: tuple[str, ...] = ()

    def facts(self) -> dict[str, str]:
        """Return the main figures as text, by name."""
        best = self.ladder[-1]
        uniform = self.ic1.heldout[0]
        return {
            "tokens": format_count(self.corpus.tokens),
            "held-out tokens": format_count(self.heldout.tokens),
            f"loss of {best.model}": f"{format_fixed(best.loss_bits_per_token)} bits/token",
            "bits saved": format_bits(uniform.bits_saved),
            "eta": format_ratio(uniform.eta),
        }
