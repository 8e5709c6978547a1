"""Tables in Markdown on the terminal, and all of them with the machine as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import icfast
from harness import Job, Row, side_by_side
from icfast.backends.select import installed
from peers import PEERS

#: Whose versions a measurement depends on.
_PACKAGES = ("icfast", "numpy", "numba", "polars", "duckdb", "torch", "kenlm", "tokengrams")


class Report:
    """Prints tables as they are made, and keeps their unrounded figures."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.tables: list[dict[str, Any]] = []

    def compare(self, title: str, jobs: list[Job], unit: str = "tok") -> None:
        """Run jobs side by side: a line for each, then what each of ours is to each peer."""
        rows = side_by_side(jobs, self.rounds)
        cells = [
            (
                row.name,
                len(row.seconds),
                f"{row.median_seconds:.3f}",
                f"{row.median_cpu_seconds:.2f}",
                f"{row.items_per_second / 1e6:.2f}",
                f"{row.gigabytes_per_second:.3f}" if row.input_bytes else "",
                f"{row.peak.anonymous / 2**20:.0f}",
                f"{row.peak.processes / 2**20:.0f}" if row.peak.processes else "",
            )
            for row in rows
        ]
        columns = (
            "job",
            "runs",
            "median s",
            "CPU s",
            f"M {unit}/s",
            "GB/s of input",
            "peak anonymous MiB",
            "peak RSS of its processes, MiB",
        )
        print_markdown(title, columns, cells)
        self._ratios(rows)
        self.tables.append(
            {
                "title": title,
                "unit": unit,
                "rows": [
                    {
                        "job": row.name,
                        "peer": row.peer,
                        "seconds": row.seconds,
                        "cpu_seconds": row.cpu_seconds,
                        "items": row.items,
                        "input_bytes": row.input_bytes,
                        "peak_anonymous_bytes": row.peak.anonymous,
                        "peak_processes_rss_bytes": row.peak.processes,
                    }
                    for row in rows
                ],
            }
        )

    def sizes(self, title: str, sizes: dict[str, int], ngrams: int) -> None:
        """Bytes of files, in all and for each n-gram."""
        cells = [(name, f"{n / 1e6:.1f}", f"{n / ngrams:.2f}") for name, n in sizes.items()]
        print_markdown(title, ("file", "MB", "bytes an n-gram"), cells)
        self.tables.append({"title": title, "ngrams": ngrams, "bytes": sizes})

    def write(self, path: Path) -> None:
        """Everything as JSON."""
        whole = {"about": about(), "tables": self.tables}
        path.write_text(json.dumps(whole, indent=1) + "\n")

    def _ratios(self, rows: list[Row]) -> None:
        ours = [row for row in rows if not row.peer]
        # Where there is no peer the first row is what the others are held against.
        peers = [row for row in rows if row.peer] or rows[:1]
        cells = [
            (peer.name, *(f"{row.items_per_second / peer.items_per_second:.2f}" for row in ours))
            for peer in peers
        ]
        print_markdown("", ("rate over that of", *(row.name for row in ours)), cells)


def about() -> dict[str, Any]:
    """The machine and the versions."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _first("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": _first("/proc/meminfo", "MemTotal"),
        "backends": installed(),
        "versions": {"icfast": icfast.__version__, **versions},
        "absent": {peer.NAME: why for peer in PEERS if (why := peer.available())},
    }


def print_markdown(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table; the first column is text, the others numbers."""
    print(f"\n\n{title}\n" if title else "")
    print("| " + " | ".join(columns) + " |")
    print("|---|" + "---:|" * (len(columns) - 1))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")


def _first(file: str, name: str) -> str:
    """The value of the first line of that name, or nothing where the system has no such file."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
