"""The small files beside FILE.ds: their names, and what they say.

    FILE.ds.index  u64 little-endian, the exclusive end of each document in tokens (datatrove's own)
    FILE.ds.bytes  u64 little-endian, the UTF-8 bytes of each document's text
    FILE.ds.json   {"schema_version": 1, "tokenizer", "tokenizer_sha256", "vocab_size", "eos_id",
                    "dtype"}: how the ids were made

The last two are icfast's, written by `icfast tokenize`; files of datatrove do without.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from icfast.errors import CorpusError

SCHEMA_VERSION = 1

#: Names that end so are never taken for shards.
SIDECAR_SUFFIXES = (".index", ".metadata", ".json", ".bytes")


def sidecar_path(path: Path, suffix: str) -> Path:
    """The sidecar of a file.

    >>> sidecar_path(Path("a/x.ds"), ".index").as_posix()
    'a/x.ds.index'
    """
    return path.with_name(path.name + suffix)


@dataclass(frozen=True)
class Description:
    """How a file of ids was made: the content of FILE.ds.json.

    Attributes:
        tokenizer: "bytes", or the tokenizer file's name.
        tokenizer_sha256: SHA-256 in hex of the tokenizer file (of a GGUF file: of its vocabulary);
            None for "bytes".
        vocab_size: number of ids the tokenizer knows.
        eos_id: the id appended to each document, None where none was.
        dtype: "u1", "u2" or "u4".
    """

    tokenizer: str
    tokenizer_sha256: str | None
    vocab_size: int
    eos_id: int | None
    dtype: str


def write_description(path: Path, description: Description) -> None:
    """Write the content of a FILE.ds.json; in place, the caller makes it atomic."""
    content = {"schema_version": SCHEMA_VERSION, **asdict(description)}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_description(path: Path) -> Description | None:
    """Read a FILE.ds.json; None where the file has none.

    Raises:
        CorpusError: not JSON, of another schema version, or a key is missing or of a wrong type.
    """
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path} is not JSON ({error}); delete it or tokenise again") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise CorpusError(
            f"{path} has schema_version {version!r}, this icfast reads {SCHEMA_VERSION}; "
            "tokenise again, or use the icfast that wrote it"
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
    # JSON can spell half a surrogate pair, which no result could hold.
    text = value if isinstance(value, str) else ""
    sound = isinstance(value, kinds) and not isinstance(value, bool)
    if key not in content or not sound or text != text.encode(errors="replace").decode():
        expected = " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)
        raise CorpusError(
            f"{path} should say {key!r} as {expected}, found {value!r}; tokenise again"
        )
    return value
