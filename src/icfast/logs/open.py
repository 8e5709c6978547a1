"""Formats of training logs: detection and reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from icfast.errors import LogError, OptionError
from icfast.files import read_regular
from icfast.logs import (
    build_nanogpt,
    hf,
    llmc,
    megatron,
    modded_nanogpt,
    nanogpt,
    table,
    tensorboard,
    torchtitan,
)
from icfast.logs.assemble import assemble
from icfast.logs.log import TrainingLog
from icfast.logs.options import LogOptions
from icfast.logs.rows import Parsed

_Matches = Callable[[str], bool]
_Reads = Callable[[str, LogOptions], Parsed]


def _without_columns(read: Callable[[str], Parsed]) -> _Reads:
    """Wrap the reader of a format that has no columns; it refuses their options."""

    def read_only_loss(text: str, options: LogOptions) -> Parsed:
        for name in options.of_tables:
            raise OptionError(
                "this format has only one loss and no columns; leave out "
                f"--{name.replace('_', '-')}, which is for CSV, JSONL and TensorBoard logs"
            )
        return read(text)

    return read_only_loss


#: Functions (matches, read) by format, the most specific first, because detection stops there.
_FORMATS: dict[str, tuple[_Matches, _Reads]] = {
    "hf": (hf.matches, hf.read),
    "jsonl": (table.matches_jsonl, table.read_jsonl),
    "wandb": (table.matches_wandb, table.read_wandb),
    "csv": (table.matches_csv, table.read_csv),
    "megatron": (megatron.matches, _without_columns(megatron.read)),
    "llmc": (llmc.matches, _without_columns(llmc.read)),
    "modded-nanogpt": (modded_nanogpt.matches, _without_columns(modded_nanogpt.read)),
    "torchtitan": (torchtitan.matches, _without_columns(torchtitan.read)),
    "nanogpt": (nanogpt.matches, _without_columns(nanogpt.read)),
    "build-nanogpt": (build_nanogpt.matches, _without_columns(build_nanogpt.read)),
}

#: Maximum size of a log. Its rows take several times as much memory.
_MOST_BYTES = 4 << 30

#: Only this format is binary and may be a folder.
_EVENTS = "tensorboard"

#: Begin of a file that Git LFS keeps in place of a large one.
_LFS = "version https://git-lfs.github.com/spec/"

FORMATS = (*_FORMATS, _EVENTS)


def log_files(path: str | Path) -> list[Path]:
    """Return the files that a log consists of: one file, or the event files of a folder.

    Raises:
        LogError: the folder has no event files.
    """
    path = Path(path)
    return tensorboard.event_files(path) if path.is_dir() else [path]


def read_training_log(
    path: str | Path, options: LogOptions | None = None, **fields: Any
) -> TrainingLog:
    """Read a training log; losses are nats per token.

    Args:
        path: the log file, or a folder with the TensorBoard event files of one run.
        options: how to read it; see `LogOptions`.
        **fields: fields of `LogOptions`, given by keyword; they override those of options.

    Returns:
        The losses by tokens seen, with labels for everything a reader should know.

    Raises:
        LogError: the format is unknown, a field is not a finite number (with its line), tokens do
            not increase, or there are no losses.
        OptionError: a size is missing or below 1, or there is no such format or column.
    """
    options = replace(options or LogOptions(), **fields)
    path, name = Path(path), options.format
    if name is not None and name not in FORMATS:
        raise OptionError(f"format must be one of {', '.join(FORMATS)}, found {name!r}")
    if path.is_dir() and name not in (None, _EVENTS):
        raise OptionError(
            f"{path} is a folder, and only TensorBoard logs are folders; name the {name} file"
        )
    try:
        name, parsed = _parse(path, name, options)
        return assemble(name, parsed, options)
    except OSError as error:
        raise LogError(f"cannot read {path}: {error.strerror}") from error
    except (LogError, OptionError) as error:
        raise type(error)(f"{path}: {error}") from error


def _parse(path: Path, name: str | None, options: LogOptions) -> tuple[str, Parsed]:
    """Return the name of a log's format and its rows."""
    data = b"" if path.is_dir() else read_regular(path, LogError, _MOST_BYTES)
    if path.is_dir() or name == _EVENTS or tensorboard.matches(path, data):
        return _EVENTS, tensorboard.read(log_files(path), options)
    text = data.decode("utf-8-sig", errors="replace")
    name = name or _find(text, options)
    return name, _FORMATS[name][1](text, options)


def _find(text: str, options: LogOptions) -> str:
    """Return the name of the format that matches a text."""
    for name, (matches, _) in _FORMATS.items():
        if matches(text):
            return name
    if options.of_tables and len(table.header(text)) > 1:
        return "csv"
    if text.startswith(_LFS):
        raise LogError(
            "the file is a pointer of Git LFS, not the log. Run git lfs pull in its repository"
        )
    raise LogError(
        f"unknown format; icfast reads {', '.join(FORMATS)}. Name the format with --format, or "
        "convert the log to a CSV with the columns step and loss"
    )
