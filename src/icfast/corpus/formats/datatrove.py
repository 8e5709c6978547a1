"""Files FILE.ds of datatrove: headerless ids, and document ends in FILE.ds.index.

The index defines the documents. Its last entry is the number of ids, so it also implies the size of
an id. `icfast.corpus.sidecar` defines the layout of the sidecars.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.options import check_dtype
from icfast.corpus.reader import (
    ReadOptions,
    ids_in,
    itemsize,
    map_file,
    refuse_other_dtype,
    whole_ids,
)
from icfast.corpus.shard import Shard
from icfast.corpus.sidecar import (
    MOST_DESCRIPTION_BYTES,
    Description,
    read_description,
    sidecar_path,
)
from icfast.errors import CorpusError, OptionError
from icfast.parallel.mapped_file import MappedFile


class Datatrove:
    """Format of ids and an index, with the optional sidecars of `icfast tokenize`."""

    name = "datatrove"
    magics: tuple[bytes, ...] = ()

    def sniff(self, path: Path, head: bytes) -> bool:
        """Return whether the name ends in .ds, or the file has an index."""
        return path.suffix == ".ds" or sidecar_path(path, ".index").exists()

    def open(self, file: MappedFile, options: ReadOptions) -> Shard:
        """Return the ids, and map the sidecars.

        Raises:
            CorpusError: there is no index, or index, sidecars and file contradict each other.
        """
        path = file.path
        sidecars = _sidecars(path)
        index = _u64(sidecars[".index"], options)
        description = _described(sidecars.get(".json"), options)
        dtype = _dtype(file, index, description, options)
        count = whole_ids(path, file.size, dtype, options)
        text_bytes = _text_bytes(sidecars.get(".bytes"), len(index), options)
        stops = _checked_stops(sidecars[".index"].path, index, count, options)
        return Shard(
            path,
            self.name,
            ids_in(file, dtype, count),
            (file, *sidecars.values()),
            index_stops=stops,
            text_bytes=None if stops is None else text_bytes,
            signed=dtype == "i4",
            description=description,
        )


def _sidecars(path: Path) -> dict[str, MappedFile]:
    """Map the sidecars that exist, by suffix."""
    paths = {suffix: sidecar_path(path, suffix) for suffix in (".index", ".bytes", ".json")}
    if not paths[".index"].exists():
        raise CorpusError(
            f"{path}: datatrove keeps the document ends in {paths['.index'].name}, which does not "
            "exist. Copy it too, or pass --format raw --dtype u2 --eos-id ID."
        )
    return {suffix: map_file(sidecar) for suffix, sidecar in paths.items() if sidecar.exists()}


def _u64(file: MappedFile, options: ReadOptions) -> NDArray[Any]:
    count, left = divmod(file.size, 8)
    if left:
        options.fault(
            f"{file.path} should hold u64 numbers, but {left} bytes are left over. Was it "
            "truncated? Copy or write it again."
        )
    return ids_in(file, "u8", count)


def _described(sidecar: MappedFile | None, options: ReadOptions) -> Description | None:
    if sidecar is None:
        return None
    try:
        description = read_description(sidecar.path, sidecar.whole(MOST_DESCRIPTION_BYTES))
        check_dtype(description.dtype)
    except (CorpusError, OptionError) as error:
        named = f"{sidecar.path}: {error}" if isinstance(error, OptionError) else str(error)
        options.fault(named)
        return None
    return description


def _dtype(
    file: MappedFile, index: NDArray[Any], description: Description | None, options: ReadOptions
) -> str:
    path, size = file.path, file.size
    last = int(index[-1]) if len(index) else 0
    told = options.dtype or (description.dtype if description else None)
    fitting = [name for name in ("u1", "u2", "u4") if last and last * itemsize(name) == size]
    if fitting:
        return _agreed(path, fitting[0], description, options)
    if told is not None or size == 0:
        return told or "u2"
    raise CorpusError(
        f"{path} has {size} bytes and its index ends at token {last}: that is "
        f"{size / last if last else float('inf'):.3f} bytes per id, expected exactly 1, 2 or 4. "
        "Does the index belong to another file, or was one of the two truncated? Copy both again."
    )


def _agreed(path: Path, found: str, description: Description | None, options: ReadOptions) -> str:
    """Compare the dtype that the index implies with the given one and the sidecar's."""
    if description is not None and description.dtype != found:
        options.fault(
            f"{sidecar_path(path, '.json')} states dtype {description.dtype}, but by the index the "
            f"ids are {found}. Tokenise again, or delete the sidecar."
        )
    if options.dtype == "i4" and found == "u4":  # sizes do not tell signed ids from unsigned ones
        return "i4"
    refuse_other_dtype(path, found, options)
    return found


def _checked_stops(
    path: Path, index: NDArray[Any], count: int, options: ReadOptions
) -> NDArray[np.int64] | None:
    """Return the index as i64 (still memory-mapped), or None after a fault."""
    descents = np.flatnonzero(index[1:] < index[:-1])
    last = int(index[-1]) if len(index) else 0
    if len(descents):
        at = int(descents[0]) + 1
        options.fault(
            f"{path}: document {at} ends at token {index[at]}, before the previous document "
            f"({index[at - 1]}). Ends must ascend; write the index again."
        )
    elif last > count:
        options.fault(
            f"{path} points outside the file: it ends at token {last}, the file holds {count}. "
            "Was the file truncated, or does the index belong to another file? Copy both again."
        )
    elif last < count:
        options.fault(
            f"{path} stops at token {last}, but the file holds {count}: {count - last} tokens "
            "belong to no document. Was the index truncated, or does it belong to another file? "
            "Copy both again."
        )
    else:
        return index.view(np.int64)
    return None


def _text_bytes(
    sidecar: MappedFile | None, documents: int, options: ReadOptions
) -> NDArray[np.uint64] | None:
    if sidecar is None:
        return None
    text_bytes = _u64(sidecar, options)
    if len(text_bytes) != documents:
        options.fault(
            f"{sidecar.path} has the bytes of {len(text_bytes)} documents, the index has "
            f"{documents}. Tokenise again, or delete it."
        )
        return None
    return text_bytes
