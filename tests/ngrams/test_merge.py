"""Merged tables are exact, and tables of other conventions are refused."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from tests.backends.definitions import entries
from tests.ngrams.corpora import as_dicts, assert_spectra, write_shards

import icfast
from icfast.errors import MergeError, OptionError
from icfast.ngrams import blocks, merge
from icfast.ngrams.table import CountTable

EOS = 0


def shards(seed, ids):
    """Return three shards over these sets of ids, with documents of 0 to 30 ids."""
    chance = random.Random(seed)
    return [
        [[chance.choice(pool) for _ in range(chance.randrange(30))] for _ in range(8)]
        for pool in ids
    ]


def count(folder, documents, order, backend="auto", **options):
    convention = options.pop("convention", "tokens")
    written = write_shards(folder, documents, **{"eos_id": EOS, "vocab_size": 65536, **options})
    return icfast.count(
        written.corpus, folder / "table", order, backend=backend, convention=convention
    ), written


def assert_same_table(found: CountTable, expected: CountTable) -> None:
    assert found.shape == expected.shape
    assert found.totals == expected.totals
    assert found.ids.tolist() == expected.ids.tolist()
    windows = [
        [entry for run in table.runs() for entry in entries(run)] for table in (found, expected)
    ]
    assert windows[0] == windows[1]
    for mine, its in zip(found.ends(), expected.ends(), strict=True):
        assert np.array_equal(mine, its)
    assert as_dicts(found.spectra()) == as_dicts(expected.spectra())
    assert set(found.source.shards) == set(expected.source.shards)
    assert replace(found.source, shards=()) == replace(expected.source, shards=())


#: Sets of ids of three shards: the same, disjoint, and ones whose union needs a wider key.
DICTIONARIES = {
    "same": [range(1, 9)] * 3,
    "disjoint": [range(1, 4), range(10, 14), range(4, 8)],
    "wider": [range(1, 4), range(1, 700), range(65000, 65400)],
}


@pytest.mark.parametrize("ids", DICTIONARIES.values(), ids=DICTIONARIES)
@pytest.mark.parametrize("convention", ["tokens", "kenlm"])
# With 12 symbols "wider" parts take one word and their sum two.
@pytest.mark.parametrize("order", [1, 3, 12])
# Ranges of a few blocks, most of them held, some too large for it; or all of them streamed.
@pytest.mark.ci
@pytest.mark.parametrize("large", [50, 0], ids=["held", "streamed"])
def test_merged_parts_are_the_whole_in_any_order(
    backend, tmp_path, ids, convention, order, large, monkeypatch
):
    monkeypatch.setattr(blocks, "_BLOCK_ENTRIES", 20)
    monkeypatch.setattr(merge, "_BUCKET_ENTRIES", 30)
    monkeypatch.setattr(merge, "_LARGE_ENTRIES", large)
    documents = shards(order, ids)
    whole, _ = count(tmp_path / "whole", documents, order, backend, convention=convention)
    parts = []
    for number, shard in enumerate(documents):
        folder = tmp_path / str(number)
        part, written = count(folder, [shard], order, backend, convention=convention)
        # Shards carry the names they have in the whole.
        path = written.paths[0].rename(folder / f"{number}.bin")
        corpus = icfast.open(path, dtype="u2", eos_id=EOS, vocab_size=65536)
        part = icfast.count(corpus, folder / "named", order, convention=convention, backend=backend)
        parts.append(part)
    if ids is DICTIONARIES["wider"] and order == 12:
        assert parts[0].shape.words < whole.shape.words
    for number, chosen in enumerate(permutations(parts)):
        merged = icfast.merge(chosen, tmp_path / f"merged{number}", backend=backend)
        assert_same_table(merged, whole)
        if number == 2:
            break
    nested = icfast.merge(parts[1:], tmp_path / "two", backend=backend)
    nested = icfast.merge([nested, parts[0]], tmp_path / "nested", backend=backend)
    assert_same_table(nested, whole)


def test_a_merge_of_one_is_that_table(backend, tmp_path):
    table, written = count(tmp_path / "a", shards(1, [range(1, 5)]), 3, backend)
    merged = icfast.merge([table], tmp_path / "merged", backend=backend)
    assert_same_table(merged, table)
    assert_spectra(merged.spectra(), written.documents)


def test_measured_vocabularies_merge_to_the_larger(tmp_path):
    tables = [count(tmp_path / str(top), [[[1, top]]], 2, vocab_size=None)[0] for top in (5, 3, 9)]
    assert icfast.merge(tables, tmp_path / "merged").source.vocab_size == 10


def test_nothing_to_merge(tmp_path):
    with pytest.raises(MergeError, match="nothing to merge"):
        icfast.merge([], tmp_path / "merged")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 3}, "counted to order 2, another 3"),
        ({"convention": "kenlm"}, "made under convention 'tokens', another 'kenlm'"),
        ({"tokenizer": "b.json"}, "written by tokenizer 'a.json', another 'b.json'"),
        ({"eos_id": 7}, "cut at end id 0, another 7"),
        ({"boundary": "start"}, "cut with boundary 'end', another 'start'"),
        ({"cross_documents": True}, "counted with cross_documents False, another True"),
        ({"vocab_size": 65535}, "one vocabulary has 65536 ids, another 65535"),
        (
            {"vocab_size": None},
            "have 65536 ids, the other was measured: its largest id is 7",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_strangers_are_refused(tmp_path, options, message):
    first, _ = count(tmp_path / "a", [[[1, 2, 3]]], 2, tokenizer="a.json")
    options = {"tokenizer": "a.json", "order": 2, **options}
    other, _ = count(tmp_path / "b", [[[3, 2, 7, 1]]], options.pop("order"), **options)
    with pytest.raises(MergeError, match=message):
        icfast.merge([first, other], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_shards_that_overlap_are_refused(tmp_path):
    same, new = [[1, 2, 3]], [[4, 4]]
    first, _ = count(tmp_path / "a", [same, new], 2)
    other, _ = count(tmp_path / "b", [same], 2)
    with pytest.raises(MergeError, match=r"equal content would be counted twice \(0\.bin\)"):
        icfast.merge([first, other], tmp_path / "merged")
    with pytest.raises(MergeError, match="counted twice"):
        icfast.merge([first, first], tmp_path / "merged")


def test_sides_of_a_split_are_no_whole(tmp_path):
    first, _ = count(tmp_path / "a", [[[1, 2, 3]]], 2)
    held = replace(first, source=replace(first.source, documents="held out at 0.1"))
    other, _ = count(tmp_path / "b", [[[1, 2]]], 2)
    with pytest.raises(MergeError, match=r"made of documents 'held out at 0.1', another 'all'"):
        icfast.merge([held, other], tmp_path / "merged")


def test_ids_that_together_exceed_the_longest_key_are_refused(tmp_path):
    # With the end id 15 ids each: order 64 takes 63 * 4 bits, which fits; 29 ids take 63 * 5.
    halves = []
    for name, ids in (("low", range(1, 15)), ("high", range(15, 29))):
        (tmp_path / name).mkdir()
        halves.append(count(tmp_path / name, [[list(ids)]], 64)[0])
    with pytest.raises(OptionError, match="its keys need 315 bits"):
        icfast.merge(halves, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
