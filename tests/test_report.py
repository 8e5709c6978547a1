"""The report: every section, safe and self-contained HTML, readable terminal tables."""

from __future__ import annotations

import copy
import io
import itertools
import math
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from icfast.errors import MissingExtraError
from icfast.report import print_entropy, print_result, render_report, write_report
from icfast.report.charts import SPECTRUM_ROWS, thin_spectrum

Result = dict[str, Any]

VOCABULARY = 4096
TRAIN, HELD = 9_000_000, 1_000_000
MODELS = ("uniform", "unigram", "bigram", "3-gram", "4-gram", "5-gram")
LOSSES = [12.0, 9.5, 7.25, 6.5, 6.25, 6.3]
PLUG_IN = [9.4, 6.9, 4.1, 1.9, 0.7]
COVERAGE = [0.99995, 0.9912, 0.93, 0.71, 0.42]
GATES = ["reliable", "reliable", "estimate", "lower bound", "lower bound"]
MODEL_BITS, PARAMS = 480_000_000, 15_000_000
JOULES_PER_BIT = 2.87097888508e-21
SECTIONS = {"entropy", "spectra", "ladder", "ic1", "ic2", "codes", "model"}
VOID = {"meta", "br", "use", "path", "rect", "link", "hr", "img"}


def made_up_spectrum(order: int) -> Result:
    rows = range(1, 3000 // order)
    types = [max(1, round(2e5 * order / r**1.7)) for r in rows]
    return {"multiplicity": list(rows), "types": types}


def made_up_order(order: int) -> Result:
    block = sum(PLUG_IN[:order])
    names = ["ml", "cwj", "grassberger", "chao_shen", "miller_madow", "zhang", "jackknife"]
    return {
        "order": order,
        "windows": 10_000_000 - 1234 * order,
        "distinct": 4000 * 6 ** (order - 1),
        "singletons": 900 * 6 ** (order - 1),
        "doubletons": 300 * 6 ** (order - 1),
        "coverage": COVERAGE[order - 1],
        "coverage_chao_jost": min(1.0, COVERAGE[order - 1] + 0.01),
        "gate": GATES[order - 1],
        "block_entropy_bits": {name: block + 0.1 * place for place, name in enumerate(names)},
        "conditional_entropy_bits_per_token": {
            "difference": PLUG_IN[order - 1] + 0.02,
            "prefix_marginal": PLUG_IN[order - 1] - 0.15,
            "bos_padded": PLUG_IN[order - 1],
        },
        "spectrum": made_up_spectrum(order),
    }


def made_up_ladder() -> list[Result]:
    gains = [None, *(a - b for a, b in itertools.pairwise(LOSSES))]
    return [
        {
            "model": MODELS[order],
            "order": order,
            "loss_bits_per_token": loss,
            "gain_bits_per_token": gain,
            "gain_bits": None if gain is None else gain * HELD,
        }
        for order, (loss, gain) in enumerate(zip(LOSSES, gains, strict=True))
    ]


def made_up_capacity(tokens: int) -> list[Result]:
    entropies = {"uniform": 12.0, "unigram": 9.5, "bigram": 7.25}
    return [
        {
            "baseline": name,
            "tokens": tokens,
            "entropy_bits_per_token": entropy,
            "loss_bits_per_token": LOSSES[-1],
            "model_bits": MODEL_BITS,
            "params": PARAMS,
            "bits_saved": tokens * (entropy - LOSSES[-1]),
            "bits_per_param": tokens * (entropy - LOSSES[-1]) / PARAMS,
            "eta": tokens * (entropy - LOSSES[-1]) / MODEL_BITS,
            "flags": [],
        }
        for name, entropy in entropies.items()
    ]


def made_up_codes() -> Result:
    a = TRAIN * 12.0
    rows = []
    for order, (b, c) in enumerate([(9.6, 9.4), (8.3, 6.9), (9.1, 4.1), (10.9, 1.9)], 1):
        online, final = TRAIN * b, TRAIN * c
        rows.append(
            {
                "order": order,
                "baseline_bits": a,
                "online_bits": online,
                "final_bits": final,
                "gross_savings_bits": a - final,
                "compression_bits": a - online,
                "absorbed_bits": online - final,
            }
        )
    return {"family": "KT", "alphabet_size": VOCABULARY, "orders": rows, "best_order": 2}


def made_up_discount(order: int) -> Result:
    top = order == len(GATES)
    return {
        "order": order,
        "top": [0.5, 1.0, 1.5] if order == 1 else [0.71, 1.08, 1.39],
        "top_fallback": order == 1,
        "lower": None if top else [0.62, 1.01, 1.33],
        "lower_fallback": None if top else False,
    }


def made_up_energy(rows: list[Result]) -> list[Result]:
    return [
        {
            "baseline": row["baseline"],
            "bits": row["bits_saved"],
            "energy_joules": row["bits_saved"] * JOULES_PER_BIT,
        }
        for row in rows
    ]


@pytest.fixture
def result() -> Result:
    """A synthetic result: no corpus has these figures."""
    held, extrapolated = made_up_capacity(HELD), made_up_capacity(TRAIN)
    for row in extrapolated:
        row["note"] = "extrapolated: the held-out H - L is taken to hold for the training tokens"
    held[0]["flags"] = held[2]["flags"] = ["synthetic flag"]
    return {
        "schema_version": 1,
        "icfast_version": "0.1.0",
        "corpus": {
            "tokens": TRAIN + HELD,
            "documents": 12_345,
            "vocab_size": VOCABULARY,
            "vocab_size_given": True,
            "shards": 3,
            "formats": ["raw"],
            "tokenizer": "made-up",
            "eos_id": 0,
            "boundary": "end",
            "cross_documents": False,
            "text_bytes": 41_234_567,
            "skipped_documents": 0,
        },
        "convention": {
            "name": "tokens",
            "windows": "inside documents",
            "loss": "bits per token",
        },
        "backend": "core",
        "threads": 8,
        "memory_bytes": 4 << 30,
        "wall_seconds": 75.4,
        "orders": [made_up_order(order) for order in range(1, len(GATES) + 1)],
        "heldout": {
            "fraction_asked": 0.1,
            "tokens": HELD,
            "documents": 1234,
            "share_of_tokens": 0.1,
            "text_bytes": None,
            "oov": 0,
            "predicted_set_sha256": "ab" * 32,
        },
        "training": {"tokens": TRAIN, "documents": 11_111},
        "model": {
            "kind": "modified Kneser-Ney",
            "order": len(GATES),
            "convention": "tokens",
            "model_bits": MODEL_BITS,
            "params": PARAMS,
            "sha256": "cd" * 32,
            "discounts": [made_up_discount(order) for order in range(1, len(GATES) + 1)],
        },
        "ladder": made_up_ladder(),
        "neural": None,
        "code_lengths": made_up_codes(),
        "ic1": {"heldout": held, "training": extrapolated},
        "ic2": {
            "temperature_kelvin": 300.0,
            "baseline": "uniform",
            "energy_joules": held[0]["bits_saved"] * JOULES_PER_BIT,
            "heldout": made_up_energy(held),
            "training": made_up_energy(extrapolated),
        },
    }


def with_neural(result: Result) -> Result:
    """The same result with a neural model on top of the ladder."""
    found = copy.deepcopy(result)
    rows = [
        {**row, "model_bits": 6.7e8, "params": 134_515_008, "flags": []}
        for row in made_up_capacity(HELD)
    ]
    found["ladder"].append(
        {
            "model": "gguf:tiny.gguf",
            "order": None,
            "loss_bits_per_token": 4.5,
            "gain_bits_per_token": 1.8,
            "gain_bits": 1.8 * HELD,
        }
    )
    found["neural"] = {
        "model": {
            "name": "gguf:<models>/tiny.gguf",
            "params": 134_515_008,
            "model_bits": 670_000_000,
            "compute_format": "bf16",
            "logits_format": "fp32",
        },
        "loss_bits_per_token": 4.5,
        "standard_error": {"bits_per_token": 0.0321},
        "bits_per_byte": 1.1,
        "perplexity": 22.6,
        "policy": {"name": "window 1024, stride 512, BOS 0"},
        "counts": {"windows": 1234, "context_tokens": 512},
        "by_position": [
            {"first": 0, "last": 0, "predicted_tokens": 9, "loss_bits_per_token": 9.0},
            {"first": 1, "last": 1, "predicted_tokens": 9, "loss_bits_per_token": None},
            {"first": 2, "last": 3, "predicted_tokens": 18, "loss_bits_per_token": 5.0},
        ],
        "initial_loss": {
            "seed": 3,
            "loss_nats_per_token": 10.97,
            "expected_nats_per_token": 10.9785,
            "uniform_nats_per_token": 10.8249,
            "unigram_entropy_nats_per_token": {"ml": 6.9, "cwj": 6.95},
            "note": "measures tokenizer and initialiser",
        },
        "ic1": rows,
        "ic2": {
            "baseline": "uniform",
            "energy_joules": 1e-14,
            "temperature_kelvin": 300.0,
        },
    }
    return found


def without_windows(result: Result) -> Result:
    """The same result whose orders had no window at all, and nothing else optional."""
    empty = copy.deepcopy(result)
    for row in empty["orders"]:
        row.update(windows=0, distinct=0, coverage=None, coverage_chao_jost=None)
        row["spectrum"] = {"multiplicity": [], "types": []}
        for name in ("block_entropy_bits", "conditional_entropy_bits_per_token"):
            row[name] = dict.fromkeys(row[name])
    empty["corpus"].update(tokenizer=None, eos_id=None, boundary=None, text_bytes=None)
    empty["code_lengths"] |= {"orders": [], "best_order": None}
    for row in (*empty["ic1"]["heldout"], *empty["ic1"]["training"]):
        row.update(eta=None, bits_per_param=None)
    return empty


class Balance(HTMLParser):
    """Checks that every element opened is closed in order; gathers text and ids."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def parse(page: str) -> Balance:
    parser = Balance()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def printed(function: Any, result: Result, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    function(result, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_page_has_every_section_and_is_well_formed(result: Result) -> None:
    page = render_report(result)
    parsed = parse(page)
    assert {*SECTIONS, "conventions", "provenance"} <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<svg ") == page.count("</svg>") == 4
    assert page.count('role="img" aria-label=') == 4


def test_a_neural_model_has_a_section(result: Result) -> None:
    page = render_report(with_neural(result))
    parsed = parse(page)
    assert "neural" in parsed.ids
    assert page.count("<svg ") == 5
    assert ">None<" not in page
    for text in ("&lt;models&gt;", "4.5000 bits/token ± 0.0321", "10.9785", "670 Mbit", "seed 3"):
        assert text in page
    terminal = printed(print_result, with_neural(result), width=200)
    assert "gguf:tiny.gguf" in terminal
    assert "± 0.0321 bits/token" in terminal


def test_a_neural_model_of_unknown_size_has_no_capacity(result: Result) -> None:
    found = with_neural(result)
    found["neural"].update(ic1=None, ic2=None, initial_loss=None, standard_error=None)
    found["neural"]["model"].update(params=None, model_bits=None)
    page = render_report(found)
    assert "IC-1 of gguf" not in page
    assert "Untrained" not in page
    assert "Untrained" not in printed(print_result, found)


@pytest.mark.parametrize(
    "text",
    [
        "η·N = D·(H − L)",
        "E₀ = η·N·k<sub>B</sub>·T·ln 2",
        "D·(log₂ V − L) = D·(log₂ V − L₁) + Σₖ D·(Lₖ₋₁ − Lₖ)",
        "A − C = (A − B) + (B − C)",
        "10,000,000 tokens",
        "5.7 Mbit",
        "1.64e-14 J",
        "<li>uniform, bigram: synthetic flag</li>",
        "extrapolated: the held-out H - L",
        "Only its upper side bounds",
        "not capped at 1",
        "formal floor",
        "ab" * 32,
        "fallback",
        "99.99 %",
        "1 min 15 s",
        "4.0 GiB",
    ],
)
def test_page_says(result: Result, text: str) -> None:
    assert text in render_report(result)


def test_page_fetches_nothing(result: Result) -> None:
    page = render_report(result)
    assert not re.search(r"https?:|<script|<link|@import|src=|url\((?!#)", page)
    assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', page))


def test_page_is_the_same_every_time(result: Result) -> None:
    assert render_report(result) == render_report(result)


def test_names_are_escaped(result: Result) -> None:
    evil = '<script>alert("x")</script>&[red]'
    result["corpus"].update(tokenizer=evil, formats=[evil])
    result["convention"][evil] = evil
    result["ic1"]["heldout"][0]["flags"] = [evil]
    page = render_report(result)
    parsed = parse(page)
    assert "script" not in parsed.tags
    assert "&lt;script&gt;" in page
    assert "[red]" in printed(print_result, result, width=400)


def test_an_order_without_windows_is_a_dash(result: Result) -> None:
    empty = without_windows(result)
    page = render_report(empty)
    parse(page)
    assert ">None<" not in page
    assert page.count("nothing to draw") == 2
    assert not re.search(r"\bnan\b", page)
    assert "–" in printed(print_result, empty)


def test_one_order_and_one_token_id(result: Result) -> None:
    result["orders"], result["ladder"] = result["orders"][:1], result["ladder"][:2]
    result["orders"][0]["spectrum"] = {"multiplicity": [1], "types": [1]}
    result["code_lengths"].update(alphabet_size=1, orders=result["code_lengths"]["orders"][:1])
    parse(render_report(result))


def test_fonts_and_colours_follow_the_page(result: Result) -> None:
    svg = re.findall(r"<svg .*?</svg>", render_report(result), re.DOTALL)
    assert all(len(drawing) < 300_000 for drawing in svg)
    assert all("var(--ink)" in drawing for drawing in svg)
    colours = set(re.findall(r"#[0-9a-f]{6}\b", "".join(svg)))
    assert colours == set()


def test_long_spectra_are_thinned_from_end_to_end() -> None:
    full = {"multiplicity": list(range(1, 50_001)), "types": [1] * 50_000}
    multiplicity, types = thin_spectrum(full)
    assert (multiplicity[0], multiplicity[-1]) == (1, 50_000)
    assert len(multiplicity) == len(types) <= SPECTRUM_ROWS + 1
    gaps = [math.log(b / a) for a, b in itertools.pairwise(multiplicity)]
    assert max(gaps) == pytest.approx(math.log(2))


def test_write_report_writes_exactly_that_path(result: Result, tmp_path: Path) -> None:
    target = tmp_path / "report.html.partial"
    write_report(result, target)
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_text(encoding="utf-8") == render_report(result)


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


@pytest.mark.parametrize("package", ["jinja2", "markupsafe", "matplotlib.figure"])
def test_a_missing_package_names_the_extra(
    result: Result, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'icfast\[report\]'"):
        render_report(result)
