"""Spectra of orders 1..N beside what others need for one order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

import icfast
from data import Tokens, generated, widened
from harness import Job
from icfast import Spectra, Spectrum
from icfast.backends.select import installed
from oracle import check_spectra, spectrum
from peers import COUNTING, present
from report import Report

#: Tokens that are lexically sorted as the oracle of long windows and wide ids.
_PREFIX = 2_000_000


def spectra_job(
    name: str, tokens: Tokens, order: int, check: Callable[[Spectra], None], **options: Any
) -> Job:
    corpus = tokens.corpus()
    rounds = options.pop("rounds", None)
    return Job(
        name,
        lambda: icfast.spectra(corpus, order, **options),
        corpus.tokens,
        tokens.input_bytes,
        check,
        rounds=rounds,
    )


def equals(expected: Spectra, orders: range) -> Callable[[Spectra], None]:
    """Check that spectra are those expected."""

    def check(found: Spectra) -> None:
        assert all(found[n] == expected[n] for n in orders)

    return check


@pytest.fixture(scope="module")
def prefix(tokens: Tokens) -> Iterator[Tokens]:
    with TemporaryDirectory(prefix="icfast-bench-") as folder:
        yield tokens.split(_PREFIX, Path(folder))[0]


@pytest.fixture(scope="module")
def checked(tokens: Tokens, prefix: Tokens) -> Spectra:
    """Orders 1..5: 1..4 of all tokens and 1..5 of a prefix checked against numpy."""
    check_spectra(icfast.spectra(prefix.corpus(), 5), prefix, range(1, 6))
    found = icfast.spectra(tokens.corpus(), 5)
    check_spectra(found, tokens, range(1, 5))
    return found


def peer_jobs(tokens: Tokens, folder: Path) -> list[Job]:
    """Each peer's ways to count; their windows cross documents, so icfast's do in their check."""
    ids = np.array(tokens.ids)
    crossing = icfast.spectra(tokens.corpus(cross_documents=True), 5)

    def same(order: int) -> Callable[[Any], None]:
        def check(found: Any) -> None:
            if isinstance(found, dict):
                rows = np.array(sorted(found.items()), np.uint64).T
                found = Spectrum(rows[0], rows[1])
            else:
                found = Spectrum.from_counts(found)
            assert found == crossing[order]

        return check

    return [
        Job(
            counter.name,
            counter.run,
            len(ids),
            ids.nbytes,
            same(counter.order),
            counter.prepare,
            peer=True,
            rounds=counter.rounds,
        )
        for peer in present(COUNTING)
        for counter in peer.counters(ids, folder)
    ]


def test_orders_4_and_5(report: Report, tokens: Tokens, checked: Spectra, tmp_path: Path) -> None:
    """In memory, and under a cap of an eighth of the 8-byte keys: a byte a token."""
    cap = max(len(tokens.ids), 16 << 20)
    four, five = equals(checked, range(1, 5)), equals(checked, range(1, 6))
    capped = f"icfast spectra 1..5, memory={cap / 1e6:.0f} MB"
    ours = [
        spectra_job("icfast spectra 1..4", tokens, 4, four),
        spectra_job("icfast spectra 1..5", tokens, 5, five),
        spectra_job("icfast spectra 1..5, one thread", tokens, 5, five, threads=1),
        spectra_job(capped, tokens, 5, five, memory=cap),
        # Many passes become one through a file there, as DuckDB's do.
        spectra_job(f"{capped}, temporary", tokens, 5, five, memory=cap, temporary=str(tmp_path)),
    ]
    report.compare(f"Spectra: {tokens.title}", [*ours, *peer_jobs(tokens, tmp_path)])


def test_order_16(
    report: Report, tokens: Tokens, prefix: Tokens, checked: Spectra, everything: bool
) -> None:
    check_spectra(icfast.spectra(prefix.corpus(), 16), prefix, range(1, 17))
    jobs = [
        spectra_job(
            f"icfast spectra 1..{order}",
            tokens,
            order,
            equals(checked, range(1, 6)),
            rounds=None if everything or order < 16 else 1,
        )
        for order in (5, 8, 16)
    ]
    report.compare(f"Long windows: {tokens.title}", jobs)


def test_wide_ids(report: Report, tokens: Tokens, checked: Spectra, tmp_path: Path) -> None:
    wide = widened(tokens, tmp_path / "wide.bin")
    part = wide.split(_PREFIX, tmp_path)[0]
    check_spectra(icfast.spectra(part.corpus(), 5), part, range(1, 6))

    def whole(found: Spectra) -> None:
        check_spectra(found, wide, range(1, 3))

    jobs = [
        spectra_job("icfast spectra 1..5, u16", tokens, 5, equals(checked, range(1, 6))),
        spectra_job("icfast spectra 1..5, wide u32", wide, 5, whole),
    ]
    report.compare(f"Wide ids: {wide.title}", jobs)


@pytest.mark.skipif(len(installed()) < 2, reason="one backend only: " + ", ".join(installed()))
def test_backends(report: Report, tokens: Tokens, prefix: Tokens, checked: Spectra) -> None:
    jobs = []
    for name in installed():
        icfast.spectra(prefix.corpus(), 5, backend=name)  # numba compiles
        same = equals(checked, range(1, 6))
        label = f"icfast spectra 1..5, {name}"
        rounds = None if name == "core" else 1
        jobs.append(spectra_job(label, tokens, 5, same, backend=name, rounds=rounds))
    report.compare(f"Backends: {tokens.title}", jobs)


@pytest.mark.slow
def test_growth(report: Report, tmp_path: Path) -> None:
    """400 M generated tokens against their first 48 M: the rate should stay."""
    whole = generated(tmp_path / "whole.bin", 400_000_000)
    part = whole.split(48_000_000, tmp_path)[0]
    jobs = [
        spectra_job(
            f"icfast spectra 1..5 of {tokens.title}",
            tokens,
            5,
            fourth_order_check(tokens),
        )
        for tokens in (part, whole)
    ]
    report.compare(f"Growth: {whole.title}", jobs)


def fourth_order_check(tokens: Tokens) -> Callable[[Spectra], None]:
    def check(found: Spectra) -> None:
        assert found[4] == spectrum(tokens, 4)

    return check
