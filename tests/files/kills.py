"""Kill commands with SIGKILL and look at what is left; print a table.

    python -m tests.files.kills                 # at every file-system call
    python -m tests.files.kills --random 50     # at 50 random moments per command as well
    python -m tests.files.kills --json count    # one command, as JSON

Each command runs in a forked process over an older set of outputs, and once more where there is
none. After the kill the outputs must be the old set, the new set, or a set that its reader refuses.
One more run must leave the new set and nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

# A process with threads must not fork.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

OPTIONS = ("--dtype", "u2", "--vocab-size", "50", "--eos-id", "0", "--threads", "1")
SMALL = (*OPTIONS, "--memory", "64MiB")
#: Calls that change a folder, as Python's audit events name them. A kill before a call that only
#: reads leaves the same as a kill before the next of these.
EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.link"}
#: Calls of the run that puts older files back.
_RECOVERY_CALLS = 12
#: Calls that have no audit event.
CALLS = ("fsync", "posix_fallocate")


Digests = dict[str, str | None]


@dataclass(frozen=True)
class Case:
    """A command that is killed.

    Attributes:
        arguments: the command for one of the corpora "a" and "b".
        files: its outputs in the folder `out`.
        last: the file without which a reader refuses the set.
    """

    arguments: Callable[[str], Sequence[str]]
    files: tuple[str, ...]
    last: str


TABLE = ("ends.run", "ids.npy", "spectra.npz", "table.json", "windows.run")
CASES = {
    "measure": Case(
        lambda name: ("measure", f"{name}.bin", "--output", "out", "--order", "2", *SMALL),
        ("manifest.json", "model.icfast", "report.html", "result.json"),
        "manifest.json",
    ),
    "fit --arpa": Case(
        lambda name: (
            *("fit", f"{name}.bin", "--output", "out/m", "--arpa", "out/m.arpa"),
            *("--order", "2", *SMALL),
        ),
        ("m", "m.arpa"),
        "m.arpa",
    ),
    "count": Case(
        lambda name: ("count", f"{name}.bin", "--output", "out/t", "--order", "2", *SMALL),
        tuple(f"t/{file}" for file in TABLE),
        "t/table.json",
    ),
    "tokenize": Case(
        lambda name: ("tokenize", f"{name}.txt", "--output", "out/x.ds"),
        ("x.ds", "x.ds.bytes", "x.ds.index", "x.ds.json"),
        "x.ds.index",
    ),
}


@dataclass
class Row:
    """Outcome of all kills of one command.

    Attributes:
        kills: runs that were killed.
        old, new, refused: what a reader saw after the kill.
        mixed: sets in which a reader takes files of two runs for one.
        left: kills that left temporaries.
        left_after: kills after which temporaries were left even after one more run.
        identical: further runs that gave the new set.
    """

    command: str
    kills: int = 0
    old: int = 0
    new: int = 0
    refused: int = 0
    mixed: int = 0
    left: int = 0
    left_after: int = 0
    identical: int = 0


def warm_up() -> None:
    """Run every command once in this process, so that the forked ones import nothing."""
    from icfast.cli import app

    Path("out").mkdir()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        for case in CASES.values():
            with suppress(SystemExit):
                app(args=list(case.arguments("a")), prog_name="icfast")
    assert threading.active_count() == 1
    shutil.rmtree("out")


def write_inputs() -> None:
    """Write the corpora a and b, as ids and as text."""
    for name, size in (("a", 900), ("b", 1800)):
        ids = np.random.default_rng(size).integers(1, 50, size)
        ids[::30] = 0
        ids.astype("<u2").tofile(f"{name}.bin")
        Path(f"{name}.txt").write_text(" ".join(map(str, ids)))


def made_deterministic() -> None:
    """Take the time and the drawings out of the results of `measure`."""
    import icfast.pipeline.measure
    import icfast.pipeline.provenance
    import icfast.report.page

    icfast.pipeline.measure.time = SimpleNamespace(monotonic=lambda: 0.0)  # type: ignore[assignment]
    icfast.pipeline.provenance._now = lambda: "now"
    icfast.report.page.render_report = lambda result: (
        f"<title>icfast report: {result.corpus.tokens}</title>"
    )


def run(arguments: Sequence[str], at: int = 0, counted: Path | None = None) -> None:
    """Run the command line in this process, and die before call number `at`; never return."""
    from icfast.cli import app

    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        if event in EVENTS or (event == "open" and _writes(arguments)):
            call()

    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    sys.addaudithook(audit)
    for name in CALLS:
        setattr(os, name, _calling(call, getattr(os, name)))
    code = 1
    try:
        app(args=list(arguments), prog_name="icfast")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        if counted is not None:
            counted.write_text(str(calls))
        os._exit(code)


def _writes(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _calling(call: Callable[[], None], function: Callable[..., object]) -> Callable[..., object]:
    def called(*arguments: object) -> object:
        call()
        return function(*arguments)

    return called


def forked(
    arguments: Sequence[str], at: int = 0, after: float | None = None, counted: Path | None = None
) -> int:
    """Run a command in a forked process and return its exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        run(arguments, at, counted)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def digests(files: Sequence[str]) -> Digests:
    """Return the digest of each output, None if it is missing."""
    paths = {name: Path("out") / name for name in files}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        for name, path in paths.items()
    }


def leftovers() -> list[str]:
    """Return the temporaries in the folder of the outputs and in that of the system."""
    folders = [f for f in (Path("out"), Path(tempfile.gettempdir())) if f.exists()]
    return [path.name for f in folders for path in f.iterdir() if ".icfast-" in path.name]


def state(case: Case, old: Digests | None, new: Digests) -> str:
    """Return what a reader sees: "old", "new", "refused" or "mixed"."""
    found, before = digests(case.files), old or dict.fromkeys(case.files)
    if found in (new, before):
        return "new" if found == new else "old"
    present = {name: digest for name, digest in found.items() if digest is not None}
    of_one = any(all(known[n] == d for n, d in present.items()) for known in (before, new))
    # A set of one run that lacks the last file is refused.
    return "refused" if of_one and found[case.last] is None else "mixed"


class Killing:
    """Kills of one command, over an older set or where there is none."""

    def __init__(self, name: str, over_older: bool, row: Row) -> None:
        self.case, self.row, self.over_older = CASES[name], row, over_older
        self._clear()
        self._finish("a", ())
        shutil.copytree("out", "older")
        self.old = digests(self.case.files) if over_older else None
        self._clear()
        self._finish("b", ())
        self.new = digests(self.case.files)
        assert None not in self.new.values()
        self._reset()
        counted = Path("calls")
        begun = time.monotonic()
        assert forked(self.command, counted=counted) == 0
        self.seconds = time.monotonic() - begun
        self.calls = int(counted.read_text())

    @property
    def command(self) -> tuple[str, ...]:
        """The command that is killed."""
        return (*self.case.arguments("b"), *(("--overwrite",) if self.over_older else ()))

    def kill(self, at: int = 0, after: float | None = None, then_at: int = 0) -> bool:
        """Kill one run, look, run once more, and look again.

        Args:
            at: call before which it is killed.
            after: seconds after which it is killed.
            then_at: call before which a second run, which removes what the first left, is killed.

        Returns:
            Whether the run was killed while it moved files.
        """
        self._reset()
        if forked(self.command, at, after) != -signal.SIGKILL:
            return False  # it had ended
        moving = any(path.name.endswith(".journal") for path in Path("out").iterdir())
        if then_at and forked(self.command, then_at) != -signal.SIGKILL:
            return False
        row, seen = self.row, state(self.case, self.old, self.new)
        row.kills += 1
        setattr(row, seen, getattr(row, seen) + 1)
        row.left += bool(leftovers())
        # A set that is complete is refused without --overwrite; every other one is made again.
        again = ("--overwrite",) if seen == "new" and not self.over_older else ()
        code = forked((*self.command, *again))
        row.identical += code == 0 and digests(self.case.files) == self.new
        row.left_after += bool(leftovers())
        return moving

    def close(self) -> None:
        """Remove the outputs."""
        self._clear()
        shutil.rmtree("older")

    def _clear(self) -> None:
        shutil.rmtree("out", ignore_errors=True)
        Path("out").mkdir()

    def _reset(self) -> None:
        self._clear()
        if self.over_older:
            shutil.copytree("older", "out", dirs_exist_ok=True)

    def _finish(self, name: str, more: Sequence[str]) -> None:
        assert forked((*self.case.arguments(name), *more)) == 0, name


def table(names: Sequence[str], moments: int, step: int, twice: bool) -> list[Row]:
    """Kill each command before every `step`-th call, and at random moments.

    Args:
        names: the commands.
        moments: random moments per command.
        step: 1 for every call.
        twice: also kill the run that puts older files back, at each of its first calls.
    """
    rows = []
    for name in names:
        row = Row(name)
        for over_older in (True, False):
            killing = Killing(name, over_older, row)
            for at in range(1, killing.calls + 1, step):
                moving = killing.kill(at)
                for then_at in range(1, 1 + _RECOVERY_CALLS * (moving and twice)):
                    killing.kill(at, then_at=then_at)
            for _ in range(moments // 2):
                killing.kill(after=random.uniform(0, killing.seconds))
            killing.close()
        rows.append(row)
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands", nargs="*", default=list(CASES), metavar="COMMAND")
    parser.add_argument("--random", type=int, default=0, metavar="N")
    parser.add_argument("--step", type=int, default=1, metavar="N", help="every N-th call only")
    parser.add_argument("--twice", action="store_true", help="kill the next run, too")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    # fsync to a disk takes longer than everything else.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        os.chdir(folder)
        os.environ["TMPDIR"] = tempfile.tempdir = f"{folder}/tmp"
        Path("tmp").mkdir()
        write_inputs()
        made_deterministic()
        warm_up()
        rows = table(asked.commands, asked.random, asked.step, asked.twice)
        os.chdir("/")
    columns = list(asdict(rows[0]))
    if asked.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    for row in (columns, *(list(asdict(row).values()) for row in rows)):
        print("| " + " | ".join(map(str, row)) + " |")


if __name__ == "__main__":
    main()
