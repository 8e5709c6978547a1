"""Shell completion: what bash receives when the user presses the tab key."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from icfast.cli import COMMANDS
from icfast.cli.laws import COMMANDS as LAWS

HEAVY = {"numpy", "scipy", "matplotlib", "numba", "pyarrow", "jinja2", "torch", "tokenizers"}


def complete(line: str, *, after: str = "pass") -> tuple[list[str], str]:
    """Return the words that complete a command line, and what the process wrote on stderr."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "_ICFAST_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    code = f"import atexit, sys; {after}; sys.argv[0] = 'icfast'; import icfast.cli as c; c.main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


@pytest.mark.ci
def test_commands() -> None:
    assert complete("icfast ")[0] == list(COMMANDS)
    assert complete("icfast me")[0] == ["measure", "merge"]
    assert complete("icfast laws ")[0] == list(LAWS)


@pytest.mark.ci
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("icfast measure --vo", ["--vocab-size"]),
        ("icfast score --me", ["--memory"]),
        ("icfast laws run --tokens-per", ["--tokens-per-step", "--tokens-per-sequence"]),
        ("icfast --sh", ["--show-completion"]),
    ],
)
def test_options(line: str, expected: list[str]) -> None:
    assert complete(line)[0] == expected


def test_completing_a_command_imports_nothing_heavy() -> None:
    after = "atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    words, modules = complete("icfast co", after=after)
    assert words == ["count", "compress"]
    assert "typer" in modules.split()
    assert not HEAVY & set(modules.split())


def test_completing_an_option_imports_no_more_than_numpy() -> None:
    after = "atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    words, modules = complete("icfast measure --ord", after=after)
    assert words == ["--order"]
    assert not (HEAVY - {"numpy"}) & set(modules.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell(shell: str) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "_ICFAST_COMPLETE": f"source_{shell}",
    }
    code = "import sys; sys.argv[0] = 'icfast'; import icfast.cli as c; c.main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "_ICFAST_COMPLETE" in done.stdout
    assert f"complete_{shell}" in done.stdout
