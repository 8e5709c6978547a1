"""A measurement in the terminal: a few short tables on the console the caller gives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from icfast.report import numbers

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Result = dict[str, Any]


def print_result(result: Result, console: Console) -> None:
    """Print what ``icfast measure`` found: corpus, orders, ladder, IC-1, IC-2."""
    print_entropy(result, console)
    console.print(_ladder(result))
    console.print(_capacity(result["ic1"]["heldout"], "the n-gram model"))
    if result.get("neural"):
        _print_neural(result["neural"], console)
    _print_laws(result, console)
    ic2 = result["ic2"]
    _line(
        console,
        "IC-2",
        f"E₀ = {numbers.joules(ic2['energy_joules'])} at "
        f"{numbers.kelvin(ic2['temperature_kelvin'])}, baseline {ic2['baseline']}: "
        "a formal floor (Landauer), not energy spent",
    )
    if result.get("spent"):
        _line(console, "Spent", numbers.spent(result["spent"]))
    for flag, baselines in numbers.raised_flags(result["ic1"]["heldout"]).items():
        _line(console, f"Note ({', '.join(baselines)})", flag)


def _print_neural(found: Result, console: Console) -> None:
    """Print what a neural model made of the held-out tokens."""
    model, error = found["model"], found["standard_error"]
    if found["ic1"] is not None:
        console.print(_capacity(found["ic1"], model["name"]))
    spread = "" if error is None else f" ± {numbers.per_token(error['bits_per_token'])}"
    per_byte = numbers.per_token(found["bits_per_byte"])
    _line(
        console,
        model["name"],
        f"{numbers.per_token(found['loss_bits_per_token'])}{spread} bits/token · "
        f"{per_byte} bits/byte · {numbers.count(model['params'])} parameters in "
        f"{numbers.bits(model['model_bits'])}, computed in "
        f"{model['compute_format'] or numbers.DASH} · {found['policy']['name']}",
    )
    if found.get("spent"):
        _line(console, "Spent", numbers.spent(found["spent"]))
    if found["initial_loss"] is not None:
        _line(console, "Untrained", numbers.initial_loss(found["initial_loss"]))


def _print_laws(result: Result, console: Console) -> None:
    """Print the shortest online code, and what can be learned and what can't."""
    codes, quality = result["code_lengths"], result["corpus_laws"]["quality"]
    best, tokens = codes["best"], codes["tokens"]
    _line(
        console,
        "Online code",
        f"B = {numbers.per_token(best['online_bits'] / tokens)} bits/token of the "
        f"{codes['documents']} documents by {best['family']}, order {best['order']}; absorbed "
        f"B − C = {numbers.bits(best['absorbed_bits'])}",
    )
    if quality["reason"] is not None:
        _line(console, "Learnable", f"not given: {quality['reason']}")
        return
    low, high = (quality[f"noise_floor_{side}_bits_per_token"] for side in ("low", "high"))
    _line(
        console,
        "Learnable",
        f"{numbers.per_token(quality['heldout_learnable_bits_per_token'])} bits/token held out "
        f"(L₁ − L); noise floor between {numbers.per_token(low)}, no bound, and "
        f"{numbers.per_token(high)}",
    )


def print_entropy(result: Result, console: Console) -> None:
    """Print what ``icfast entropy`` found: the corpus and a table of its orders."""
    corpus = result["corpus"]
    parts = [
        f"{numbers.count(corpus['tokens'])} tokens",
        f"{numbers.count(corpus['documents'])} documents",
        f"vocabulary {numbers.count(corpus['vocab_size'])}",
    ]
    if corpus.get("tokenizer"):
        parts.append(f"tokenizer {corpus['tokenizer']}")
    parts += [
        f"{numbers.count(corpus[f'skipped_{what}'])} {what} skipped"
        for what in ("texts", "files", "documents")
        if corpus.get(f"skipped_{what}")
    ]
    _line(console, "Corpus", " · ".join([*parts, f"backend {result['backend']}"]))
    console.print(_orders(result["orders"]))
    if "match_length" in result:
        _print_matches(result["match_length"], console)


def _print_matches(found: Result, console: Console) -> None:
    """Print the estimates from match lengths, their spread, and what they rest on."""
    columns = ("form", "h bits/token", "± of blocks")
    spreads = found["block_spread_bits_per_token"]
    rows = (
        (name, numbers.per_token(bits), numbers.per_token(spreads.get(name)))
        for name, bits in found["bits_per_token"].items()
    )
    console.print(table("Entropy rate from match lengths", columns, rows))
    _line(
        console,
        "Matches",
        f"{numbers.count(found['tokens'])} tokens · mean {numbers.ratio(found['mean_length'])} · "
        f"longest {numbers.count(found['longest_match'])} · "
        f"{numbers.count(found['cut_tokens'])} cut by the end of their document · "
        "the ± leaves out a bias of order 1/log n",
    )


def _line(console: Console, head: str, text: str) -> None:
    """Print one line; names from files are text, never markup."""
    from rich.text import Text

    console.print(Text.assemble((head, "bold"), "  ", text))


def table(title: str | None, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """Build a table: the first column is a name, the others are numbers."""
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
        drawn.add_column(Text(column), justify="right" if place else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    return drawn


def _orders(orders: list[Result]) -> Table:
    columns = ("order", "windows", "distinct", "coverage", "Hₙ CWJ", "hₙ plug-in", "gate")
    rows = (
        (
            str(row["order"]),
            numbers.count(row["windows"]),
            numbers.count(row["distinct"]),
            numbers.coverage(row["coverage"]),
            numbers.per_token(row["block_entropy_bits"]["cwj"]),
            numbers.per_token(row["conditional_entropy_bits_per_token"]["bos_padded"]),
            row["gate"] or numbers.DASH,
        )
        for row in orders
    )
    return table("Entropy: Hₙ in bits per window, hₙ in bits per token", columns, rows)


def _ladder(result: Result) -> Table:
    columns = ("model", "L bits/token", "gain bits/token", "gain")
    rows = (
        (
            row["model"],
            numbers.per_token(row["loss_bits_per_token"]),
            numbers.per_token(row["gain_bits_per_token"]),
            numbers.bits(row["gain_bits"]),
        )
        for row in result["ladder"]
    )
    held = numbers.count(result["heldout"]["tokens"])
    return table(f"Ladder: loss on {held} held-out tokens", columns, rows)


def _capacity(rows: list[Result], model: str) -> Table:
    columns = ("baseline", "H bits/token", "L bits/token", "saved", "bits/param", "η")
    cells = (
        (
            row["baseline"],
            numbers.per_token(row["entropy_bits_per_token"]),
            numbers.per_token(row["loss_bits_per_token"]),
            numbers.bits(row["bits_saved"]),
            numbers.ratio(row["bits_per_param"]),
            numbers.ratio(row["eta"]),
        )
        for row in rows
    )
    return table(f"IC-1 of {model}, held-out tokens: η·N = D·(H − L)", columns, cells)
