"""Recognition of text by statistics, for files that are to be read as ids of 2 or 4 bytes.

Text has no control characters except tabs and ends of lines. Ids of 2 bytes that avoid them would
all be above 8192 and skip every eighth id. Ids of 1 byte may be text: that is the corpus of a
tokenizer of bytes.
"""

from __future__ import annotations

import json
import re

import numpy as np

from icfast.corpus.formats.foreign import Foreign
from icfast.parallel.mapped_file import MappedFile

_PART_BYTES = 1 << 14
#: Fewer bytes are not judged.
_LEAST_BYTES = 16
#: From this many bytes on, the absence of control characters is enough.
_MANY_BYTES = 1024
#: Characters of a short text that are letters or spaces.
_LEAST_LETTERS = 0.75

_CONTROL = np.zeros(256, np.bool_)
_CONTROL[[*range(32), 127]] = True
_CONTROL[[0x09, 0x0A, 0x0C, 0x0D, 0x1B]] = False  # white space, and the escape of ISO 2022

_TEXT = Foreign("text", "Turn it into ids: `icfast tokenize FILE --output ids.ds`.")
_JSON = Foreign(
    "JSON",
    "Turn its text into ids: `icfast tokenize FILE --output ids.ds` reads .jsonl files with a "
    '"text" in each line.',
)
_WIDE = Foreign(
    "text in UTF-16",
    "Convert it to UTF-8 (`iconv -f UTF-16 -t UTF-8`), then turn it into ids: `icfast tokenize`.",
)


def text_content(file: MappedFile) -> Foreign | None:
    """Return the kind of text that a file holds, or None."""
    end = _end(file)
    head = file.part(0, min(_PART_BYTES, end))
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _WIDE if _is_utf16(head) else None
    if len(head) < _LEAST_BYTES:
        return None
    starts = sorted({0, end // 2, max(0, end - _PART_BYTES)}) if end > _PART_BYTES else [0]
    parts = [file.part(start, min(start + _PART_BYTES, end)) for start in starts]
    if not all(_is_clean(part) for part in parts) or not _is_written(b"".join(parts)):
        return None
    return _JSON if _is_json(head) else _TEXT


def _end(file: MappedFile) -> int:
    """Return the size of a file without zeros that fill up its last id."""
    last = file.part(file.size - 7, file.size)
    return file.size - len(last) + len(last.rstrip(b"\0"))


def _is_clean(part: bytes) -> bool:
    return not _CONTROL[np.frombuffer(part, np.uint8)].any()


def _is_written(content: bytes) -> bool:
    """Return whether bytes without control characters are text rather than a few repeated ids."""
    counts = np.bincount(np.frombuffer(content, np.uint8), minlength=256)
    distinct = int(np.count_nonzero(counts))
    if len(content) >= _MANY_BYTES:
        white = int(counts[[0x09, 0x0A, 0x0D, 0x20]].sum())
        # Chinese and Japanese have few spaces, but valid UTF-8 of this length is no chance.
        return distinct >= 12 and (white * 100 >= len(content) or _decoded(content) is not None)
    text = _decoded(content)
    if text is None or distinct < 8:
        return False
    letters = sum(character.isalpha() or character.isspace() for character in text)
    return letters >= _LEAST_LETTERS * len(text) or _is_json(content)


def _decoded(content: bytes) -> str | None:
    """Return bytes as UTF-8, or None. Parts of a file may begin and end inside a character."""
    try:
        return re.sub(rb"^[\x80-\xbf]{1,3}|[\xc0-\xff][\x80-\xbf]{0,2}$", b"", content).decode()
    except UnicodeDecodeError:
        return None


def _is_utf16(head: bytes) -> bool:
    """Return whether bytes after a byte order mark are characters, most of them in words."""
    order = "utf-16-le" if head.startswith(b"\xff\xfe") else "utf-16-be"
    text = head[2 : len(head) // 2 * 2].decode(order, "replace")
    common = sum(c.isalpha() or c.isspace() for c in text)
    odd = sum(not (c.isprintable() or c.isspace()) or c == "\ufffd" for c in text[:-1])
    return len(text) >= 6 and odd == 0 and common >= _LEAST_LETTERS * len(text)


def _is_json(head: bytes) -> bool:
    if re.match(rb'\s*[{\[]\s*["{\[\d\]}-]', head) is None:
        return False
    first, _, rest = head.lstrip().partition(b"\n")
    try:
        json.loads(first)
    except ValueError:
        return first.startswith((b'{"', b'["', b"[{")) or (bool(rest) and len(first) <= 2)
    except RecursionError:
        return True
    return True
