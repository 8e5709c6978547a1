"""Results in the terminal: a few short tables on the console of the caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from icfast.laws.matches import MatchEntropy
from icfast.pipeline.records.capacity import CapacityRow
from icfast.pipeline.records.entropy import CountedCorpus, EntropyResult, OrderResult
from icfast.pipeline.records.measure import MeasuredCorpus, MeasureResult
from icfast.pipeline.records.score import NeuralResult
from icfast.report.phrases import initial_loss, raised_flags, spent
from icfast.units import (
    DASH,
    format_bits,
    format_count,
    format_coverage,
    format_fixed,
    format_joules,
    format_kelvin,
    format_ratio,
    printable,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_result(result: MeasureResult, console: Console) -> None:
    """Print the result of ``icfast measure``: corpus, orders, ladder, IC-1 and IC-2."""
    corpus = result.corpus
    skipped = {"texts": corpus.skipped_texts, "files": corpus.skipped_files}
    _print_corpus(corpus, skipped, result.backend, console)
    console.print(_orders(result.orders))
    console.print(_ladder(result))
    console.print(_capacity(result.ic1.heldout, "the n-gram model"))
    if result.neural is not None:
        _print_neural(result.neural, console)
    _print_laws(result, console)
    ic2 = result.ic2
    _line(
        console,
        "IC-2",
        f"E₀ = {format_joules(ic2.energy_joules)} at {format_kelvin(ic2.temperature_kelvin)}, "
        f"baseline {ic2.baseline}: a formal floor (Landauer), not energy spent",
    )
    if result.spent is not None:
        _line(console, "Spent", spent(result.spent))
    for flag, baselines in raised_flags(result.ic1.heldout).items():
        _line(console, f"Note ({', '.join(baselines)})", flag)


def _print_neural(found: NeuralResult, console: Console) -> None:
    """Print the loss of a neural model on the held-out tokens."""
    score, neural = found.score, found.score.neural
    if neural is None:
        return
    model, error = neural.model, score.standard_error
    if neural.ic1 is not None:
        console.print(_capacity(neural.ic1, model.name))
    spread = "" if error is None else f" ± {format_fixed(error.bits_per_token)}"
    _line(
        console,
        model.name,
        f"{format_fixed(score.loss_bits_per_token)}{spread} bits/token · "
        f"{format_fixed(score.bits_per_byte)} bits/byte · {format_count(model.params)} "
        f"parameters in {format_bits(model.model_bits)}, computed in "
        f"{model.compute_format or DASH} · {neural.policy.name}",
    )
    if found.spent is not None:
        _line(console, "Spent", spent(found.spent))
    if found.initial_loss is not None:
        _line(console, "Untrained", initial_loss(found.initial_loss))


def _print_laws(result: MeasureResult, console: Console) -> None:
    """Print the shortest online code, and the learnable bits and the noise floor."""
    codes, quality = result.code_lengths, result.corpus_laws.quality
    best = codes.best
    _line(
        console,
        "Online code",
        f"B = {format_fixed(best.online_bits / codes.tokens)} bits/token of the "
        f"{codes.documents} documents by {best.family}, order {best.order}; absorbed "
        f"B − C = {format_bits(best.absorbed_bits)}",
    )
    found = quality.found
    if found is None:
        _line(console, "Learnable", f"not given: {quality.reason}")
        return
    _line(
        console,
        "Learnable",
        f"{format_fixed(found.heldout_learnable_bits_per_token)} bits/token held out "
        f"(L₁ − L); noise floor between {format_fixed(found.noise_floor_low_bits_per_token)} "
        f"(not a bound) and {format_fixed(found.noise_floor_high_bits_per_token)}",
    )


def print_entropy(result: EntropyResult, console: Console) -> None:
    """Print the result of ``icfast entropy``: the corpus and a table of its orders."""
    _print_corpus(result.corpus, {}, result.backend, console)
    console.print(_orders(result.orders))
    if result.match_length is not None:
        _print_matches(result.match_length, console)


def _print_corpus(
    corpus: CountedCorpus | MeasuredCorpus,
    skipped: dict[str, int],
    backend: str,
    console: Console,
) -> None:
    parts = [
        f"{format_count(corpus.tokens)} tokens",
        f"{format_count(corpus.documents)} documents",
        f"vocabulary {format_count(corpus.vocab_size)}",
    ]
    if corpus.tokenizer:
        parts.append(f"tokenizer {corpus.tokenizer}")
    every = {**skipped, "documents": corpus.skipped_documents}
    parts += [f"{format_count(number)} {what} skipped" for what, number in every.items() if number]
    _line(console, "Corpus", " · ".join([*parts, f"backend {backend}"]))


def _print_matches(found: MatchEntropy, console: Console) -> None:
    """Print the estimates from match lengths with their spread, and facts about the matches."""
    columns = ("form", "h bits/token", "± of blocks")
    spreads = found.block_spread_bits_per_token
    rows = (
        (name, format_fixed(bits), format_fixed(spreads.get(name)))
        for name, bits in found.bits_per_token.items()
    )
    console.print(table("Entropy rate from match lengths", columns, rows))
    _line(
        console,
        "Matches",
        f"{format_count(found.tokens)} tokens · mean {format_ratio(found.mean_length)} · "
        f"longest {format_count(found.longest_match)} · "
        f"{format_count(found.cut_tokens)} cut by the end of their document · "
        "the ± excludes a bias of order 1/log n",
    )


def _line(console: Console, head: str, text: str) -> None:
    """Print one line; names from files are text, never markup."""
    from rich.text import Text

    console.print(Text.assemble((head, "bold"), "  ", printable(text)))


def table(title: str | None, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """Build a table whose first column holds names and whose other columns hold numbers."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for place, column in enumerate(columns):
        drawn.add_column(
            Text(printable(column)), justify="right" if place else "left", overflow="fold"
        )
    for row in rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    return drawn


def _orders(orders: Sequence[OrderResult]) -> Table:
    columns = ("order", "windows", "distinct", "coverage", "Hₙ CWJ", "hₙ plug-in", "gate")
    rows = (
        (
            str(row.order),
            format_count(row.windows),
            format_count(row.distinct),
            format_coverage(row.coverage),
            format_fixed(row.block_entropy_bits["cwj"]),
            format_fixed(row.conditional_entropy_bits_per_token["bos_padded"]),
            row.gate or DASH,
        )
        for row in orders
    )
    return table("Entropy: Hₙ in bits per window, hₙ in bits per token", columns, rows)


def _ladder(result: MeasureResult) -> Table:
    columns = ("model", "L bits/token", "gain bits/token", "gain")
    rows = (
        (
            row.model,
            format_fixed(row.loss_bits_per_token),
            format_fixed(row.gain_bits_per_token),
            format_bits(row.gain_bits),
        )
        for row in result.ladder
    )
    held = format_count(result.heldout.tokens)
    return table(f"Ladder: loss on {held} held-out tokens", columns, rows)


def _capacity(rows: Sequence[CapacityRow], model: str) -> Table:
    columns = ("baseline", "H bits/token", "L bits/token", "saved", "bits/param", "η")
    cells = (
        (
            row.baseline,
            format_fixed(row.entropy_bits_per_token),
            format_fixed(row.loss_bits_per_token),
            format_bits(row.bits_saved),
            format_ratio(row.bits_per_param),
            format_ratio(row.eta),
        )
        for row in rows
    )
    return table(f"IC-1 of {model}, held-out tokens: η·N = D·(H − L)", columns, cells)
