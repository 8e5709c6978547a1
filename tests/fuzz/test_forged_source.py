"""A source whose fields hold values that no corpus has is refused when a table or model is read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import icfast
from icfast.corpus.source import Source
from icfast.errors import ArtefactError
from icfast.kneser_ney.model import NgramModel, describe
from icfast.kneser_ney.model_file import ModelFileWriter, open_model_file, read_model_file
from icfast.ngrams.manifest import checksum
from icfast.ngrams.table import CountTable

SHA = "0" * 64
#: A field, a value that it never has, and what the message says about it.
FORGERIES: list[tuple[str, Any, str]] = [
    ("convention", "<f8", r"convention is '<f8'; allowed are 'tokens', 'kenlm'"),
    ("convention", "", r"convention is ''; allowed are"),
    ("boundary", "u8", r"boundary is 'u8'; allowed are 'end', 'start'"),
    ("boundary", "auto", r"boundary is 'auto'; allowed are 'end', 'start'"),
    ("documents", "some", r"documents is 'some'; allowed are 'all', 'held out at SHARE'"),
    ("documents", "held out at", r"documents is 'held out at'; allowed are"),
    ("eos_id", 10, r"eos_id 10 is not below vocab_size 10"),
    ("vocab_size", 0, r"vocab_size 0 is not between 1 and 2\^32"),
    ("vocab_size", (1 << 32) + 1, r"vocab_size 4294967297 is not between 1 and 2\^32"),
    ("cross_documents", "no", r"cross_documents should be bool, found 'no'"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    np.tile([1, 2, 3, 4, 0, 2, 1, 3, 0], 50).astype("<u2").tofile(folder / "c.bin")
    corpus = icfast.open(folder / "c.bin", dtype="u2", eos_id=0, vocab_size=10)
    icfast.count(corpus, folder / "table", 3)
    icfast.fit(CountTable.load(folder / "table"), output=folder / "model")
    return folder


def forge_table(folder: Path, change: Callable[[dict[str, Any]], None]) -> Callable[[], Any]:
    path = folder / "table" / "table.json"
    body = json.loads(path.read_text())
    before = json.dumps(body)
    del body["checksum"]
    change(body["source"])
    path.write_text(json.dumps({**body, "checksum": checksum(body)}))

    def load() -> Any:
        try:
            return CountTable.load(folder / "table")
        finally:
            path.write_text(before)

    return load


def forge_model(folder: Path, change: Callable[[dict[str, Any]], None]) -> Callable[[], Any]:
    about, arrays = read_model_file(open_model_file(folder / "model"))
    change(about["source"])
    writer = ModelFileWriter(folder / "forged", {n: (a.dtype, a.shape) for n, a in arrays.items()})
    for name, array in arrays.items():
        writer.arrays[name][...] = array
    writer.finish(about)
    return lambda: NgramModel.load(folder / "forged")


FORGERS = {"table": forge_table, "model": forge_model}


@pytest.mark.parametrize("kind", FORGERS)
@pytest.mark.parametrize(("field", "value", "message"), FORGERIES)
def test_forged_source(made: Path, kind: str, field: str, value: Any, message: str) -> None:
    def change(source: dict[str, Any]) -> None:
        source[field] = value

    with pytest.raises(ArtefactError, match=message):
        FORGERS[kind](made, change)()


@pytest.mark.parametrize("kind", FORGERS)
def test_forged_digest_of_a_shard(made: Path, kind: str) -> None:
    def change(source: dict[str, Any]) -> None:
        source["shards"][0]["sha256"] = "no digest"

    with pytest.raises(ArtefactError, match=r"sha256 of shard 'c.bin' is 'no digest'; allowed"):
        FORGERS[kind](made, change)()


@pytest.mark.parametrize("kind", FORGERS)
def test_a_source_that_is_not_forged_is_read(made: Path, kind: str) -> None:
    source = FORGERS[kind](made, lambda _: None)().source
    assert (source.convention, source.boundary) == ("tokens", "end")


def test_sources_of_a_split_are_read(made: Path) -> None:
    source = CountTable.load(made / "table").source
    for documents in ("held out at 0.05", "training at 1e-05", "training at 0.5"):
        chosen = dataclasses.replace(source, documents=documents)
        assert Source.from_json(chosen.as_json()) == chosen
    assert describe(source, 1, 1, ())["source"] == source.as_json()
