"""The one place that knows every format of training logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from icfast.errors import LogError, OptionError
from icfast.logs import hf, llmc, megatron, modded_nanogpt, nanogpt, table, tensorboard, torchtitan
from icfast.logs.assemble import assemble
from icfast.logs.log import TrainingLog
from icfast.logs.options import LogOptions
from icfast.logs.rows import Parsed

_Matches = Callable[[str], bool]
_Reads = Callable[[str, str | None], Parsed]


def _named(read: Callable[[str], Parsed]) -> _Reads:
    """A reader of a format that has one loss only."""

    def read_only_loss(text: str, loss_column: str | None) -> Parsed:
        if loss_column is not None:
            raise OptionError("a column of losses can be named in CSV, JSONL and event files alone")
        return read(text)

    return read_only_loss


#: Name to (is it one, read it), in the order they are tried: the most particular first.
_FORMATS: dict[str, tuple[_Matches, _Reads]] = {
    "hf": (hf.matches, _named(hf.read)),
    "jsonl": (table.matches_jsonl, table.read_jsonl),
    "wandb": (table.matches_wandb, table.read_wandb),
    "csv": (table.matches_csv, table.read_csv),
    "megatron": (megatron.matches, _named(megatron.read)),
    "llmc": (llmc.matches, _named(llmc.read)),
    "modded-nanogpt": (modded_nanogpt.matches, _named(modded_nanogpt.read)),
    "torchtitan": (torchtitan.matches, _named(torchtitan.read)),
    "nanogpt": (nanogpt.matches, _named(nanogpt.read)),
}

#: The only one that is no text, and may be a folder.
_EVENTS = "tensorboard"

FORMATS = (*_FORMATS, _EVENTS)


def log_files(path: str | Path) -> list[Path]:
    """The files a log is read from: one, or the event files of a folder.

    Raises:
        LogError: a folder has none.
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
        name, parsed = _parse(path, name, options.loss_column)
        return assemble(name, parsed, options)
    except OSError as error:
        raise LogError(f"cannot read {path}: {error.strerror}") from error
    except (LogError, OptionError) as error:
        raise type(error)(f"{path}: {error}") from error


def _parse(path: Path, name: str | None, loss_column: str | None) -> tuple[str, Parsed]:
    """Return the name of a log's format and its rows."""
    data = b"" if path.is_dir() else path.read_bytes()
    if path.is_dir() or name == _EVENTS or tensorboard.matches(path, data):
        return _EVENTS, tensorboard.read(log_files(path), loss_column)
    text = data.decode("utf-8-sig", errors="replace")
    name = name or _find(text)
    return name, _FORMATS[name][1](text, loss_column)


def _find(text: str) -> str:
    for name, (matches, _) in _FORMATS.items():
        if matches(text):
            return name
    raise LogError(
        f"no training log that icfast knows ({', '.join(FORMATS)}); a CSV with the columns "
        "step and loss always will do"
    )
