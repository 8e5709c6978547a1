"""Commands about models: fit, score, export, compress."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icfast.cli.options import (
    DEFAULT_ORDER,
    CorpusOptions,
    CorpusOrTable,
    CorpusPaths,
    Json,
    OrderOrTables,
    WorkOptions,
    open_table,
)
from icfast.cli.output import emit, exit_if_partial, print_facts, print_table, skipped
from icfast.errors import IcfastError, MissingExtraError, OptionError

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.measure.loss import LossSum
    from icfast.models.compact import CompactModel
    from icfast.models.ngram import NgramModel


def fit(
    source: CorpusOrTable,
    output: Annotated[Path, typer.Option(metavar="MODEL", help="File for the model.")],
    options: CorpusOptions,
    work_options: WorkOptions,
    order: OrderOrTables = None,
    convention: Annotated[
        str | None,
        typer.Option(
            metavar="tokens|kenlm",
            help="tokens (an end id is a token) or kenlm (it becomes </s>); "
            "tokens for a corpus, a table has its own.",
        ),
    ] = None,
    arpa: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File for the model as ARPA text too, for other tools."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit a modified Kneser-Ney model of every order up to the longest, in one file."""
    from icfast.files import atomic_path
    from icfast.passes.documents import all_documents
    from icfast.passes.export import export_arpa
    from icfast.passes.fit import fit_documents, fit_table

    table = open_table(source, options, order, convention)
    corpus = options.open(source) if table is None else None
    with ExitStack() as stack:
        # Whatever keeps the text from being written is met before the work.
        text = stack.enter_context(atomic_path(arpa)) if arpa is not None else None
        work = stack.enter_context(work_options.start())
        if corpus is not None:
            documents = all_documents(corpus, convention or "tokens")
            model = fit_documents(documents, order or DEFAULT_ORDER, work, output)
        elif table is not None:
            model = fit_table(table, work, output)
        if text is not None:
            export_arpa(model, text, work)
    content = {
        **_describe(model),
        "arpa": None if arpa is None else str(arpa),
        "backend": work.backend.name,
        **skipped(corpus),
    }
    emit(content, as_json, lambda console: _show_model(console, content))
    exit_if_partial(corpus)


def _describe(model: NgramModel) -> dict[str, Any]:
    from icfast.job.measure import discounts_record

    return {
        "model": str(model.path),
        "order": model.order,
        "convention": model.convention,
        "ngram_counts": list(model.ngram_counts),
        "discounts": [discounts_record(entry) for entry in model.discounts],
        "model_bits": model.size_bits,
        "params": model.parameters,
        "tokens": model.tokens,
        "documents": model.documents,
    }


def _show_model(console: Console, content: dict[str, Any]) -> None:
    from icfast.report import numbers
    from icfast.units import format_bytes

    def triple(values: list[float] | None, fallback: bool | None) -> str:
        if values is None:
            return numbers.DASH
        return " ".join(map(numbers.ratio, values)) + (" (fallback)" if fallback else "")

    print_facts(
        console,
        {
            "Model": f"{content['model']} ({format_bytes(content['model_bits'] // 8)})",
            "Fitted on": f"{numbers.count(content['tokens'])} tokens, "
            f"{numbers.count(content['documents'])} documents, "
            f"convention {content['convention']}",
            "Parameters": numbers.count(content["params"]),
            "Backend": content["backend"],
            **({"ARPA text": content["arpa"]} if content["arpa"] else {}),
        },
    )
    by_order = zip(content["ngram_counts"], content["discounts"], strict=True)
    rows = [
        (
            str(entry["order"]),
            numbers.count(ngrams),
            triple(entry["top"], entry["top_fallback"]),
            triple(entry["lower"], entry["lower_fallback"]),
        )
        for ngrams, entry in by_order
    ]
    print_table(console, ("order", "n-grams", "D1 D2 D3+ as top", "D1 D2 D3+ below"), rows)


def score(
    corpus: CorpusPaths,
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="A file `icfast fit` or `icfast compress` wrote.")
    ],
    options: CorpusOptions,
    work_options: WorkOptions,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE.parquet", help="File for the loss of each document, in nats."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score a corpus under a model: its loss in bits per token."""
    from icfast.files import atomic_path
    from icfast.passes.documents import all_documents
    from icfast.passes.score import score_documents

    loaded = _load_model(model)
    opened = options.open(corpus)
    with ExitStack() as stack:
        # Whatever keeps the output from being written is met before the work.
        write = _parquet_writer() if output is not None else None
        target = stack.enter_context(atomic_path(output)) if output is not None else None
        with work_options.start() as work:
            documents = all_documents(opened, loaded.convention)
            scores = score_documents(documents, loaded, work)
        if write is not None and target is not None:
            write(scores.to_arrow(), target)
    content = {
        **_describe_loss(scores.total),
        "backend": work.backend.name,
        "output": None if output is None else str(output),
        **skipped(opened),
    }
    emit(content, as_json, lambda console: _show_loss(console, content))
    exit_if_partial(opened)


def _load_model(name: str) -> NgramModel | CompactModel:
    from icfast.models.compact import load_model

    scheme, colon, _ = name.partition(":")
    if colon and scheme in ("hf", "gguf"):
        raise OptionError(
            f"--model {name}: neural models ({scheme}:) are not supported yet; "
            "give the file of an n-gram model, as `icfast fit` writes it"
        )
    return load_model(name)


def _parquet_writer() -> Callable[..., None]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError(
            "--output writes Parquet, which needs pyarrow: pip install 'icfast[arrow]'"
        ) from error
    writer: Callable[..., None] = parquet.write_table
    return writer


def _describe_loss(loss: LossSum) -> dict[str, Any]:
    from icfast.laws.loss import bits_per_token, perplexity, total_log10

    content: dict[str, Any] = {
        "predicted_tokens": loss.predicted_tokens,
        "documents": loss.documents,
        "oov": loss.oov,
        "infinite": loss.infinite,
        "loss_bits_per_token": None,
        "total_log10": None,
        "perplexity": None,
        "reason": None,
    }
    try:
        means = {
            "loss_bits_per_token": bits_per_token(loss),
            "total_log10": total_log10(loss),
            "perplexity": perplexity(loss),
        }
    except IcfastError as error:
        return {**content, "reason": str(error)}
    return {**content, **means}


def _show_loss(console: Console, content: dict[str, Any]) -> None:
    from icfast.report import numbers

    facts = {
        "Loss": f"{numbers.per_token(content['loss_bits_per_token'])} bits/token",
        "Perplexity": numbers.ratio(content["perplexity"]),
        "log10 probability": numbers.per_token(content["total_log10"], 2),
        "Predicted tokens": numbers.count(content["predicted_tokens"]),
        "Documents": numbers.count(content["documents"]),
        "Out of vocabulary": numbers.count(content["oov"]),
        "Probability 0": numbers.count(content["infinite"]),
        "Backend": content["backend"],
    }
    if content["reason"]:
        facts["Why no loss"] = content["reason"]
    if content["output"]:
        facts["Each document"] = content["output"]
    print_facts(console, facts)
