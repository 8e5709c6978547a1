"""The page of a training run: charts that show the figures, sections, flags, safe HTML."""

from __future__ import annotations

import copy
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from tests.report.pages import assert_whole, parse, run_page_of

from icfast import laws
from icfast.laws.training_result import TrainingRun
from icfast.logs import read_training_log
from icfast.pipeline.records.training import TrainingResult
from icfast.pipeline.training import training_result
from icfast.report import run_charts
from icfast.report.energy_chart import LANDAUER
from icfast.report.run_page import energy_rows

pytestmark = pytest.mark.ci  # every test draws charts

Result = dict[str, Any]

_NUMBERS = re.compile(r"-?\d+\.?\d*")


def made(folder: Path, every: int = 1, options: Result | None = None, **columns: Any) -> Result:
    """The result of a run of 2000 steps of 100 tokens: L = 2 + 6 D^-0.35 nats."""
    path = folder / "run.jsonl"
    rows = []
    for step in range(1, 2001, every):
        loss = 2 + 6 * (100.0 * step) ** -0.35
        row = {"step": step, "loss": loss, **{k: f(step) for k, f in columns.items()}}
        rows.append(json.dumps(row))
        if step % 400 == 1:
            rows.append(json.dumps({"step": step, "eval_loss": loss + 0.1}))
    path.write_text("\n".join(rows) + "\n")
    run = laws.training_run(read_training_log(path, tokens_per_step=100), **(options or {}))
    result = training_result(run, path, 300.0)
    found: Result = json.loads(json.dumps(result.to_json(), allow_nan=False))
    return found


def read(result: Result) -> TrainingRun:
    """The run of a result, from its JSON."""
    return TrainingResult.from_json(result).run


def annealing_chart(result: Result) -> str:
    fit = read(result).annealing
    assert fit is not None
    return run_charts.annealing_chart(fit)


WHOLE = {
    "params": 1e5,
    "bits_per_param": 16.0,
    "entropy_nats_per_token": 9.0,
    "baseline": "<uniform>",
    "joules_per_flop": 1e-11,
}


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The result as JSON, made once."""
    columns = {"lr": lambda _: 1e-3, "energy_joules": lambda step: 3.0 * step}
    return json.dumps(made(tmp_path_factory.mktemp("run"), options=WHOLE, **columns))


@pytest.fixture
def result(once: str) -> Result:
    found: Result = json.loads(once)
    return found


@pytest.fixture(scope="module")
def page(once: str) -> str:
    """The page of that result, rendered once."""
    return run_page_of(json.loads(once))


def test_page_has_every_section_and_is_well_formed(result: Result) -> None:
    page = run_page_of(result)
    sections = {
        "conventions",
        "provenance",
        "loss",
        "capacity",
        "eta",
        "saturation",
        "annealing",
        "energy",
    }
    assert_whole(page, sections, charts=7)
    assert run_page_of(result) == page


@pytest.mark.parametrize(
    "text",
    [
        "A − C = (A − B) + (B − C)",
        "η·N = D·(H − L)",
        "L(D) = E + A·D<sup>−α</sup>",
        "E₀ = (B − C)·k<sub>B</sub>·T·ln 2",
        "200,000 unique tokens of 200,000 seen",
        "A, &lt;uniform&gt;",
        "not saturated",
        "epochs are not logged",
        "so B - C is an estimate",
        "Allen-Zhu &amp; Li 2024",
        "flop-estimate",
        "stated",
        "run.jsonl",
    ],
)
def test_page_says(page: str, text: str) -> None:
    assert text in page


def test_page_has_the_figures(result: Result) -> None:
    page = run_page_of(result)
    absorbed = result["absorbed_bits"]
    assert f"{absorbed / 1000:.4g} kbit" in page
    assert f"{absorbed / 1e5:.4g}" in page
    gain = result["saturation"]["doubling_gain_nats"]["estimate"]
    assert f"{gain:.4f} [" in page
    joules = absorbed * laws.energy(bits=1).energy_joules
    assert f"{joules:.2e} J" in page
    assert ">6.00e+03 J, 10^" in page


def test_a_bare_log_has_a_page_too(tmp_path: Path) -> None:
    bare = made(tmp_path)
    page = run_page_of(bare)
    parse(page)
    assert "there is no η" in page
    assert page.count("<svg ") == 4
    assert "nothing to draw" not in page
    assert not re.search(r">None<|\bnan\b", page)


def test_a_run_that_absorbed_nothing(tmp_path: Path) -> None:
    lost = made(tmp_path, options={**WHOLE, "final_loss_nats_per_token": 12.0})
    page = run_page_of(lost)
    parse(page)
    assert "Nothing was absorbed, so there is no floor" in page
    assert "nothing absorbed: B &lt; C" in page


def test_log_epoch_names_without_a_first_pass(tmp_path: Path) -> None:
    """A resumed run: the page shows dashes and the reason."""
    path = tmp_path / "run.csv"
    rows = (f"{8 + step // 9000},{step},2.4" for step in range(8049, 10_000, 50))
    path.write_text("\n".join(["epoch,step,loss", *rows]) + "\n")
    run = laws.training_run(read_training_log(path, tokens_per_step=1000), params=10.0)
    found: Result = json.loads(json.dumps(training_result(run, path, 300.0).to_json()))
    assert read(found) == run
    assert found["unique_tokens"] == 1_000_000
    assert found["online_bits"] is found["final_bits"] is found["absorbed_bits"] is None
    assert found["online_reason"] == "no row of the log is of the first pass"
    page = run_page_of(found)
    parse(page)
    assert not re.search(r">None<|\bnan\b", page)
    assert found["online_reason"] in page
    assert "The absorbed bits are not known" in page


def test_evaluations_alone(tmp_path: Path) -> None:
    path = tmp_path / "evaluations.jsonl"
    rows = ({"step": step, "eval_loss": 2 + 6 / step**0.5} for step in range(0 + 1, 40))
    path.write_text("\n".join(map(json.dumps, rows)))
    run = laws.training_run(read_training_log(path, tokens_per_step=100))
    page = run_page_of(training_result(run, path, 300.0).to_json())
    parse(page)
    assert "B uses held-out losses, because the log has no training losses" in page
    assert ">evaluations<" not in run_charts.loss_chart(run)


def test_names_are_escaped(result: Result) -> None:
    evil = '<script>alert("x")</script>'
    result["flags"], result["saturation"]["flags"] = [evil], [evil]
    result["inputs"][0]["path"] = evil
    assert "script" not in parse(run_page_of(result)).tags


def band(svg: str) -> list[tuple[float, float]]:
    """Corners of the first shaded shape."""
    path = re.search(r'<path d="([^"]*)"[^>]*style="fill: var\(--band\)', svg)
    assert path is not None
    numbers = list(map(float, _NUMBERS.findall(path[1])))
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def area(corners: list[tuple[float, float]]) -> float:
    shifted = corners[1:] + corners[:1]
    return abs(sum(a * d - b * c for (a, b), (c, d) in zip(corners, shifted, strict=True))) / 2


def test_the_shaded_area_is_what_was_absorbed(result: Result) -> None:
    """Half the loss above the final one is half the area: the axes are straight."""
    drawn = copy.deepcopy(result)
    for step in drawn["losses"]:
        for side in ("left", "right"):
            step[f"{side}_bits_per_token"] = 5.0 if step["end_tokens"] > 100_000 else 4.0
    drawn["final_loss_bits_per_token"] = 3.0
    low = max(s["end_tokens"] for s in drawn["losses"] if s["end_tokens"] <= 100_000) / 200_000
    corners = band(run_charts.loss_chart(read(drawn)))
    widths = max(x for x, _ in corners) - min(x for x, _ in corners)
    heights = max(y for _, y in corners) - min(y for _, y in corners)
    assert area(corners) / (widths * heights) == pytest.approx(1 - low / 2, rel=1e-5)


def test_bounds_are_drawn_where_they_differ(tmp_path: Path, result: Result) -> None:
    assert "left and right bound" not in run_charts.loss_chart(read(result))
    assert "left and right bound" in run_charts.loss_chart(read(made(tmp_path, every=20)))


def test_later_epochs_are_apart(tmp_path: Path) -> None:
    again = made(tmp_path, epoch=lambda step: step / 1000)
    assert again["unique_tokens"] == 100_000
    chart = run_charts.loss_chart(read(again))
    assert "later epochs" in chart
    assert "later epochs" not in run_charts.loss_chart(read(made(tmp_path)))
    assert ">200k<" in chart


def test_legends_name_what_is_drawn(result: Result) -> None:
    for chart, names in (
        (run_charts.loss_chart, ("B − C, absorbed", "final loss", "evaluations", "↑ from")),
        (run_charts.fit_chart, ("fit E + A·D⁻ᵅ", "95 % interval", "evaluations")),
        (run_charts.eta_chart, ("gross, D·(H − L)/N", "absorbed, (B − C)/N", "linear growth")),
        (run_charts.absorbed_chart, ("2, knowledge", "3.6, memorised", "bits per parameter")),
        (run_charts.energy_run_chart, ("spent", "Landauer’s floor", "joules")),
    ):
        for name in names:
            assert name in chart(read(result)), name
    del result["saturation"]["fitted"][:]
    assert "nothing to draw" in run_charts.fit_chart(read(result))
    for row in result["trajectory"]:
        row.update(eta=None, eta_absorbed=-1.0, absorbed_bits_per_param=0.0)
    assert "nothing to draw" in run_charts.eta_chart(read(result))
    assert "nothing to draw" in run_charts.absorbed_chart(read(result))


def test_annealing_is_drawn_with_and_without_its_term(tmp_path: Path, result: Result) -> None:
    page = run_page_of(result)
    assert "L(s) = L₀ + A·S₁<sup>−α</sup> − C·S₂" in page
    assert "C is not identifiable" in page
    assert ">L₀ + A·S₁⁻ᵅ<" not in annealing_chart(result)
    falling = made(tmp_path, lr=lambda step: 1e-3 * min(1, (2001 - step) / 400))
    chart = annealing_chart(falling)
    for name in ("online loss", "L₀ + A·S₁⁻ᵅ", "L₀ + A·S₁⁻ᵅ − C·S₂", "learning rate, from 0", "2k"):
        assert f">{name}<" in chart, name
    assert "not identifiable" not in run_page_of(falling)
    assert "annealing" not in parse(run_page_of(made(tmp_path))).ids


def test_energies_by_source(result: Result) -> None:
    rows = energy_rows(read(result))
    absorbed, gross = result["absorbed_bits"], result["lengths"]["gross_savings_bits"]
    assert [(name, source) for name, _, source in rows] == [
        ("floor of B − C", LANDAUER),
        ("floor of A − C", LANDAUER),
        ("spent", "stated"),
        ("6·P·D FLOP", "flop-estimate"),
    ]
    joules = [value for _, value, _ in rows]
    assert joules[1] / joules[0] == pytest.approx(gross / absorbed)
    assert joules[2:] == [6000.0, pytest.approx(6 * 1e5 * 2e5 * 1e-11)]
    bare = {**result, "lengths": None, "estimated_energy": None}
    assert len(energy_rows(read(bare))) == 2
    assert energy_rows(read({**result, "energy": None})) == []


def test_every_figure_of_the_law_is_in_the_result(result: Result) -> None:
    assert result["schema_version"] == 1
    (log,) = result["inputs"]
    assert re.fullmatch("[0-9a-f]{64}", log["sha256"])
    assert log["bytes"] == Path(log["path"]).stat().st_size
    assert result["convention"]["final"].endswith("hundredth of the losses")
    assert {"absorbed_bits", "eta", "losses", "evaluations", "trajectory"} <= set(result)
    assert math.isfinite(result["online_bits"])
