"""The tables in the terminal."""

from __future__ import annotations

from tests.report.made_up import Result
from tests.report.pages import printed

from icfast.report import print_entropy, print_result


def test_terminal_shows_the_headline(result: Result) -> None:
    text = printed(print_result, result)
    for figure in ("10,000,000 tokens", "6.3000", "5.7 Mbit", "0.01188", "1.64e-14 J", "99.12 %"):
        assert figure in text
    assert "Note (uniform, bigram)  synthetic flag" in text


def test_terminal_fits_eighty_columns(result: Result) -> None:
    text = printed(print_result, result, width=80)
    assert "…" not in text
    assert "lower bound" in text


def test_entropy_alone_needs_only_its_own_keys(result: Result) -> None:
    keys = ("schema_version", "corpus", "convention", "backend", "orders")
    small = {key: result[key] for key in keys}
    small["corpus"] = {key: result["corpus"][key] for key in ("tokens", "documents", "vocab_size")}
    for row in small["orders"]:
        del row["spectrum"]
    text = printed(print_entropy, small)
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
    lines = printed(print_entropy, result, width=80).splitlines()
    assert "Entropy rate from match lengths" in [line.strip() for line in lines]
    rows = [line.split() for line in lines]
    assert ["mean_length", "2.2904", "0.0343"] in rows
    assert ["mean_ratio", "4.4861", "–"] in rows
    assert ["two_sided", "2.2693", "–"] in rows
    text = " ".join(" ".join(lines).split())
    assert "2,000,000 tokens · mean 8.496 · longest 145 · 901 cut" in text


def test_terminal_shows_the_shortest_code_and_what_can_be_learned(result: Result) -> None:
    text = " ".join(printed(print_result, result, width=200).split())
    assert "B = 7.2000 bits/token of the training documents by Pitman-Yor, order 3" in text
    assert "absorbed B − C = 27.9 Mbit" in text
    assert "3.2500 bits/token held out (L₁ − L); noise floor between 0.7000" in text
    result["corpus_laws"]["quality"].update(reason="no tokens")
    assert "Learnable  not given: no tokens" in printed(print_result, result, width=200)
