"""Folders of results: the files of one measurement, which are replaced together or not at all.

::

    FOLDER/model.icfast   the fitted model, if there is one
    FOLDER/report.html    the report, if one was asked for
    FOLDER/result.json    the result
    FOLDER/manifest.json  inputs, arguments and versions, and the SHA-256 of the other files

manifest.json is written last and removed first: without it the folder is incomplete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from icfast.errors import OptionError
from icfast.files import Output, check_outputs, new_files, write_json
from icfast.kneser_ney.model_file import is_model_file
from icfast.pipeline.records.base import Result

MODEL, PAGE, RESULT, MANIFEST = "model.icfast", "report.html", "result.json", "manifest.json"

_WHAT = {MODEL: "a model", PAGE: "a report", RESULT: "a result", MANIFEST: "a manifest"}
_TITLE = b"<title>icfast report: "
_HEAD_BYTES = 4096


@dataclass(frozen=True)
class ResultFolder:
    """Folder for the results of one command.

    Attributes:
        folder: the folder. It may exist, and may hold other files.
        inputs: every file that the command reads.
        overwrite: whether to replace results that icfast wrote there.
        with_model: whether the results include a model.
        with_page: whether the results include a report.
        checkpoint: folder of the command's checkpoint, or None.
    """

    folder: Path
    inputs: tuple[Path, ...] = ()
    overwrite: bool = False
    with_model: bool = False
    with_page: bool = False
    checkpoint: Path | None = None

    def check(self) -> None:
        """Refuse the folder before the work if its results may not be written.

        Raises:
            OptionError: results exist, or the folder cannot be used.
            OutputError: a file would be replaced that is an input or that icfast did not write.
        """
        folders = [_folder(self.folder, "a folder of results")]
        if self.checkpoint is not None:
            folders.append(_folder(self.checkpoint, "a checkpoint"))
        check_outputs(folders, self.inputs)
        if self.folder.exists() and not self.folder.is_dir():
            raise OptionError(
                f"cannot make the output folder {self.folder}: it is a file; choose another "
                "--output"
            )
        check_outputs([*folders, *self._outputs()], self.inputs, self.overwrite)

    @contextmanager
    def open(self) -> Iterator[NewResults]:
        """Yield temporaries for the results, and publish them together on success.

        Raises:
            OptionError, OutputError: as in `check`.
            ResourceError: the disk is full.
        """
        self.check()
        outputs = self._outputs()
        with (
            made_folder(self.folder),
            new_files(outputs, self.inputs, self.overwrite) as temporaries,
        ):
            names = (output.path.name for output in outputs)
            yield NewResults(dict(zip(names, temporaries, strict=True)))

    def _outputs(self) -> list[Output]:
        """Return the results to write, and the files of an earlier set, which are removed."""
        asked = {MODEL: self.with_model, PAGE: self.with_page, RESULT: True, MANIFEST: True}
        earlier = _earlier(self.folder) if self.overwrite else ()
        return [
            Output(
                self.folder / name,
                what,
                partial(_is_ours, self.folder, name),
                (Path(name).suffix,),
            )
            for name, what in _WHAT.items()
            if asked[name] or name in earlier
        ]


@dataclass(frozen=True)
class NewResults:
    """Temporaries of new results, by their final names."""

    paths: dict[str, Path]

    def write(
        self, result: Result, manifest: dict[str, Any], page: str | None, with_model: bool = False
    ) -> None:
        """Write everything but the model, and remove the temporaries that stay empty."""
        write_json(self.paths[RESULT], result.to_json())
        if page is not None:
            self.paths[PAGE].write_text(page, encoding="utf-8")
        written = {MODEL: with_model, PAGE: page is not None, RESULT: True, MANIFEST: True}
        for name, path in self.paths.items():
            if not written[name]:
                path.unlink()
        files = {n: _sha256(p) for n, p in self.paths.items() if written[n] and n != MANIFEST}
        write_json(self.paths[MANIFEST], {**manifest, "files": files})


#: Function that draws the report of a result; None if it cannot.
Page = Callable[[Any], str | None]


def _folder(path: Path, what: str) -> Output:
    return Output(path, what, lambda _: True, folder=True, resumed=True)


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Make a folder, and remove it again if the body fails and leaves it empty.

    Raises:
        OptionError: it cannot be made.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException as error:
        for path in missing:
            with suppress(OSError):
                path.rmdir()
        if isinstance(error, OSError) and not folder.is_dir():
            raise OptionError(
                f"cannot make the output folder {folder}: {error.strerror}; choose another --output"
            ) from error
        raise


def _manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a folder, None if there is none that icfast wrote."""
    try:
        stored = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    ours = isinstance(stored, dict) and isinstance(stored.get("versions"), dict)
    return stored if ours and "icfast" in stored["versions"] else None


def _earlier(folder: Path) -> tuple[str, ...]:
    """Return the names of the files that a manifest names; version 0.1.0 listed none."""
    stored = _manifest(folder)
    if stored is None:
        return ()
    listed = stored.get("files", _WHAT)
    return tuple(name for name in _WHAT if name in listed and (folder / name).exists())


def _is_ours(folder: Path, name: str, path: Path) -> bool:
    """Return whether icfast wrote a result, by the manifest or, without one, by its content."""
    stored = _manifest(folder)
    if name == MANIFEST:
        return stored is not None
    listed = {} if stored is None else stored.get("files", {})
    if name in listed:
        return bool(_sha256(path) == listed[name])
    if name == MODEL:
        return is_model_file(path)
    if name == PAGE:
        with path.open("rb") as file:
            return _TITLE in file.read(_HEAD_BYTES)
    found = json.loads(path.read_bytes())
    return isinstance(found, dict) and {"schema_version", "icfast_version"} <= found.keys()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
