"""Mapped files: every change after opening is refused, and a file that is cut does no harm."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from icfast.backends.select import mapped_bytes
from icfast.errors import ArtefactError, CorpusError
from icfast.parallel import mapped_file
from icfast.parallel.mapped_file import MappedFile, refuses_changes, unchanged

SIZE = 100_000

needs_core = pytest.mark.skipif(
    mapped_bytes() is None, reason="only the compiled core answers SIGBUS"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "x.bin"
    file.write_bytes(b"\1" * SIZE)
    return file


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def rewrite(path: Path) -> None:
    """Write other bytes in place, and set the time of modification back."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"\2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def cut(path: Path) -> None:
    os.truncate(path, 3000)


CHANGES: dict[Callable[[Path], None], str] = {
    replace: "another file took its place",
    Path.unlink: "it was removed",
    append: f"it had {SIZE} bytes, and has {SIZE + 4} now",
    rewrite: "it was touched",
    touch: "it was written to",
    cut: f"x.bin shrank while it was read: it had {SIZE} bytes .* and has 3000 now",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_refused(path: Path, change: Callable[[Path], None]) -> None:
    file = MappedFile.open(path, CorpusError)
    file.check_unchanged()
    change(path)
    with pytest.raises(CorpusError, match=CHANGES[change]):
        file.check_unchanged()


def test_reading_and_facts_outside_the_content_change_nothing(path: Path) -> None:
    file = MappedFile.open(path, CorpusError)
    path.read_bytes()
    path.chmod(0o600)
    file.check_unchanged()
    other = path.with_name("link")
    os.link(path, other)
    file.check_unchanged()


@pytest.mark.parametrize("change", [replace, Path.unlink])
def test_a_replaceable_file_may_lose_its_path(path: Path, change: Callable[[Path], None]) -> None:
    file = MappedFile.open(path, ArtefactError, replaceable=True)
    change(path)
    file.check_unchanged()
    assert file.part(0, 2) == b"\1\1"


def test_the_digest_is_of_the_mapping(path: Path) -> None:
    file = MappedFile.open(path, CorpusError)
    path.with_name("other").write_bytes(b"other")
    path.with_name("other").replace(path)
    assert file.sha256.hexdigest() == hashlib.sha256(b"\1" * SIZE).hexdigest()


def test_an_empty_file_has_no_mapping(path: Path) -> None:
    path.write_bytes(b"")
    file = MappedFile.open(path, CorpusError)
    assert (file.size, file.part(0, 9), len(file.array("u1", 0))) == (0, b"", 0)
    assert file.sha256.hexdigest() == hashlib.sha256().hexdigest()


def test_a_file_that_shrinks_while_it_is_opened_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_long(*_: object) -> None:
        raise ValueError("mmap length is greater than file size")

    monkeypatch.setattr(mapped_file, "_map", too_long)
    with pytest.raises(CorpusError, match=r"x\.bin shrank while it was opened"):
        MappedFile.open(path, CorpusError)


@needs_core
def test_a_cut_file_reads_as_zeros_and_is_refused_at_once(path: Path) -> None:
    file = MappedFile.open(path, CorpusError)
    ids = file.array("u1", SIZE)
    file.check_readable()
    cut(path)
    assert ids.sum() <= 4096 * 16, "the pages after the new end are gone"
    with pytest.raises(CorpusError, match=r"x\.bin shrank while it was read"):
        file.check_readable()


@needs_core
def test_threads_that_read_a_cut_file_go_on(path: Path) -> None:
    file = MappedFile.open(path, CorpusError)
    sums: list[int] = []
    cut(path)
    threads = [
        threading.Thread(target=lambda: sums.append(int(file.array("u1", SIZE).sum())))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(sums)) == 1
    with pytest.raises(CorpusError, match="shrank"):
        file.check_unchanged()


@needs_core
def test_a_page_that_cannot_be_read_is_an_error_although_the_size_is_right(path: Path) -> None:
    """A disk or network that fails sends the same signal; here the file grows again."""
    file = MappedFile.open(path, CorpusError)
    os.truncate(path, 0)
    file.array("u1", SIZE).sum()
    path.write_bytes(b"\1" * SIZE)
    with pytest.raises(CorpusError, match="cannot be read from byte 0 on: its disk or network"):
        file.check_readable()


@needs_core
def test_a_fault_outside_mapped_files_still_ends_the_process(path: Path) -> None:
    code = f"""
import mmap, os
from icfast.errors import CorpusError
from icfast.parallel.mapped_file import MappedFile
from pathlib import Path
path = Path({str(path)!r})
guarded = MappedFile.open(path, CorpusError)
with path.open("rb") as file:
    other = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
os.truncate(path, 0)
print(guarded.part(9000, 9001), flush=True)
other[9000]
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout == "b'\\x00'\n", ran.stderr
    assert ran.returncode == -7


@needs_core
def test_the_handler_of_another_library_is_asked_for_faults_of_others(path: Path) -> None:
    code = f"""
import faulthandler, mmap, os
from icfast.errors import CorpusError
from icfast.parallel.mapped_file import MappedFile
from pathlib import Path
path = Path({str(path)!r})
guarded = MappedFile.open(path, CorpusError)
faulthandler.enable()
again = MappedFile.open(path, CorpusError)
with path.open("rb") as file:
    other = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
os.truncate(path, 0)
print(guarded.part(9000, 9001), again.part(9000, 9001), flush=True)
other[9000]
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout == "b'\\x00' b'\\x00'\n", ran.stderr
    assert "Fatal Python error: Bus error" in ran.stderr
    assert ran.returncode == -7


def test_a_mapping_is_released_with_its_arrays(path: Path) -> None:
    def maps() -> int:
        return Path("/proc/self/maps").read_text().count(str(path))

    if not Path("/proc/self/maps").exists():
        pytest.skip("the system lists no mappings")
    ids = MappedFile.open(path, CorpusError).array("u1", SIZE)
    assert maps() == 1
    del ids
    assert maps() == 0


def test_no_file_descriptor_is_kept(path: Path) -> None:
    if mapped_bytes() is None:
        pytest.skip("mmap of Python keeps one")
    held = [MappedFile.open(path, CorpusError) for _ in range(3)]
    with path.open("rb") as file:
        first = file.fileno()
    held += [MappedFile.open(path, CorpusError) for _ in range(50)]
    with path.open("rb") as file:
        assert file.fileno() == first


def test_a_failure_is_explained_by_the_change(path: Path) -> None:
    file = MappedFile.open(path, CorpusError)
    with pytest.raises(KeyError), unchanged([file]):
        raise KeyError("another cause")
    cut(path)
    with pytest.raises(CorpusError, match="shrank"), unchanged([file]):
        raise KeyError("an effect of the change")


def test_the_result_of_a_decorated_function_is_refused(path: Path) -> None:
    @refuses_changes
    def read(file: MappedFile, *, change: bool) -> int:
        if change:
            touch(path)
        return int(np.sum(file.array("u1", SIZE)))

    file = MappedFile.open(path, CorpusError)
    assert read(file, change=False) == SIZE
    with pytest.raises(CorpusError, match="written to"):
        read(file, change=True)
