"""What all commands share: options, exit codes, who writes where, what is imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import typer

import icfast
from icfast.cli import app
from icfast.cli.laws import app as laws

Run = Callable[..., Any]
Shards = tuple[Path, Path]

CORPUS = {
    "--dtype",
    "--vocab-size",
    "--eos-id",
    "--boundary",
    "--format",
    "--tokenizer",
    "--cross-documents",
    "--skip-bad",
}
WORK = {"--backend", "--threads", "--memory", "--temporary"}
NEURAL = {
    "--window",
    "--stride",
    "--bos",
    "--packed",
    "--normaliser",
    "--checkpoint",
    "--batch",
}
ENERGY = {"--energy", "--energy-idle"}
COMMANDS = {
    "demo": WORK | {"--output", "--tokenizer", "--order"},
    "measure": CORPUS
    | NEURAL
    | WORK
    | ENERGY
    | {
        "--output",
        "--overwrite",
        "--order",
        "--heldout",
        "--temperature-kelvin",
        "--model",
        "--initial-seed",
        "--model-dtype",
        "--device",
    },
    "inspect": CORPUS,
    "tokenize": {"--output", "--overwrite", "--tokenizer", "--eos-id", "--skip-bad"},
    "entropy": CORPUS | WORK | {"--order", "--match-length", "--match-tokens"},
    "count": CORPUS | WORK | {"--output", "--overwrite", "--order"},
    "merge": WORK | {"--output", "--overwrite"},
    "fit": CORPUS | WORK | {"--output", "--overwrite", "--order", "--convention", "--arpa"},
    "score": CORPUS
    | NEURAL
    | WORK
    | ENERGY
    | {
        "--model",
        "--output",
        "--overwrite",
        "--temperature-kelvin",
        "--initial-seed",
        "--model-dtype",
        "--device",
    },
    "export": WORK | {"--output", "--overwrite"},
    "compress": CORPUS | WORK | {"--output", "--overwrite", "--bits", "--prune", "--corpus"},
}


def shell(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run Python in a new process."""
    command = [sys.executable, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        command, text=True, capture_output=True, check=False, env=environment, **options
    )


def commands(app: typer.Typer = app) -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return {name: group.get_command(None, name) for name in group.list_commands(None)}


def test_the_commands_and_their_options() -> None:
    found = commands()
    assert set(found) == {*COMMANDS, "laws"}
    for name, expected in COMMANDS.items():
        options = {o for parameter in found[name].params for o in parameter.opts if o[0] == "-"}
        assert options - {"--help"} == expected | {"--json"}, name


def test_every_option_has_a_help_text() -> None:
    everything = {**commands(), **commands(laws)}
    for name, command in everything.items():
        assert command.help, name
        for parameter in command.params:
            assert parameter.help, (name, parameter.name)


@pytest.mark.parametrize("name", [*COMMANDS, "laws"])
def test_help(run: Run, name: str) -> None:
    answer = run(name, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert "Usage" in answer.out


def test_version(run: Run) -> None:
    answer = run("--version")
    assert (answer.code, answer.out) == (0, f"icfast {icfast.__version__}\n")


@pytest.mark.parametrize("arguments", [("measures",), ("count",), ("inspect", "--no-such", "x")])
def test_usage(run: Run, arguments: tuple[str, ...]) -> None:
    answer = run(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err


def raising(error: BaseException) -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "interrupted; no incomplete file was kept\n"),
        (MemoryError(), 1, "error: out of memory"),
        (icfast.IcfastError("two\nlines"), 1, "error: two lines\n"),
        (OSError(5, "Input/output error"), 1, "error: [Errno 5] Input/output error\n"),
        (OSError(28, "No space left on device"), 1, "error: cannot write"),
    ],
)
def test_what_stops_a_command(
    run: Run,
    shards: Shards,
    options: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    message: str,
) -> None:
    monkeypatch.setattr("icfast.ngrams.count.counting", raising(error))
    answer = run("count", *shards, *options, "--output", tmp_path / "t", "--json")
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith(message)
    assert answer.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "b.bin"]


class Panic(BaseException):
    """A panic of Rust code reaches Python as a BaseException."""


@pytest.mark.parametrize(
    "error", [RuntimeError("a\nbug"), Panic("a bug"), RecursionError("a bug"), KeyError("a bug")]
)
def test_tracebacks_of_unexpected_errors_become_one_line(
    run: Run, shards: Shards, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.delenv("ICFAST_TRACEBACK", raising=False)
    monkeypatch.setattr("icfast.corpus.inspect", raising(error))
    answer = run("inspect", shards[0])
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(f"error: unexpected {type(error).__name__}: ")
    assert "a bug" in answer.err
    assert "(corpora.py, line " in answer.err
    assert answer.err.count("\n") == 1


def test_a_developer_sees_the_traceback(shards: Shards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICFAST_TRACEBACK", "1")
    monkeypatch.setattr("icfast.corpus.inspect", raising(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        app(args=["inspect", str(shards[0])], prog_name="icfast")


def test_a_terminal_sees_progress_on_stderr(
    run: Run,
    shards: Shards,
    options: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    answer = run("count", *shards, *options, "--output", tmp_path / "t", "--json")
    assert answer.code == 0
    assert answer.json["tokens"] == 2400
    assert "counting" in answer.err


@pytest.mark.ci
def test_python_m_icfast(shards: Shards) -> None:
    done = shell("-m", "icfast", "inspect", shards[0], "--dtype", "u2", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("{")
    assert shell("-m", "icfast", "inspect", "missing").returncode == 3


@pytest.mark.ci
def test_a_terminal_without_the_characters(shards: Shards) -> None:
    code = "import sys; sys.stdout.reconfigure(encoding='ascii'); from icfast.cli import main; "
    options = ("--dtype", "u2", "--vocab-size", "30", "--order", "1")
    done = shell("-c", f"{code} main()", "entropy", shards[0], *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1,200 tokens" in done.stdout


@pytest.mark.ci
@pytest.mark.skipif(os.name != "posix", reason="pipes and signals of POSIX")
def test_a_reader_that_goes_away(shards: Shards) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        for form in ((), ("--json",)):
            command = [sys.executable, "-m", "icfast", "inspect", str(shards[0]), "--dtype", "u2"]
            done = subprocess.run(
                [*command, *form],
                stdout=write,
                stderr=subprocess.PIPE,
                check=False,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
            assert (done.returncode, done.stderr) == (1, b"")
    finally:
        os.close(write)


@pytest.mark.skipif(os.name != "posix", reason="pipes and signals of POSIX")
@pytest.mark.parametrize(
    ("sent", "code", "line"),
    [
        (signal.SIGINT, 130, "interrupted; no incomplete file was kept"),
        (signal.SIGTERM, 143, "ended by SIGTERM; no incomplete file was kept"),
        pytest.param(
            *(signal.SIGHUP, 129, "ended by SIGHUP; no incomplete file was kept"),
            marks=pytest.mark.ci,
        ),
        pytest.param(
            *(signal.SIGQUIT, 131, "ended by SIGQUIT; no incomplete file was kept"),
            marks=pytest.mark.ci,
        ),
    ],
)
def test_signals_leave_nothing_behind(
    shards: Shards, tmp_path: Path, sent: signal.Signals, code: int, line: str
) -> None:
    script = (
        "import os, signal, sys\n"
        # Whoever starts the tests in the background may have SIGINT ignored; children inherit that.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "signal.signal(signal.SIGQUIT, signal.SIG_DFL)\n"
        "import icfast.ngrams.count as room\n"
        "from icfast.cli import main\n"
        f"room.pack_blocks = lambda run: os.kill(os.getpid(), {int(sent)}) or []\n"
        "main()\n"
    )
    done = shell("-c", script, "count", *shards, "--dtype", "u2", "--output", tmp_path / "t")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.splitlines()[-1] == line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "b.bin"]


def test_importing_the_command_line_is_light() -> None:
    heavy = {"numpy", "scipy", "matplotlib", "numba", "pyarrow", "jinja2", "tokenizers"}
    done = shell("-c", "import sys, icfast.cli; print(*sys.modules)")
    assert done.returncode == 0
    assert not heavy & set(done.stdout.split())
