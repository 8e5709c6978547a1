"""TensorBoard event files: real files, resumed runs, tags, every kind of damage.

The files of data/ were written by tensorboardX 2.6.5 (resumed), torch 2.13.0's SummaryWriter with
tensorboard 2.21.0 (torch) and tensorboard 2.21.0's EventFileWriter (tensors): losses of
2 + 8 (step + 1)^-1/2 nats.
"""

from __future__ import annotations

import shutil
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import LogError, MissingExtraError, OptionError
from icfast.logs import LogOptions, log_files, read_training_log
from icfast.logs.rows import Parsed
from icfast.logs.tensorboard import matches
from icfast.logs.tensorboard import read as read_files

pytest.importorskip("tensorboard", reason="needs the extra icfast[tensorboard]")

DATA = Path(__file__).parent / "data"
FIRST = (DATA / "resumed" / "events.out.tfevents.1").read_bytes()


def loss(step: np.ndarray) -> np.ndarray:
    return 2 + 8 / (step + 1) ** 0.5


def read(files: list[tuple[str, bytes]], loss_column: str | None) -> Parsed:
    """Write the files into a folder and read them."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name, _ in files]
        for path, (_, content) in zip(paths, files, strict=True):
            path.write_bytes(content)
        return read_files(paths, LogOptions(loss_column=loss_column))


def crc32c(data: bytes) -> int:
    """Return CRC-32C, bit by bit (RFC 3720, appendix B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """Return CRC-32C as TFRecord stores it: rotated right by 15 bits, plus a constant."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data: bytes) -> list[bytes]:
    """Return the records of an intact file."""
    found, begin = [], 0
    while begin < len(data):
        end = begin + 12 + struct.unpack_from("<Q", data, begin)[0]
        found.append(data[begin + 12 : end])
        begin = end + 4
    return found


def framed(record: bytes) -> bytes:
    """Return a record with its length and checksums."""
    length = struct.pack("<Q", len(record))
    sums = struct.pack("<I", masked_crc32c(length)), struct.pack("<I", masked_crc32c(record))
    return length + sums[0] + record + sums[1]


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def part(number: int, kind: int, content: bytes) -> bytes:
    head = varint(number << 3 | kind)
    return head + (varint(len(content)) if kind == 2 else b"") + content


def event(step: int, tag: str, value: float, wall_time: float = 1.0) -> bytes:
    scalar = part(1, 2, tag.encode()) + part(2, 5, struct.pack("<f", value))
    time = part(1, 1, struct.pack("<d", wall_time))
    return framed(time + part(2, 0, varint(step)) + part(5, 2, part(1, 2, scalar)))


def test_a_resumed_run_of_two_files_is_one_log() -> None:
    log = read_training_log(DATA / "resumed", tokens_per_step=10)
    steps = np.arange(1, 17)
    expected = loss(steps) + np.where(steps >= 9, 0.5, 0.0)
    assert log.format == "tensorboard"
    assert log.steps.tolist() == steps.tolist()
    assert log.train_loss_nats == pytest.approx(expected, rel=1e-6)
    assert log.learning_rate == pytest.approx(1e-3 * steps, rel=1e-6)
    assert log.end_tokens.tolist() == (10 * steps).tolist()
    assert log.eval_steps.tolist() == [12, 16]
    assert log.eval_loss_nats == pytest.approx(loss(np.array([12, 16])) + 0.1, rel=1e-6)
    assert "resumed: 4 rows of steps that ran again later are ignored" in log.labels
    assert [path.name[-1] for path in log_files(DATA / "resumed")] == ["1", "2"]


def test_parts_are_in_the_order_of_their_clocks(tmp_path: Path) -> None:
    for name in "12":
        source = DATA / "resumed" / f"events.out.tfevents.{name}"
        shutil.copy(source, tmp_path / f"events.out.tfevents.{3 - int(name)}")
    swapped = read_training_log(tmp_path, tokens_per_step=10)
    assert swapped.train_loss_nats[-1] == pytest.approx(loss(16) + 0.5, rel=1e-6)
    assert len(swapped.steps) == 16


def test_one_file_is_found_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(FIRST)
    log = read_training_log(tmp_path / "log.txt", tokens_per_step=10)
    assert log.format == "tensorboard"
    assert log.steps.tolist() == list(range(1, 13))
    named = read_training_log(tmp_path / "log.txt", tokens_per_step=10, format="tensorboard")
    assert named.steps.tolist() == log.steps.tolist()


def test_torch_writes_scalars_and_tensors() -> None:
    """Loss/val and lr are float and double tensors; a text and a histogram are ignored."""
    log = read_training_log(DATA / "torch", tokens_per_step=10)
    steps = np.arange(8)
    assert log.train_loss_nats == pytest.approx(loss(steps), rel=1e-6)
    assert log.eval_loss_nats == pytest.approx(loss(steps) + 0.1, rel=1e-6)
    assert log.learning_rate is not None
    assert log.learning_rate.tolist() == [1e-3] * 8
    # Step 0 is the first batch.
    assert log.end_tokens.tolist() == (10 * (steps + 1)).tolist()


def test_tensors_whose_values_are_bytes() -> None:
    log = read_training_log(DATA / "tensors", tokens_per_step=10)
    assert log.train_loss_nats == pytest.approx(loss(np.arange(1, 6)), rel=1e-6)


@pytest.mark.parametrize(
    ("tensor", "found"),
    [
        (part(1, 0, varint(1)) + part(4, 2, struct.pack("<f", 1.5)), 1.5),
        (part(1, 0, varint(2)) + part(4, 2, struct.pack("<d", 1.7)), 1.7),
        (part(1, 0, varint(1)) + part(5, 5, struct.pack("<f", 1.5)), 1.5),
        (part(1, 0, varint(2)) + part(6, 2, struct.pack("<d", 1.7)), 1.7),
        (part(1, 0, varint(1)) + part(4, 2, struct.pack("<ff", 1, 2)), None),
        (part(1, 0, varint(9)) + part(4, 2, bytes(8)), None),
        (part(1, 0, varint(7)) + part(8, 2, b"text"), None),
    ],
)
def test_tensors_by_hand(tensor: bytes, found: float | None) -> None:
    value = part(1, 2, b"loss") + part(8, 2, tensor)
    data = framed(part(2, 0, varint(3)) + part(5, 2, part(1, 2, value)))
    other = event(1, "train/lr", 1.0)
    if found is None:
        with pytest.raises(LogError, match="no loss among the tags train/lr"):
            read([("a", data + other)], None)
    else:
        (row,) = read([("a", data + other)], None).train
        assert (row.step, row.loss_nats) == (3, found)


def test_losses_of_transformers_are_means() -> None:
    name = "args/text_summary"
    text = framed(part(5, 2, part(1, 2, part(1, 2, name.encode()))))
    rows = b"".join(event(step, "train/loss", 3.0) for step in (10, 20, 30))
    assert read([("a", text + rows)], None).is_mean
    assert not read([("a", rows)], None).is_mean


def test_tags_are_chosen_or_asked_for() -> None:
    two = event(1, "loss", 3.0) + event(1, "train/loss", 4.0) + event(1, "other", 5.0)
    with pytest.raises(OptionError, match=r"loss: 'loss', 'train/loss'.*--loss-column"):
        read([("a", two)], None)
    assert read([("a", two)], "train/loss").train[0].loss_nats == 4.0
    assert read([("a", two)], "other").train[0].loss_nats == 5.0
    with pytest.raises(OptionError, match="there is no tag 'x'; found loss, train/loss, other"):
        read([("a", two)], "x")
    with pytest.raises(LogError, match="no loss among the tags accuracy"):
        read([("a", event(1, "accuracy", 3.0))], None)
    only = read([("a", event(7, "eval/loss", 3.0))], None)
    assert (only.train, only.evaluations[0].step) == ((), 7)
    smooth = read([("a", event(1, "loss_ema", 3.0))], "loss_ema")
    assert any("smoothed: by its name" in label for label in smooth.labels)
    ranks = read([("a", event(1, "loss_metrics/global_avg_loss", 3.0))], None)
    assert ranks.labels == ()


def test_tokens_and_joules_beside_the_loss() -> None:
    data = b""
    for step in (1, 2):
        data += event(step, "loss", 3.0) + event(step, "n_tokens_seen", 100.0 * step)
        data += event(step, "energy_joules", 5.0 * step) + event(step, "epoch", 0.5 * step)
    rows = read([("a", data)], None).train
    assert [row.tokens for row in rows] == [100, 200]
    assert [row.joules for row in rows] == [5.0, 10.0]
    assert [row.epoch for row in rows] == [0.5, 1.0]


def test_numbers_that_mean_nothing_are_errors() -> None:
    with pytest.raises(LogError, match="loss is nan"):
        read([("a", event(1, "loss", float("nan")))], None)
    with pytest.raises(LogError, match="whole number for step, found '-3'"):
        read([("a", event(-3, "loss", 1.0))], None)


def test_a_folder_has_event_files_or_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="has no TensorBoard files"):
        read_training_log(tmp_path, tokens_per_step=1)
    with pytest.raises(OptionError, match="is a folder"):
        read_training_log(DATA / "resumed", tokens_per_step=1, format="csv")


@pytest.mark.ci
def test_a_record_cut_short_is_left_out_and_told() -> None:
    """A file cut at any byte gives the rows before the cut, and only these."""
    whole, boundaries = records(FIRST), {0}
    for record in whole:
        boundaries.add(max(boundaries) + 16 + len(record))
    other = ("b", event(0, "eval/loss", 3.0))
    for length in range(1, len(FIRST)):
        parsed = read([("a", FIRST[:length]), other], None)
        complete = sum(end <= length for end in boundaries) - 1
        losses = sum(b"train/loss" in record for record in whole[:complete])
        assert len(parsed.train) == losses
        assert any("cut short" in label for label in parsed.labels) == (length not in boundaries)


@pytest.mark.ci
def test_every_flipped_bit_is_noticed() -> None:
    for place in range(len(FIRST)):
        damaged = bytearray(FIRST)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(LogError, match=r"a: record \d+, at byte \d+: the checksum of its"):
            read([("a", bytes(damaged))], None)


def test_damage_says_where(tmp_path: Path) -> None:
    second = 12 + len(records(FIRST)[0]) + 4
    damaged = bytearray(FIRST)
    damaged[second + 15] ^= 1
    (tmp_path / "events.out.tfevents.9").write_bytes(bytes(damaged))
    where = rf"{tmp_path}.*tfevents.9: record 2, at byte {second}: the checksum of its content"
    with pytest.raises(LogError, match=where):
        read_training_log(tmp_path, tokens_per_step=1)


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_forged_messages_are_refused_or_harmless(messages: list[bytes]) -> None:
    data = b"".join(map(framed, messages))
    for message in messages:
        data += framed(part(5, 2, message)) + framed(part(5, 2, part(1, 2, message)))
        data += framed(part(5, 2, part(1, 2, part(1, 2, b"loss") + part(8, 2, message))))
    try:
        parsed = read([("a", data)], None)
    except (LogError, OptionError):
        return
    assert all(np.isfinite(row.loss_nats) for row in parsed.train)


@pytest.mark.parametrize("message", [b"\x0a\x05ab", b"\x0b", b"\x80" * 11, b"\x08", b"\x09\x01"])
def test_a_record_that_is_no_event_is_refused(message: bytes) -> None:
    """A length past the end, a group without an end, an endless varint, missing values."""
    good = event(1, "loss", 3.0)
    with pytest.raises(LogError, match=rf"a: record 2, at byte {len(good)}: not a TensorBoard"):
        read([("a", good + framed(message))], None)


def test_tensor_content_of_a_wrong_size_is_refused() -> None:
    tensor = part(1, 0, varint(1)) + part(4, 2, bytes(5))
    data = framed(part(5, 2, part(1, 2, part(1, 2, b"loss") + part(8, 2, tensor))))
    with pytest.raises(LogError, match="a: record 1, at byte 0: not a TensorBoard event"):
        read([("a", data)], None)


def test_checksums_of_the_standard() -> None:
    """RFC 3720, appendix B.4."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


def test_event_files_are_known_by_name_or_content() -> None:
    assert matches(Path("log.txt"), FIRST)
    assert matches(Path("events.out.tfevents.1"), b"")
    assert not matches(Path("log.txt"), FIRST[:11])
    assert not matches(Path("log.csv"), b"step,loss\n1,2\n")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'icfast\[tensorboard\]'"):
        read_training_log(DATA / "resumed", tokens_per_step=10)
