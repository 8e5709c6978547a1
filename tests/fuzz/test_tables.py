"""Damaged count tables are refused. Forged ones cause no crash and only errors of icfast."""

from __future__ import annotations

import hashlib
import io
import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.backends.definitions import entries
from tests.fuzz.mutations import damaged_array, damaged_bytes, damaged_json, fuzz
from tests.ngrams.corpora import as_dicts, write_shards

import icfast
from icfast.backends.counting import SortedRun
from icfast.errors import ArtefactError, IcfastError
from icfast.ngrams import blocks
from icfast.ngrams.manifest import checksum
from icfast.ngrams.table import CountTable

SHARDS = [[[1, 2, 1, 1], [2], [1, 2, 1, 1]], [[4, 9, 4, 9, 1, 2]]]
OTHER = [[[3, 2, 3, 3], [1, 5]]]
FILES = ["table.json", "ids.npy", "ends.run", "windows.run", "spectra.npz"]


@pytest.fixture(scope="module", params=["tokens", "kenlm"])
def made(request, tmp_path_factory):
    """Return a table of several blocks, and one that it can be merged with."""
    folder = tmp_path_factory.mktemp("tables")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_BLOCK_ENTRIES", 5)
        for name, shards in (("table", SHARDS), ("other", OTHER)):
            written = write_shards(folder / f"of-{name}", shards, eos_id=0, vocab_size=10)
            icfast.count(written.corpus, folder / name, 3, convention=request.param)
    return folder


@pytest.fixture
def table(made):
    """Return a fresh copy of a table for one test to damage."""
    shutil.rmtree(made / "damaged", ignore_errors=True)
    return shutil.copytree(made / "table", made / "damaged")


def contents(folder):
    """Return everything that a table stores."""
    table = CountTable.load(folder)
    runs = [entry for run in table.runs() for entry in entries(run)]
    ends = table.ends()
    said = (table.source, table.shape, table.totals, table.ids.tolist())
    return said, runs, [a.tolist() for a in ends], as_dicts(table.spectra())


def use_everything(made, folder):
    """Run everything that uses a table. Only errors of icfast may end it."""
    for backend in icfast.backends.select.installed():
        for use in (
            lambda backend: icfast.fit(CountTable.load(folder), backend=backend, threads=1),
            lambda backend: icfast.merge(
                [CountTable.load(folder), CountTable.load(made / "other")],
                made / "merged",
                backend=backend,
            ),
            lambda backend: icfast.merge(
                [CountTable.load(folder)], made / "merged", backend=backend
            ),
        ):
            if backend == "cuda":
                continue
            try:
                use(backend)
            except IcfastError:
                pass
            finally:
                shutil.rmtree(made / "merged", ignore_errors=True)


@pytest.mark.ci
@fuzz
@given(data=st.data())
def test_any_damage_is_refused_or_harmless(made, data):
    expected = contents(made / "table")
    folder = made / "any"
    shutil.copytree(made / "table", folder, dirs_exist_ok=True)
    path = folder / data.draw(st.sampled_from(FILES))
    path.write_bytes(data.draw(damaged_bytes(path.read_bytes())))
    try:
        found = contents(folder)
    except ArtefactError:
        return
    assert found == expected
    assert path.name == "table.json"  # white space around JSON has no meaning


@pytest.mark.parametrize("name", FILES)
def test_every_bit_is_checked(table, name):
    path = table / name
    whole = path.read_bytes()
    expected = contents(table)
    for at in range(len(whole)) if len(whole) < 2000 else range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        try:
            found = contents(table)
        except ArtefactError:
            continue
        assert found == expected
        assert name == "table.json"


# Forged, with checksums that fit ---------------------------------------------------------------


def seal(folder, change=lambda body: None):
    """Write the manifest again after a change in it or in the files that it lists."""
    body = json.loads((folder / "table.json").read_text())
    body.pop("checksum")
    change(body)
    for name in body["files"] if isinstance(body.get("files"), dict) else ():
        if (folder / name).is_file():
            body["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "table.json").write_text(json.dumps({**body, "checksum": checksum(body)}))


def write_runs(path, shape, runs):
    """Write a file of sorted keys from these blocks, valid or not."""
    with path.open("wb") as file:
        blocks.write_header(file, shape)
        for run in runs:
            file.write(blocks._pack(run))


def parts(folder, name):
    """Return copies, because a memory-mapped file must not be overwritten."""
    shape = CountTable.load(folder).shape
    runs = blocks.read_runs(blocks.open_runs(folder / name), shape)
    return shape, [SortedRun(*(array.copy() for array in run)) for run in runs]


@pytest.mark.ci
@fuzz
@given(data=st.data())
def test_a_forged_manifest(made, data):
    folder = made / "manifest"
    shutil.copytree(made / "table", folder, dirs_exist_ok=True)
    body = json.loads((folder / "table.json").read_text())
    body.pop("checksum")
    body = data.draw(damaged_json(body))
    (folder / "table.json").write_text(json.dumps({**body, "checksum": checksum(body)}))
    use_everything(made, folder)


@pytest.mark.ci
@pytest.mark.parametrize("name", ["windows.run", "ends.run"])
@fuzz
@given(data=st.data())
def test_forged_runs(made, name, data):
    folder = made / "runs"
    shutil.copytree(made / "table", folder, dirs_exist_ok=True)
    shape, runs = parts(folder, name)
    at = data.draw(st.integers(0, len(runs) - 1))
    run = runs[at]
    lengths = np.diff(run.bounds)
    keys, leads, counts, lengths = (
        data.draw(damaged_array(array)) if data.draw(st.integers(0, 2)) == 0 else array
        for array in (run.keys, run.leads, run.counts, lengths.astype(np.uint64))
    )
    if not len(counts) or len(keys) != len(counts):
        return
    bounds = np.append(0, np.cumsum(lengths.view(np.int64)))
    runs[at] = SortedRun(leads, bounds, keys, counts)
    if len(bounds) != len(leads) + 1:
        return
    write_runs(folder / name, shape, runs)
    seal(folder)
    use_everything(made, folder)


@pytest.mark.ci
@fuzz
@given(data=st.data())
def test_forged_spectra(made, data):
    folder = made / "spectra"
    shutil.copytree(made / "table", folder, dirs_exist_ok=True)
    with np.load(folder / "spectra.npz") as stored:
        arrays = dict(stored)
    for name in data.draw(st.sets(st.sampled_from(sorted(arrays)), min_size=1, max_size=3)):
        arrays[name] = data.draw(damaged_array(arrays[name]))
    np.savez(folder / "spectra.npz", **arrays)
    seal(folder)
    use_everything(made, folder)


def saved(array):
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


IDS = np.array([1, 2, 4, 9], np.uint32)
HEADER = saved(IDS)
IDS_FILES = {
    "falling": saved(IDS[::-1]),
    "twice": saved(np.array([0, 1, 2, 4, 4], np.uint32)),
    "outside the vocabulary": saved(np.array([0, 1, 2, 4, 10], np.uint32)),
    "too few": saved(IDS[:1]),
    "many more": saved(np.arange(9, dtype=np.uint32)),
    "signed": saved(IDS.astype(np.int32)),
    "big-endian": saved(IDS.astype(">u4")),
    "floats": saved(IDS.astype(np.float32)),
    "two dimensions": saved(IDS.reshape(2, 2)),
    "no dimension": saved(IDS[0]),
    "objects": saved(np.array([1, "x"], object)),
    "records": saved(np.zeros(2, [("a", "u4")])),
    "huge": HEADER.replace(b"(4,)", b"(4000000000000000,)".ljust(4))[: len(HEADER) + 64],
    "negative": HEADER.replace(b"(4,), ", b"(-4,),"),
    "no literal": HEADER.replace(b"'<u4'", b"[[[[["),
    "minus signs": HEADER[:10] + b"-" * (len(HEADER) - 26) + HEADER[-16:],
    "another version": HEADER[:6] + b"\x09" + HEADER[7:],
    "a zip": b"PK\x03\x04" + bytes(60),
    "empty": b"",
}


@pytest.mark.parametrize("name", IDS_FILES)
def test_invalid_ids_are_refused(table, name):
    (table / "ids.npy").write_bytes(IDS_FILES[name])
    seal(table)
    if name == "negative" and np.lib.NumpyVersion(np.__version__) < "2.0.0":
        # numpy 1 takes the size from the file and reads the same ids.
        assert np.array_equal(CountTable.load(table).ids, IDS)
        return
    with pytest.raises(ArtefactError, match="is damaged"):
        CountTable.load(table)


def changed_run(run, **arrays):
    return run._replace(**{name: np.ascontiguousarray(array) for name, array in arrays.items()})


def but(array, at, value):
    array = array.copy()
    array[at] = value
    return array


def second_of_a_lead(run, change):
    """Return the keys with the first two keys of one lead changed."""
    keys = run.keys.copy()
    at = run.bounds[:-1][np.diff(run.bounds) > 1][:1]
    if len(at):
        pair = slice(int(at[0]), int(at[0]) + 2)
        keys[pair] = change(*run.keys[pair].copy())
    return keys


FORGERIES = {
    "a lead of 0": lambda r: changed_run(r, leads=but(r.leads, 0, 0)),
    "a lead above the ranks": lambda r: changed_run(r, leads=but(r.leads, -1, 99)),
    "a largest lead": lambda r: changed_run(r, leads=but(r.leads, -1, 2**32 - 1)),
    "keys fall": lambda r: changed_run(r, keys=second_of_a_lead(r, lambda low, high: (high, low))),
    "equal keys": lambda r: changed_run(r, keys=second_of_a_lead(r, lambda low, _: (low, low))),
    "a symbol above the ranks": lambda r: changed_run(r, keys=but(r.keys, -1, 63)),
    "bits above the key": lambda r: changed_run(r, keys=but(r.keys, -1, 2**64 - 1)),
    "a count of 0": lambda r: changed_run(r, counts=but(r.counts, 0, 0)),
    "a count past the total": lambda r: changed_run(r, counts=but(r.counts, 0, 2**64 - 1)),
    "a history behind its begin mark": lambda r: changed_run(r, keys=but(r.keys, 0, 1)),
}


@pytest.mark.parametrize("file", ["windows.run", "ends.run"])
@pytest.mark.parametrize("name", FORGERIES)
def test_invalid_windows_are_refused(table, file, name):
    shape, runs = parts(table, file)
    refused = 0
    for at, run in enumerate(runs):
        changed = FORGERIES[name](run)
        if all(map(np.array_equal, changed, run)):
            continue
        write_runs(table / file, shape, [*runs[:at], changed, *runs[at + 1 :]])
        seal(table)
        with pytest.raises(ArtefactError, match=r"is damaged|holds \d+"):
            contents(table)
        refused += 1
    assert refused or file == "ends.run"  # all of its leads may have one entry


def test_lengths_whose_sum_wraps_are_refused(table):
    shape, runs = parts(table, "windows.run")
    run = next(run for run in runs if len(run.leads) > 1)
    others = [r for r in runs if r is not run]
    lengths = np.diff(run.bounds).astype(np.uint64)
    lengths[:2] = 2**64 - 1, lengths[0] + lengths[1] + np.uint64(1)
    bounds = np.append(np.uint64(0), np.cumsum(lengths)).view(np.int64)
    assert bounds[-1] == len(run.counts)
    write_runs(table / "windows.run", shape, [*others, run._replace(bounds=bounds)])
    with pytest.raises(ArtefactError, match="leads of a block do not add up"):
        contents(table)


def test_ends_that_are_no_windows_are_not_fitted(made, table):
    """Forge ends: as many as documents, but of windows that do not occur, or not that often."""
    shape, runs = parts(table, "ends.run")
    _, windows = parts(table, "windows.run")
    merged = made / "merged"
    rare = next(r for r in windows if r.counts[-1] == 1)
    total = sum(int(run.counts.sum()) for run in runs)
    one = SortedRun(
        rare.leads[-1:],
        np.array([0, 1]),
        rare.keys[-1:],
        np.array([total], np.uint64),
    )
    write_runs(table / "ends.run", shape, [one])
    seal(table)
    with pytest.raises(
        ArtefactError, match="windows that end its documents do not match its n-grams"
    ):
        icfast.fit(CountTable.load(table))
    with pytest.raises(IcfastError):
        icfast.merge([CountTable.load(table)], merged)
    assert not merged.exists()


def test_compressed_spectra_are_refused(table):
    with np.load(table / "spectra.npz") as stored:
        np.savez_compressed(table / "spectra.npz", **dict(stored))
    seal(table)
    with pytest.raises(ArtefactError, match="is compressed"):
        CountTable.load(table).spectra()


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 10_000, "\ud800"])
def test_invalid_manifests_are_refused(table, text):
    (table / "table.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ArtefactError, match="is damaged"):
        CountTable.load(table)


@pytest.mark.parametrize("name", FILES[1:])
def test_a_folder_where_a_file_should_be(table, name):
    (table / name).unlink()
    (table / name).mkdir()
    with pytest.raises(ArtefactError):
        CountTable.load(table)
