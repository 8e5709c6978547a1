"""Writing count tables."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import KINDS, Ends, SortedRun
from icfast.corpus.source import Source
from icfast.files import Output, new_file
from icfast.ngrams.blocks import pack_blocks, write_header
from icfast.ngrams.keys import KeyShape
from icfast.ngrams.manifest import Totals, is_table, write_manifest
from icfast.sums.spectrum import Spectra


class TableWriter:
    """Writer of a table, which receives its windows in key order."""

    def __init__(self, folder: Path, windows: BinaryIO) -> None:
        self._folder = folder
        self._windows = windows

    def begin(self, shape: KeyShape) -> None:
        """Write the header, before the first windows."""
        write_header(self._windows, shape)

    def add(self, blocks: Iterable[memoryview]) -> None:
        """Append packed blocks."""
        for block in blocks:
            self._windows.write(block)

    def finish(
        self,
        source: Source,
        shape: KeyShape,
        totals: Totals,
        ids: NDArray[np.uint32],
        ends: Ends,
        spectra: Spectra,
    ) -> None:
        """Write the other files of the table, the manifest last."""
        folder = self._folder
        self._windows.flush()
        _save(folder / "ids.npy", ids.astype("<u4", copy=False))
        with (folder / "ends.run").open("wb") as file:
            write_header(file, shape)
            for block in pack_blocks(_as_run(ends)) if len(ends.leads) else []:
                file.write(block)
        arrays = {}
        for kind in KINDS:
            for n, spectrum in enumerate(getattr(spectra, kind), start=1):
                arrays[f"{kind}_{n}_multiplicity"] = spectrum.multiplicity
                arrays[f"{kind}_{n}_types"] = spectrum.types
        np.savez(folder / "spectra.npz", **arrays)
        write_manifest(folder, source, shape, totals)


@contextmanager
def write_table(
    output: Path, inputs: Iterable[Path], overwrite: bool = False
) -> Iterator[TableWriter]:
    """Write a new table under a temporary name, and rename it when the body succeeds.

    Enter it before the work, so that an output that cannot be written fails at once.

    Args:
        output: folder of the table.
        inputs: files, and folders of tables, that the command reads.
        overwrite: whether to replace a table that icfast wrote there.

    Raises:
        OptionError: the folder exists, or cannot be made.
        OutputError: the folder is or holds an input, or holds other files than a table.
        ResourceError: the disk is full.
    """
    table = Output(output, "a count table", is_table, folder=True)
    with (
        new_file(table, inputs, overwrite) as folder,
        (folder / "windows.run").open("wb") as windows,
    ):
        yield TableWriter(folder, windows)


def _save(path: Path, array: NDArray[np.uint32]) -> None:
    # np.save to a path loses the errno of a full disk.
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    path.write_bytes(content.getvalue())


def _as_run(ends: Ends) -> SortedRun:
    leads, first = np.unique(ends.leads, return_index=True)
    return SortedRun(
        leads, np.append(first, len(ends.leads)).astype(np.int64), ends.keys, ends.counts
    )
