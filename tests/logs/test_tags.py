"""Tags of TensorBoard: names of Lightning, several that could be meant, and options."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.logs.test_tensorboard import event

from icfast.errors import OptionError
from icfast.logs import LogOptions
from icfast.logs.rows import Parsed

pytest.importorskip("tensorboard", reason="needs the extra icfast[tensorboard]")


def read(folder: Path, *events: bytes, **options: str) -> Parsed:
    from icfast.logs.tensorboard import read as read_files

    path = folder / "events.out.tfevents.1"
    path.write_bytes(b"".join(events))
    return read_files([path], LogOptions(**options))


def lightning() -> list[bytes]:
    return [
        *(event(step, "train_loss_step", 5 - step / 100) for step in (49, 99)),
        *(event(step, "epoch", 0.0) for step in (49, 99)),
        event(99, "train_loss_epoch", 4.5),
        event(99, "val_loss", 4.75),
    ]


def test_tags_of_lightning(tmp_path: Path) -> None:
    parsed = read(tmp_path, *lightning())
    assert [row.step for row in parsed.train] == [49, 99]
    assert [row.loss_nats for row in parsed.evaluations] == [4.75]
    assert [row.epoch for row in parsed.train] == [0.0, 0.0]
    assert parsed.counts_from_zero


def test_tags_in_other_spellings(tmp_path: Path) -> None:
    events = [event(1, "Train/Loss", 5.0), event(1, "Valid-Loss", 5.5), event(1, "LR", 0.5)]
    parsed = read(tmp_path, *events)
    assert [row.loss_nats for row in (*parsed.train, *parsed.evaluations)] == [5.0, 5.5]
    assert parsed.train[0].learning_rate == 0.5


def test_tags_are_asked_for(tmp_path: Path) -> None:
    ranks = [event(1, "loss", 5.0), event(1, "tokens", 64.0), event(1, "total_tokens", 256.0)]
    assert read(tmp_path, *ranks).train[0].tokens == 256
    assert read(tmp_path, *ranks, tokens_column="tokens").train[0].tokens == 64
    odd = [event(1, "objective", 5.0), event(1, "val_loss", 5.5)]
    with pytest.raises(OptionError, match="these could be it: 'objective'"):
        read(tmp_path, *odd)
    for name in ("run", "step_column"):
        with pytest.raises(OptionError, match=f"leave out --{name.replace('_', '-')}"):
            read(tmp_path, *ranks, **{name: "x"})
