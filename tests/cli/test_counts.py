"""entropy, count, merge."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import icfast
from icfast.backends.select import select
from icfast.cli import output as cli_output
from icfast.errors import BackendError

Run = Callable[..., Any]
Shards = tuple[Path, Path]

TABLE_KEYS = {"table", "order", "tokens", "documents", "ids", "windows", "distinct", "backend"} | {
    "warnings"
}
ORDER_KEYS = {
    "order",
    "windows",
    "distinct",
    "singletons",
    "doubletons",
    "coverage",
    "gate",
    "block_entropy_bits",
    "conditional_entropy_bits_per_token",
}


@pytest.fixture
def table(run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path) -> Path:
    made = tmp_path / "table"
    assert run("count", *shards, *options, "--output", made, "--order", "3").code == 0
    return made


def test_entropy_says_what_the_design_says(
    run: Run, shards: Shards, options: tuple[str, ...]
) -> None:
    answer = run("entropy", *shards, *options, "--json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.json
    assert found["schema_version"] == 1
    assert found["corpus"].items() >= {"tokens": 2400, "documents": 80, "vocab_size": 30}.items()
    assert {"convention", "backend"} <= set(found)
    assert [row["order"] for row in found["orders"]] == [1, 2, 3, 4, 5]
    for row in found["orders"]:
        assert set(row) >= ORDER_KEYS
        assert "spectrum" not in row
        assert {"ml", "cwj"} <= set(row["block_entropy_bits"])
        assert set(row["conditional_entropy_bits_per_token"]) == {
            "difference",
            "prefix_marginal",
            "bos_padded",
        }


def test_entropy_counts_what_the_package_counts(
    run: Run, shards: Shards, options: tuple[str, ...]
) -> None:
    spectra = icfast.spectra(icfast.open(shards, dtype="u2", eos_id=0), order=2)
    rows = run("entropy", *shards, *options, "--order", "2", "--json").json["orders"]
    assert [row["distinct"] for row in rows] == [spectra[1].distinct, spectra[2].distinct]


def test_entropy_of_orders_no_table_holds(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    rows = run("entropy", *shards, *options, "--order", "70", "--json").json["orders"]
    spectra = icfast.spectra(icfast.open(shards, dtype="u2", eos_id=0), order=70)
    assert [row["windows"] for row in rows] == [spectra[n].windows for n in range(1, 71)]
    refused = run("count", *shards, *options, "--order", "70", "--output", tmp_path / "t")
    assert refused.code != 0
    assert "order 70 must be at least 1 and at most 64" in refused.err


def test_entropy_of_a_table_is_that_of_its_corpus(
    run: Run, table: Path, shards: Shards, options: tuple[str, ...]
) -> None:
    of_corpus = run("entropy", *shards, *options, "--order", "3", "--json").json
    for same_order in ((), ("--order", "3")):
        of_table = run("entropy", table, *same_order, "--json").json
        assert of_table["orders"] == of_corpus["orders"]


def test_entropy_in_words(run: Run, shards: Shards, options: tuple[str, ...]) -> None:
    answer = run("entropy", *shards, *options)
    assert answer.code == 0
    assert "2,400 tokens" in answer.out
    assert "bits per token" in answer.out


def test_entropy_from_match_lengths(run: Run, shards: Shards, options: tuple[str, ...]) -> None:
    command = ("entropy", *shards, *options, "--order", "2")
    assert "match_length" not in run(*command, "--json").json
    corpus = icfast.open(shards, dtype="u2", eos_id=0)
    for more, tokens in ((("--match-length",), None), (("--match-tokens", "700"), 700)):
        found = run(*command, *more, "--json").json["match_length"]
        expected = icfast.match_entropy(corpus, tokens=tokens)
        assert found["tokens"] == expected.tokens == (tokens or 2400)
        assert found["bits_per_token"] == expected.bits_per_token
        assert len(found["windows"]) == len(expected.windows)
    answer = run(*command, "--match-length")
    assert "Entropy rate from match lengths" in answer.out
    assert "2,400 tokens · mean" in answer.out


@pytest.mark.parametrize("more", [("--match-length",), ("--match-tokens", "5")])
def test_a_table_has_no_match_lengths(run: Run, table: Path, more: tuple[str, ...]) -> None:
    answer = run("entropy", table, *more)
    assert (answer.code, answer.out) == (2, "")
    assert "--match-length needs a corpus" in answer.err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--order", "4"), "was counted with order 3"),
        (("--eos-id", "7", "--skip-bad"), "--eos-id, --skip-bad cannot change the count table"),
    ],
)
def test_a_table_has_its_own_conventions(
    run: Run, table: Path, more: tuple[str, ...], message: str
) -> None:
    answer = run("entropy", table, *more)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


def test_a_table_among_others_is_refused(run: Run, table: Path, shards: Shards) -> None:
    for command in (("entropy",), ("count", "--output", "never")):
        answer = run(*command, table, shards[0], "--dtype", "u2")
        assert answer.code == 2
        assert "is a count table, not a corpus" in answer.err


def test_count_and_merge(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    whole = run("count", *shards, *options, "--output", tmp_path / "whole", "--json")
    assert (whole.code, whole.err) == (0, "")
    assert set(whole.json) >= TABLE_KEYS
    assert whole.json.items() >= {"order": 5, "tokens": 2400, "documents": 80}.items()
    assert (whole.json["skipped_files"], whole.json["skipped_documents"]) == (0, 0)
    parts = [tmp_path / "of_a", tmp_path / "of_b"]
    for part, shard in zip(parts, shards, strict=True):
        assert run("count", shard, *options, "--output", part).code == 0
    merged = run("merge", *parts, "--output", tmp_path / "merged", "--json")
    assert merged.code == 0
    assert set(merged.json) == TABLE_KEYS
    changed = {"table": merged.json["table"]}
    assert {key: whole.json[key] for key in TABLE_KEYS} | changed == merged.json


def test_count_in_words(run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path) -> None:
    answer = run("count", *shards, *options, "--output", tmp_path / "t")
    assert "2,400" in answer.out
    assert "distinct" in answer.out


def test_merge_refuses_a_shard_twice(run: Run, table: Path, tmp_path: Path) -> None:
    answer = run("merge", table, table, "--output", tmp_path / "merged")
    assert answer.code == 1
    assert answer.err.startswith("error: cannot merge")
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "merged").exists()


def test_count_keeps_what_is_there(
    run: Run, table: Path, shards: Shards, options: tuple[str, ...]
) -> None:
    before = (table / "table.json").read_bytes()
    answer = run("count", *shards, *options, "--output", table)
    assert answer.code == 2
    assert "exists already" in answer.err
    assert (table / "table.json").read_bytes() == before


@pytest.mark.parametrize("work", [("--memory", "32MiB"), ("--threads", "1"), ("--memory", "1GB")])
def test_the_work_options_do_not_change_the_result(
    run: Run, table: Path, shards: Shards, options: tuple[str, ...], work: tuple[str, ...]
) -> None:
    rows = run("entropy", *shards, *options, "--order", "3", "--json", *work).json["orders"]
    assert rows == run("entropy", table, "--json").json["orders"]


def test_a_forced_backend_ran(
    run: Run, table: Path, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    pytest.importorskip("numba")
    command = ("count", *shards, *options, "--order", "3", "--output", tmp_path / "n", "--json")
    found = run(*command, "--backend", "numba").json
    assert found["backend"] == "numba"
    stored = json.loads((table / "table.json").read_text())
    assert found["windows"] == stored["totals"]["windows"]


def test_a_missing_backend_says_why(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    answer = run("count", *shards, *options, "--output", tmp_path / "t", "--backend", "cuda")
    assert (answer.code, answer.out) == (1, "")
    with pytest.raises(BackendError) as error:
        select("cuda")
    assert str(error.value) in " ".join(answer.err.split())
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (("--backend", "gpu"), 2, "is none of auto"),
        (("--threads", "0"), 2, "threads 0"),
        (("--memory", "much"), 2, "size 'much' is not a number"),
        (("--memory", "1kB"), 1, "is too little"),
        (("--order", "0"), 2, "order"),
        (("--boundary", "middle"), 2, "boundary 'middle'"),
        (("--dtype", "f4"), 2, "f4"),
        (("--format", "zip"), 2, "format 'zip'"),
        (("--vocab-size", "7"), 1, "is outside the vocabulary of 7"),
    ],
)
def test_options_without_meaning(
    run: Run,
    shards: Shards,
    options: tuple[str, ...],
    tmp_path: Path,
    more: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    answer = run("count", *shards, *options, "--output", tmp_path / "t", *more)
    assert (answer.code, answer.out) == (code, "")
    assert message in answer.err
    assert not (tmp_path / "t").exists()


def test_what_is_skipped_is_told(run: Run, with_empty: Path, tmp_path: Path) -> None:
    command = ("count", with_empty, "--output", tmp_path / "t", "--json")
    refused = run(*command)
    assert refused.code == 1
    assert "--skip-bad" in refused.err
    answer = run(*command, "--skip-bad")
    assert answer.code == 3
    assert (answer.json["documents"], answer.json["skipped_documents"]) == (2, 1)
    assert "1 empty documents were left out" in answer.err
    assert run("entropy", with_empty, "--skip-bad", "--order", "2").code == 3


@pytest.mark.ci
@pytest.mark.parametrize("command", ["entropy", "count", "fit", "measure"])
def test_the_cost_of_a_long_count_is_said_first(
    run, shards, options, tmp_path, monkeypatch, command
):
    monkeypatch.setattr(cli_output, "_LONG_WINDOWS", 1000)
    output = () if command == "entropy" else ("--output", tmp_path / "new")
    answer = run(command, *shards, *options, "--order", 3, *output)
    assert answer.code == 0
    lines = [line for line in answer.err.splitlines() if line.startswith("plan: ")]
    cost = r"1 pass, \d+\.\d [KM]iB memory, (.+) temporary"
    found = [re.fullmatch(rf"plan: ([\d,]+) windows of 3, {cost}", line) for line in lines]
    assert all(found)
    assert found[0][1] == "2,400"
    # The model comes of a table that is removed again.
    assert [line[2] != "0 B" for line in found] == {"fit": [True], "measure": [False, True]}.get(
        command, [False]
    )
