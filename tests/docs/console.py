"""Run the examples of a documentation page, and write their real output back.

A ``console`` fence holds shell commands after ``$ `` and the output of each. A ``python`` fence
with ``>>>`` is a doctest. Other fences are not run.

    python -m tests.docs.console docs/tutorial/*.md     # rewrite the outputs of console fences
"""

from __future__ import annotations

import atexit
import doctest
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = "$ "
#: Files of the tutorial that the how-to guides start from.
SIDECARS = ("", ".bytes", ".index", ".json")
PREPARED = (*(f"diaries.ds{end}" for end in SIDECARS), "diaries.model", "texts")


@dataclass(frozen=True)
class Command:
    """A shell command of a page and the output that the page shows."""

    line: str
    shown: str


def stripped(text: str) -> str:
    """Return text without blanks at the ends of its lines, nor blank lines around it."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def commands(block: str) -> Iterator[Command]:
    """Yield the commands of one console fence."""
    for part in re.split(rf"^{re.escape(PROMPT)}", block, flags=re.MULTILINE)[1:]:
        line, _, shown = part.partition("\n")
        while line.endswith("\\"):
            more, _, shown = shown.partition("\n")
            line += "\n" + more
        yield Command(line, stripped(shown))


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of the commands: `icfast` and `python` are those of this process."""
    programs = folder / ".programs"
    programs.mkdir(exist_ok=True)
    for name, module in (("python", ""), ("icfast", "-m icfast ")):
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module}"$@"\n')
        script.chmod(0o755)
    paths = os.pathsep.join(path for path in sys.path if path)
    return os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": paths,
        "COLUMNS": "88",
        "NO_COLOR": "1",
        "PYTHONIOENCODING": "utf-8",
    }


def output(command: Command, folder: Path) -> str:
    """Run a command in a folder and return its output; it must succeed."""
    run = subprocess.run(
        ["bash", "-c", command.line],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        encoding="utf-8",
    )
    # The status of `icfast ... | head` is that of head.
    failed = run.returncode != 0 or "error:" in run.stderr
    assert not failed, f"{command.line}\n{run.stderr}"
    return stripped(run.stdout)


def check(text: str, name: str, folder: Path) -> int:
    """Run every example of a page in its order and compare it; return their number."""
    names: dict[str, Any] = {}
    found = 0
    before = Path.cwd()
    os.chdir(folder)
    try:
        for kind, block in FENCE.findall(text):
            if kind == "console":
                for command in commands(block):
                    assert output(command, folder) == command.shown, command.line
                    found += 1
            elif ">>>" in block:
                test = doctest.DocTestParser().get_doctest(block, names, name, name, 0)
                report: list[str] = []
                result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(
                    test, out=report.append, clear_globs=False
                )
                assert not result.failed, "".join(report)
                names |= test.globs
                found += result.attempted
    finally:
        os.chdir(before)
    return found


def prepare(page: Path, folder: Path) -> None:
    """Put the files that the examples of a page read into a folder."""
    for source in (DOCS / "tutorial").glob("*.py"):
        shutil.copy(source, folder)
    if page.parent.name == "tutorial":
        return
    shutil.copy(ROOT / "examples" / "train_tiny.csv", folder)
    for name in PREPARED:
        source = diaries() / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)


@cache
def diaries() -> Path:
    """Make the corpus of the how-to guides and return its folder."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    prepare(DOCS / "tutorial" / "index.md", folder)
    for line in (
        "python make_diaries.py texts",
        "icfast tokenize texts --output diaries.ds",
        "icfast fit diaries.ds --order 8 --output diaries.model",
    ):
        output(Command(line, ""), folder)
    return folder


def rewritten(text: str, folder: Path) -> str:
    """Return a page with the real output after each command of its console fences."""

    def block(found: re.Match[str]) -> str:
        if found[1] != "console":
            return found[0]
        lines = []
        for command in commands(found[2]):
            lines += [PROMPT + command.line, output(command, folder)]
        return "```console\n" + "".join(f"{line}\n" for line in lines if line) + "```"

    return FENCE.sub(block, text)


def main() -> None:
    """Rewrite the pages named on the command line."""
    for page in map(Path, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as folder:
            prepare(page.resolve(), Path(folder))
            page.write_text(rewritten(page.read_text(encoding="utf-8"), Path(folder)))


if __name__ == "__main__":
    main()
