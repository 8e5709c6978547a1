"""Count tables: written, and merged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import icfast
from data import Tokens
from harness import Job
from oracle import check_spectra
from peers import present, tokengrams_index
from report import Report

_ORDER = 5
_PARTS = 8

#: Tokens that are indexed by tokengrams: repeated text costs it minutes.
_INDEXED = 20_000_000


@pytest.fixture(scope="module")
def checked(tokens: Tokens) -> icfast.Spectra:
    found = icfast.spectra(tokens.corpus(), _ORDER)
    check_spectra(found, tokens, range(1, 5))
    return found


def test_table_written(
    report: Report, tokens: Tokens, checked: icfast.Spectra, tmp_path: Path
) -> None:
    corpus, folder = tokens.corpus(), tmp_path / "table"

    def check(table: icfast.CountTable) -> None:
        assert table.spectra() == checked

    ours = Job(
        f"icfast count table of order {_ORDER}, written",
        lambda: icfast.count(corpus, folder, _ORDER),
        corpus.tokens,
        tokens.input_bytes,
        check,
        prepare=lambda: shutil.rmtree(folder, ignore_errors=True),
    )
    part = tokens.split(_INDEXED, tmp_path)[0]
    theirs = Job(
        f"tokengrams index of {len(part.ids) / 1e6:.1f} M tokens, in memory",
        lambda: tokengrams_index.Index(part.path),
        len(part.ids),
        part.input_bytes,
        lambda index: same_counts(index, part),
        peer=True,
        rounds=1,
    )
    here = list(present([tokengrams_index]))
    report.compare(f"Count table: {tokens.title}", [ours, theirs] if here else [ours])


def same_counts(index: tokengrams_index.Index, tokens: Tokens) -> None:
    """Some trigrams of the middle of the corpus, against a plain look."""
    ids = tokens.ids
    for first in range(len(ids) // 2, len(ids) // 2 + 5):
        trigram = ids[first : first + 3]
        there = (ids[:-2] == trigram[0]) & (ids[1:-1] == trigram[1]) & (ids[2:] == trigram[2])
        assert index.count(trigram.tolist()) == np.count_nonzero(there)


def test_merge(report: Report, tokens: Tokens, checked: icfast.Spectra, tmp_path: Path) -> None:
    parts = tokens.cut(_PARTS, tmp_path)
    tables = [
        icfast.count(part.corpus(), tmp_path / f"table{number}", _ORDER)
        for number, part in enumerate(parts)
    ]
    entries = sum(table.spectra().padded(_ORDER).distinct for table in tables)
    folder = tmp_path / "merged"

    def check(table: icfast.CountTable) -> None:
        assert table.spectra() == checked

    job = Job(
        f"icfast merge of {_PARTS} tables of order {_ORDER}",
        lambda: icfast.merge(tables, folder),
        entries,
        check=check,
        prepare=lambda: shutil.rmtree(folder, ignore_errors=True),
    )
    report.compare(f"Merge: {tokens.title}", [job], unit="entries")
