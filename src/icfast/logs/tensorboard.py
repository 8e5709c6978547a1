"""TensorBoard event files: scalars by tag and step.

The package `tensorboard` checks and parses the records. Its public loaders end silently at a
damaged record, so icfast uses their record reader directly and raises. Images, texts and
histograms are ignored. Several files in one folder are parts of one run, ordered by start time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from icfast.errors import LogError, OptionError, needs_extra
from icfast.files import open_regular
from icfast.logs.names import EPOCH, EVALUATION, JOULES, RATE, TOKENS, TRAIN, column
from icfast.logs.rows import Parsed, Row, number, whole
from icfast.logs.table import is_smooth_name

#: Part of the file names that every writer uses.
_NAME = "*tfevents*"

#: Text in the first record of every event file.
_VERSION = b"brain.Event:"

#: Bytes that frame a record: length and its checksum before it, its own checksum after it.
_FRAME_BYTES = 16

#: Tag that transformers writes first; its losses are means since the row before.
_HF_TAG = "args/text_summary"

#: NumPy types of TensorProto's DT_FLOAT and DT_DOUBLE.
_DTYPES = {1: "<f4", 2: "<f8"}


def matches(path: Path, data: bytes) -> bool:
    """Return whether a file is an event file, by its name or by its first bytes."""
    return path.match(_NAME) or _VERSION in data[:64]


def event_files(folder: Path) -> list[Path]:
    """Return the event files of one folder; its subfolders hold other runs.

    Raises:
        LogError: there are none.
    """
    found = sorted(path for path in folder.glob(_NAME) if path.is_file())
    if not found:
        raise LogError(
            f"{folder}: the folder has no TensorBoard files ({_NAME}). Name the folder that holds "
            "them, or a log file"
        )
    return found


@dataclass(frozen=True)
class _Scalar:
    """A value of one tag; `record` counts from 1 in its file."""

    tag: str
    record: int
    step: int
    value: float


@dataclass(frozen=True)
class _File:
    """Content of one event file; `start` is the wall time of its first record, in seconds."""

    start: float
    tags: frozenset[str]
    scalars: tuple[_Scalar, ...]
    is_cut: bool


def read(paths: Sequence[Path], loss_column: str | None) -> Parsed:
    """Return all losses in the event files of one run.

    Raises:
        LogError: a record is damaged (with its number and byte), or there are no losses.
        OptionError: several tags could be the loss, or the tag named does not exist.
        MissingExtraError: tensorboard is not installed.
    """
    files = sorted((_read_file(path) for path in paths), key=lambda file: file.start)
    names = list(dict.fromkeys(scalar.tag for file in files for scalar in file.scalars))
    evaluation = column(names, EVALUATION)
    train = _train_tag(names, loss_column)
    if train is None and evaluation is None:
        raise LogError(
            f"no loss among the tags {', '.join(names) or '(there are none)'}; expected one of "
            f"{', '.join(TRAIN)}. Name the tag with --loss-column"
        )
    train_rows, evaluations = (
        tuple(row for file in files for row in _rows(file, tag)) for tag in (train, evaluation)
    )
    labels = []
    if any(file.is_cut for file in files):
        labels.append("the last record is cut short, as in a file that is still being written")
    if train is not None and is_smooth_name(train):
        labels.append(f"smoothed: by its name, {train!r} is a moving mean")
    return Parsed(
        train_rows,
        evaluations,
        counts_from_zero=bool(train_rows) and train_rows[0].step == 0,
        is_mean=train == "train/loss" and any(_HF_TAG in file.tags for file in files),
        labels=tuple(labels),
    )


def _train_tag(names: Sequence[str], loss_column: str | None) -> str | None:
    """Return the tag of the training losses, None if there is none."""
    if loss_column is not None:
        if loss_column not in names:
            raise OptionError(f"there is no tag {loss_column!r}; found {', '.join(names)}")
        return loss_column
    found = [name for name in names if name.lower() in TRAIN]
    if len(found) > 1:
        listed = ", ".join(map(repr, found))
        raise OptionError(
            f"several tags could be the training loss: {listed}. Choose one with --loss-column"
        )
    return found[0] if found else None


def _rows(file: _File, tag: str | None) -> list[Row]:
    """Return a row for each value of a tag, with the other columns that share its step."""
    names = [scalar.tag for scalar in file.scalars]
    rates, tokens, epochs, joules = (
        _by_step(file, column(names, known)) for known in (RATE, TOKENS, EPOCH, JOULES)
    )
    found = []
    for scalar in file.scalars:
        if scalar.tag != tag:
            continue
        step = whole(str(scalar.step), "step", scalar.record)
        found.append(
            Row(
                scalar.record,
                step,
                number(str(scalar.value), scalar.tag, scalar.record),
                tokens=whole(str(tokens[step]), "tokens", scalar.record)
                if step in tokens
                else None,
                learning_rate=rates.get(step),
                epoch=epochs.get(step),
                joules=joules.get(step),
            )
        )
    return found


def _by_step(file: _File, tag: str | None) -> dict[int, float]:
    return {s.step: s.value for s in file.scalars if tag is not None and s.tag == tag}


def _read_file(path: Path) -> _File:
    with needs_extra("tensorboard", "reading TensorBoard files"):
        from google.protobuf.message import DecodeError
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.tensorflow_stub.errors import DataLossError

    scalars: list[_Scalar] = []
    tags: set[str] = set()
    start, begin, index, is_cut = 0.0, 0, 0, False
    try:
        for index, record in enumerate(_records(path), 1):
            event = Event.FromString(record)
            start = start or event.wall_time
            for value in event.summary.value:
                tags.add(value.tag)
                scalar = _scalar(value)
                if scalar is not None:
                    scalars.append(_Scalar(value.tag, index, event.step, scalar))
            begin += _FRAME_BYTES + len(record)
    except DataLossError as error:
        is_cut = "truncated" in str(error)
        if not is_cut:
            what = "length" if "header" in str(error) else "content"
            raise LogError(
                f"{path.name}: record {index + 1}, at byte {begin}: the checksum of its {what} is "
                "wrong, so the file is damaged there. Copy it again, or cut it off at that byte"
            ) from error
    except (DecodeError, ValueError) as error:
        raise LogError(
            f"{path.name}: record {index}, at byte {begin}: not a TensorBoard event: {error}"
        ) from error
    return _File(start, frozenset(tags), tuple(scalars), is_cut)


def _records(path: Path) -> Iterator[bytes]:
    """Yield the checked records of a file; raise DataLossError for a bad or incomplete one."""
    from tensorboard.compat.tensorflow_stub.errors import OutOfRangeError
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

    with open_regular(path, LogError) as file:
        reader = PyRecordReader_New(os.fsencode(path))
        try:
            while True:
                _check_length(file)
                reader.GetNext()
                record = reader.record()
                file.seek(_FRAME_BYTES + len(record), os.SEEK_CUR)
                yield record
        except OutOfRangeError:
            return


def _check_length(file: BinaryIO) -> None:
    """Raise DataLossError for a record that states a greater length than the file has.

    The package would allocate that length. It checks the length for damage itself.
    """
    from tensorboard.compat.tensorflow_stub.errors import DataLossError
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    start = file.tell()
    head = file.read(12)
    file.seek(start)
    length = int.from_bytes(head[:8], "little")
    sound = masked_crc32c(head[:8]) == int.from_bytes(head[8:], "little")
    if len(head) == 12 and sound and length > os.fstat(file.fileno()).st_size - start:
        raise DataLossError(None, None, "truncated record")


def _scalar(value: Any) -> float | None:
    """Return the number in a summary value, None if it is not one float or double."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    tensor = value.tensor
    dtype = _DTYPES.get(tensor.dtype)
    if dtype is None:
        return None
    found = [*tensor.float_val, *tensor.double_val, *np.frombuffer(tensor.tensor_content, dtype)]
    return float(found[0]) if len(found) == 1 else None
