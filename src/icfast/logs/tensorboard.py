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

from icfast.columns import folded
from icfast.errors import LogError, OptionError, needs_extra
from icfast.files import open_regular
from icfast.logs.choose import Columns, Numbered, choose
from icfast.logs.options import LogOptions
from icfast.logs.rows import Parsed, Row, counts_from_zero, number, whole

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


def read(paths: Sequence[Path], options: LogOptions) -> Parsed:
    """Return all losses in the event files of one run.

    Raises:
        LogError: a record is damaged (with its number and byte), or there are no losses.
        OptionError: several tags could be the loss, or the tag named does not exist.
        MissingExtraError: tensorboard is not installed.
    """
    for name in ("run", "step_column"):
        if getattr(options, name) is not None:
            raise OptionError(
                f"TensorBoard files hold one run and their own steps; leave out "
                f"--{name.replace('_', '-')}"
            )
    files = sorted((_read_file(path) for path in paths), key=lambda file: file.start)
    names = list(dict.fromkeys(scalar.tag for file in files for scalar in file.scalars))
    columns = choose(_by_steps(files), names, options, "tag")
    train, evaluations = (
        tuple(row for file in files for row in _rows(file, tag, columns))
        for tag in (columns.train, columns.evaluation)
    )
    labels = list(columns.labels)
    if any(file.is_cut for file in files):
        labels.append("the last record is cut short, as in a file that is still being written")
    is_hf = any(_HF_TAG in file.tags for file in files)
    return Parsed(
        train,
        evaluations,
        counts_from_zero=counts_from_zero([row.step for row in train]),
        is_mean=columns.is_mean
        or (columns.train is not None and folded(columns.train) == "trainloss" and is_hf),
        has_epochs_completed=is_hf,
        labels=tuple(labels),
    )


def _by_steps(files: Sequence[_File]) -> Numbered:
    """Return a row for each step of each file, for comparisons between tags."""
    rows: Numbered = []
    for file in files:
        found: dict[int, dict[str, Any]] = {}
        for scalar in file.scalars:
            found.setdefault(scalar.step, {})[scalar.tag] = scalar.value
        rows += list(found.items())
    return rows


def _rows(file: _File, tag: str | None, columns: Columns) -> list[Row]:
    """Return a row for each value of a tag, with the other columns that share its step."""
    rates, tokens, epochs, joules = (
        _by_step(file, name)
        for name in (columns.rate, columns.tokens, columns.epoch, columns.joules)
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
