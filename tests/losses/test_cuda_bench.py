"""The benchmark of the CUDA part without a device: what it compares with, and what it prints."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.losses.loss_definitions import define_losses

from gpu import cases, linear, run, timing
from icfast.backends.losses import Softmax


@pytest.mark.parametrize("columns", [1, 2, 300])
@pytest.mark.parametrize("options", cases.OPTIONS)
def test_its_definition_is_that_of_the_tests(columns, options):
    logits = cases.make_rows(columns, seed=1)
    targets = np.random.default_rng(2).integers(0, columns, len(logits))
    found = cases.define(logits, targets, **options)
    softmax = Softmax(columns, options.get("softcap", 0.0), options.get("temperature", 1.0), -100)
    expected = define_losses(logits, targets, softmax)
    for ours, theirs in zip(found[:3], (expected[0], *expected[2:4]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-13)
    assert found.rank.tolist() == expected.rank.tolist()


def test_an_answer_beyond_the_budget_is_found():
    expected = np.array([1.0, 100.0, np.inf, np.nan])
    assert cases.share_of_budget(expected, expected) == 0
    near = expected + np.array([1.2e-6, 0, 0, 0])
    assert cases.share_of_budget(near, expected) == pytest.approx(0.5)
    assert cases.share_of_budget(expected + np.array([0, 1e-4, 0, 0]), expected) > 1
    for wrong in ([1, 100, 5, np.nan], [1, 100, np.inf, 0], [np.nan, 100, np.inf, np.nan]):
        assert cases.share_of_budget(wrong, expected) == np.inf
    rows = cases.define(cases.make_rows(9, seed=0), np.zeros(14, np.int64))
    assert cases.compare("same", rows, rows).passed
    assert not cases.compare("ranks", rows._replace(rank=rows.rank + 1), rows).passed
    assert not cases.compare("nll", rows._replace(nll_nats=rows.nll_nats + 1e-3), rows).passed


def test_what_was_not_timed_says_so():
    untimed, timed = timing.Contender("a", print), timing.Contender("b", print, [3.0, 1.0, 2.0])
    rows = timing.rows_of([untimed, timed], 4_000_000_000, 6_000_000, 4000.0)
    assert set(rows[0].values()) == {"a", timing.UNMEASURED}
    assert rows[1] == {
        "name": "b",
        "median_ms": 2.0,
        "least_ms": 1.0,
        "GB/s": 2000.0,
        "of_copy": 0.5,
        "Mtok/s": 3000.0,
    }
    lines = timing.table(rows).splitlines()
    assert [len(line) for line in lines] == [len(lines[0])] * 3
    assert lines[2].split() == ["b", "2.0", "1.0", "2000.0", "0.5", "3000.0"]
    assert timing.table([]) == "(nothing)"


@pytest.mark.ci
def test_a_dry_run_checks_the_cpu_and_measures_nothing(tmp_path, capsys):
    command = ["--dry-run", "--out", str(tmp_path), "--rows", "8", "--vocabularies", "100,200"]
    command += ["--layers", "8x16x300,9x16x400"]
    assert run.main(command) == 0
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert found["dry_run"]
    assert len(found["checks"]) > 50
    assert all(check["passed"] for check in found["checks"])
    assert {(row["V"], row["median_ms"]) for row in found["times"]} == {
        (100, timing.UNMEASURED),
        (200, timing.UNMEASURED),
        (300, timing.UNMEASURED),
        (400, timing.UNMEASURED),
    }
    assert sum(check["name"].startswith("linear ") for check in found["checks"]) == 10
    assert {row["tokens/s"] for row in found["scores"]} == {timing.UNMEASURED}
    assert sum(check["name"].startswith("score: ") for check in found["checks"]) == 1
    assert found["machine"]["device"] is None
    assert "0 failed" in capsys.readouterr().out


def test_products_are_compared_with_the_bare_one():
    bare, ours = timing.Contender("bare", print, [8.0]), timing.Contender("a", print, [10.0, 12.0])
    first, second = timing.product_rows([ours, bare], 4e12, 1000, bare)
    assert first == {
        "name": "a",
        "median_ms": 11.0,
        "least_ms": 10.0,
        "TFLOP/s": 363.6,
        "of_product": 0.7273,
        "Mtok/s": 0.091,
    }
    assert second["of_product"] == 1
    (untimed,) = timing.product_rows([timing.Contender("a", print)], 1, 1, None)
    assert set(untimed.values()) == {"a", timing.UNMEASURED}


def test_losses_of_products_may_be_off_by_what_their_logits_are():
    logits = np.random.default_rng(0).normal(size=(3, 50))
    rows = cases.define(logits, np.array([1, 2, 3]))
    assert linear.compare("same", rows, rows, 0).passed
    for field in ("nll_nats", "logsumexp_nats", "entropy_nats"):
        near = rows._replace(**{field: getattr(rows, field) + 1e-4})
        assert linear.compare(field, near, rows, 2e-4).passed
        assert not linear.compare(field, near, rows, 5e-5).passed
    nan = rows._replace(nll_nats=rows.nll_nats * np.nan)
    assert not linear.compare("nan", nan, rows, 1).passed
    assert not linear.compare("ranks", rows._replace(rank=rows.rank + 3), rows, 1).passed


def test_a_check_that_fails_is_an_exit_code(tmp_path, monkeypatch):
    monkeypatch.setattr(cases, "share_of_budget", lambda *_: 2.0)
    assert run.main(["--dry-run", "--out", str(tmp_path), "--sections", "accuracy"]) == 1


def test_sections_by_name(capsys):
    assert run.parse(["--sections", "sums,logits"]).sections == ("sums", "logits")
    assert run.parse(["--tiles", "8x9"]).tiles == ((8, 9),)
    assert run.parse(["--tiles", ""]).tiles == ()
    assert len(run.parse([]).layers) == 4
    with pytest.raises(SystemExit):
        run.parse(["--sections", "speed"])
    assert "no sections ['speed']; there are accuracy" in capsys.readouterr().err
