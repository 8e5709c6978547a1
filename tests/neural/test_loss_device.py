"""Scoring on a device gives the integers of the host, in any order of its streams."""

from __future__ import annotations

import re

import numpy as np
import pytest
from tests.neural.hash_model import HashModel
from tests.neural.lazy_device import LazyModel
from tests.neural.token_corpora import EOS, assert_same, some_shards
from tests.ngrams.corpora import write_shards

import icfast
from icfast.errors import BackendError, CorpusError, ResourceError, SelfCheckError
from icfast.sums.kinds import Kind

ORDERS = ["", "copies", "work", "copies work"]


@pytest.fixture
def written(tmp_path):
    return write_shards(tmp_path / "c", some_shards(), eos_id=EOS)


@pytest.fixture(autouse=True)
def small_units(monkeypatch):
    monkeypatch.setattr("icfast.neural.contexts.CHUNK_TARGETS", 37)


@pytest.mark.parametrize("eager", ORDERS)
@pytest.mark.parametrize("batch", [1, 2, None])
@pytest.mark.parametrize(
    "policy",
    [{}, {"stride": 3}, {"stride": 3, "bos": 3}, {"stride": 2, "packed": True}, {"window": 1}],
)
def test_sums_are_the_hosts(written, eager, batch, policy):
    model = LazyModel(eager=eager)
    scores = icfast.score(written.corpus, model, batch=batch, **policy)
    assert_same(scores, icfast.score(written.corpus, HashModel(), batch=batch, **policy))
    assert len(scores.positions.low) > 0
    assert scores.model.device == "lazy:0"
    if batch == 1:
        assert {shape[0] for shape in model.calls} == {1}


@pytest.mark.parametrize("eager", ORDERS)
@pytest.mark.parametrize(("kind", "loss"), [(Kind.NAN, np.nan), (Kind.INFINITE, np.inf)])
def test_losses_that_are_none(written, eager, kind, loss):
    odd = (5, loss, kind)
    scores = icfast.score(written.corpus, LazyModel(odd=odd, eager=eager), batch=2)
    assert_same(scores, icfast.score(written.corpus, HashModel(odd=odd), batch=2))
    assert scores.total.nan + scores.total.infinite > 0


def test_the_host_is_ahead_and_waits_for_no_sums_meanwhile(written):
    """The device is late: it does nothing before the host waits for it."""
    model = LazyModel()
    icfast.score(written.corpus, model, batch=1)
    log = model.log
    assert log.count("staging") == 2
    assert model.ahead == 4  # two batches in device buffers, two in staging buffers
    units = log.count("fetched") // 2
    assert units > 5
    # A chunk's sums are requested after the first batches of the next chunk.
    first = log.index("fetched")
    batches_of_two_units = 2 * 37 / 8
    assert log[:first].count("score") > batches_of_two_units
    assert log[-2:] == ["fetched", "wait"]
    # The host waits for a staging buffer before each batch, and for nothing else but the sums.
    assert log.count("wait") == log.count("score") + log.count("fetched")


# What goes wrong ----------------------------------------------------------------------------------


PLACE = r"\(batch 2 of contexts \d+\.\.\d+ of .*0\.bin\)"


def test_work_that_is_refused_says_where(written):
    with pytest.raises(BackendError, match=f"^the device refused work {PLACE}$"):
        icfast.score(written.corpus, LazyModel(refused_at=3), batch=1)
    # Of a unit that is not the first: counted from its own first batch.
    with pytest.raises(BackendError) as refused:
        icfast.score(written.corpus, LazyModel(refused_at=9), batch=1)
    found = re.search(r"batch (\d+) of contexts (\d+)\.\.(\d+) of", str(refused.value))
    assert found is not None
    batch, first, last = map(int, found.groups())
    assert first > 0
    assert first + batch <= last
    assert first + batch == 8  # one window a batch: the ninth


@pytest.mark.parametrize("eager", ORDERS)
@pytest.mark.parametrize("last", [False, True])
def test_work_that_fails_later_says_where_it_was_noticed(written, eager, last):
    batches = LazyModel()
    icfast.score(written.corpus, batches, batch=1)
    failing = LazyModel(fails_at=batches.queued if last else 3, eager=eager)
    with pytest.raises(BackendError, match=r"an illegal address \(.*contexts \d+\.\.\d+ of"):
        icfast.score(written.corpus, failing, batch=1)


def test_the_hosts_errors_have_their_place_too(written, monkeypatch):
    model = HashModel()
    losses = HashModel.losses

    def few(self, ids, targets, threads):
        out = losses(self, ids, targets, threads)
        return out if len(self.calls) < 3 else out._replace(kinds=out.kinds[1:])

    monkeypatch.setattr(HashModel, "losses", few)
    with pytest.raises(SelfCheckError, match=f"hash returned .* losses for .* positions {PLACE}"):
        icfast.score(written.corpus, model, batch=1)


@pytest.mark.parametrize("eager", ORDERS)
def test_a_model_that_ignores_targets(written, eager):
    ignoring = LazyModel(odd=(5, 0.0, Kind.IGNORED), eager=eager)
    with pytest.raises(
        SelfCheckError, match=r"hash returned \d+ losses for \d+ targets \(contexts"
    ):
        icfast.score(written.corpus, ignoring)


def test_ids_the_model_does_not_have(written):
    with pytest.raises(CorpusError, match=r"outside the model's vocabulary \(12 ids\)"):
        icfast.score(written.corpus, LazyModel(vocab_size=12))


def test_memory_is_the_devices(written):
    model = LazyModel(memory_bytes=8 * 1000)
    icfast.score(written.corpus, model, memory=1)
    assert max(rows * columns for rows, columns in model.calls) <= 8
    with pytest.raises(ResourceError, match=r"7\.8 KiB in hash.*\. Free memory on lazy:0"):
        icfast.score(written.corpus, LazyModel(memory_bytes=7999))


# Checkpoints --------------------------------------------------------------------------------------


@pytest.mark.parametrize("eager", ORDERS)
def test_an_interrupted_pass_goes_on(written, tmp_path, eager):
    whole = icfast.score(written.corpus, HashModel(), batch=1)
    options = {"batch": 1, "checkpoint": tmp_path / "kept"}
    with pytest.raises(KeyboardInterrupt):
        icfast.score(written.corpus, LazyModel(stop_after=25, eager=eager), **options)
    kept = len(list((tmp_path / "kept").iterdir()))
    assert kept > 0
    model = LazyModel(eager=eager)
    scores = icfast.score(written.corpus, model, **options)
    assert scores.resumed_units == kept
    assert_same(scores, whole)
    again = icfast.score(written.corpus, LazyModel(eager=eager), **options)
    assert_same(again, whole)
    assert again.resumed_units == len(list((tmp_path / "kept").iterdir())) > kept


def test_checkpoints_of_a_device_are_not_those_of_another(written, tmp_path):
    """Logits of different devices differ in their last bits."""
    folder = tmp_path / "kept"
    icfast.score(written.corpus, HashModel(), checkpoint=folder)
    scores = icfast.score(written.corpus, LazyModel(), checkpoint=folder)
    assert scores.resumed_units == 0
    moved = icfast.score(written.corpus, LazyModel(device="lazy:1"), checkpoint=folder)
    assert moved.resumed_units == len(list(folder.iterdir())) // 2
