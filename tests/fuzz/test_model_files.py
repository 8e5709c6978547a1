"""Damaged model files are refused. Forged descriptions cause only errors of icfast."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.mutations import damaged_array, damaged_bytes, damaged_json, fuzz
from tests.ngrams.corpora import write_shards

import icfast
from icfast.errors import ArtefactError, IcfastError

SHARDS = [[[1, 2, 1, 1], [2], [1, 2, 1, 1], [4, 9, 4, 9, 1, 2]]]
END = struct.Struct("<QII8s")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def corpus(folder):
    return write_shards(folder / "corpus", SHARDS, eos_id=0, vocab_size=10).corpus


@pytest.fixture(scope="module", params=["tokens", "kenlm"])
def whole(request, corpus, folder):
    path = folder / f"{request.param}.icfast"
    icfast.fit(corpus, 3, convention=request.param, output=path)
    return path.read_bytes()


def description(whole):
    offset, size, _, _ = END.unpack(whole[-END.size :])
    return json.loads(whole[offset : offset + size])


def arrays_of(whole):
    return {
        name: np.frombuffer(
            whole, entry["dtype"], int(np.prod(entry["shape"])), entry["offset"]
        ).reshape(entry["shape"])
        for name, entry in description(whole)["arrays"].items()
    }


def described(body, footer):
    """Write a file of these bytes and a description with a valid checksum."""
    text = json.dumps(footer).encode()
    end = END.pack(len(body), len(text), zlib.crc32(text), b"ICFMODEL")
    return body + text + end


def built(about, arrays):
    """Write a file of these arrays with a valid layout and checksum."""
    body, entries = b"ICFMODEL" + struct.pack("<II", 2, 0), {}
    for name, array in arrays.items():
        body += bytes(-len(body) % 64)
        entries[name] = {
            "dtype": array.dtype.str,
            "shape": list(array.shape),
            "offset": len(body),
            "crc32": zlib.crc32(array.tobytes()),
        }
        body += array.tobytes()
    return described(body, {"about": about, "arrays": entries})


def use_everything(path, corpus):
    """Run everything that reads a model. Only errors of icfast may end it."""
    try:
        model = icfast.NgramModel.load(path)
        assert model.ngrams
        assert model.sha256
        for backend in ("core", "numba"):
            if backend in icfast.backends.select.installed():
                icfast.score(corpus, model, backend=backend, threads=1)
    except IcfastError:
        return False
    return True


@pytest.mark.ci
def test_what_is_built_here_is_a_model(whole, folder, corpus):
    path = folder / "same"
    path.write_bytes(built(description(whole)["about"], arrays_of(whole)))
    assert path.read_bytes() == whole
    assert use_everything(path, corpus)


@fuzz
@given(data=st.data())
def test_any_damage_is_refused(whole, folder, data):
    path = folder / "damaged"
    path.write_bytes(data.draw(damaged_bytes(whole)))
    with pytest.raises(ArtefactError):
        icfast.NgramModel.load(path)


@pytest.mark.ci
def test_every_bit_is_checked(whole, folder):
    path = folder / "flipped"
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        with pytest.raises(ArtefactError):
            icfast.NgramModel.load(path)


@pytest.mark.ci
@fuzz
@given(data=st.data())
def test_a_forged_description(whole, folder, corpus, data):
    offset = END.unpack(whole[-END.size :])[0]
    path = folder / "forged"
    path.write_bytes(described(whole[:offset], data.draw(damaged_json(description(whole)))))
    use_everything(path, corpus)


@fuzz
@given(data=st.data())
def test_forged_arrays(whole, folder, corpus, data):
    arrays = arrays_of(whole)
    for name in data.draw(st.sets(st.sampled_from(sorted(arrays)), min_size=1, max_size=2)):
        arrays[name] = data.draw(damaged_array(arrays[name]))
    path = folder / "forged"
    path.write_bytes(built(description(whole)["about"], arrays))
    use_everything(path, corpus)


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 10_000, "{}", "[]", '{"about": {}}', "NaN"])
def test_invalid_descriptions_are_refused(whole, folder, text):
    path = folder / "forged"
    body, text = whole[:640], text.encode()
    path.write_bytes(body + text + END.pack(len(body), len(text), zlib.crc32(text), b"ICFMODEL"))
    with pytest.raises(ArtefactError, match="is damaged"):
        icfast.NgramModel.load(path)


FORGERIES = {
    "levels fall": ("levels", lambda a: a[[0, 1, 3, 2]]),
    "levels of another order": ("levels", lambda a: a[:-1]),
    "levels beyond the nodes": ("levels", lambda a: np.append(a[:-1], a[-1] + 7)),
    "level 1 without its last rank": ("levels", lambda a: np.append(a[:1], a[1:] - 1)),
    "child beyond the nodes": ("child", lambda a: a + 1000),
    "child below its level": ("child", lambda a: a - 1),
    "children fall": ("child", lambda a: np.concatenate([a[:2], a[3:1:-1], a[4:]])),
    "last child short": ("child", lambda a: np.append(a[:-1], a[-1] - 1)),
    "begin mark with a neighbour": ("child", lambda a: np.append(a[:1], a[1:] + 1)),
    "child of u64": ("child", lambda a: a.astype("<u8")),
    "counts of i64": ("counts", lambda a: a.astype("<i8")),
    "fewer counts": ("counts", lambda a: a[:-1]),
    "fewer contexts": ("contexts", lambda a: a[:-1]),
    "contexts of six fields": ("contexts", lambda a: np.ascontiguousarray(a[:, :6])),
    "marks that count one row more": ("marks", lambda a: a + np.array([0, 1], np.uint64)),
    "a mark behind the contexts": ("marks", lambda a: a | np.array([2**63, 0], np.uint64)),
    "no context marked": ("marks", lambda a: a * np.uint64(0)),
    "marks of u32": ("marks", lambda a: a.astype(np.uint32)),
    "more symbols": ("symbols", lambda a: np.append(a, a[-1:])),
    "a symbol that is no rank": ("symbols", lambda a: np.append(a[:-1], a[-1:] + 1000)),
    "ranks exchanged": ("symbols", lambda a: np.append([0, 2, 1], a[3:]).astype(a.dtype)),
    "ids fall": ("ids", lambda a: a[::-1]),
    "an id outside the vocabulary": ("ids", lambda a: np.append(a[:-1], a[-1:] + 100)),
    "an id twice": ("ids", lambda a: np.append(a[:-1], a[-2])),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_invalid_tries_are_refused(whole, folder, name):
    arrays = arrays_of(whole)
    which, change = FORGERIES[name]
    arrays[which] = np.ascontiguousarray(change(arrays[which]))
    path = folder / "forged"
    path.write_bytes(built(description(whole)["about"], arrays))
    with pytest.raises(ArtefactError, match="is damaged"):
        icfast.NgramModel.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"order": 2},
        {"order": "3"},
        {"order": -3},
        {"order": 10**30},
        {"tokens": -1},
        {"documents": None},
        {"discounts": []},
        {"source": {}},
        {"source": []},
    ],
    ids=str,
)
def test_descriptions_that_do_not_fit_are_refused(whole, folder, change):
    footer = description(whole)
    footer["about"] |= change
    path = folder / "forged"
    path.write_bytes(described(whole[: END.unpack(whole[-END.size :])[0]], footer))
    with pytest.raises(ArtefactError, match="is damaged"):
        icfast.NgramModel.load(path)


@pytest.mark.parametrize("field", ["dtype", "shape", "offset", "crc32"])
@pytest.mark.parametrize("value", [None, -1, 2**63, 10**40, "<f4", [2**62], [-1], [], "|O", 64, {}])
def test_entries_that_do_not_fit_are_refused(whole, folder, field, value):
    offset = END.unpack(whole[-END.size :])[0]
    path = folder / "forged"
    for name in description(whole)["arrays"]:
        footer = description(whole)
        if footer["arrays"][name][field] == value:
            continue
        footer["arrays"][name][field] = value
        path.write_bytes(described(whole[:offset], footer))
        with pytest.raises(ArtefactError, match="is damaged"):
            icfast.NgramModel.load(path)
