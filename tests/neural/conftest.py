"""A small corpus on disk for tests of neural models, and chunks small enough for it."""

from __future__ import annotations

import pytest
from tests.neural.token_corpora import EOS, some_shards
from tests.ngrams.corpora import write_shards


@pytest.fixture
def written(tmp_path):
    return write_shards(tmp_path / "c", some_shards(), eos_id=EOS)


@pytest.fixture
def small_units(monkeypatch):
    monkeypatch.setattr("icfast.neural.contexts.CHUNK_TARGETS", 37)
