"""Hints about the integer type of headerless files: right for misread files, silent for others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icfast.corpus import inspect, open_corpus

PHRASE = np.frombuffer(b"to be or not to be that is the question " * 60, "u1") % 65
RIGHT = np.tile(np.append(np.arange(1, 40), 50256), 50)
SMALL = np.random.default_rng(0).zipf(1.4, 4000).clip(1, 50256)


def hints(path: Path, ids: Any, written: str, read: str) -> list[str]:
    path.write_bytes(np.asarray(ids).astype(written).tobytes())
    return inspect(path, dtype=read, format="raw").shards[0].warnings


def warned(found: list[str]) -> str:
    """Return the only hint. The option --format may add what it overrides."""
    (hint,) = (text for text in found if "looks like" in text and "--format" not in text)
    return hint


@pytest.mark.parametrize(
    ("ids", "written", "read", "hint"),
    [
        (RIGHT, "<i8", "u2", r"looks like int64 \(u8 or i8\), which is not read: save as u4"),
        (RIGHT, "<i8", "u4", "looks like int64"),
        (RIGHT, "<i8", "i4", "looks like int64"),
        (RIGHT, "<u8", "u1", "looks like int64"),
        (RIGHT, ">i8", "u4", "looks like big-endian int64"),
        (RIGHT, "<i4", "u2", "looks like u4 ids. Pass --dtype u4"),
        (RIGHT, "<u4", "u1", "looks like u4 ids"),
        (RIGHT, ">u4", "u4", "looks like big-endian u4 ids, which are not read"),
        (RIGHT, ">u2", "u2", "looks like big-endian u2 ids, which are not read"),
        (PHRASE, "<u2", "u4", "looks like u2 ids. Pass --dtype u2"),
        (PHRASE, "<u2", "u1", "looks like u2 ids"),
        (PHRASE, "u1", "u2", "looks like u1 ids. Pass --dtype u1"),
        (PHRASE, "u1", "u4", "looks like u1 ids"),
        (SMALL, "<u2", "u4", "looks like u2 ids"),
        (SMALL, "<u2", "u1", "looks like u2 ids"),
        (SMALL, ">u2", "u2", "looks like big-endian u2"),
    ],
)
def test_dtype_hints_name_the_type_that_was_written(
    tmp_path: Path, ids: Any, written: str, read: str, hint: str
) -> None:
    found = warned(hints(tmp_path / "x.bin", ids, written, read))
    assert f"x.bin is read as {read}, but " in found
    assert hint.replace("\\", "") in found


def test_ids_beyond_any_vocabulary_are_noticed(tmp_path: Path) -> None:
    ids = np.arange(1000) * 65536 * 17 + 5
    assert "98% of its ids are 2^24 or larger" in hints(tmp_path / "x.bin", ids, "<u4", "u4")[0]


def zipf(exponent: float, vocabulary: int) -> Callable[[Any, int], Any]:
    return lambda random, size: random.zipf(exponent, size) % vocabulary


def scattered(exponent: float, vocabulary: int) -> Callable[[Any, int], Any]:
    """Zipf's law, with the frequent ids anywhere in the vocabulary."""
    return lambda random, size: random.permutation(vocabulary)[
        random.zipf(exponent, size) % vocabulary
    ]


def uniform(vocabulary: int) -> Callable[[Any, int], Any]:
    return lambda random, size: random.integers(0, vocabulary, size)


SHAPES: dict[str, Callable[[Any, int], Any]] = {
    **{f"uniform {size}": uniform(size) for size in (2, 65, 256, 300, 1000, 32000, 50257, 60000)},
    "uniform over all of u2": uniform(65536),
    "zipf": zipf(1.1, 50257),
    "steep zipf": zipf(1.6, 50257),
    "scattered": scattered(1.1, 50257),
    "scattered over all of u2": scattered(1.4, 65536),
    "constant": lambda random, size: np.full(size, 257),
    "largest": lambda random, size: np.full(size, 65535),
    "alternating": lambda random, size: np.arange(size) % 2 + 1,
    "alternating far": lambda random, size: np.where(np.arange(size) % 2, 5, 300),
    "pairs": lambda random, size: np.where(
        np.arange(size) % 2, 50256, random.integers(0, 50256, size)
    ),
    "eights": lambda random, size: np.where(np.arange(size) % 8 == 7, 0, random.zipf(2, size) % 99),
    "sorted": lambda random, size: np.arange(size) % 65536,
    "sorted high": lambda random, size: (np.arange(size) + 40000) % 65536,
    "falling": lambda random, size: np.arange(size)[::-1] % 65536,
    "twenty ids": lambda random, size: random.choice(random.integers(0, 50257, 20), size),
}
WIDE_SHAPES: dict[str, Callable[[Any, int], Any]] = {
    **{f"uniform {size}": uniform(size) for size in (70_000, 128_256, 151_936, 1 << 24)},
    "zipf": zipf(1.1, 128_256),
    "scattered": scattered(1.2, 151_936),
    "sorted": lambda random, size: np.arange(size) + 60_000,
}


@pytest.mark.parametrize("size", [40, 333, 5000])
@pytest.mark.parametrize("shape", SHAPES)
def test_true_ids_get_no_hint(tmp_path: Path, shape: str, size: int) -> None:
    ids = SHAPES[shape](np.random.default_rng(size), size)
    dtypes = ["u2", "u4", "i4", *(["u1"] if ids.max() < 256 else [])]
    for dtype in dtypes:
        assert hints(tmp_path / "x.bin", ids, f"<{dtype}", dtype) == [], dtype


@pytest.mark.parametrize("size", [40, 333, 5000])
@pytest.mark.parametrize("shape", WIDE_SHAPES)
def test_true_ids_of_four_bytes_get_no_hint(tmp_path: Path, shape: str, size: int) -> None:
    ids = WIDE_SHAPES[shape](np.random.default_rng(size), size)
    for dtype in ("u4", "i4"):
        assert hints(tmp_path / "x.bin", ids, f"<{dtype}", dtype) == [], dtype


def test_bytes_get_no_hint(tmp_path: Path) -> None:
    for content in (PHRASE, np.frombuffer(Path(np.__file__).read_bytes(), "u1")):
        assert hints(tmp_path / "x.bin", content, "u1", "u1") == []


def test_formats_that_state_their_dtype_get_no_hint(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", SMALL.astype("<u2").view("<u4"))
    assert inspect(tmp_path / "x.npy").shards[0].warnings == []


def test_every_command_has_the_hint(tmp_path: Path) -> None:
    RIGHT.astype("<i8").tofile(tmp_path / "x.bin")
    (warning,) = open_corpus(tmp_path / "x.bin", dtype="u4").warnings
    assert "looks like int64" in warning
