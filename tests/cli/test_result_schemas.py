"""What commands print as JSON: it fits the schema that ships, and is read back unchanged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import icfast
from icfast.pipeline.records.base import Result
from icfast.pipeline.records.schema import FOLDER, RESULTS, read_schema, result_schema

Run = Callable[..., Any]
Shards = tuple[Path, Path]

TINY_RUN = Path(__file__).parents[2] / "examples" / "train_tiny.csv"


@pytest.fixture
def commands(shards: Shards, options: tuple[str, ...], tmp_path: Path) -> list[tuple[Any, ...]]:
    """The schema of a result, and a command that prints one; later ones use files of earlier."""
    model, table = tmp_path / "model", tmp_path / "table"
    read = (*shards, *options, "--threads", 1)
    params, tokens = (1e7, 1e8, 1e9), (1e8, 1e9, 1e10)
    rows = [f"{p},{d},{1.8 + 400 * p**-0.34 + 410 * d**-0.28}" for p in params for d in tokens]
    runs = tmp_path / "runs.csv"
    runs.write_text("\n".join(["params,tokens,loss", *rows]))
    return [
        ("entropy", "entropy", *read, "--order", 3, "--match-length"),
        ("table", "count", *read, "--output", table, "--order", 3),
        ("table", "merge", table, "--output", tmp_path / "merged"),
        ("entropy", "entropy", table),
        ("fit", "fit", *read, "--output", model, "--order", 3),
        ("export", "export", model, "--output", tmp_path / "arpa"),
        ("compress", "compress", model, "--output", tmp_path / "c", "--corpus", *read[1:]),
        ("score", "score", *read, "--model", model),
        ("measure", "measure", *read, "--output", tmp_path / "out", "--order", 3),
        ("training", "laws", "run", TINY_RUN, "--output", tmp_path / "run"),
        ("scaling", "laws", "scaling", runs, "--bootstraps", 20, "--output", tmp_path / "fits"),
    ]


@pytest.mark.ci
def test_results_fit_their_schemas(run: Run, commands: list[tuple[Any, ...]]) -> None:
    assert {name for name, *_ in commands} == set(RESULTS)
    for name, *command in commands:
        answer = run(*command, "--json")
        assert answer.code == 0, answer.err
        validator = jsonschema.Draft202012Validator(read_schema(name))
        validator.validate(answer.json)
        read: Result = RESULTS[name].from_json(answer.json)
        assert read.to_json() == answer.json
        assert list(read.to_json()) == list(answer.json)
        if "--output" in command and name in ("measure", "training", "scaling"):
            folder = Path(command[command.index("--output") + 1])
            assert json.loads((folder / "result.json").read_text()) == answer.json
        _prints_short(read)


def _prints_short(result: Result) -> None:
    assert repr(result).startswith(f"<{type(result).__name__} ")
    assert len(repr(result)) < 400
    html = result._repr_html_()
    assert html.startswith("<table>")
    for name, value in result.facts().items():
        assert name in html
        assert value.replace("<", "&lt;").replace(">", "&gt;") in html


@pytest.mark.parametrize("name", RESULTS)
def test_schemas_are_those_of_the_records(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(read_schema(name))
    hint = "write them again: python -m icfast.pipeline.records.schema"
    assert read_schema(name) == result_schema(name), hint


def test_every_schema_file_has_a_record() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(RESULTS)


def test_a_result_with_another_field_or_type_is_refused(run: Run, shards: Shards) -> None:
    found = run("entropy", shards[0], "--dtype", "u2", "--order", 1, "--json").json
    validator = jsonschema.Draft202012Validator(read_schema("entropy"))
    for change in ({"more": 1}, {"threads": "one"}, {"orders": None}):
        assert not validator.is_valid({**found, **change}), change
    found.pop("corpus")
    assert not validator.is_valid(found)


def test_measure_as_a_function(shards: Shards, tmp_path: Path) -> None:
    corpus = icfast.open(list(shards), dtype="u2", eos_id=0, vocab_size=30)
    result = icfast.measure(corpus, tmp_path / "out", order=2, heldout=0.2, threads=1)
    assert isinstance(result, icfast.MeasureResult)
    assert result.to_json() == json.loads((tmp_path / "out" / "result.json").read_text())
    assert [row.model for row in result.ladder] == ["uniform", "unigram", "bigram"]
    with pytest.raises(FrozenInstanceError):
        result.threads = 2  # type: ignore[misc]
