"""Names of files: no characters of them steer the terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import OPTIONS, Answer

from icfast.files import shown_path
from icfast.ngrams.table import CountTable
from icfast.units import printable

NAMES = {
    "not UTF-8": os.fsdecode(b"caf\xe9"),
    "emoji": "\U0001f680",
    "newline": "two\nlines",
    "escape": "red\x1b[31m\x07\x9b0m",
    "direction of text": "a\u202eb\u2066c",
}
#: Characters that must not reach a terminal: all controls but the newline after each line.
CONTROLS = {*map(chr, range(32)), *map(chr, range(127, 160)), "\u202e", "\u2066"} - {"\n"}


@pytest.fixture(params=NAMES)
def shard(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / NAMES[request.param]
    folder.mkdir()
    path = folder / f"{NAMES[request.param]}.bin"
    ids = np.random.default_rng(0).integers(1, 30, 1000)
    ids[9::10] = 0
    ids.astype("<u2").tofile(path)
    return path


def test_any_name_of_a_file(run: Callable[..., Answer], shard: Path) -> None:
    table, model = shard.parent / "t", shard.parent / "m"
    for arguments in (
        ["inspect", shard, *OPTIONS],
        ["inspect", shard, *OPTIONS, "--json"],
        ["entropy", shard, *OPTIONS, "--order", "2"],
        ["count", shard, *OPTIONS, "--order", "2", "--output", table],
        ["fit", table, "--output", model],
        ["score", shard, *OPTIONS, "--model", model, "--json"],
        ["score", shard, *OPTIONS, "--model", model],
    ):
        answer = run(*arguments)
        assert answer.code == 0, answer.err
        assert not CONTROLS & set(answer.out + answer.err)
    (record,) = CountTable.load(table).source.shards
    assert os.fsencode(record.name) == record.name.encode()  # it can be written anywhere


@pytest.mark.parametrize("form", ["error", "usage"])
def test_names_in_messages(run: Callable[..., Answer], tmp_path: Path, form: str) -> None:
    for name in NAMES.values():
        missing = tmp_path / name
        # Older versions of click take a word that begins with no letter for an option.
        unknown = [f"x{name}"]
        arguments = ["fit", missing, "--output", tmp_path / "m"] if form == "error" else unknown
        answer = run(*arguments)
        assert answer.code == (1 if form == "error" else 2)
        assert answer.err
        assert not CONTROLS & set(answer.err)


@pytest.mark.ci
def test_names_of_bytes_in_files_of_results(
    run: Callable[..., Answer], shard: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "result"
    answer = run(
        *("measure", shard, *OPTIONS, "--order", "2", "--heldout", "0.3", "--output", folder)
    )
    assert answer.code == 0, answer.err
    (source,) = json.loads((folder / "manifest.json").read_bytes())["inputs"]
    assert source["path"] == shown_path(shard.resolve())
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert not (CONTROLS - {"\t"}) & set(page)


def test_scores_of_a_name_that_is_not_utf8(run: Callable[..., Answer], shard: Path) -> None:
    pytest.importorskip("pyarrow", reason="no pyarrow here: pip install 'icfast[arrow]'")
    model, output = shard.parent / "m", shard.with_suffix(".parquet")
    assert run("fit", shard, *OPTIONS, "--order", "1", "--output", model).code == 0
    answer = run("score", shard, *OPTIONS, "--model", model, "--output", output)
    assert answer.code == 0, answer.err
    assert output.read_bytes()[:4] == b"PAR1"


def test_symlink_loops(run: Callable[..., Answer], tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for arguments in (
        ["entropy", loop, *OPTIONS],
        ["fit", loop, "--output", tmp_path / "m"],
        ["score", loop, *OPTIONS, "--model", loop],
        ["compress", loop, "--output", tmp_path / "m"],
        ["tokenize", loop, "--output", tmp_path / "x.ds"],
        ["laws", "run", loop, "--params", "1"],
    ):
        answer = run(*arguments)
        assert answer.code in (1, 2), arguments
        assert answer.err.startswith(("error: ", "Usage"))


def test_what_a_terminal_shows() -> None:
    assert printable("plain é \u3000 \u00a0") == "plain é \u3000 \u00a0"
    assert printable("\t\r\n\x7f\x85\u2028\ufeff") == r"\t\r\n\x7f\x85\u2028\ufeff"
    assert printable("\udce9\ud800") == r"\xe9\ud800"
