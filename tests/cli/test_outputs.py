"""Outputs of every command: never over an input, never by accident, and all files of a set."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Shards = tuple[Path, Path]


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture
def files(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path, monkeypatch: Any
) -> Path:
    """A folder with a corpus, links to it, a model, a table, and a text with its ids."""
    for page in ("page.render_report", "run_page.render_run_report"):  # drawings take seconds
        monkeypatch.setattr(f"icfast.report.{page}", lambda _: "<title>icfast report: x</title>")
    monkeypatch.chdir(tmp_path)
    Path("t.txt").write_text("some text")
    for command in (
        ("fit", "a.bin", *options, "--order", "2", "--output", "m"),
        ("count", "a.bin", *options, "--order", "2", "--output", "table"),
        ("tokenize", "t.txt", "--output", "t.ds"),
    ):
        assert run(*command).code == 0
    os.link("a.bin", "hard")
    Path("link").symlink_to("a.bin")
    return tmp_path


OVER_INPUTS = [
    "fit a.bin OPTIONS --order 2 --output a.bin",
    "fit a.bin OPTIONS --order 2 --output hard",
    "fit a.bin OPTIONS --order 2 --output link",
    "fit link OPTIONS --order 2 --output ./a.bin",
    "fit a.bin OPTIONS --order 2 --output x --arpa a.bin",
    "fit a.bin OPTIONS --order 2 --output y --arpa y",
    "fit a.bin OPTIONS --order 2 --output y --arpa ./y",
    "fit table --output table/windows.run",
    "fit t.ds --output t.ds.index",
    "fit t.ds --output t.ds.bytes",
    "score a.bin OPTIONS --model m --output a.bin",
    "score a.bin OPTIONS --model m --output m",
    "export m --output m",
    "compress m --output m",
    "compress m --output a.bin --corpus a.bin OPTIONS",
    "count a.bin OPTIONS --output a.bin",
    "merge table --output table",
    "merge table --output table/new",
    "tokenize t.ds --output t.ds",
]


@pytest.mark.parametrize("command", OVER_INPUTS)
def test_output_over_input_loses_nothing(
    run: Run, files: Path, options: tuple[str, ...], command: str
) -> None:
    before = contents(files)
    words = [w for word in command.split() for w in (options if word == "OPTIONS" else (word,))]
    for overwrite in ((), ("--overwrite",)):
        answer = run(*words, *overwrite)
        assert (answer.code, answer.err.count("\n")) == (1, 1), answer
        assert contents(files) == before


@pytest.mark.ci
def test_an_existing_output_is_replaced_only_if_asked_and_only_icfasts_own(
    run: Run, files: Path, options: tuple[str, ...]
) -> None:
    made = {
        "m": ("fit", "b.bin", *options, "--order", "2", "--output"),
        "m.arpa": ("export", "m", "--output"),
        "small": ("compress", "m", "--output"),
        "table": ("count", "b.bin", *options, "--order", "1", "--output"),
        "merged": ("merge", "table", "--output"),
        "s.parquet": ("score", "b.bin", *options, "--model", "m", "--output"),
        "t.ds": ("tokenize", "t.txt", "--skip-bad", "--output"),
        "measured": ("measure", "b.bin", *options, "--order", "1", "--output"),
    }
    for name, command in made.items():
        if not Path(name).exists():
            assert run(*command, name).code == 0, name
        before = contents(files)
        answer = run(*command, name)
        assert (answer.code, "exists already" in answer.err) == (2, True), name
        assert contents(files) == before
        assert run(*command, name, "--overwrite").code == 0, name
        foreign = Path("foreign-" + name)
        if Path(name).is_dir():
            foreign.mkdir()
            (foreign / "report.html").write_text("mine")
        else:
            foreign.write_text("mine")
        before = contents(files)
        for overwrite in ((), ("--overwrite",)):
            assert run(*command, foreign, *overwrite).code in (1, 2), name
        assert contents(files) == before


def test_a_foreign_file_in_a_folder_of_results_survives(
    run: Run, files: Path, options: tuple[str, ...]
) -> None:
    command = ("measure", "a.bin", *options, "--order", "1", "--output", "out")
    assert run(*command).code == 0
    listed = json.loads(Path("out/manifest.json").read_text())["files"]
    assert set(listed) == {"model.icfast", "report.html", "result.json"}
    Path("out/notes.txt").write_text("mine")
    assert run(*command, "--overwrite").code == 0
    assert Path("out/notes.txt").read_text() == "mine"
    with Path("out/report.html").open("a") as page:
        page.write("my notes")
    before = contents(files)
    answer = run(*command, "--overwrite")
    assert (answer.code, "report.html exists, and icfast does not" in answer.err) == (1, True)
    assert contents(files) == before


def test_results_of_another_command_are_replaced_as_a_whole(
    run: Run, files: Path, options: tuple[str, ...]
) -> None:
    rows = [f"{step},{5 - step / 100}" for step in range(1, 40)]
    Path("log.csv").write_text("\n".join(["step,loss", *rows]))
    command = ("laws", "run", "log.csv", "--tokens-per-step", 10, "--output", "out")
    assert run("measure", "a.bin", *options, "--order", "1", "--output", "out").code == 0
    assert run(*command).code == 2
    assert run(*command, "--overwrite").code == 0
    assert sorted(os.listdir("out")) == ["manifest.json", "report.html", "result.json"]  # noqa: PTH208
    assert "unique_tokens" in json.loads(Path("out/result.json").read_text())


def test_a_suffix_that_contradicts_the_format(
    run: Run, files: Path, options: tuple[str, ...]
) -> None:
    for command in (
        ("score", "a.bin", *options, "--model", "m", "--output", "x.csv"),
        ("fit", "a.bin", *options, "--output", "x.arpa"),
        ("fit", "a.bin", *options, "--output", "x", "--arpa", "x.gz"),
        ("export", "m", "--output", "x.parquet"),
        ("compress", "m", "--output", "x.json"),
        ("count", "a.bin", *options, "--output", "x.npz"),
        ("measure", "a.bin", *options, "--output", "x.html"),
        ("tokenize", "t.txt", "--output", "x.parquet"),
    ):
        before = contents(files)
        answer = run(*command)
        assert (answer.code, "suffix" in answer.err) == (2, True), command
        assert contents(files) == before


def test_an_output_that_is_a_pipe_is_refused_among_fifos(
    run: Run, files: Path, options: tuple[str, ...]
) -> None:
    os.mkfifo("pipe")
    for overwrite in ((), ("--overwrite",)):
        answer = run("fit", "a.bin", *options, "--order", "2", "--output", "pipe", *overwrite)
        assert (answer.code, "not a regular file but a pipe" in answer.err) == (1, True)
    assert Path("pipe").is_fifo()


def test_the_next_run_says_that_it_removed_temporaries_left(
    run: Run, files: Path, options: tuple[str, ...]
) -> None:
    from dataclasses import replace

    from icfast.files.owners import Owner, temporary_path

    left = temporary_path(files / "x")
    me = Owner.current()
    other = replace(me, start=me.start - 1)
    left = left.with_name(left.name.replace(f"-{me.start}-", f"-{other.start}-"))
    left.write_bytes(b"1" * 1000)
    answer = run("export", "m", "--output", "new.arpa")
    assert answer.code == 0
    assert f"removed what killed runs left: {left.name} (1000 B)\n" in answer.err
    assert not left.exists()


def test_the_demo_replaces_an_earlier_demo_and_nothing_else(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = files / "library"
    library.mkdir()
    for number in range(40):
        (library / f"{number}.py").write_text(f"x{number} = {number} ** 2\n" * 9)
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(library))
    command = ("demo", "--order", "1", "--tokenizer", "bytes", "--output", "out")
    for _ in range(2):
        assert run(*command).code == 0
    Path("out/corpus/mine.txt").write_text("mine")
    before = contents(files)
    answer = run(*command)
    assert (answer.code, "out/corpus exists, and icfast does not" in answer.err) == (1, True)
    Path("out/corpus/mine.txt").unlink()
    Path("out/report.html").write_text("mine")
    assert run(*command).code == 1
    assert Path("out/report.html").read_text() == "mine"
    assert before.keys() - contents(files).keys() == {"out/corpus/mine.txt"}
