"""Keys in a temporary file: equal integers, within the memory, and no file left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from tests.ngrams.corpora import as_dicts, assert_spectra, write_shards

import icfast
from icfast.errors import OptionError, ResourceError
from icfast.ngrams import budget as budget_module
from icfast.ngrams import spectra as spectra_pass
from icfast.ngrams import windows
from icfast.ngrams.budget import Budget
from icfast.parallel import buffers

EOS = 0
SHARDS = [[[1, 2, 1, 1], [2], [1, 2, 1, 1], [1] * 50], [[4, 9, 4, 9, 1, 2] * 9]]


@pytest.fixture
def written(tmp_path):
    return write_shards(tmp_path / "corpus", SHARDS, eos_id=EOS)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "temporary"
    path.mkdir()
    return path


@pytest.fixture
def spilling(monkeypatch):
    """Make every pass spill, with buckets split as under a small memory."""
    taken = []

    def budget(documents, *_):
        return Budget(documents.tokens, 6, 8, spills=True)

    def spilled(*arguments):
        taken.append(arguments[0])
        return buffers.spilled(*arguments)

    monkeypatch.setattr(spectra_pass, "budget", budget)
    monkeypatch.setattr(windows, "spilled", spilled)
    return taken


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("order", [1, 2, 5, 40])
def test_the_same_integers(backend, written, folder, spilling, order, threads):
    options = {"backend": backend, "threads": threads, "temporary": folder}
    found = icfast.spectra(written.corpus, order, **options)
    assert_spectra(found, written.documents)
    assert [rows for rows, _ in spilling] == [found.tokens]
    assert not list(folder.iterdir())


def test_a_table_through_a_file(written, folder, tmp_path, spilling):
    table = icfast.count(written.corpus, tmp_path / "table", 3, temporary=folder)
    assert spilling
    assert as_dicts(table.spectra()) == as_dicts(icfast.spectra(written.corpus, 3))


def test_its_bytes_are_said(written, folder, spilling):
    found = icfast.cost(written.corpus, 3, temporary=folder)
    assert found.temporary_bytes == 8 * found.windows
    assert found.passes == 1


def test_many_passes_spill_where_there_is_a_folder(written, folder, monkeypatch):
    """More than 13 passes are replaced by one pass through a file."""
    monkeypatch.setattr(budget_module, "_MOST_PASSES", 0)
    with_folder = icfast.cost(written.corpus, 3, temporary=folder)
    without = icfast.cost(written.corpus, 3)
    assert (with_folder.temporary_bytes > 0, without.temporary_bytes) == (True, 0)
    monkeypatch.setattr(budget_module, "_MOST_PASSES", 1)
    assert icfast.cost(written.corpus, 3, temporary=folder).temporary_bytes == 0


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_folder_too_full_is_refused(written, folder, spilling, monkeypatch):
    monkeypatch.setattr(buffers.shutil, "disk_usage", lambda _: Usage(10**9, 0, 100))
    with pytest.raises(ResourceError, match=r"cannot spill to .*takes 944 B, and 100 B are free"):
        icfast.spectra(written.corpus, 3, temporary=folder)
    assert not list(folder.iterdir())


def test_a_folder_that_is_not_there_is_refused(written, tmp_path):
    with pytest.raises(OptionError, match=r"no does not exist\. Make it, or pass another"):
        icfast.spectra(written.corpus, 3, temporary=tmp_path / "no")


LIMITED = """
import resource, sys
import icfast
from icfast.errors import ResourceError
from icfast.ngrams import budget
budget._MOST_PASSES = 0
path, folder, limit = sys.argv[1:]
corpus = icfast.open(path, dtype="u2", eos_id=0)
icfast.spectra(corpus, 3, temporary=folder, threads=1)  # opens what is opened on first use
if limit == "files":
    held = open("/dev/null")
    while True:
        try:
            keep = open("/dev/null"); globals().setdefault("many", []).append(keep)
            if len(many) == 3:
                resource.setrlimit(resource.RLIMIT_NOFILE, (keep.fileno() + 1, keep.fileno() + 1))
                break
        except OSError:
            break
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, resource.RLIM_INFINITY))
try:
    icfast.spectra(corpus, 3, temporary=folder, threads=1)
except ResourceError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of the system")
@pytest.mark.parametrize(
    ("limit", "words"), [("files", "Too many open files"), ("size", "File too large")]
)
def test_limits_of_the_system_are_said_in_words(tmp_path, written, folder, limit, words):
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path / "corpus", folder, limit],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot spill" in run.stdout
    assert words in run.stdout
    assert not list(folder.iterdir())


MEASURE = """
import json, sys, threading, time
from pathlib import Path
import icfast
from icfast.parallel.threads import Work
from icfast.corpus.documents import all_documents
from icfast.ngrams.spectra import spectra_of

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

path, small, folder = sys.argv[1:]
icfast.spectra(icfast.open(small, dtype="u2"), 5)
corpus = icfast.open(path, dtype="u2", eos_id=0, vocab_size=50257)
said = []
work = Work.of("auto", 2, "14MiB", announce=said.append, temporary=folder)
before, peak, done = anonymous(), 0, threading.Event()

def watch():
    global peak
    while not done.is_set():
        peak = max(peak, anonymous())
        time.sleep(0.002)

watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
found = spectra_of(all_documents(corpus), 5, work)
done.set()
watcher.join()
print(json.dumps({"growth": peak - before, "temporary": said[0].temporary_bytes,
                  "distinct": found[5].distinct}))
"""


@pytest.mark.ci
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to measure memory")
def test_the_memory_cap_is_kept(tmp_path, folder):
    """12 M tokens take 96 MB of keys: more than 13 passes at 14 MiB."""
    generator = np.random.default_rng(1)
    ids = np.minimum(generator.zipf(1.3, 12_000_000), 50256).astype("<u2")
    ids[::3000] = 0
    ids.tofile(tmp_path / "large.bin")
    ids[:2000].tofile(tmp_path / "small.bin")
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / "large.bin", tmp_path / "small.bin", folder],
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(run.stdout)
    assert measured["temporary"] == 8 * 12_000_000
    assert 1 << 20 < measured["growth"] <= 14 << 20
    corpus = icfast.open(tmp_path / "large.bin", dtype="u2", eos_id=0, vocab_size=50257)
    assert measured["distinct"] == icfast.spectra(corpus, 5)[5].distinct
