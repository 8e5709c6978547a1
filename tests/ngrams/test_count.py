"""Count tables: equal to counts in memory, complete or absent, and within the memory."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.backends.definitions import entries, run_of
from tests.naive.counts import padded_window_counts
from tests.ngrams.corpora import as_dicts, assert_spectra, write_shards

import icfast
from icfast.backends.select import select
from icfast.errors import OptionError, ResourceError, SelfCheckError
from icfast.ngrams import spectra, windows
from icfast.ngrams.budget import Budget
from icfast.ngrams.table_writer import TableWriter

EOS = 0
SHARDS = [[[1, 2, 1, 1], [2], [1, 2, 1, 1], [1] * 50], [[4, 9, 4, 9, 1, 2] * 9]]


@pytest.fixture
def written(tmp_path):
    return write_shards(tmp_path / "corpus", SHARDS, eos_id=EOS)


@pytest.fixture
def tight(monkeypatch):
    """Force several passes, with leads split between them."""
    monkeypatch.setattr(spectra, "budget", lambda *_: Budget(30, 6, 8))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("order", [1, 2, 5])
@pytest.mark.parametrize("cap", ["roomy", "tight"])
def test_count_is_spectra_and_the_windows(backend, tmp_path, written, order, threads, cap, request):
    if cap == "tight":
        request.getfixturevalue("tight")
    options = {"threads": threads, "backend": backend}
    table = icfast.count(written.corpus, tmp_path / "table", order, **options)
    found = icfast.spectra(written.corpus, order, **options)
    assert as_dicts(table.spectra()) == as_dicts(found)
    assert_spectra(table.spectra(), written.documents)
    runs = [entry for run in table.runs() for entry in entries(run)]
    assert runs == entries(run_of(padded_window_counts(written.documents, order), table.shape))


def test_tables_of_leads_cut_under_a_cap_merge(backend, tmp_path, written, tight):
    """A split lead is one bucket of its run, since merging seeks each lead once."""
    tables = []
    for number, path in enumerate(written.paths):
        corpus = icfast.open(path, dtype="u2", eos_id=EOS, vocab_size=10)
        table = icfast.count(corpus, tmp_path / f"t{number}", 5, backend=backend)
        assert all((run.leads[1:] > run.leads[:-1]).all() for run in table.runs())
        tables.append(table)
    merged = icfast.merge(tables, tmp_path / "merged", backend=backend)
    assert_spectra(merged.spectra(), written.documents)


# Whole or not at all -------------------------------------------------------------------------


def tree(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


class Interrupted(BaseException):
    """Interruption like Ctrl-C, which is not an Exception."""


@pytest.mark.parametrize("kernel", ["scatter_windows", "sort_runs", "run_spectra"])
@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupted_kernel_leaves_nothing_behind(
    backend, tmp_path, written, tight, monkeypatch, kernel, threads
):
    kernels, calls = select(backend).kernels, []
    whole = getattr(kernels, kernel)

    def broken(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise Interrupted
        return whole(*arguments)

    monkeypatch.setattr(kernels, kernel, broken)
    before = tree(tmp_path)
    with pytest.raises(Interrupted):
        icfast.count(written.corpus, tmp_path / "table", 3, backend=backend, threads=threads)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("method", ["add", "finish"])
def test_an_interrupted_writer_leaves_nothing_behind(tmp_path, written, monkeypatch, method):
    def broken(*arguments):
        raise Interrupted

    monkeypatch.setattr(TableWriter, method, broken)
    before = tree(tmp_path)
    with pytest.raises(Interrupted):
        icfast.count(written.corpus, tmp_path / "table", 3)
    assert tree(tmp_path) == before


def test_a_wrong_sum_is_never_written(backend, tmp_path, written, monkeypatch):
    monkeypatch.setattr(windows, "window_totals", lambda lengths, order: [1] * order)
    before = tree(tmp_path)
    with pytest.raises(SelfCheckError, match="nothing was written"):
        icfast.count(written.corpus, tmp_path / "table", 3, backend=backend)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("method", ["add", "finish"])
def test_a_full_disk_leaves_nothing_behind(tmp_path, written, monkeypatch, method, code):
    def full(*arguments):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(TableWriter, method, full)
    before = tree(tmp_path)
    with pytest.raises(ResourceError, match=r"cannot write .*table.*nothing was left"):
        icfast.count(written.corpus, tmp_path / "table", 3)
    assert tree(tmp_path) == before


FILE_TOO_LARGE = """
import json, resource, sys
import icfast
from icfast.errors import ResourceError
corpus = icfast.open(sys.argv[1], dtype="u2", eos_id=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (512, resource.RLIM_INFINITY))
try:
    icfast.count(corpus, sys.argv[2], 3)
except ResourceError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_limit_of_the_system_on_file_sizes(tmp_path, written):
    before = tree(tmp_path)
    run = subprocess.run(
        [sys.executable, "-c", FILE_TOO_LARGE, tmp_path / "corpus", tmp_path / "table"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "the file exceeds the largest size allowed here" in run.stdout
    assert tree(tmp_path) == before


def test_an_existing_output_is_refused_before_any_work(tmp_path, written, monkeypatch):
    (tmp_path / "table").mkdir()
    with pytest.raises(OptionError, match="table exists already"):
        icfast.count(written.corpus, tmp_path / "table", 3)
    with pytest.raises(OptionError, match="its folder does not exist"):
        icfast.count(written.corpus, tmp_path / "no" / "table", 3)
    assert not any((tmp_path / "table").iterdir())


# Memory --------------------------------------------------------------------------------------

MEASURE = """
import json, sys, threading, time
from pathlib import Path
import icfast

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

path, output, small, backend, threads = sys.argv[1:]
# Modules are imported and kernels compiled before the clock starts, so to speak.
icfast.count(icfast.open(small, dtype="u2"), output + ".small", 6, backend=backend)
corpus = icfast.open(path, dtype="u2", eos_id=0, vocab_size=50257)
before, peak, done = anonymous(), 0, threading.Event()

def watch():
    global peak
    while not done.is_set():
        peak = max(peak, anonymous())
        time.sleep(0.002)

watcher = threading.Thread(target=watch)
watcher.start()
table = icfast.count(corpus, output, 6, memory="48MiB", backend=backend, threads=int(threads))
done.set()
watcher.join()
print(json.dumps({"growth": peak - before, "tokens": table.totals.tokens}))
"""


@pytest.mark.ci
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to measure memory")
@pytest.mark.parametrize("threads", [1, 2])
def test_the_memory_cap_is_kept(backend, tmp_path, threads):
    """3 M tokens take 48 MB of two-word keys, so a cap of 48 MiB needs several passes."""
    import numpy as np

    generator = np.random.default_rng(1)
    # Ids as uneven as words, documents of 300 tokens.
    ids = np.minimum(generator.zipf(1.3, 3_000_000), 50256).astype("<u2")
    ids[::300] = 0
    ids.tofile(tmp_path / "large.bin")
    ids[:2000].tofile(tmp_path / "small.bin")
    names = [tmp_path / "large.bin", tmp_path / "table", tmp_path / "small.bin"]
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, *names, backend, str(threads)],
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(run.stdout)
    assert measured["tokens"] == 3_000_000
    # Far less would mean that nothing was measured: the keys of one pass alone take a third.
    assert 12 << 20 < measured["growth"] <= 48 << 20
