"""The tables in the terminal."""

from __future__ import annotations

import io

from rich.console import Console
from tests.report.made_up import Result
from tests.report.pages import printed

from icfast.pipeline.records.entropy import EntropyResult
from icfast.report.terminal import print_entropy


def entropies(result: Result, width: int = 100) -> str:
    """What the terminal shows of entropies alone: the keys that `icfast entropy` has."""
    keys = ("schema_version", "corpus", "convention", "backend", "threads", "orders")
    small = {key: result[key] for key in keys} | {"match_length": result.get("match_length")}
    for row in small["orders"]:
        row.pop("spectrum", None)
    console = Console(file=io.StringIO(), width=width)
    print_entropy(EntropyResult.from_json(small), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_terminal_shows_the_headline(result: Result) -> None:
    text = printed(result)
    for figure in ("10,000,000 tokens", "6.3000", "5.7 Mbit", "0.01188", "1.64e-14 J", "99.12 %"):
        assert figure in text
    assert "Note (uniform, bigram)  synthetic flag" in text


def test_terminal_fits_eighty_columns(result: Result) -> None:
    text = printed(result, width=80)
    assert "…" not in text
    assert "lower bound" in text


def test_entropy_alone_needs_only_its_own_keys(result: Result) -> None:
    text = entropies(result)
    assert "vocabulary 4,096" in text
    assert "9.4000" in text
    assert "IC-1" not in text
    assert "match lengths" not in text


def test_match_lengths_where_they_were_asked_for(result: Result) -> None:
    forms = {"mean_length": 2.29037, "mean_ratio": 4.4861, "two_sided": 2.26926}
    result["match_length"] = {
        "tokens": 2_000_000,
        "cut_tokens": 901,
        "mean_length": 8.4961,
        "longest_match": 145,
        "bits_per_token": forms,
        "block_spread_bits_per_token": {"mean_length": 0.0343, "mean_ratio": None},
        "windows": [],
    }
    lines = entropies(result, width=80).splitlines()
    assert "Entropy rate from match lengths" in [line.strip() for line in lines]
    rows = [line.split() for line in lines]
    assert ["mean_length", "2.2904", "0.0343"] in rows
    assert ["mean_ratio", "4.4861", "–"] in rows
    assert ["two_sided", "2.2693", "–"] in rows
    text = " ".join(" ".join(lines).split())
    assert "2,000,000 tokens · mean 8.496 · longest 145 · 901 cut" in text


def test_terminal_shows_the_shortest_code_and_what_can_be_learned(result: Result) -> None:
    text = " ".join(printed(result, width=200).split())
    assert "B = 7.2000 bits/token of the training documents by Pitman-Yor, order 3" in text
    assert "absorbed B − C = 27.9 Mbit" in text
    assert "3.2500 bits/token held out (L₁ − L); noise floor between 0.7000" in text
    law = result["corpus_laws"]["quality"]
    about = {key: law[key] for key in ("formula", "unit", "convention")}
    result["corpus_laws"]["quality"] = {**about, "reason": "no tokens", "gate": None}
    assert "Learnable  not given: no tokens" in printed(result, width=200)
