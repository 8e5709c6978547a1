"""laws run, laws scaling."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from icfast import laws
from icfast.logs import read_training_log

Run = Callable[..., Any]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "run.csv"
    rows = (f"{step},{2 + 6 * step**-0.35},{3.0 * step}" for step in range(1, 501))
    path.write_text("\n".join(["step,loss,energy_joules", *rows]) + "\n")
    return path


@pytest.mark.ci
def test_run_as_json(run: Run, log: Path) -> None:
    options = ("--tokens-per-step", 10, "--params", 100, "--bits-per-param", 16)
    answer = run("laws", "run", log, *options, "--entropy-nats-per-token", 8, "--json")
    assert (answer.code, answer.err) == (0, "")
    found = laws.training_run(
        read_training_log(log, tokens_per_step=10),
        params=100,
        bits_per_param=16,
        entropy_nats_per_token=8,
    )
    told = json.loads(json.dumps(asdict(found)))
    assert {name: answer.json[name] for name in told} == told
    assert answer.json["lengths"]["absorbed_bits"] == found.absorbed_bits > 0


@pytest.mark.ci
def test_run_in_words(run: Run, log: Path) -> None:
    answer = run("laws", "run", log, "--tokens-per-step", 10, "--params", 100)
    assert answer.code == 0
    for said in ("B − C, absorbed", "not saturated", "Spent/floor", "epochs are not logged"):
        assert said in answer.out
    assert "With learning rates" not in answer.out
    assert re.search(r"eta grows as +not known", answer.out)
    rows = (f"{step},{2 + 6 * step**-0.35},{min(1, (501 - step) / 100)}" for step in range(1, 501))
    annealed = log.with_name("annealed.csv")
    annealed.write_text("\n".join(["step,loss,lr", *rows]) + "\n")
    answer = run("laws", "run", annealed, "--tokens-per-step", 10)
    assert "With learning rates" in answer.out
    assert "L0 + A S1^-alpha - C S2" in answer.out
    short = run("laws", "run", log, "--tokens-per-step", 10, "--final-loss-nats-per-token", 9)
    assert "nothing absorbed" in short.out


@pytest.mark.ci
def test_run_writes_result_and_report(run: Run, log: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    options = ("--tokens-per-step", 10, "--params", 100, "--joules-per-flop", 1e-11)
    spent = ("--spent-joules", 5, "--spent-source", "rapl")
    answer = run("laws", "run", log, *options, *spent, "--output", folder, "--json")
    assert (answer.code, answer.err) == (0, "")
    assert json.loads((folder / "result.json").read_text()) == answer.json
    names = ["manifest.json", "report.html", "result.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    page = (folder / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "rapl" in page
    assert answer.json["energy"]["spent_joules"] == 5
    words = run("laws", "run", log, *options, "--output", folder, "--overwrite")
    assert str(folder / "report.html") in words.out
    assert "Estimated/floor" in words.out
    answer = run("laws", "run", log, *options, "--spent-joules", 5)
    assert answer.code == 2
    assert "--spent-source" in answer.err
    other = tmp_path / "file"
    other.touch()
    answer = run("laws", "run", log, *options, "--output", other)
    assert answer.code == 2
    assert "cannot make the output folder" in answer.err
    answer = run("laws", "run", log, *options, "--output", log)
    assert answer.code == 1
    assert "the command reads" in answer.err


def test_what_is_missing_is_said(run: Run, log: Path, tmp_path: Path) -> None:
    answer = run("laws", "run", log)
    assert answer.code == 2
    assert "--tokens-per-step" in answer.err
    (tmp_path / "x").write_text("nothing\n")
    answer = run("laws", "run", tmp_path / "x", "--tokens-per-step", 10)
    assert answer.code == 1
    assert "unknown format; icfast reads" in answer.err


def test_columns_and_runs_are_options(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    rows = [(name, step, 9 - step / 10) for name in "ab" for step in range(1, 5)]
    lines = (",".join(map(str, row)) for row in rows)
    table.write_text("\n".join(["who,at,objective", *lines]) + "\n")
    named = ("laws", "run", table, "--loss-column", "objective", "--step-column", "at")
    answer = run(*named, "--tokens-per-step", 10)
    assert answer.code == 2
    assert "the column 'who' changes. Choose a run with --run: 'a', 'b'" in answer.err
    answer = run(*named, "--tokens-per-step", 10, "--run", "b", "--json")
    assert (answer.code, answer.json["unique_tokens"]) == (0, 40)
    missing = run("laws", "scaling", table, "--params-column", "who", "--tokens-column", "x")
    assert missing.code == 2
    assert "there is no column 'x'; found who, at, objective" in missing.err


def test_an_unknown_code_length_is_a_dash(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "resumed.csv"
    rows = (f"{8 + step // 9000},{step},2.4" for step in range(8049, 10_000, 50))
    log.write_text("\n".join(["epoch,step,loss", *rows]) + "\n")
    answer = run("laws", "run", log, "--tokens-per-step", 1000)
    assert answer.code == 0
    assert re.search(r"B, online +– \(no row of the log is of the first pass\)", answer.out)
    assert re.search(r"C, final +– \(no row", answer.out)
    assert "1,000,000 unique tokens of 10,000,000 seen" in answer.out


@pytest.mark.ci
def test_scaling(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "runs.csv"
    grid = [(p, d) for p in (1e8, 1e9, 1e10) for d in (1e9, 1e10, 1e11)]
    rows = (f"{p},{d},{1.8172 + 482.01 * p**-0.3478 + 2085.43 * d**-0.3658}" for p, d in grid)
    table.write_text("\n".join(["N,D,loss", *rows]) + "\n")
    answer = run("laws", "scaling", table, "--bootstraps", 20, "--json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.json["chinchilla"]["constants"]
    assert found["e"]["estimate"] == pytest.approx(1.8172, rel=1e-5)
    assert found["beta"]["estimate"] == pytest.approx(0.3658, rel=1e-5)
    assert len(answer.json["runs"]) == 9
    words = run("laws", "scaling", table, "--bootstraps", 20)
    assert "e = 1.8172 [" in words.out
    folder = tmp_path / "new" / "folder"
    written = run("laws", "scaling", table, "--bootstraps", 20, "--output", folder, "--json")
    assert (written.code, written.err) == (0, "")
    assert json.loads((folder / "result.json").read_text()) == written.json == answer.json
    assert "Chinchilla’s form" in (folder / "report.html").read_text()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    bare = run("laws", "scaling", table, "--bootstraps", 20, "--output", folder, "--overwrite")
    assert bare.code == 0
    assert "pip install 'icfast[report]'" in bare.err
    names = ["manifest.json", "result.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    for text, said in (
        ("N,D\n1,2\n", "params, tokens and loss"),
        ("N,D,loss\n1,2,x\n", "runs.csv: line 2: expected a number for loss"),
        ("N,D,loss\n1,2,3,4\n", "runs.csv: line 2: 4 fields but 3 columns"),
    ):
        table.write_text(text)
        answer = run("laws", "scaling", table)
        assert answer.code == 1
        assert said in answer.err
