"""Recognition of pickles by the structure of their opcodes. icfast never unpickles."""

from __future__ import annotations

import pickletools

from icfast.parallel.mapped_file import MappedFile

_HEAD_BYTES = 1 << 14
#: First opcodes of pickles of protocols 0 and 1, which have no marker of their own: an empty list
#: or dictionary, memoised.
_OLD = (b"]q\0", b"}q\0", b"(lp0\n", b"(dp0\n", b"(lp1\n", b"(dp1\n")
#: torch.save without zip writes this number first.
_TORCH = b"\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"
#: Opcodes in order. Ids would have to spell all of them.
_ENOUGH = 24


def is_pickle(file: MappedFile) -> bool:
    """Return whether a file begins with a pickle of any protocol."""
    head = file.part(0, _HEAD_BYTES)
    if head.startswith(_TORCH):
        return True
    if not (len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5) and not head.startswith(_OLD):
        return False
    if head[0] == 0x80 and head[1] >= 4 and head[2:3] == b"\x95":  # a frame, and its length
        length = int.from_bytes(head[3:11].ljust(8, b"\xff"), "little")
        return 0 < length <= file.size - 11
    opcodes, ended = _opcodes(head)
    # Bytes that fill up the last id may follow the end.
    return opcodes >= _ENOUGH or (ended > 0 and opcodes > 2 and file.size - ended < 8)


def _opcodes(head: bytes) -> tuple[int, int]:
    """Return the number of valid opcodes in a row, and the position after the last one, or 0."""
    count = 0
    try:
        for opcode, _, at in pickletools.genops(head):
            count += 1
            if opcode.name == "STOP":
                return count, (at or 0) + 1
            if count >= _ENOUGH:
                break
    except (ValueError, IndexError, OverflowError, MemoryError):  # the parser's own exceptions
        return (count if _is_cut(head, count) else 0), 0
    return count, 0


def _is_cut(head: bytes, count: int) -> bool:
    """Return whether opcodes ended because the head ended: after enough of them."""
    return len(head) == _HEAD_BYTES and count >= _ENOUGH // 2
