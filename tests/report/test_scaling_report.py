"""The page of scaling fits: figures of both forms, lines of equal P, flags, safe HTML."""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.report.pages import assert_whole, parse, scaling_page_of

from icfast import laws
from icfast.errors import MissingExtraError
from icfast.logs import read_scaling_points
from icfast.pipeline.records.training import ScalingResult
from icfast.pipeline.scaling import scaling_result
from icfast.report import scaling_charts
from icfast.report.scaling_page import best_runs

pytestmark = pytest.mark.ci  # every test draws charts

Result = dict[str, Any]

PARAMS, TOKENS = (1e8, 1e9, 1e10), (1e9, 1e10, 1e11)


def made(folder: Path, params: tuple[float, ...] = PARAMS) -> Result:
    """Runs of a known Chinchilla law at each P and D."""
    path = folder / "runs.csv"
    grid = [(p, d) for p in params for d in TOKENS]
    losses = [1.8172 + 482.01 * p**-0.3478 + 2085.43 * d**-0.3658 for p, d in grid]
    rows = (f"{p},{d},{loss}" for (p, d), loss in zip(grid, losses, strict=True))
    path.write_text("\n".join(["N,D,loss", *rows]) + "\n")
    points = read_scaling_points(path)
    columns = points.params, points.tokens, points.loss_nats
    chinchilla, kaplan = (
        fit(*columns, bootstraps=20) for fit in (laws.chinchilla_fit, laws.kaplan_fit)
    )
    result = scaling_result(points, chinchilla, kaplan, path, bootstraps=20, seed=0)
    found: Result = json.loads(json.dumps(result.to_json(), allow_nan=False))
    return found


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> str:
    return json.dumps(made(tmp_path_factory.mktemp("runs")))


@pytest.fixture
def result(once: str) -> Result:
    found: Result = json.loads(once)
    return found


def circles(svg: str, colour: int) -> list[tuple[float, float]]:
    """Return the positions of the points of a line, in drawing units."""
    found = re.findall(r'<use href="[^"]*" x="([\d.-]+)" y="([\d.-]+)" style="([^"]*)"', svg)
    return [
        (float(x), float(y)) for x, y, style in found if f"fill: var(--series-{colour})" in style
    ]


def test_page_has_every_section_and_is_well_formed(result: Result) -> None:
    page = scaling_page_of(result)
    sections = {"chinchilla", "reducible", "kaplan", "conventions", "provenance"}
    assert_whole(page, sections, charts=4)
    assert scaling_page_of(result) == page


@pytest.mark.parametrize(
    "text",
    [
        "L = E + A·P<sup>−α</sup> + B·D<sup>−β</sup>",
        "so there is neither E nor a loss that depends only on P",
        "delta = 0.001, by L-BFGS from several starts",
        "95 %, of 20 resamples of the points, seed 0",
        "(±0.1 %)",
        "nats per token times tokens^beta",
        "9 points for 5 constants: intervals are rough",
        "9 points for 4 constants: intervals are rough",
        ">E = 1.8172<",
        ">P = 100M<",
        "runs.csv",
    ],
)
def test_page_says(result: Result, text: str) -> None:
    assert text in scaling_page_of(result)


def test_page_has_the_figures(result: Result) -> None:
    page = scaling_page_of(result)
    for form, names in (
        ("chinchilla", {"e": "E", "a": "A", "b": "B", "alpha": "α", "beta": "β"}),
        ("kaplan", {"n_c": "N_c", "d_c": "D_c", "alpha_n": "α_N", "alpha_d": "α_D"}),
    ):
        assert set(result[form]["constants"]) == set(names)
        for key, name in names.items():
            found = result[form]["constants"][key]
            cells = "".join(f"<td>{found[end]:.5g}</td>" for end in ("estimate", "low", "high"))
            assert f'<th scope="row">{name}</th>{cells}<td>{result["units"][key]}</td>' in page
        result[form]["rms_log_error"] = 0.01234 if form == "chinchilla" else 0.05678
    page = scaling_page_of(result)
    assert '<dd class="figure">1.23 %</dd>' in page
    assert "Kaplan’s form: 5.68 %" in page
    exponent = result["chinchilla"]["params_exponent"]
    assert exponent["estimate"] == pytest.approx(0.3658 / (0.3478 + 0.3658), rel=1e-4)
    assert f"{exponent['estimate']:.4f} [{exponent['low']:.4f}, {exponent['high']:.4f}]" in page
    for p in PARAMS:
        assert f"<td>{482.01 * p**-0.3478:.4f}</td><td>{2085.43 * 1e11**-0.3658:.4f}</td>" in page


def test_every_run_is_in_the_result(result: Result) -> None:
    assert [(run["params"], run["tokens"]) for run in result["runs"]] == [
        (p, d) for p in PARAMS for d in TOKENS
    ]
    floor = result["chinchilla"]["constants"]["e"]["estimate"]
    for run in result["runs"]:
        terms = run["reducible_params_nats"] + run["reducible_tokens_nats"]
        assert floor + terms == pytest.approx(run["chinchilla_nats"], rel=1e-12)
        assert run["loss_nats"] == pytest.approx(run["chinchilla_nats"], rel=1e-5)
    assert [run.tokens for run in best_runs(ScalingResult.from_json(result))] == [1e11] * 3
    assert result["schema_version"] == 1
    assert re.fullmatch("[0-9a-f]{64}", result["inputs"][0]["sha256"])


def test_lines_are_the_fit_at_their_params(result: Result) -> None:
    assert [line["params"] for line in result["lines"]] == pytest.approx(PARAMS)
    for place, line in enumerate(result["lines"]):
        ends = [run for run in result["runs"] if run["line"] == place]
        assert (line["tokens"][0], line["tokens"][-1]) == pytest.approx((1e9, 1e11))
        for form in ("chinchilla", "kaplan"):
            assert line[f"{form}_nats"][0] == pytest.approx(ends[0][f"{form}_nats"])
            assert line[f"{form}_nats"][-1] == pytest.approx(ends[-1][f"{form}_nats"])


def test_many_sizes_share_five_lines(tmp_path: Path) -> None:
    params = tuple(np.geomspace(1e8, 1e10, 11))
    found = made(tmp_path, params)
    assert len(found["lines"]) == 5
    assert len(found["runs"]) == 33
    for run in found["runs"]:
        distance = [abs(math.log(line["params"] / run["params"])) for line in found["lines"]]
        assert min(distance) == distance[run["line"]] < math.log(100) / 5
    parse(scaling_page_of(found))


def test_points_stand_where_the_runs_are(result: Result) -> None:
    chart = scaling_charts.lines_chart(ScalingResult.from_json(result), "chinchilla")
    (first, *_), (second, middle, last) = circles(chart, 1), circles(chart, 2)
    assert middle[0] - second[0] == pytest.approx(last[0] - middle[0])  # logarithmic in D
    assert first[0] == second[0]
    losses = [run["loss_nats"] for run in result["runs"]]
    drawn = (second[1] - first[1]) / (last[1] - second[1])  # and in L
    logs = np.log(losses)
    assert drawn == pytest.approx((logs[3] - logs[0]) / (logs[5] - logs[3]), rel=1e-5)


def test_residuals_are_of_ln_loss(result: Result) -> None:
    for run in result["runs"]:
        run["chinchilla_nats"] = run["loss_nats"]
    result["runs"][0]["chinchilla_nats"] *= math.exp(-0.02)
    result["runs"][1]["chinchilla_nats"] *= math.exp(0.01)
    above, below, on = circles(
        scaling_charts.residual_chart(ScalingResult.from_json(result), "chinchilla"), 1
    )[:3]
    assert above[1] < on[1] < below[1]
    assert (on[1] - above[1]) / (below[1] - on[1]) == pytest.approx(2, rel=1e-5)


def test_only_chinchillas_floor_is_drawn_and_only_in_sight(result: Result) -> None:
    assert "E = " in scaling_charts.lines_chart(ScalingResult.from_json(result), "chinchilla")
    assert "E = " not in scaling_charts.lines_chart(ScalingResult.from_json(result), "kaplan")
    result["chinchilla"]["constants"]["e"]["estimate"] = 1e-9
    assert "E = " not in scaling_charts.lines_chart(ScalingResult.from_json(result), "chinchilla")


def test_names_are_escaped(result: Result) -> None:
    evil = '<script>alert("x")</script>'
    result["inputs"][0]["path"] = evil
    result["chinchilla"]["flags"] = result["kaplan"]["flags"] = [evil]
    page = scaling_page_of(result)
    assert "script" not in parse(page).tags
    assert page.count("&lt;script&gt;") == 3


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_what_is_missing_is_said(
    result: Result, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'icfast\[report\]'"):
        scaling_page_of(result)
