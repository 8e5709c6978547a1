"""measure, demo."""

from __future__ import annotations

import json
import math
import sysconfig
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.neural.hash_model import HashModel

from icfast.errors import MissingExtraError
from icfast.neural.token_model import TensorSize
from icfast.sums.kinds import Kind

Run = Callable[..., Any]
Shards = tuple[Path, Path]

NEURAL = HashModel(
    vocab_size=30,
    name="hf:folder",
    bos_id=0,
    tensors=(TensorSize("a", "Q4_1", 1000, 5000), TensorSize("b", "F32", 10, 320)),
)
RESULT_KEYS = {"schema_version", "corpus", "orders", "ladder", "code_lengths", "ic1", "ic2"}
IC1_KEYS = {
    "baseline",
    "tokens",
    "entropy_bits_per_token",
    "loss_bits_per_token",
    "model_bits",
    "params",
    "bits_saved",
    "bits_per_param",
    "eta",
}


def _no_page(*_: object) -> None:
    raise MissingExtraError("an HTML report needs jinja2: pip install 'icfast[report]'")


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icfast.report.page.render_report", _no_page)


@pytest.fixture
def neural(monkeypatch: pytest.MonkeyPatch) -> Callable[..., HashModel]:
    """What `--model hf:folder` names, instead of a folder."""

    def use(**changes: Any) -> HashModel:
        held = replace(NEURAL, calls=[], **changes)
        monkeypatch.setattr("icfast.quality.open_model.open_model", lambda *_, **__: held)
        return held

    return use


@pytest.mark.ci
def test_measure_with_a_neural_model(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path, neural: Any
) -> None:
    neural()
    command = ("measure", *shards, *options, "--order", "2", "--json", "--heldout", "0.2")
    plain = run(*command, "--output", tmp_path / "plain").json
    answer = run(*command, "--output", tmp_path / "out", "--model", "hf:folder", "--stride", "3")
    assert answer.code == 0
    found = answer.json
    assert plain["neural"] is None
    assert found["ladder"][:-1] == plain["ladder"]
    top, scored = found["ladder"][-1], found["neural"]
    assert (top["model"], top["order"]) == ("hf:folder", None)
    assert top["loss_bits_per_token"] == scored["loss_bits_per_token"]
    assert scored["predicted_tokens"] == found["heldout"]["tokens"]
    assert scored["policy"]["stride"] == 3
    assert [row["baseline"] for row in scored["ic1"]] == ["uniform", "unigram", "bigram"]
    for row, below in zip(scored["ic1"], plain["ladder"], strict=True):
        saved = below["loss_bits_per_token"] - top["loss_bits_per_token"]
        assert row["entropy_bits_per_token"] == below["loss_bits_per_token"]
        assert row["bits_saved"] == pytest.approx(saved * found["heldout"]["tokens"])
        assert row["eta"] == pytest.approx(row["bits_saved"] / 5320)
        assert row["bits_per_param"] == pytest.approx(row["bits_saved"] / 1010)
    assert scored["ic2"]["baseline"] == "uniform"
    assert found["ic1"] == plain["ic1"]


def test_measure_wants_every_token_of_a_neural_model(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path, neural: Any
) -> None:
    held = neural(bos_id=None)
    command = ("measure", *shards, *options, "--output", tmp_path / "out", "--model", "hf:folder")
    answer = run(*command)
    assert answer.code == 2
    assert "--bos" in answer.err
    assert not held.calls
    assert not (tmp_path / "out").exists()


def test_measure_of_a_model_without_finite_loss(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path, neural: Any
) -> None:
    neural(odd=(1, math.nan, int(Kind.NAN)))
    out = tmp_path / "out"
    answer = run("measure", *shards, *options, "--output", out, "--model", "hf:folder")
    assert answer.code == 1
    assert "hf:folder" in answer.err
    assert not (out / "result.json").exists()


@pytest.mark.parametrize(
    "option", [("--window", "8"), ("--initial-seed", "1"), ("--model-dtype", "bfloat16")]
)
def test_measure_refuses_options_of_no_model(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path, option: tuple[str, str]
) -> None:
    answer = run("measure", *shards, *options, "--output", tmp_path / "out", *option)
    assert answer.code == 2
    assert "name one with --model" in answer.err


def test_measure_refuses_a_model_of_ngrams(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    model = tmp_path / "a.icfast"
    assert run("fit", *shards, *options, "--output", model, "--order", "2").code == 0
    answer = run("measure", *shards, *options, "--output", tmp_path / "out", "--model", model)
    assert answer.code == 2
    assert "n-gram model" in answer.err


def test_measure_refuses_a_fresh_twin_of_what_has_no_architecture(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path, neural: Any
) -> None:
    neural()
    command = ("measure", *shards, *options, "--output", tmp_path / "out", "--model", "hf:folder")
    answer = run(*command, "--initial-seed", "1")
    assert answer.code == 2
    assert "hf:folder" in answer.err


def test_measure(run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    command = ("measure", *shards, *options, "--output", out, "--order", "3", "--json")
    answer = run(*command, "--heldout", "0.2", "--temperature-kelvin", "290")
    assert (answer.code, answer.err) == (0, "")
    found = answer.json
    assert found == json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert set(found) >= RESULT_KEYS
    assert set(found["ic1"]) == {"heldout", "training"}
    for rows in found["ic1"].values():
        assert all(set(row) >= IC1_KEYS for row in rows)
    assert found["ic2"]["temperature_kelvin"] == 290
    assert found["ic2"]["energy_joules"] > 0
    assert all("spectrum" in row for row in found["orders"])
    assert (out / "manifest.json").is_file()
    assert "<html" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("no_page")
def test_without_the_report_packages_the_result_stands(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("<title>icfast report: of an earlier run</title>")
    answer = run("measure", *shards, *options, "--output", out, "--order", "2", "--overwrite")
    assert answer.code == 0
    assert "Ladder" in answer.out
    assert "report.html was not written" in answer.err
    assert "icfast[report]" in answer.err
    assert (out / "result.json").is_file()
    assert [path.name for path in out.glob("*report*")] == []


@pytest.mark.usefixtures("no_page")
def test_measure_tells_what_it_skipped(run: Run, shards: Shards, tmp_path: Path) -> None:
    empty = tmp_path / "empty.bin"
    empty.touch()
    command = ("measure", *shards, empty, "--dtype", "u2", "--eos-id", "0", "--order", "1")
    answer = run(*command, "--output", tmp_path / "out", "--skip-bad", "--json")
    assert answer.code == 3
    assert "1 empty files" in answer.err
    assert answer.json["corpus"]["tokens"] == 2400


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (("--heldout", "1.5"), 2, "fraction 1.5"),
        (("--temperature-kelvin", "-1"), 2, "temperature_kelvin"),
        (("--cross-documents", "--heldout", "0.000001"), 1, "--heldout"),
    ],
)
def test_measure_without_meaning(
    run: Run,
    shards: Shards,
    options: tuple[str, ...],
    tmp_path: Path,
    more: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    answer = run("measure", *shards, *options, "--output", tmp_path / "out", *more)
    assert (answer.code, answer.out) == (code, "")
    assert message in answer.err


@pytest.mark.usefixtures("no_page")
def test_demo(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "library"
    library.mkdir()
    for number in range(30):
        (library / f"m{number}.py").write_text(f"def f{number}(x):\n    return {number} * x\n")
    monkeypatch.setattr(sysconfig, "get_path", lambda *_, **__: str(library))
    out = tmp_path / "out"
    command = ("demo", "--output", out, "--tokenizer", "bytes", "--order", "2")
    answer = run(*command, "--json")
    assert answer.code == 0
    assert set(answer.json) >= RESULT_KEYS
    assert (out / "result.json").is_file()
    assert "IC-2" in run(*command).out


def test_demo_without_meaning(run: Run, tmp_path: Path) -> None:
    answer = run("demo", "--output", tmp_path / "out", "--tokenizer", "words")
    assert (answer.code, answer.out) == (2, "")
    assert "words" in answer.err
