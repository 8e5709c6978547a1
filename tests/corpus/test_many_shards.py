"""Thousands of shards, more than a process may have open files."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from icfast.parallel import mapped_file
from icfast.parallel.mapped_file import MappedFile

OPTIONS = ("--dtype", "u2", "--eos-id", "0", "--vocab-size", "10", "--json")


def icfast(limit: int, *arguments: object) -> None:
    """Run the command line in a process that may open few files."""
    done = subprocess.run(
        [sys.executable, "-m", "icfast", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("many", "limit"),
    [
        pytest.param(500, 100, marks=pytest.mark.ci),
        pytest.param(5000, 1024, marks=pytest.mark.slow),
    ],
)
def test_many_shards(tmp_path: Path, many: int, limit: int) -> None:
    shards, model = tmp_path / "shards", tmp_path / "model"
    shards.mkdir()
    ids = np.random.default_rng(0).integers(1, 10, (many, 40)).astype("<u2")
    ids[:, 19::20] = 0
    for number, row in enumerate(ids):
        row.tofile(shards / f"{number}.bin")
    icfast(limit, "entropy", shards, *OPTIONS, "--order", "2")
    icfast(limit, "count", shards, *OPTIONS, "--order", "2", "--output", tmp_path / "table")
    icfast(limit, "fit", shards, *OPTIONS, "--order", "2", "--output", model)
    icfast(limit, "score", shards, *OPTIONS, "--model", model)
    icfast(limit, "measure", shards, *OPTIONS, "--order", "2", "--output", tmp_path / "result")


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_mapping_keeps_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_hand: bool
) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(range(100)))
    if by_hand:
        monkeypatch.setattr(mapped_file, "_map", mapped_file._map_by_hand)
    with path.open("rb") as file:
        next_free = file.fileno()
    held = [MappedFile.open(path, ValueError) for _ in range(3)]  # type: ignore[arg-type]
    with path.open("rb") as file:
        assert file.fileno() == next_free
    array = held[0].array("<u2", 50)
    assert array.tobytes() == path.read_bytes()
    assert not array.flags.writeable
    assert held[0].part(2, 5) == b"\x02\x03\x04"
    assert held[0].sha256.hexdigest() == hashlib.sha256(path.read_bytes()).hexdigest()
    del held
    assert array[1] == 0x0302  # the array keeps its mapping


def test_what_cannot_be_mapped_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"123")
    with path.open("rb") as file, pytest.raises(ValueError, match="greater than file size"):
        mapped_file._map_by_hand(file.fileno(), 4)
    with pytest.raises(OSError, match="Bad file descriptor"):
        mapped_file._map_by_hand(-1, 3)
