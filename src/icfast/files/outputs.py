"""The rule for outputs: nothing is replaced by accident. Every command that writes follows it.

- An output that exists is refused unless `overwrite` is given.
- `overwrite` replaces only what icfast wrote there.
- An output that is also an input, or another output of the same command, is always refused, under
  any spelling and through any link.
- An output is a regular file or a folder, never a pipe or a device.
- A suffix that names another format is refused.

icfast checks this before the work, and again before it renames the finished files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from icfast.errors import OptionError, OutputError
from icfast.files.atomic import atomic_paths
from icfast.files.explain import explained
from icfast.files.inputs import kind_of
from icfast.files.sweep import sweep

#: Suffixes of files and the formats that they name.
_FORMATS = {
    ".arpa": "ARPA text",
    ".lm": "ARPA text",
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".ds": "token ids",
    ".arrow": "Arrow",
    ".feather": "Arrow",
    ".csv": "CSV",
    ".tsv": "TSV",
    ".txt": "text",
    ".json": "JSON",
    ".jsonl": "JSON lines",
    ".ndjson": "JSON lines",
    ".html": "HTML",
    ".npy": "NumPy",
    ".npz": "NumPy",
    ".safetensors": "safetensors",
    ".gguf": "GGUF",
    ".pt": "torch",
    ".gz": "gzip",
    ".bz2": "bzip2",
    ".xz": "xz",
    ".zst": "zstd",
    ".lz4": "lz4",
    ".zip": "zip",
    ".tar": "tar",
}


@dataclass(frozen=True)
class Output:
    """A file or folder that a command writes.

    Attributes:
        path: its path, as the user gave it.
        what: what it will be, such as "a model".
        is_ours: tells whether icfast wrote the existing file or folder.
        suffixes: suffixes that name its format. Suffixes that name no known format are free.
        folder: whether it is a folder.
        resumed: whether an existing one is continued, as a checkpoint is.
    """

    path: Path
    what: str
    is_ours: Callable[[Path], bool]
    suffixes: tuple[str, ...] = ()
    folder: bool = False
    resumed: bool = False

    @property
    def final(self) -> Path:
        """The path without links, at which the file will be."""
        return Path(os.path.realpath(self.path))


def check_outputs(
    outputs: Sequence[Output], inputs: Iterable[Path] = (), overwrite: bool = False
) -> None:
    """Refuse outputs that would replace something by accident. Leftovers are removed first.

    Args:
        outputs: all outputs of one command.
        inputs: every file that the command reads, and folders of which it reads every file.
        overwrite: whether to accept existing outputs that icfast wrote.

    Raises:
        OutputError: an output is an input or another output, or is not what icfast writes.
        OptionError: an output exists and `overwrite` is false, its suffix names another format, or
            its path is not usable.
    """
    _refuse_twice(outputs)
    _refuse_inputs(outputs, inputs)
    for output in outputs:
        _refuse_suffix(output)
    for folder in {output.final.parent for output in outputs if not output.resumed}:
        sweep(folder)
    _refuse_existing(outputs, overwrite)


@contextmanager
def new_files(
    outputs: Sequence[Output], inputs: Iterable[Path] = (), overwrite: bool = False
) -> Iterator[tuple[Path, ...]]:
    """Check outputs, yield an empty temporary file or folder for each, and publish all on success.

    If one output is a folder, all are.

    Raises:
        OutputError, OptionError: an output is refused, see `check_outputs`, or cannot be written.
        ResourceError: the disk is full, the quota used up, or a file too large.
    """
    check_outputs(outputs, inputs, overwrite)
    with atomic_paths(
        [output.final for output in outputs],
        check=lambda: _refuse_existing(outputs, overwrite),
        folders=outputs[0].folder,
    ) as temporaries:
        yield temporaries


@contextmanager
def new_file(
    output: Output, inputs: Iterable[Path] = (), overwrite: bool = False
) -> Iterator[Path]:
    """Check one output, yield its temporary, and publish it on success; see `new_files`."""
    with new_files([output], inputs, overwrite) as (temporary,):
        yield temporary


def _refuse_suffix(output: Output) -> None:
    suffix = output.path.suffix.lower()
    known = _FORMATS.get(suffix)
    if known is None or suffix in output.suffixes:
        return
    instead = " or ".join(output.suffixes) if output.suffixes else "no such suffix"
    raise OptionError(
        f"{output.path} would hold {output.what}, but its suffix {suffix} names {known}. "
        f"Choose a name with {instead}."
    )


def _refuse_twice(outputs: Sequence[Output]) -> None:
    for index, output in enumerate(outputs):
        for other in outputs[:index]:
            same = _is_same(output.path, other.path)
            if same or _blocks(output, other) or _blocks(other, output):
                raise OutputError(
                    f"{output.path} would hold both {other.what} and {output.what} of this "
                    f"command (first named as {other.path}), and one would be lost. Choose "
                    "different outputs."
                )


def _blocks(file: Output, other: Output) -> bool:
    """Tell whether another output would be inside this one, which is a file."""
    return not file.folder and file.final in other.final.parents


def _refuse_inputs(outputs: Sequence[Output], inputs: Iterable[Path]) -> None:
    read = [(path, os.path.realpath(path)) for path in inputs]
    for output in outputs:
        final = os.path.realpath(output.path)
        exists = os.path.lexists(final)
        replaced = output.folder and not output.resumed
        for path, real in read:
            same = real == final or (exists and _is_same(output.path, path))
            if same or _holds(real, final) or (replaced and _holds(final, real)):
                raise OutputError(
                    f"{output.path} is an output of this command, but the command reads {path} "
                    "there, which would be lost or changed. Choose another output."
                )


def _holds(folder: str, path: str) -> bool:
    """Tell whether an existing folder holds a path."""
    return path.startswith(folder.rstrip(os.sep) + os.sep) and Path(folder).is_dir()


def _is_same(one: Path, other: Path) -> bool:
    """Tell whether two paths are the same file, also by another spelling or a link."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    try:
        return one.samefile(other)
    except OSError:
        return False


def _refuse_existing(outputs: Sequence[Output], overwrite: bool) -> None:
    for output in outputs:
        if output.resumed:
            continue
        with explained(output.path):
            try:
                mode = output.path.stat().st_mode
            except FileNotFoundError:
                continue
        kind = kind_of(mode)
        expected = "a folder" if output.folder else None
        if kind != expected:
            _refuse_kind(output, kind)
        if not overwrite:
            raise OptionError(
                f"{output.path} exists already. Choose another output path, or pass --overwrite "
                f"to replace {output.what} that icfast wrote."
            )
        if not _is_ours(output):
            raise OutputError(
                f"{output.path} exists, and icfast does not recognise it as {output.what} that "
                "icfast wrote. Nothing was changed. Move it away or choose another output path."
            )


def _refuse_kind(output: Output, kind: str | None) -> None:
    if kind == "a folder":
        raise OptionError(f"cannot write {output.path}: it is a folder. Choose a file name.")
    if kind is None:
        raise OptionError(
            f"cannot write {output.path}: it is a file, but {output.what} is a folder. It exists "
            "already; choose another output path."
        )
    raise OutputError(
        f"cannot write {output.path}: it is not a regular file but {kind}. "
        "Choose another output path."
    )


def _is_ours(output: Output) -> bool:
    try:
        return output.is_ours(output.final)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
