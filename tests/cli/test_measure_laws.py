"""The code lengths and corpus laws of `icfast measure`, against plain counting in Python."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import naive
from tests.cli.conftest import Answer

from icfast.pipeline.records.measure import MeasureResult
from icfast.report.page import render_report

ORDER, VOCAB = 3, 30
LAW_KEYS = {"formula", "unit", "convention", "gate", "reason"}


def documents_of(path: Path) -> list[list[int]]:
    """Ids cut behind each 0, with the options of the `shards` fixture."""
    ids = np.fromfile(path, "<u2").tolist()
    ends = [i + 1 for i, token in enumerate(ids) if token == 0] + [len(ids)]
    starts = [0, *ends[:-1]]
    return [ids[a:b] for a, b in zip(starts, ends, strict=True) if b > a]


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icfast.report.page.render_report", lambda result: "")


@pytest.fixture
def measured(run: Any, shards: Any, options: Any, tmp_path: Path, no_page: None) -> Any:
    """result.json of two shards, with a document of the first once more at its end."""
    ids = np.fromfile(shards[0], "<u2")
    np.concatenate([ids, ids[:30]]).tofile(shards[0])
    command = ("measure", *shards, *options, "--order", ORDER, "--heldout", "0.2", "--json")
    answer: Answer = run(*command, "--output", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert answer.json == json.loads((tmp_path / "out" / "result.json").read_text())
    return answer.json


@pytest.fixture
def documents(measured: Any, shards: Any) -> list[list[int]]:
    return [document for path in shards for document in documents_of(path)]


@pytest.fixture
def training(documents: list[list[int]]) -> list[list[int]]:
    return [d for d in documents if not naive.is_heldout(d, 0.2, 0)]


def entropy_bits(counts: Counter[Any]) -> float:
    total = sum(counts.values())
    return -math.fsum(c / total * math.log2(c / total) for c in counts.values())


def histories(documents: list[list[int]], order: int) -> dict[tuple[int, ...], Counter[int]]:
    """What follows each history of up to order - 1 tokens, marked at the document's start."""
    found: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    for document in documents:
        marked = [-1, *document]
        for at in range(1, len(marked)):
            found[tuple(marked[max(0, at - order + 1) : at])][marked[at]] += 1
    return found


def kt_bits(followers: list[list[int]]) -> float:
    """Token after token, each before it is learned from."""
    bits = 0.0
    for tokens in followers:
        seen: Counter[int] = Counter()
        for n, token in enumerate(tokens):
            bits -= math.log2((seen[token] + 0.5) / (n + VOCAB / 2))
            seen[token] += 1
    return bits


def pitman_yor_bits(followers: list[list[int]], discount: float, strength: float) -> float:
    bits = 0.0
    for tokens in followers:
        seen: Counter[int] = Counter()
        for n, token in enumerate(tokens):
            if seen[token]:
                bits -= math.log2((seen[token] - discount) / (strength + n))
            else:
                new = (strength + len(seen) * discount) / (strength + n) if n else 1.0
                bits -= math.log2(new) - math.log2(VOCAB - len(seen))
            seen[token] += 1
    return bits


def test_code_lengths_are_of_the_training_tokens(measured: Any, training: Any) -> None:
    found = measured["code_lengths"]
    assert found["documents"] == "training"
    assert found["tokens"] == sum(map(len, training)) == measured["training"]["tokens"]
    kt, pitman_yor = found["families"]
    assert [kt["family"], pitman_yor["family"]] == ["KT", "Pitman-Yor"]
    for n in range(1, ORDER + 1):
        followed = histories(training, n)
        followers = [list(counts.elements()) for counts in followed.values()]
        final = sum(sum(c.values()) * entropy_bits(c) for c in followed.values())
        for family in (kt, pitman_yor):
            row = family["orders"][n - 1]
            assert row["order"] == n
            assert row["baseline_bits"] == pytest.approx(found["tokens"] * math.log2(VOCAB))
            assert row["final_bits"] == pytest.approx(final)
            assert row["absorbed_bits"] == pytest.approx(row["online_bits"] - final)
        assert kt["orders"][n - 1]["online_bits"] == pytest.approx(kt_bits(followers))
        row = pitman_yor["orders"][n - 1]
        grid = {
            (d / 10, th): pitman_yor_bits(followers, d / 10, th)
            for d in range(10)
            for th in (0.1, 1, 10, 100, 1000)
        }
        assert grid[row["discount"], row["strength"]] == pytest.approx(min(grid.values()))
        assert row["parameter_bits"] == pytest.approx(math.log2(50))
        assert row["online_bits"] == pytest.approx(min(grid.values()) + math.log2(50))
    rows = [
        (r["online_bits"], f["family"], r["order"]) for f in (kt, pitman_yor) for r in f["orders"]
    ]
    bits, family, order = min(rows)
    assert (found["best"]["family"], found["best"]["order"]) == (family, order)
    assert found["best"]["online_bits"] == bits


def test_every_law_has_its_formula_unit_convention_and_gate(measured: Any) -> None:
    laws = measured["corpus_laws"]
    assert set(laws) == {
        "quality",
        "entropy_rate",
        "heaps",
        "zipf",
        "renyi",
        "repetition",
        "shard_divergence",
        "constancy",
    }
    for name, law in laws.items():
        assert set(law) > LAW_KEYS, name
        assert all(law[key] for key in ("formula", "unit", "convention")), name
        assert (law["reason"] is None) == (law["gate"] is not None), name
    assert set(measured["formulas"]) >= {"ladder", "ic1", "ic2", "code_lengths"}


def test_quality(measured: Any) -> None:
    found = measured["corpus_laws"]["quality"]
    h = [row["conditional_entropy_bits_per_token"]["bos_padded"] for row in measured["orders"]]
    losses = [row["loss_bits_per_token"] for row in measured["ladder"]]
    for n, row in enumerate(found["orders"], start=1):
        assert row["conditional_bits_per_token"] == pytest.approx(h[n - 1])
        assert row["learnable_bits_per_token"] == pytest.approx(h[0] - h[n - 1])
        excess = sum(h[k] - h[n - 1] for k in range(n))
        assert row["excess_entropy_bits"] == pytest.approx(excess, abs=1e-12)
        assert row["gate"] == measured["orders"][n - 1]["gate"]
    assert found["noise_floor_low_bits_per_token"] == pytest.approx(h[-1])
    assert found["noise_floor_high_bits_per_token"] == pytest.approx(min(losses[1:]))
    learnable = found["heldout_learnable_bits_per_token"]
    assert learnable == pytest.approx(losses[1] - min(losses[1:]))


def test_entropy_rate_leaves_orders_out_that_are_lower_bounds(measured: Any) -> None:
    found = measured["corpus_laws"]["entropy_rate"]
    known = itertools.takewhile(
        lambda row: row["gate"] not in (None, "lower bound"), measured["orders"]
    )
    assert found["from_plug_in"]["orders"] == len(list(known))
    heldout = found["from_heldout"]
    assert heldout["orders"] == ORDER
    # Tokens are independent, so the entropies need not fall; the reason then says so.
    assert heldout["reason"] is None or "must not increase" in heldout["reason"]


def test_heaps(measured: Any, documents: Any) -> None:
    found = measured["corpus_laws"]["heaps"]
    ids = [token for document in documents for token in document]
    assert found["tokens"][-1] == len(ids)
    assert found["observed_types"] == [len(set(ids[:n])) for n in found["tokens"]]
    counts = Counter(ids).values()
    total = len(ids)
    shuffled = [
        math.fsum(1 - math.comb(total - r, n) / math.comb(total, n) for r in counts)
        for n in found["tokens"]
    ]
    assert found["shuffled_types"] == pytest.approx(shuffled)
    gaps = [1 - v / e for v, e in zip(found["observed_types"], shuffled, strict=True)]
    assert found["largest_shortfall"]["share"] == pytest.approx(max(gaps), abs=1e-12)
    points = [
        (math.log(n), math.log(v))
        for n, v in zip(found["tokens"], found["observed_types"], strict=True)
        if n >= total / 1000
    ]
    slope = np.polyfit(*np.array(points).T, 1)[0]
    assert found["observed_fit"]["beta"] == pytest.approx(slope)


def test_zipf_renyi_and_repetition(measured: Any, documents: Any) -> None:
    laws = measured["corpus_laws"]
    counts = Counter(token for document in documents for token in document)
    zipf = laws["zipf"]
    assert zipf["types"] == len(counts)
    assert zipf["hapax_share"] == sum(c == 1 for c in counts.values()) / len(counts)
    assert zipf["best"] == min(zipf["tails"], key=lambda tail: tail["distance"])
    p = [c / sum(counts.values()) for c in counts.values()]
    renyi = {row["q"]: row["bits_per_token"] for row in laws["renyi"]["entropies"]}
    assert renyi[0] == pytest.approx(math.log2(len(counts)))
    assert renyi[0.5] == pytest.approx(2 * math.log2(sum(map(math.sqrt, p))))
    assert renyi[1] == pytest.approx(entropy_bits(counts))
    assert renyi[2] == pytest.approx(-math.log2(sum(x * x for x in p)))
    assert renyi[None] == pytest.approx(-math.log2(max(p)))
    again = laws["repetition"]
    seen: set[tuple[int, ...]] = set()
    copies = []
    for document in documents:
        if tuple(document) in seen:
            copies.append(document)
        seen.add(tuple(document))
    assert copies
    assert (again["documents"], again["tokens"]) == (len(copies), sum(map(len, copies)))
    assert again["documents_share"] == pytest.approx(len(copies) / len(documents))
    for row in again["orders"]:
        windows = naive.ngram_counts(documents, row["order"])
        assert row["share"] == pytest.approx(1 - len(windows) / sum(windows.values()))


def test_divergence_between_shards(measured: Any, shards: Any) -> None:
    found = measured["corpus_laws"]["shard_divergence"]
    parts = [Counter(t for d in documents_of(path) for t in d) for path in shards]
    both = parts[0] + parts[1]
    total = sum(both.values())
    within = sum(sum(part.values()) / total * entropy_bits(part) for part in parts)
    assert found["bits_per_token"] == pytest.approx(entropy_bits(both) - within)
    floor = (len(both) - 1) / (2 * total * math.log(2))
    assert found["sampling_floor_bits_per_token"] == pytest.approx(floor)
    assert found["gate"] == (
        "apart" if found["bits_per_token"] > 2 * floor else "at the floor of samples"
    )
    assert found["shards"] == 2


def test_loss_by_position(measured: Any, documents: Any, training: Any) -> None:
    found = measured["corpus_laws"]["constancy"]
    model = naive.KneserNey(training, ORDER, "tokens", VOCAB, 0)
    heldout = [d for d in documents if naive.is_heldout(d, 0.2, 0)]
    bits = [[-math.log2(p) for p in model.document_probabilities(d)] for d in heldout]
    points = []
    for row in found["rows"]:
        here = [b for d in bits for b in d[row["first"] : row["last"] + 1]]
        assert row["predicted_tokens"] == len(here)
        assert row["loss_bits_per_token"] == pytest.approx(math.fsum(here) / len(here), rel=1e-9)
        if row["first"] >= ORDER - 1:
            middle = math.log2((row["first"] + row["last"]) / 2 + 1)
            points.append((middle, math.fsum(here) / len(here), math.sqrt(len(here))))
    x, y, weights = zip(*points, strict=True)
    assert found["slope_bits_per_doubling"] == pytest.approx(np.polyfit(x, y, 1, w=weights)[0])


@pytest.mark.ci
@pytest.mark.usefixtures("no_page")
@pytest.mark.parametrize("order", [1, 4])
def test_two_documents_of_one_id_each(run: Any, tmp_path: Path, order: int) -> None:
    """The least that can be measured: laws that need more say so."""
    path = tmp_path / "tiny.bin"
    heldout = {i: naive.is_heldout([i], 0.5, None) for i in range(9)}
    one = next(i for i, held in heldout.items() if held)
    other = next(i for i, held in heldout.items() if not held)
    np.array([one, 9, other, 9], "<u2").tofile(path)
    options = ("--dtype", "u2", "--eos-id", 9, "--vocab-size", 10, "--heldout", 0.5)
    out = ("--order", order, "--output", tmp_path / "out", "--json")
    answer: Answer = run("measure", path, *options, *out)
    assert answer.code == 0, answer.err
    laws = answer.json["corpus_laws"]
    assert laws["shard_divergence"]["reason"] == "one shard: nothing to compare it with"
    assert (laws["constancy"]["slope_bits_per_doubling"] is None) == (order > 1)
    assert laws["repetition"]["documents"] == 0
    rate = laws["entropy_rate"]
    assert rate["from_plug_in"]["reason"] is not None
    assert laws["heaps"]["observed_types"][-1] == 3
    assert json.dumps(laws, allow_nan=False)
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    assert "one shard: nothing to compare it with" in render_report(
        MeasureResult.from_json(answer.json)
    )
