"""Formats that are not token ids: archives, tables, images, programs. icfast refuses them.

Ids may spell the first bytes of a format by chance. A format is therefore recognised only if more
of its structure agrees: a checksum, a size, a second marker. Together they are at least 48 bits.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from icfast.corpus.formats.pickles import is_pickle
from icfast.parallel.mapped_file import MappedFile

Looks = Callable[[MappedFile], bool]

_HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class Foreign:
    """Kind of content that is not token ids.

    Attributes:
        name: what the file is, with its article.
        advice: what to do with it; a sentence, in which FILE is the path.
    """

    name: str
    advice: str


def foreign_content(file: MappedFile) -> Foreign | None:
    """Return the format that a file's content shows to be no ids, or None."""
    return next((kind for kind, looks in _KINDS if looks(file)), None)


def _magic(*magics: bytes) -> Looks:
    """Return a check for first bytes that are long enough to be certain."""
    return lambda file: file.part(0, 32).startswith(magics)


def _number(file: MappedFile, layout: str, offset: int) -> int:
    """Return one number of the file, or -1 after its end."""
    stored = file.part(offset, offset + struct.calcsize(layout))
    return int(struct.unpack(layout, stored)[0]) if len(stored) == struct.calcsize(layout) else -1


def _is_gzip(file: MappedFile) -> bool:
    head = file.part(0, _HEAD_BYTES)
    if not head.startswith(b"\x1f\x8b\x08") or len(head) < 18 or head[3] & 0xE0:
        return False
    try:
        zlib.decompressobj(31).decompress(head)
    except zlib.error:
        return False
    return True


def _is_bzip2(file: MappedFile) -> bool:
    return re.match(rb"BZh[1-9](1AY&SY|\x17\x72\x45\x38\x50\x90)", file.part(0, 10)) is not None


def _is_zstd(file: MappedFile) -> bool:
    magic, offset = _number(file, "<I", 0), 0
    if 0x184D2A50 <= magic <= 0x184D2A5F:  # a frame to skip, then one of data
        offset = 8 + _number(file, "<I", 4)
        return _number(file, "<I", offset) in {0xFD2FB528, *range(0x184D2A50, 0x184D2A60)}
    flags = _number(file, "<B", 4)
    if magic != 0xFD2FB528 or flags < 0 or flags & 0x08:
        return False
    # After the header: window (unless one segment), dictionary id, content size, first block.
    one_segment = flags >> 5 & 1
    sizes = (one_segment, 2, 4, 8)[flags >> 6]
    offset = 5 + (1 - one_segment) + (0, 1, 2, 4)[flags & 3] + sizes
    block = _number(file, "<H", offset) | _number(file, "<B", offset + 2) << 16
    kind, size = block >> 1 & 3, block >> 3
    stored = 1 if kind == 1 else size
    return kind != 3 and size <= 1 << 17 and offset + 3 + stored <= file.size


def _is_lz4(file: MappedFile) -> bool:
    magic, size = _number(file, "<I", 0), file.size
    if magic == 0x184C2102:  # the format of the kernel
        return 0 < _number(file, "<I", 4) <= min(8421520, size - 8)
    flags, block = _number(file, "<B", 4), _number(file, "<B", 5)
    if magic != 0x184D2204 or flags >> 6 != 1 or flags & 2 or block & 0x8F or block >> 4 < 4:
        return False
    offset = 7 + 8 * (flags >> 3 & 1) + 4 * (flags & 1)
    stored = _number(file, "<I", offset) & 0x7FFFFFFF
    return stored <= min(1 << 8 + 2 * (block >> 4), size - offset - 4)


def _zip_name(file: MappedFile) -> str | None:
    """Return the name of the first member of a zip archive, or None if the file is none."""
    if file.part(0, 4) == b"PK\5\6" and file.size == 22:
        return ""
    head = file.part(0, 30)
    if len(head) < 30 or not head.startswith(b"PK\3\4"):
        return None
    version, flags, method = struct.unpack_from("<3H", head, 4)
    length = struct.unpack_from("<H", head, 26)[0]
    name = file.part(30, 30 + length)
    known = version & 0xFF <= 63 and not flags & 0xC000 and method in (0, 8, 9, 12, 14, 93, 95, 99)
    if not known or not 0 < length <= 4096 or len(name) < length:
        return None
    try:
        text = name.decode("utf-8" if flags & 0x800 else "cp437")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def _is_zip_with(pattern: str) -> Looks:
    def looks(file: MappedFile) -> bool:
        name = _zip_name(file)
        return name is not None and re.search(pattern, name) is not None

    return looks


def _is_7z(file: MappedFile) -> bool:
    head = file.part(0, 32)
    return head.startswith(b"7z\xbc\xaf\x27\x1c") and zlib.crc32(head[12:32]) == _number(
        file, "<I", 8
    )


def _is_tar(file: MappedFile) -> bool:
    head = file.part(0, 512)
    if len(head) < 512 or not re.fullmatch(rb"[ 0-7]{5,8}[ \0]{0,3}", head[148:156]):
        return False
    stated = int(head[148:156].strip(b" \0") or b"0", 8)
    return head[0] != 0 and stated == sum(head[:148]) + 8 * 32 + sum(head[156:])


def _is_parquet(file: MappedFile) -> bool:
    if file.part(0, 4) not in (b"PAR1", b"PARE"):
        return False
    footer = _number(file, "<I", file.size - 8)
    if file.part(file.size - 4, file.size) in (b"PAR1", b"PARE"):
        return footer <= file.size - 12
    # A file that was cut still begins with the header of a page: its type, then its size.
    return re.match(rb"\x15[\x00\x02\x04\x06]\x15", file.part(4, 7)) is not None


def _is_arrow_stream(file: MappedFile) -> bool:
    length = _number(file, "<i", 4)
    if file.part(0, 4) != b"\xff\xff\xff\xff" or length % 8 or not 16 <= length <= file.size - 8:
        return False
    root = 8 + _number(file, "<I", 8)
    table = root - _number(file, "<i", root) if root < 8 + length else -1
    if not 8 <= table < 8 + length:
        return False
    vtable, fields = _number(file, "<H", table), _number(file, "<H", table + 2)
    if not 8 <= vtable <= 16 or vtable % 2 or fields > length:
        return False
    kind = _number(file, "<H", table + 6)
    return 0 < kind < fields and _number(file, "<B", root + kind) == 1  # a schema comes first


def _is_safetensors(file: MappedFile) -> bool:
    length = _number(file, "<Q", 0)
    if not 2 <= length <= min(file.size - 8, 100 << 20):
        return False
    head, last = file.part(8, 8 + min(length, 256)), file.part(7 + length, 8 + length)
    return re.match(rb'\{\s*("|\}\s*$)', head) is not None and last in b"} " and head.isascii()


def _is_jpeg(file: MappedFile) -> bool:
    offset = 2
    for _ in range(2):  # segments follow each other: a marker, and its length
        marker = file.part(offset, offset + 2)
        if not re.fullmatch(rb"\xff[\xc0-\xfe]", marker):
            return False
        offset += 2 + max(2, _number(file, ">H", offset + 2))
    return file.part(0, 3) == b"\xff\xd8\xff" and file.part(offset, offset + 1) == b"\xff"


def _is_gif(file: MappedFile) -> bool:
    head = file.part(0, 13)
    if not re.match(rb"GIF8[79]a", head) or len(head) < 13:
        return False
    colours = 3 * (2 << (head[10] & 7)) if head[10] & 0x80 else 0
    return file.part(13 + colours, 14 + colours) in (b"\x21", b"\x2c")


def _is_bmp(file: MappedFile) -> bool:
    stated = _number(file, "<I", 2) == file.size and _number(file, "<I", 6) == 0
    return file.part(0, 2) == b"BM" and stated and 26 <= _number(file, "<I", 10) < file.size


def _is_riff(file: MappedFile) -> bool:
    known = file.part(8, 12) in (b"WEBP", b"WAVE", b"AVI ")
    return file.part(0, 4) == b"RIFF" and known and 0 <= _number(file, "<I", 4) <= file.size


def _is_tiff(file: MappedFile) -> bool:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(file.part(0, 4))
    if order is None:
        return False
    offset = _number(file, f"{order}I", 4)
    entries, tag, kind = (_number(file, f"{order}H", offset + at) for at in (0, 2, 4))
    return 8 <= offset < file.size and 1 <= entries <= 512 and tag >= 254 and 1 <= kind <= 18


def _is_pdf(file: MappedFile) -> bool:
    head = re.match(rb"%PDF-[12]\.\d[\r\n]", file.part(0, 9)) is not None
    return head and b"%%EOF" in file.part(file.size - 1024, file.size)


def _is_elf(file: MappedFile) -> bool:
    return re.match(rb"\x7fELF[\x01\x02]{2}\x01.\0{7}", file.part(0, 16), re.DOTALL) is not None


def _is_nemo(file: MappedFile) -> bool:
    return _number(file, "<I", 0) == 278895051 and _number(file, "<I", 4) == 1


def _is_gguf(file: MappedFile) -> bool:
    return file.part(0, 4) == b"GGUF" and _number(file, "<I", 4) in (1, 2, 3)


def _unpack(command: str) -> str:
    return f"Unpack it first: `{command} FILE`."


_SAVE = "Read it with the library that wrote it, and save its ids with numpy.save."
_COLUMN = (
    "Convert its column of ids: `pyarrow.{reader}` reads it, and numpy.save writes the ids of the "
    "flattened column."
)
_NO_IDS = "It holds no token ids. Name another file."
_OTHER_READER = "Convert it to a format that icfast reads (llmc, npy, datatrove, raw)."

_KINDS: tuple[tuple[Foreign, Looks], ...] = (
    (Foreign("data compressed by gzip", _unpack("gunzip -k")), _is_gzip),
    (Foreign("data compressed by bzip2", _unpack("bunzip2 -k")), _is_bzip2),
    (Foreign("data compressed by xz", _unpack("unxz -k")), _magic(b"\xfd7zXZ\0")),
    (
        Foreign("data compressed by lzma", _unpack("unlzma -k")),
        _magic(b"\x5d\0\0" + b"\x80\0" + b"\xff" * 8, b"\x5d\0\0\0\1" + b"\xff" * 8),
    ),
    (Foreign("data compressed by zstd", _unpack("unzstd")), _is_zstd),
    (Foreign("data compressed by lz4", _unpack("unlz4")), _is_lz4),
    (
        Foreign("an .npz archive of NumPy", "Load its array of ids, and save it with numpy.save."),
        _is_zip_with(r"\.npy$"),
    ),
    (
        Foreign(
            "a file of torch.save",
            "Load it with torch.load, and save its ids with numpy.save(file, ids.numpy()).",
        ),
        _is_zip_with(r"(^|/)(data\.pkl|byteorder|\.format_version|version)$"),
    ),
    (Foreign("a zip archive", _unpack("unzip")), _is_zip_with("")),
    (Foreign("a 7z archive", _unpack("7z x")), _is_7z),
    (Foreign("a rar archive", _unpack("unrar x")), _magic(b"Rar!\x1a\7\0", b"Rar!\x1a\7\1\0")),
    (Foreign("a tar archive", _unpack("tar xf")), _is_tar),
    (Foreign("an HDF5 file", _SAVE), _magic(b"\x89HDF\r\n\x1a\n")),
    (Foreign("a Parquet file", _COLUMN.format(reader="parquet.read_table")), _is_parquet),
    (Foreign("an Arrow file", _COLUMN.format(reader="ipc.open_file")), _magic(b"ARROW1\0\0")),
    (Foreign("an Arrow stream", _COLUMN.format(reader="ipc.open_stream")), _is_arrow_stream),
    (Foreign("a safetensors file", _SAVE), _is_safetensors),
    (Foreign("an SQLite database", _SAVE), _magic(b"SQLite format 3\0")),
    (Foreign("a pickle", _SAVE), is_pickle),
    (Foreign("a GGUF model", _NO_IDS), _is_gguf),
    (Foreign("a model of icfast", "Pass it as a model (--model)."), _magic(b"ICFMODEL")),
    (
        Foreign("a part of a count table", "Name the folder of the table instead."),
        _magic(b"ICFRUN\0\1"),
    ),
    (Foreign("a PNG image", _NO_IDS), _magic(b"\x89PNG\r\n\x1a\n")),
    (Foreign("a JPEG image", _NO_IDS), _is_jpeg),
    (Foreign("a GIF image", _NO_IDS), _is_gif),
    (Foreign("a BMP image", _NO_IDS), _is_bmp),
    (Foreign("an image, sound or film (RIFF)", _NO_IDS), _is_riff),
    (Foreign("a TIFF image", _NO_IDS), _is_tiff),
    (Foreign("a PDF document", _NO_IDS), _is_pdf),
    (Foreign("a program (ELF)", _NO_IDS), _is_elf),
    (
        Foreign("a Megatron index", "Name the .bin file, with --format raw and its --dtype."),
        _magic(b"MMIDIDX\0\0"),
    ),
    (
        Foreign("a NeoX index", "Name the .bin file, with --format raw and its --dtype."),
        _magic(b"TNTIDX\0\0"),
    ),
    (Foreign("a TinyLlama shard", _OTHER_READER), _magic(b"LITPKDS")),
    (Foreign("a NeMo Automodel shard", _OTHER_READER), _is_nemo),
)
