"""Fixtures of the tests of readers: a log from its text, or from a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from icfast.logs import TrainingLog, read_training_log


@pytest.fixture
def read_text(tmp_path: Path) -> Callable[..., TrainingLog]:
    """Return a function that writes a text into a file and reads it as a log."""

    def read(text: str, **options: object) -> TrainingLog:
        path = tmp_path / "log"
        path.write_text(text, encoding="utf-8")
        return read_training_log(path, **options)  # type: ignore[arg-type]

    return read


@pytest.fixture
def read_table(read_text: Callable[..., TrainingLog]) -> Callable[..., TrainingLog]:
    """Return a function that reads rows as a CSV; 10 tokens a step unless tokens are counted."""

    def read(columns: str, rows: Iterable[Iterable[object]], **options: object) -> TrainingLog:
        lines = [columns, *(",".join(map(str, row)) for row in rows)]
        return read_text("\n".join(lines) + "\n", **options)

    return read
