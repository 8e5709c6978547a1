"""inspect: every figure of a sound corpus, every problem of a damaged one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from icfast.corpus import Inspection, inspect, open_corpus
from icfast.errors import OptionError


def write(path: Path, ids: list[int], dtype: str = "u2", more: bytes = b"") -> Path:
    path.write_bytes(np.array(ids, "<" + dtype).tobytes() + more)
    return path


def write_indexed(path: Path, ids: list[int], stops: list[int]) -> Path:
    np.array(stops, "<u8").tofile(f"{path}.index")
    return write(path, ids)


def problems(inspection: Inspection) -> str:
    return "\n".join(sum((shard.problems for shard in inspection.shards), inspection.problems))


def test_a_sound_corpus(tmp_path: Path) -> None:
    write(tmp_path / "a.bin", [1, 9, 2, 9])
    write_indexed(tmp_path / "b.ds", [9, 3, 3], [1, 3])
    options = {"dtype": "u2", "vocab_size": 10, "eos_id": 9}
    found = inspect(tmp_path, dtype="u2", vocab_size=10, eos_id=9)
    assert found.sound, problems(found)
    assert (found.tokens, found.documents, found.largest_id, found.disk_bytes) == (7, 4, 9, 14)
    first, second = found.shards
    assert (first.format, first.dtype, first.tokens, first.documents) == ("raw", "u2", 4, 2)
    assert (second.format, second.largest_id, second.disk_bytes) == ("datatrove", 9, 6)
    corpus = open_corpus(tmp_path, **options)  # type: ignore[arg-type]
    assert (corpus.tokens, corpus.documents) == (found.tokens, found.documents)
    plain = json.loads(json.dumps(found.to_json()))
    assert plain["sound"] is True
    assert plain["shards"][0]["problems"] == []


def test_every_problem_of_a_file_is_listed(tmp_path: Path) -> None:
    path = write_indexed(tmp_path / "x.ds", [1, 70, 2], [1, 1, 3])
    (tmp_path / "x.ds.json").write_text("{")
    np.array([1], "<u8").tofile(tmp_path / "x.ds.bytes")
    found = inspect(path, dtype="u4", vocab_size=50)
    listed = found.shards[0].problems
    for part in (
        "is not JSON",
        "dtype u4 was given, but the file states that its ids are u2",
        "bytes of 1 documents, the index has 3",
        "1 documents of .*are empty",
        f"token 70 at position 1 of {path} is outside the vocabulary of 50",
    ):
        assert any(part.split(".*")[0] in problem for problem in listed), (part, listed)
    assert len(listed) == 5
    assert not found.sound
    assert (found.shards[0].tokens, found.shards[0].documents) == (3, 2)


def test_left_over_bytes_and_ids_outside(tmp_path: Path) -> None:
    path = write(tmp_path / "x.bin", [1, 70], more=b"\0")
    listed = inspect(path, dtype="u2", vocab_size=50).shards[0].problems
    assert len(listed) == 2
    assert "1 bytes are left over" in listed[0]
    assert "token 70 at position 1" in listed[1]


def test_opening_errors_are_problems_of_their_path(tmp_path: Path) -> None:
    sound = write(tmp_path / "a.bin", [1])
    olmo = write(tmp_path / "b.npy", [1])
    empty = write(tmp_path / "c.bin", [])
    found = inspect([sound, olmo, empty, tmp_path / "none", tmp_path / "*.ds"], dtype="u2")
    assert [len(shard.problems) for shard in found.shards] == [0, 1, 1, 1, 1]
    listed = problems(found)
    for part in ("--format raw", "c.bin holds no tokens", "no such file", "matches no file"):
        assert part in listed
    assert (found.tokens, found.largest_id, found.shards[1].tokens) == (1, 1, None)


def test_negative_ids(tmp_path: Path) -> None:
    found = inspect(write(tmp_path / "x.bin", [4, -5], "i4"), dtype="i4")
    assert "token -5 at position 1" in problems(found)
    assert found.shards[0].dtype == "i4"


def test_a_broken_index_leaves_the_rest_to_see(tmp_path: Path) -> None:
    found = inspect(write_indexed(tmp_path / "x.ds", [1, 2, 3], [2, 1, 3]))
    assert "Ends must ascend" in problems(found)
    assert found.shards[0].tokens == 3


def test_a_truncated_header_format_leaves_the_rest_to_see(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([1, 2, 3], "u4"))
    whole = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(whole[:-3])
    found = inspect(tmp_path / "x.npy")
    assert (found.tokens, found.largest_id) == (2, 2)
    assert len(found.shards[0].problems) == 2  # the size, and the bytes left over


def test_skip_bad_takes_empty_documents_as_known(tmp_path: Path) -> None:
    path = write_indexed(tmp_path / "x.ds", [1, 2], [0, 2])
    assert "1 documents" in problems(inspect(path))
    assert inspect(path, skip_bad=True).sound


def test_a_file_twice_is_a_problem_of_the_corpus(tmp_path: Path) -> None:
    path = write(tmp_path / "x.bin", [1])
    found = inspect([path, path], dtype="u2")
    assert len(found.problems) == 1
    assert "counted twice" in found.problems[0]


@pytest.mark.parametrize(
    ("written", "read", "hint"), [("u4", "u2", "looks like u4"), ("u2", "u4", "looks like u2")]
)
def test_a_wrong_dtype_is_only_a_warning(
    tmp_path: Path, written: str, read: str, hint: str
) -> None:
    path = write(tmp_path / "x.bin", list(range(1000, 1064)), written)
    found = inspect(path, dtype=read)
    assert found.sound
    assert hint in found.shards[0].warnings[0]
    assert inspect(path, dtype=written).shards[0].warnings == []


def test_an_end_id_that_never_occurs_is_a_warning(tmp_path: Path) -> None:
    found = inspect(write(tmp_path / "x.bin", [1, 2]), dtype="u2", eos_id=7)
    assert found.sound
    assert "eos_id 7 never occurs" in found.shards[0].warnings[0]


def test_options_without_meaning_are_raised(tmp_path: Path) -> None:
    path = write(tmp_path / "x.bin", [1])
    for options in ({"dtype": "u3"}, {"boundary": "x"}, {"format": "x"}):
        with pytest.raises(OptionError, match="is not one of"):
            inspect(path, **options)  # type: ignore[arg-type]
