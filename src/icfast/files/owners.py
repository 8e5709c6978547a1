"""Names of temporaries, which say which process writes them, and whether that process lives.

::

    .NAME.icfast-HOST-BOOT-SPACE-PID-START-TOKEN.KIND

HOST is the name of the host with a digest of it and of its machine id, BOOT the boot of its kernel,
SPACE the namespace of process ids, START the process's start in clock ticks after the boot. KIND is
"partial" (not complete yet), "old" (replaced, and removed soon) or "journal".
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

State = Literal["alive", "dead", "unknown"]
Kind = Literal["partial", "old", "journal"]

#: Bytes of the final name that a temporary's name repeats. Some file systems allow 143 bytes.
_NAME_BYTES = 36
_TAG = re.compile(
    r"\..*\.icfast-(?P<host>\w{1,25})-(?P<boot>[0-9a-z]{1,12})-(?P<space>\d{1,10})"
    r"-(?P<pid>\d{1,10})-(?P<start>\d{1,20})-[0-9a-f]{8}\.(?P<kind>partial|old|journal)",
    re.ASCII | re.DOTALL,
)
#: Names that machines share which nobody named.
_NO_NAME = "unnamed"


@dataclass(frozen=True)
class Owner:
    """Process that writes temporaries.

    Attributes:
        host: name of the host and a digest, "unnamed" if the host has no name of its own.
        boot: boot of the kernel, "0" if unknown.
        space: namespace of process ids, 0 if unknown.
        pid: process id.
        start: start of the process in clock ticks after the boot, 0 if unknown.
    """

    host: str
    boot: str
    space: int
    pid: int
    start: int

    @classmethod
    def current(cls) -> Owner:
        """Return this process."""
        return _current(os.getpid())

    def state(self) -> State:
        """Return whether the process is alive, dead, or unknown from here."""
        here = Owner.current()
        if self.boot != here.boot or self.boot == "0":
            # Two boots of one host: nothing survives from the earlier one.
            if self.host != here.host or self.host == _NO_NAME or self.space != here.space:
                return "unknown"
            return "dead" if self.boot != "0" else _lives(self.pid, self.start)
        if self.space != here.space:
            return "unknown"
        return _lives(self.pid, self.start)


def temporary_path(final: Path, kind: Kind = "partial") -> Path:
    """Return a new name for a temporary of `final`, in the same folder."""
    me = Owner.current()
    # A character that is cut in two would be refused by some file systems.
    cut = os.fsencode(final.name)[:_NAME_BYTES].decode(errors="ignore")
    name = os.fsdecode(cut.encode())  # Python's form of the name differs in an ASCII locale
    tag = "-".join(map(str, astuple(me)))
    return final.with_name(f".{name}.icfast-{tag}-{secrets.token_hex(4)}.{kind}")


def read_name(name: str) -> tuple[Owner, Kind] | None:
    """Return the owner and the kind in the name of a temporary, or None for another file."""
    found = _TAG.fullmatch(name)
    if found is None:
        return None
    numbers = (int(found[part]) for part in ("space", "pid", "start"))
    kind: Kind = found["kind"]  # type: ignore[assignment]
    return Owner(found["host"], found["boot"], *numbers), kind


@cache
def _current(pid: int) -> Owner:
    return Owner(_host(), _boot(), _space(), pid, _start(pid) or 0)


def _host() -> str:
    name = socket.gethostname()
    machine = _text("/etc/machine-id")
    if not machine and name.split(".")[0] in ("", "localhost", "(none)"):
        return _NO_NAME
    digest = hashlib.sha256(f"{name}\0{machine}".encode(errors="replace")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9]', '_', name)[:16]}_{digest}"


def _boot() -> str:
    return re.sub(r"[^0-9a-z]", "", _text("/proc/sys/kernel/random/boot_id"))[:12] or "0"


def _space() -> int:
    try:
        digits = re.sub(r"\D", "", str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        return 0
    return int(digits or 0)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _start(pid: int) -> int | None:
    """Return the start of a process, 0 for one that only waits to be reaped, None if unknown."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name of the program is in brackets and may hold anything.
    fields = stat[stat.rindex(b")") + 1 :].split()
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


def _lives(pid: int, start: int) -> State:
    """Tell whether the process that had this id and this start is alive on this machine."""
    found = _start(pid)
    if found is not None:
        # A process with another start got the id of one that has ended.
        return "alive" if found == start else "dead"
    return "alive" if process_exists(pid) else "dead"


def process_exists(pid: int) -> bool:
    """Tell whether there is a process with this id."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
