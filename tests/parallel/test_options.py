"""Work options: one record, described once, resolved to a loaded backend, threads and bytes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from icfast.errors import OptionError
from icfast.parallel import WorkOptions
from icfast.parallel.threads import available_memory, available_threads


def test_every_field_describes_its_option() -> None:
    for field in dataclasses.fields(WorkOptions):
        assert set(field.metadata) == {"help", "metavar", "panel"}
        assert field.metadata["panel"] == "Work options"
        assert field.metadata["help"].endswith(".")


def test_options_are_resolved(backend: str, tmp_path: Path) -> None:
    work = WorkOptions(backend, 3, "1MiB", tmp_path).resolve()
    assert (work.backend.name, work.threads, work.memory_bytes) == (backend, 3, 1 << 20)
    assert work.temporary == tmp_path
    assert work.announce is None


def test_defaults_are_those_of_the_machine(backend: str) -> None:
    work = WorkOptions(backend).resolve()
    assert work.threads == available_threads()
    assert 0 < work.memory_bytes < available_memory()
    assert work.temporary is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 0}, "threads 0"),
        ({"memory": "much"}, "'much' is not a number with a unit"),
        ({"memory": "0B"}, "'0B' is not positive"),
        ({"temporary": "missing"}, "folder missing does not exist"),
        ({"backend": "fast"}, "backend 'fast'"),
    ],
)
def test_invalid_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        WorkOptions(**options).resolve()  # type: ignore[arg-type]


def test_the_record_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        WorkOptions().threads = 2  # type: ignore[misc]
