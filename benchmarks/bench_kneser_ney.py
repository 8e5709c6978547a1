"""Modified Kneser-Ney of order 5 beside KenLM: tokens to a model file, its size, scoring.

Both fit the same model, convention kenlm: ids as words, one document a line. The text is written
before the clock starts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import icfast
from data import Tokens
from harness import Job
from icfast.backends.select import installed
from icfast.corpus import Corpus
from icfast.kneser_ney.model import NgramModel
from icfast.sums.loss import DocumentScores, LossSum
from peers import kenlm_package, kenlm_tools, present
from report import Report

_ORDER = 5
_CONVENTION = "kenlm"


@dataclass(frozen=True)
class Fitted:
    """What one corpus gave: our model, and where KenLM's files are if it is here."""

    corpus: Corpus
    model: NgramModel
    folder: Path

    @property
    def arpa(self) -> Path:
        return self.folder / "model.arpa"

    @property
    def binary(self) -> Path:
        return self.folder / "model.probing"

    def check_ngram_counts(self, _: object) -> None:
        assert kenlm_tools.ngram_counts(self.arpa) == list(self.model.ngram_counts)


def fit(tokens: Tokens, folder: Path) -> Fitted:
    corpus = tokens.corpus()
    model = icfast.fit(corpus, _ORDER, convention=_CONVENTION, output=folder / "model.icfast")
    return Fitted(corpus, model, folder)


def test_fit(report: Report, tokens: Tokens, tmp_path: Path, everything: bool) -> None:
    """Tokens to a model that can be mapped and queried; then the sizes of the files."""
    whole = fit(tokens, tmp_path)
    corpus = whole.corpus
    again = whole.folder / "again.icfast"

    def same_model(found: NgramModel) -> None:
        assert found.ngram_counts == whole.model.ngram_counts

    def ours(name: str, **options: Any) -> Job:
        rounds = options.pop("rounds", None)
        return Job(
            f"icfast fit, tokens to model file{name}",
            lambda: icfast.fit(corpus, _ORDER, convention=_CONVENTION, output=again, **options),
            corpus.tokens,
            tokens.input_bytes,
            same_model,
            prepare=lambda: again.unlink(missing_ok=True),
            rounds=rounds,
        )

    jobs = [ours("")]
    if everything:
        jobs += [ours(f", {name}", backend=name, rounds=2) for name in installed()[1:]]
    sizes = {"icfast": whole.model.size_bits // 8}
    kenlm = bool(list(present([kenlm_tools])))
    if kenlm:
        words = tokens.write_words(whole.folder / "words.txt")
        jobs.append(
            Job(
                "KenLM lmplz and build_binary probing",
                lambda: kenlm_fit(words, whole),
                corpus.tokens,
                words.stat().st_size,
                whole.check_ngram_counts,
                peer=True,
                rounds=None if everything else 1,
            )
        )
    report.compare(f"Kneser-Ney, order {_ORDER}: {tokens.title}", jobs)
    if kenlm:
        sizes |= kenlm_sizes(whole, list(kenlm_tools.FORMS) if everything else ["probing"])
    report.sizes(
        f"Model files, order {_ORDER}: {tokens.title}", sizes, sum(whole.model.ngram_counts)
    )


def kenlm_fit(words: Path, fitted: Fitted) -> None:
    kenlm_tools.estimate(words, fitted.arpa, _ORDER)
    kenlm_tools.build(fitted.arpa, fitted.binary)


def kenlm_sizes(fitted: Fitted, forms: list[str]) -> dict[str, int]:
    sizes = {}
    for form in forms:
        path = fitted.folder / "form"
        kenlm_tools.build(fitted.arpa, path, form)
        sizes[f"KenLM {form}"] = path.stat().st_size
        path.unlink()
    return sizes


def test_score_held_out(report: Report, tokens: Tokens, tmp_path: Path, everything: bool) -> None:
    """The last 20 M tokens (half of fewer than 40 M) under a model of those before."""
    held_out_tokens = min(20_000_000, len(tokens.ids) // 2)
    training, held_out = tokens.split(len(tokens.ids) - held_out_tokens, tmp_path)
    fitted = fit(training, tmp_path)
    corpus = held_out.corpus()
    total = icfast.score(corpus, fitted.model).total

    def same_total(found: DocumentScores) -> None:
        assert math.isclose(found.total.nats, total.nats, rel_tol=1e-12)

    def with_loading() -> DocumentScores:
        return icfast.score(corpus, fitted.model.path)

    def ours(name: str, **options: Any) -> Job:
        rounds = options.pop("rounds", None)
        return Job(
            f"icfast score{name}",
            lambda: icfast.score(corpus, fitted.model, **options),
            total.predicted_tokens,
            held_out.input_bytes,
            same_total,
            rounds=rounds,
        )

    jobs = [ours(""), ours(", one thread", threads=1)]
    # As KenLM's query does: the model is loaded, and weighed, in the run.
    jobs.append(replace(jobs[0], name="icfast score, with loading", run=with_loading))
    if everything:
        jobs += [ours(f", {name}", backend=name, rounds=2) for name in installed()[1:]]
    if list(present([kenlm_tools])):
        words = held_out.write_words(tmp_path / "held_out.txt")
        kenlm_fit(training.write_words(tmp_path / "training.txt"), fitted)
        fitted.check_ngram_counts(None)
        jobs += kenlm_scorers(words, fitted, total, everything)
    report.compare(
        f"Scoring, order {_ORDER}: {held_out.title}, under a model of {training.title}", jobs
    )


def kenlm_scorers(words: Path, fitted: Fitted, total: LossSum, everything: bool) -> list[Job]:
    """Query of each form, one thread, with loading; the Python package, loaded before."""

    def check(summary: kenlm_tools.Summary) -> None:
        assert (summary.tokens, summary.oov) == (total.predicted_tokens, total.oov)
        check_nats(summary.tokens * math.log(summary.perplexity))

    def check_nats(found: float) -> None:
        # KenLM adds up a document in single precision.
        assert math.isclose(found, total.nats, rel_tol=1e-4)

    def theirs(name: str, run: Callable[[], Any], check: Callable[[Any], None], **kw: Any) -> Job:
        size = words.stat().st_size
        return Job(name, run, total.predicted_tokens, size, check, peer=True, **kw)

    def query(form: str, model: Path) -> Job:
        return theirs(f"KenLM query {form}", lambda: kenlm_tools.score(words, model), check)

    jobs = [query("probing", fitted.binary)]
    if everything:
        kenlm_tools.build(fitted.arpa, fitted.folder / "model.trie", "trie")
        jobs.append(query("trie", fitted.folder / "model.trie"))
    if list(present([kenlm_package])):
        scorer = kenlm_package.Scorer(fitted.binary)
        documents = words.read_text().splitlines()
        package = theirs(
            "kenlm (Python) probing, loaded before",
            lambda: scorer.total_log10(documents),
            lambda log10: check_nats(-log10 * math.log(10)),
            rounds=None if everything else 1,
        )
        jobs.append(package)
    return jobs
