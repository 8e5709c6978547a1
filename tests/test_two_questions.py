"""examples/two_questions.py: what its tables say holds on a small corpus, too."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from icfast.errors import CorpusError

ROOT = Path(__file__).parents[1]
BYTES, ORDER = 256, 4


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "examples" / "two_questions.py"
    spec = importlib.util.spec_from_file_location("two_questions", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["two_questions"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def documents() -> list[np.ndarray]:
    """The sources of the laws, a byte a token."""
    files = sorted((ROOT / "src" / "icfast").rglob("*.py"))
    return [np.frombuffer(file.read_bytes(), np.uint8).astype(np.uint32) for file in files[:90]]


@pytest.mark.ci
def test_a_second_copy(script, documents):
    once, twice, leaking = script.duplicated(documents, BYTES, 8)
    assert (twice.tokens, twice.unique) == (2 * once.tokens, once.tokens)
    assert leaking.unique < leaking.tokens
    # Plug-in entropies are of shares, and these do not move.
    assert twice.entropy == pytest.approx(once.entropy, rel=1e-12)
    assert twice.conditional == pytest.approx(once.conditional, rel=1e-12)
    for family in ("kt", "pitman_yor"):
        for one, both in zip(getattr(once, family), getattr(twice, family), strict=True):
            assert both.final_bits == pytest.approx(2 * one.final_bits, rel=1e-12)
            # No count code knows a copy for what it is, but it is the cheaper one.
            assert 0 < both.online_bits - one.online_bits < one.online_bits
    # Read with the tokens seen for D, IC-1 takes the second copy for information.
    assert twice.saved / once.saved == pytest.approx(2, rel=0.05)
    # Even counts determine no discounts; the usual ones do about as well.
    assert twice.defaults
    assert not once.defaults
    assert twice.loss == pytest.approx(once.loss, abs=0.1)
    assert leaking.loss < once.loss - 0.5


@pytest.mark.ci
@pytest.mark.parametrize("kind", ["uniform", "unigram"])
def test_substitutions(script, documents, kind):
    shares, figures = zip(*script.substituted(documents, BYTES, ORDER, kind), strict=True)
    assert shares == script.SHARES
    training, heldout = script.sides_of(documents, BYTES)
    assert figures[0] == script.measure(training, heldout, BYTES, ORDER)
    assert len({f.tokens for f in figures}) == 1
    for less, more in pairwise(figures):
        assert more.loss > less.loss
        assert more.losses[0] - more.loss < less.losses[0] - less.loss
        assert more.saved < less.saved
        # Tokens drawn as they are distributed cost single tokens nothing.
        orders = slice(1 if kind == "unigram" else 0, None)
        for one, other in zip(less.pitman_yor[orders], more.pitman_yor[orders], strict=True):
            assert other.compression_bits < one.compression_bits
        # Counts absorb noise by heart: B - C rewards it.
        assert more.pitman_yor[-1].absorbed_bits > less.pitman_yor[-1].absorbed_bits
        if kind == "uniform":
            assert more.entropy > less.entropy
    if kind == "unigram":
        assert figures[-1].entropy == pytest.approx(figures[0].entropy, abs=0.02)


def test_so_many_are_replaced_by_what_is_asked_for(script, documents, monkeypatch):
    seen = []
    monkeypatch.setattr(script, "measure", lambda training, *_: seen.append(training))
    training, _ = script.sides_of(documents, BYTES)
    clean = np.concatenate(training)
    held = Counter(clean.tolist())
    for kind in ("uniform", "unigram"):
        seen.clear()
        list(script.substituted(documents, BYTES, ORDER, kind))
        for share, noisy in zip(script.SHARES, seen, strict=True):
            assert [len(d) for d in noisy] == [len(d) for d in training]
            tokens = np.concatenate(noisy)
            assert set(tokens.tolist()) <= set(held)
            p = np.array(list(held.values())) / len(clean)
            # A draw may be the token that stood there.
            same = 1 / len(held) if kind == "uniform" else float(p @ p)
            expected = share * (1 - same)
            assert np.mean(tokens != clean) == pytest.approx(expected, abs=0.004)


def test_copies_stand_on_one_side_once(script, documents):
    training, heldout = script.sides_of([*documents, *documents], BYTES)
    assert len(training) + len(heldout) == len({d.tobytes() for d in documents})
    assert not {d.tobytes() for d in training} & {d.tobytes() for d in heldout}
    with pytest.raises(CorpusError, match="one document"):
        script.sides_of([documents[0], documents[0]], BYTES)


@pytest.mark.ci
def test_what_is_printed(script, documents, tmp_path, monkeypatch, capsys):
    path = tmp_path / "bytes.bin"
    path.write_bytes(b"\0".join(d.astype(np.uint8).tobytes() for d in documents[:40]))
    options = ["--dtype", "u1", "--eos-id", "0", "--vocab-size", "256", "--order", "3"]
    monkeypatch.setattr(sys, "argv", ["two_questions.py", str(path), *options])
    script.main()
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split(" | ")[0].strip("| "): line for line in lines if line.startswith("| ")}
    assert {"once", "twice, split without leaks", "twice, leaking split"} <= set(rows)
    assert rows["clean held-out L"].endswith("| rises |")
    assert rows["compression, A - B of it"].endswith("| falls |")
