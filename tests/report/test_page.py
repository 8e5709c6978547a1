"""The page: every section, safe and self-contained HTML."""

from __future__ import annotations

import copy
import itertools
import math
import re
import sys

import pytest
from tests.report.made_up import Result, made_up_result, without_windows
from tests.report.made_up_neural import with_neural
from tests.report.pages import page_of, parse, printed

from icfast.errors import MissingExtraError
from icfast.pipeline.records.entropy import SpectrumRows
from icfast.report.charts import SPECTRUM_ROWS, thin_spectrum

SECTIONS = {"entropy", "spectra", "ladder", "ic1", "ic2", "codes", "quality", "laws", "model"}


@pytest.fixture(scope="module")
def page() -> str:
    """The page of the made-up measurement, rendered once."""
    return page_of(made_up_result())


@pytest.mark.ci
def test_page_has_every_section_and_is_well_formed(result: Result) -> None:
    page = page_of(result)
    parsed = parse(page)
    assert {*SECTIONS, "conventions", "provenance"} <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<svg ") == page.count("</svg>") == 8
    assert page.count('role="img" aria-label=') == 8


@pytest.mark.ci
def test_a_neural_model_has_a_section(result: Result) -> None:
    page = page_of(with_neural(result))
    parsed = parse(page)
    assert "neural" in parsed.ids
    assert page.count("<svg ") == 9
    assert ">None<" not in page
    for text in ("&lt;models&gt;", "4.5000 bits/token ± 0.0321", "10.9785", "670 Mbit", "seed 3"):
        assert text in page
    terminal = printed(with_neural(result), width=200)
    assert "gguf:tiny.gguf" in terminal
    assert "± 0.0321 bits/token" in terminal


@pytest.mark.ci
def test_a_neural_model_of_unknown_size_has_no_capacity(result: Result) -> None:
    found = with_neural(result)
    found["neural"].update(ic1=None, ic2=None, initial_loss=None, standard_error=None)
    found["neural"]["model"].update(params=None, model_bits=None)
    page = page_of(found)
    assert "IC-1 of gguf" not in page
    assert "Untrained" not in page
    assert "Untrained" not in printed(found)


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
        "Only its upper end bounds",
        "η can exceed 1",
        "formal floor",
        "ab" * 32,
        "fallback",
        "99.99 %",
        "1 min 15 s",
        "4.0 GiB",
    ],
)
def test_page_says(page: str, text: str) -> None:
    assert text in page


@pytest.mark.ci
def test_page_fetches_nothing(result: Result) -> None:
    page = page_of(result)
    assert not re.search(r"https?:|<script|<link|@import|src=|url\((?!#)", page)
    assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', page))


@pytest.mark.ci
def test_page_is_the_same_every_time(result: Result) -> None:
    assert page_of(result) == page_of(result)


@pytest.mark.ci
def test_names_are_escaped(result: Result) -> None:
    evil = '<script>alert("x")</script>&[red]'
    result["corpus"].update(tokenizer=evil, formats=[evil])
    result["convention"]["windows"] = evil
    result["ic1"]["heldout"][0]["flags"] = [evil]
    page = page_of(result)
    parsed = parse(page)
    assert "script" not in parsed.tags
    assert "&lt;script&gt;" in page
    assert "[red]" in printed(result, width=400)


@pytest.mark.ci
def test_an_order_without_windows_is_a_dash(result: Result) -> None:
    empty = without_windows(result)
    page = page_of(empty)
    parse(page)
    assert ">None<" not in page
    assert page.count("nothing to draw") == 1
    assert not re.search(r"\bnan\b", page)
    assert "–" in printed(empty)


@pytest.mark.ci
def test_one_order_and_one_token_id(result: Result) -> None:
    result["orders"], result["ladder"] = result["orders"][:1], result["ladder"][:2]
    result["orders"][0]["spectrum"] = {"multiplicity": [1], "types": [1]}
    for family in result["code_lengths"]["families"]:
        family["orders"] = family["orders"][:1]
    parse(page_of(result))


@pytest.mark.ci
def test_fonts_and_colours_follow_the_page(result: Result) -> None:
    svg = re.findall(r"<svg .*?</svg>", page_of(result), re.DOTALL)
    assert all(len(drawing) < 300_000 for drawing in svg)
    assert all("var(--ink)" in drawing for drawing in svg)
    colours = set(re.findall(r"#[0-9a-f]{6}\b", "".join(svg)))
    assert colours == set()


def test_long_spectra_are_thinned_from_end_to_end() -> None:
    full = SpectrumRows(tuple(range(1, 50_001)), (1,) * 50_000)
    multiplicity, types = thin_spectrum(full)
    assert (multiplicity[0], multiplicity[-1]) == (1, 50_000)
    assert len(multiplicity) == len(types) <= SPECTRUM_ROWS + 1
    gaps = [math.log(b / a) for a, b in itertools.pairwise(multiplicity)]
    assert max(gaps) == pytest.approx(math.log(2))


@pytest.mark.ci
@pytest.mark.parametrize("package", ["jinja2", "markupsafe", "matplotlib.figure"])
def test_a_missing_package_names_the_extra(
    result: Result, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'icfast\[report\]'"):
        page_of(result)


@pytest.mark.parametrize(
    "text",
    [
        "Pitman-Yor, order 3",
        "py &lt;d&gt;",
        "<td>0.5, 10</td>",
        "27.9 Mbit",  # absorbed, (7.2 - 4.1) bits of nine million tokens
        "between 0.7000 (plug-in",
        "6.2500 bits/token (lowest held-out L",
        "synthetic &lt;flag&gt; of quality",
        "synthetic &lt;flag&gt; of a rate",
        "too few &lt;orders&gt;",
        "<td>5.9123</td>",
        "largest difference is 25.40 %, at 100 tokens",
        "exponent of the shuffled text is 0.444",
        "rank exponent s = 1.149",
        "22.50 % of 4,000 types were seen once",
        "−0.4567 bits per doubling",
        '<th scope="col">∞</th>',
        "17 (0.14 %), 0.01 % of the tokens",
        "43.21 % of 5-token windows",
        "0.012346 bits/token; independent samples of one source: about 0.000321",
        "&lt;f&gt; · bits · made up",
        "E₀ over unigram, held out",
        "one kilowatt-hour",
    ],
)
def test_page_says_of_corpus_laws(page: str, text: str) -> None:
    assert text in page


@pytest.mark.ci
def test_one_law_that_is_not_given_takes_no_other_with_it(result: Result) -> None:
    for name in result["corpus_laws"]:
        found = copy.deepcopy(result)
        law = found["corpus_laws"][name]
        found["corpus_laws"][name] = {
            key: law[key] for key in ("formula", "unit", "convention")
        } | {"reason": "synthetic reason", "gate": None}
        page = page_of(found)
        parse(page)
        assert page.count("synthetic reason") == 1, name
        assert ">None<" not in page


@pytest.mark.ci
def test_metered_joules_replace_the_comparisons(result: Result) -> None:
    result["spent"] = {
        "work": "counting, fitting and scoring",
        "source": "rapl",
        "joules": 123.0,
        "seconds": 3.0,
        "mean_watts": 41.0,
        "idle_watts": None,
        "counters": [],
        "floor_joules": 1.64e-14,
        "log10_ratio": 15.9,
        "note": "everything",
        "flags": [],
        "reason": None,
    }
    page = page_of(result)
    assert "counting, fitting and scoring" in page
    assert "1.23e+02 J, 10^15.9 times the floor" in page
    assert "one kilowatt-hour" not in page
