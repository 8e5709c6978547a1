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
    itemsize,
    map_array,
    refuse_other_dtype,
    whole_ids,
)
from icfast.corpus.shard import Shard
from icfast.corpus.sidecar import Description, read_description, sidecar_path
from icfast.errors import CorpusError, OptionError
from icfast.files import require_regular


class Datatrove:
    """Format of ids and an index, with the optional sidecars of `icfast tokenize`."""

    name = "datatrove"
    magics: tuple[bytes, ...] = ()

    def sniff(self, path: Path) -> bool:
        """Return whether the name ends in .ds, or the file has an index."""
        return path.suffix == ".ds" or sidecar_path(path, ".index").exists()

    def open(self, path: Path, options: ReadOptions) -> Shard:
        """Memory-map the ids and the index.

        Raises:
            CorpusError: there is no index, or index, sidecars and file contradict each other.
        """
        index_path = sidecar_path(path, ".index")
        if not index_path.exists():
            raise CorpusError(
                f"{path}: datatrove keeps the document ends in {index_path.name}, which does not "
                "exist. Copy it too, or pass --format raw --dtype u2 --eos-id ID."
            )
        index = _u64(index_path, options)
        description = _described(path, options)
        dtype = _dtype(path, index, description, options)
        count = whole_ids(path, path.stat().st_size, dtype, options)
        text_bytes = _text_bytes(path, len(index), options)
        stops = _checked_stops(index_path, index, count, options)
        return Shard(
            path,
            self.name,
            map_array(path, dtype, count),
            _files(path),
            index_stops=stops,
            text_bytes=None if stops is None else text_bytes,
            signed=dtype == "i4",
            description=description,
        )


def _files(path: Path) -> tuple[Path, ...]:
    sidecars = (sidecar_path(path, suffix) for suffix in (".index", ".bytes", ".json"))
    return (path, *(sidecar for sidecar in sidecars if sidecar.exists()))


def _u64(path: Path, options: ReadOptions) -> NDArray[Any]:
    require_regular(path, CorpusError)
    count, left = divmod(path.stat().st_size, 8)
    if left:
        options.fault(
            f"{path} should hold u64 numbers, but {left} bytes are left over. Was it truncated? "
            "Copy or write it again."
        )
    return map_array(path, "u8", count)


def _described(path: Path, options: ReadOptions) -> Description | None:
    sidecar = sidecar_path(path, ".json")
    try:
        description = read_description(sidecar)
        if description is not None:
            check_dtype(description.dtype)
    except (CorpusError, OptionError) as error:
        options.fault(f"{sidecar}: {error}" if isinstance(error, OptionError) else str(error))
        return None
    return description


def _dtype(
    path: Path, index: NDArray[Any], description: Description | None, options: ReadOptions
) -> str:
    size = path.stat().st_size
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


def _text_bytes(path: Path, documents: int, options: ReadOptions) -> NDArray[np.uint64] | None:
    sidecar = sidecar_path(path, ".bytes")
    if not sidecar.exists():
        return None
    text_bytes = _u64(sidecar, options)
    if len(text_bytes) != documents:
        options.fault(
            f"{sidecar} has the bytes of {len(text_bytes)} documents, the index has {documents}. "
            "Tokenise again, or delete it."
        )
        return None
    return text_bytes
