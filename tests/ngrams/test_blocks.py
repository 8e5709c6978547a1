"""Files of sorted runs: blocks round trip, and no damage is read as counts."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.backends.definitions import Shape, entries, run_of
from tests.ngrams.damage import content, cut_lengths, flipped, sampled

from icfast.errors import ArtefactError
from icfast.ngrams import blocks
from icfast.ngrams.blocks import open_runs, pack_blocks, read_runs, write_header
from icfast.ngrams.keys import KeyShape

SHAPES = [Shape(1, 1, 1), Shape(3, 4, 1), Shape(3, 32, 1), Shape(4, 30, 2), Shape(9, 32, 4)]
TWO_WORDS = Shape(4, 30, 2)
COUNTS = {(1, 0, 0, 0): 1, (1, 5, 0, 0): 300, (2, 1, 2**30 - 1, 0): 70000, (7, 1, 1, 1): 2**40}


def write(path, run, shape):
    with path.open("wb") as file:
        write_header(file, KeyShape(*shape))
        file.writelines(pack_blocks(run))


def read(path, shape):
    return list(read_runs(open_runs(path), KeyShape(*shape)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("block", [1, 3, 1 << 18])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(seeds=st.lists(st.tuples(st.integers(0, 2**62), st.integers(1, 2**64 - 1)), max_size=9))
def test_round_trip(tmp_path, shape, block, seeds):
    counted = Counter()
    for seed, count in seeds:
        symbols = [1 + seed % 5, *(seed >> (7 * i) & (2**shape.bits - 1) for i in range(1, 9))]
        counted[tuple(symbols[: shape.order])] = count
    run = run_of(counted, shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_BLOCK_ENTRIES", block)
        write(tmp_path / "x.run", run, shape)
    found = read(tmp_path / "x.run", shape)
    assert [entry for part in found for entry in entries(part)] == entries(run)
    assert all(0 < len(part.counts) <= block for part in found)


@pytest.mark.parametrize(
    ("largest", "width"), [(255, 1), (256, 2), (65535, 2), (65536, 4), (2**32, 8), (2**64 - 1, 8)]
)
def test_counts_take_the_least_width(largest, width):
    few, many = (run_of({(1, s, 0): largest for s in range(n)}, Shape(3, 16, 1)) for n in (8, 16))
    # Eight more entries: eight keys and eight counts, with any size of the rest of the block.
    assert len(*pack_blocks(many)) - len(*pack_blocks(few)) == 8 * (8 + width)


@pytest.fixture
def run_file(tmp_path, monkeypatch):
    """Return a file of two blocks."""
    monkeypatch.setattr(blocks, "_BLOCK_ENTRIES", 3)
    path = tmp_path / "x.run"
    write(path, run_of(Counter(COUNTS), TWO_WORDS), TWO_WORDS)
    assert len(read(path, TWO_WORDS)) == 2
    return path


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_flip_of_any_byte_is_noticed(run_file, mask):
    whole = run_file.read_bytes()
    for at in range(len(whole)):
        with (
            content(run_file, flipped(whole, at, mask)),
            pytest.raises(ArtefactError, match=r"is damaged at byte|run file version"),
        ):
            read(run_file, TWO_WORDS)


def test_a_cut_anywhere_but_between_blocks_is_noticed(run_file):
    whole = run_file.read_bytes()
    header = 24
    first = header + len(pack_blocks(run_of(Counter(COUNTS), TWO_WORDS))[0])
    for length in {*range(len(whole))} - {header, first}:
        with content(run_file, whole[:length]), pytest.raises(ArtefactError, match="is damaged at"):
            read(run_file, TWO_WORDS)
    # Whole blocks that are missing are for the table to notice, which knows the total.
    with content(run_file, whole[:first]):
        assert len(read(run_file, TWO_WORDS)) == 1


def test_what_stands_behind_the_last_block_is_noticed(run_file):
    whole = run_file.read_bytes()
    for tail in (b"\0", bytes(64), whole[:24]):
        with content(run_file, whole + tail), pytest.raises(ArtefactError, match="is damaged"):
            read(run_file, TWO_WORDS)


def test_another_shape_and_another_version(run_file):
    for shape in (Shape(4, 29, 2), Shape(5, 30, 2), Shape(4, 30, 3)):
        with pytest.raises(ArtefactError, match=r"its header has .*, and its table"):
            read(run_file, shape)
    with (
        content(run_file, flipped(run_file.read_bytes(), 7, 3)),
        pytest.raises(ArtefactError, match="run file version 2, and this icfast reads version 1"),
    ):
        read(run_file, TWO_WORDS)


def test_positions_reach_over_a_whole_file():
    assert sampled(3) == [0, 1, 2]
    assert {0, 39, 960, 999} <= {*sampled(1000)}
    assert cut_lengths(3) == [0, 1, 2]
