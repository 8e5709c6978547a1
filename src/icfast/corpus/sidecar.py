"""Sidecars: the small files next to FILE.ds, their names and their content.

    FILE.ds.index  u64 little-endian, the exclusive end of each document in tokens
    FILE.ds.bytes  u64 little-endian, the UTF-8 bytes of each document's text
    FILE.ds.json   {"schema_version": 1, "tokenizer", "tokenizer_sha256", "vocab_size", "eos_id",
                    "dtype"}: how the ids were made

datatrove defines the index. `icfast tokenize` also writes the other two, which are optional.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from icfast.errors import CorpusError
from icfast.files import read_regular

SCHEMA_VERSION = 1

#: Maximum size of FILE.ds.json, which has six short fields.
MOST_DESCRIPTION_BYTES = 1 << 20

#: Suffixes of files that are never shards.
SIDECAR_SUFFIXES = (".index", ".metadata", ".json", ".bytes")


def sidecar_path(path: Path, suffix: str) -> Path:
    """Return the path of a file's sidecar.

    >>> sidecar_path(Path("a/x.ds"), ".index").as_posix()
    'a/x.ds.index'
    """
    return path.with_name(path.name + suffix)


@dataclass(frozen=True)
class Description:
    """Content of FILE.ds.json: how a file of ids was made.

    Attributes:
        tokenizer: "bytes", or the tokenizer file's name.
        tokenizer_sha256: SHA-256 in hex of the tokenizer file, or of the vocabulary of a GGUF file.
            None for "bytes".
        vocab_size: number of ids of the tokenizer.
        eos_id: the id appended to each document, or None.
        dtype: "u1", "u2" or "u4".
    """

    tokenizer: str
    tokenizer_sha256: str | None
    vocab_size: int
    eos_id: int | None
    dtype: str


def write_description(path: Path, description: Description) -> None:
    """Write a FILE.ds.json. The caller makes the write atomic."""
    content = {"schema_version": SCHEMA_VERSION, **asdict(description)}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_description(path: Path, stored: bytes) -> Description:
    """Return the description in the bytes of a FILE.ds.json.

    Raises:
        CorpusError: it is not JSON, has another schema version, or a key is missing or has the
            wrong type.
    """
    try:
        content = json.loads(stored)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path} is not JSON: {error}. Delete it, or tokenise again.") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise CorpusError(
            f"{path} has schema_version {version!r}; this icfast reads {SCHEMA_VERSION}. "
            "Tokenise again, or use the icfast that wrote it."
        )
    values = [_typed(path, content, key, kinds) for key, kinds in _KEYS.items()]
    return Description(*values)


_KEYS: dict[str, tuple[type, ...]] = {
    "tokenizer": (str,),
    "tokenizer_sha256": (str, type(None)),
    "vocab_size": (int,),
    "eos_id": (int, type(None)),
    "dtype": (str,),
}


def _typed(path: Path, content: dict[str, Any], key: str, kinds: tuple[type, ...]) -> Any:
    value = content.get(key)
    # JSON can express half a surrogate pair, which no result file could hold.
    text = value if isinstance(value, str) else ""
    sound = isinstance(value, kinds) and not isinstance(value, bool)
    if key not in content or not sound or text != text.encode(errors="replace").decode():
        expected = " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)
        raise CorpusError(
            f"{path} should have {key!r} as {expected}, found {value!r}. Tokenise again."
        )
    return value


def is_tokenized(path: Path) -> bool:
    """Return whether `icfast tokenize` wrote a file of ids and its sidecars.

    The file FILE.ds.json tells: datatrove writes none.
    """
    sidecar = sidecar_path(path, ".json")
    try:
        read_description(sidecar, read_regular(sidecar, CorpusError, MOST_DESCRIPTION_BYTES))
    except (CorpusError, OSError):
        return False
    return True
