"""File names as text. A name may have bytes that are not UTF-8, which no JSON file can hold."""

from __future__ import annotations

import os
from contextlib import suppress


def shown_path(path: str | os.PathLike[str]) -> str:
    r"""Return a path as text that UTF-8 can hold, without loss.

    A path that is valid UTF-8 and has no backslash is returned as it is. A byte that is not UTF-8
    becomes ``\xNN`` with two hexadecimal digits, and a backslash becomes two, so that different
    paths stay different.

    >>> shown_path("a/b.bin"), shown_path(os.fsdecode(b"caf\xe9.bin")), shown_path("a\\xe9")
    ('a/b.bin', 'caf\\xe9.bin', 'a\\\\xe9')
    """
    text = os.fspath(path)
    with suppress(UnicodeEncodeError):  # half a surrogate pair that is no byte
        # The form of a name in Python depends on the locale, its bytes do not.
        text = os.fsencode(text).decode("utf-8", "surrogateescape")
    return utf8_text(text.replace("\\", "\\\\"))


def shown_name(path: str | os.PathLike[str]) -> str:
    """Return the last part of a path as `shown_path` shows it.

    >>> shown_name("a/b.bin")
    'b.bin'
    """
    return shown_path(os.path.basename(path))  # noqa: PTH119 - Path drops a final slash


def utf8_text(text: str) -> str:
    r"""Return text with every half surrogate pair escaped, such as ``\xe9`` for a byte of a name.

    >>> utf8_text("a\udce9b"), utf8_text("a\ud800")
    ('a\\xe9b', 'a\\ud800')
    """
    if text.isascii():
        return text
    return "".join(_escaped(character) for character in text) if _has_surrogate(text) else text


def _has_surrogate(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte, as os.fsdecode returns it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if 0xD800 <= code <= 0xDFFF else character
