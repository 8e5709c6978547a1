"""TensorBoard's event files: scalars by tag and step, in TFRecords of protobuf messages.

Event: wall_time 1, step 2, summary 5; Summary: value 1, repeated; Value: tag 1, simple_value 2,
tensor 8; TensorProto: dtype 1, tensor_content 4, float_val 5, double_val 6. Images, texts and
histograms are passed over. Several files of a folder are parts of one run, oldest first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from icfast.errors import LogError, OptionError
from icfast.logs.names import EPOCH, EVALUATION, JOULES, RATE, TOKENS, TRAIN, column
from icfast.logs.protobuf import BYTES, EIGHT, FOUR, VARINT, fields, signed
from icfast.logs.rows import Parsed, Row, number, whole
from icfast.logs.table import is_smooth_name
from icfast.logs.tfrecord import is_tfrecord, records

#: Both parts of the names that writers give their files.
_NAME = "*tfevents*"

#: What transformers writes before anything else; its losses are means since the row before.
_HF_TEXT = "args/text_summary"

#: DT_FLOAT and DT_DOUBLE of TensorProto, and struct's letters for them.
_DTYPES = {1: "f", 2: "d"}

#: Fields of TensorProto that hold values, and of which type.
_CONTENT, _VALUES = 4, {5: "f", 6: "d"}


def matches(data: bytes) -> bool:
    """Whether a file begins as an event file does."""
    return is_tfrecord(data)


def event_files(folder: Path) -> list[Path]:
    """The event files of one folder; runs in folders within it are others.

    Raises:
        LogError: there are none.
    """
    found = sorted(path for path in folder.glob(_NAME) if path.is_file())
    if not found:
        raise LogError(f"{folder}: a folder is read for TensorBoard's files, and has no {_NAME}")
    return found


@dataclass(frozen=True)
class _Scalar:
    """One value of one tag; `record` counts from 1 in its file."""

    tag: str
    record: int
    step: int
    value: float


@dataclass(frozen=True)
class _File:
    """What one event file says."""

    begun: float
    tags: frozenset[str]
    scalars: tuple[_Scalar, ...]
    cut: bool


def read(files: Sequence[tuple[str, bytes]], loss_column: str | None) -> Parsed:
    """All losses of the event files of one run, each with its name.

    Raises:
        LogError: a checksum does not fit, a record is no event, or there are no losses.
        OptionError: several tags could be the loss, or there is no such tag.
    """
    parts = sorted((_read_file(*file) for file in files), key=lambda part: part.begun)
    scalars = dict.fromkeys(scalar.tag for part in parts for scalar in part.scalars)
    names = list(scalars)
    evaluation = _only(names, EVALUATION, "evaluation losses", named=None)
    train = _only(names, TRAIN, "training losses", named=loss_column)
    if train is None and evaluation is None:
        raise LogError(
            f"no tag of losses among {', '.join(names) or 'none at all'}; expected one of "
            f"{', '.join(TRAIN)}, or name it (--loss-column)"
        )
    rows = [_rows(part, train) for part in parts], [_rows(part, evaluation) for part in parts]
    found = [tuple(row for part in kind for row in part) for kind in rows]
    is_hf = any(_HF_TEXT in part.tags for part in parts) and train == "train/loss"
    labels = ["the last record is cut short, as in a file still written to"] * any(
        part.cut for part in parts
    )
    if train is not None and is_smooth_name(train):
        labels.append(f"smoothed: by its name, {train!r} is a moving mean")
    first = found[0][0].step if found[0] else 1
    return Parsed(
        found[0],
        found[1],
        counts_from_zero=first == 0,
        is_mean=is_hf,
        labels=tuple(labels),
    )


def _only(names: Sequence[str], known: Sequence[str], what: str, named: str | None) -> str | None:
    """The one tag that is meant, None where there is none."""
    if named is not None:
        if named not in names:
            raise OptionError(f"there is no tag {named!r}; there are {', '.join(names)}")
        return named
    found = [name for name in names if name.lower() in known]
    if len(found) > 1 and known is TRAIN:
        raise OptionError(
            f"name the tag of {what} (--loss-column), one of {', '.join(map(repr, found))}"
        )
    return column(found, known)


def _rows(part: _File, tag: str | None) -> list[Row]:
    """A row for each loss, with what the file says of the same step beside it."""
    names = [scalar.tag for scalar in part.scalars]
    beside = {
        what: _by_step(part, column(names, known))
        for what, known in (("rate", RATE), ("tokens", TOKENS), ("epoch", EPOCH), ("j", JOULES))
    }
    found = []
    for scalar in part.scalars:
        if scalar.tag != tag:
            continue
        step = whole(str(scalar.step), "step", scalar.record)
        tokens = beside["tokens"].get(step)
        found.append(
            Row(
                scalar.record,
                step,
                number(str(scalar.value), scalar.tag, scalar.record),
                tokens=None if tokens is None else whole(str(tokens), "tokens", scalar.record),
                learning_rate=beside["rate"].get(step),
                epoch=beside["epoch"].get(step),
                joules=beside["j"].get(step),
            )
        )
    return found


def _by_step(part: _File, tag: str | None) -> dict[int, float]:
    return {s.step: s.value for s in part.scalars if tag is not None and s.tag == tag}


def _read_file(name: str, data: bytes) -> _File:
    begun = 0.0
    scalars: list[_Scalar] = []
    tags: set[str] = set()
    try:
        found, cut = records(data)
        for index, record in enumerate(found, 1):
            wall_time, step, summaries = _event(record)
            begun = begun or wall_time
            for tag, value in summaries:
                tags.add(tag)
                if value is not None:
                    scalars.append(_Scalar(tag, index, step, value))
    except LogError as error:
        raise LogError(f"{name}: {error}") from error
    return _File(begun, frozenset(tags), tuple(scalars), cut)


def _event(message: bytes) -> tuple[float, int, list[tuple[str, float | None]]]:
    wall_time, step = 0.0, 0
    values: list[tuple[str, float | None]] = []
    for field, kind, value in fields(message):
        if field == 1 and kind == EIGHT and isinstance(value, bytes):
            wall_time = struct.unpack("<d", value)[0]
        elif field == 2 and kind == VARINT and isinstance(value, int):
            step = signed(value)
        elif field == 5 and kind == BYTES and isinstance(value, bytes):
            values += [_value(v) for f, k, v in fields(value) if f == 1 and isinstance(v, bytes)]
    return wall_time, step, values


def _value(message: bytes) -> tuple[str, float | None]:
    """A tag and its scalar, None where it is none."""
    tag, scalar = "", None
    for field, kind, value in fields(message):
        if field == 1 and kind == BYTES and isinstance(value, bytes):
            tag = value.decode("utf-8", errors="replace")
        elif field == 2 and kind == FOUR and isinstance(value, bytes):
            scalar = struct.unpack("<f", value)[0]
        elif field == 8 and kind == BYTES and isinstance(value, bytes):
            scalar = _tensor(value)
    return tag, scalar


def _tensor(message: bytes) -> float | None:
    """The one float or double of a tensor, None where it holds anything else."""
    dtype = 0
    found: list[float] = []
    content = b""
    for field, _, value in fields(message):
        if field == 1 and isinstance(value, int):
            dtype = value
        elif field == _CONTENT and isinstance(value, bytes):
            content = value
        elif field in _VALUES and isinstance(value, bytes):
            found += _numbers(value, _VALUES[field])
    if dtype in _DTYPES and content:
        found += _numbers(content, _DTYPES[dtype])
    return found[0] if dtype in _DTYPES and len(found) == 1 else None


def _numbers(data: bytes, letter: str) -> Iterator[float]:
    if len(data) % struct.calcsize(letter):
        raise LogError(f"{len(data)} bytes are no whole number of values")
    return (value for (value,) in struct.iter_unpack(f"<{letter}", data))
