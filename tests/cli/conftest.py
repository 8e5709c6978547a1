"""The command line in this process: its exit code, stdout and stderr; and a tiny corpus."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icfast.cli import app

#: How the files of the `shards` fixture are read.
OPTIONS = ("--dtype", "u2", "--eos-id", "0", "--vocab-size", "30")


@dataclass(frozen=True)
class Answer:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as one JSON object; anything more or less on it fails."""
        return json.loads(self.out)


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Answer]:
    """run("count", path, ...) -> Answer, as written to a file: pytest-xdist sets a width."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def run_app(*arguments: object) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            app(args=[str(argument) for argument in arguments], prog_name="icfast")
        code = end.value.code
        assert code is None or isinstance(code, int)
        return Answer(code or 0, *capsys.readouterr())

    return run_app


@pytest.fixture
def shards(tmp_path: Path) -> tuple[Path, Path]:
    """Two headerless files of u2 ids below 30, cut into 40 documents each by id 0."""
    random = np.random.default_rng(7)
    paths = (tmp_path / "a.bin", tmp_path / "b.bin")
    for path in paths:
        ids = np.minimum(random.geometric(0.2, 1200), 29)
        ids[29::30] = 0
        ids.astype("<u2").tofile(path)
    return paths


@pytest.fixture
def options() -> tuple[str, ...]:
    """The corpus options of `shards`."""
    return OPTIONS


@pytest.fixture
def with_empty(tmp_path: Path) -> Path:
    """A .ds file whose index has an empty document between two others."""
    path = tmp_path / "gap.ds"
    np.array([1, 2, 3, 4, 5], "<u2").tofile(path)
    np.array([2, 2, 5], "<u8").tofile(f"{path}.index")
    return path
