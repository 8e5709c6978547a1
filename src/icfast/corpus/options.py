"""How token files are read: one record of options for the Python API and the command line.

The metadata of a field describes the option of the same name: `help` is its help text, `metavar`
its placeholder (None for a flag), `panel` the heading it appears under.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from icfast.errors import OptionError

#: Types of ids on disk, little-endian. "i4" holds non-negative ids in signed integers.
DTYPES = ("u1", "u2", "u4", "i4")

#: Positions of the end id in its document; "auto" decides from the documents' edges.
BOUNDARIES = ("end", "start", "auto")

_LARGEST_VOCABULARY = 1 << 32


def _option(default: Any, help_text: str, metavar: str | None = None) -> Any:
    described = {"help": help_text, "metavar": metavar, "panel": "Corpus options"}
    return field(default=default, metadata=described)


@dataclass(frozen=True)
class CorpusOptions:
    """The keywords of `icfast.open` and `icfast.inspect` as one record.

    Attributes:
        dtype: "u1", "u2", "u4" or "i4" (little-endian). A file without a header needs it.
        vocab_size: number of ids V. The default is the sidecar's, else the largest id + 1.
        eos_id: the id that separates documents. An index next to the file takes precedence.
        boundary: "end" if that id is the last of its document, "start" if it is the first, "auto"
            to decide from the data. The default is the format's own: "start" for llmc, else "end".
        format: "raw", "llmc", "datatrove" or "npy". By default icfast detects the format.
        tokenizer: name of the tokenizer, recorded and compared. "bytes" declares that u1 ids are
            the UTF-8 bytes of the text.
        cross_documents: whether each file counts as one document.
        skip_bad: whether empty files and empty documents are left out and counted, not refused.

    >>> CorpusOptions(dtype="u2", eos_id=0).given
    {'dtype': 'u2', 'eos_id': 0}
    """

    dtype: str | None = _option(
        None, "Little-endian type of the ids. A file without a header needs it.", "u1|u2|u4|i4"
    )
    vocab_size: int | None = _option(
        None, "Number of ids. Default: the sidecar's, else the largest id + 1.", "V"
    )
    eos_id: int | None = _option(None, "Id that separates documents.", "ID")
    boundary: str | None = _option(
        None,
        "Position of that id in its document. Default: the format's own (start for llmc, else "
        "end).",
        "end|start|auto",
    )
    format: str | None = _option(
        None, "raw, llmc, datatrove or npy. Default: detected from the file.", "NAME"
    )
    tokenizer: str | None = _option(
        None, "Tokenizer that wrote the ids; recorded and compared.", "NAME"
    )
    cross_documents: bool = _option(False, "Count each file as one document.")
    skip_bad: bool = _option(
        False, "Leave out bad files and documents and count them (exit code 3)."
    )

    @property
    def given(self) -> dict[str, Any]:
        """The options that differ from their defaults, by name."""
        values = {option.name: getattr(self, option.name) for option in fields(self)}
        return {f.name: values[f.name] for f in fields(self) if values[f.name] != f.default}

    def check(self) -> None:
        """Refuse values that have no meaning. The format is checked where its file is opened.

        Raises:
            OptionError: the dtype or boundary is unknown, the vocabulary is empty or above 2^32,
                or the end id is negative or outside the vocabulary.
        """
        check_dtype(self.dtype)
        if self.boundary is not None and self.boundary not in BOUNDARIES:
            raise OptionError(
                f"boundary {self.boundary!r} is not one of {', '.join(BOUNDARIES)}. "
                "It is the position of the end id in its document: pass one of them."
            )
        check_ids(self.vocab_size, self.eos_id)


def combined(options: CorpusOptions | None, **keywords: Any) -> CorpusOptions:
    """Return the options of a call that takes a record or its fields, checked.

    Args:
        options: the record, or None.
        keywords: every field, at its default where the caller left it out.

    Raises:
        OptionError: a record and a keyword are both given, or a value has no meaning.
    """
    passed = CorpusOptions(**keywords)
    if options is not None and passed.given:
        raise OptionError(
            f"options and {', '.join(passed.given)} are both given. Put every option into the "
            "record, or pass keywords only."
        )
    chosen = options or passed
    chosen.check()
    return chosen


def check_dtype(dtype: str | None) -> None:
    """Refuse a dtype that is not in `DTYPES`.

    Raises:
        OptionError: another name was given.
    """
    if dtype is not None and dtype not in DTYPES:
        raise OptionError(
            f"dtype {dtype!r} is not one of {', '.join(DTYPES)}. Ids are little-endian: unsigned "
            "with 1, 2 or 4 bytes, or signed with 4. Pass one of them."
        )


def check_ids(vocab_size: int | None, eos_id: int | None) -> None:
    """Refuse a vocabulary size or end id that no corpus can have.

    Raises:
        OptionError: the vocabulary is empty or above 2^32, or the end id is negative or outside.
    """
    if vocab_size is not None and not 1 <= vocab_size <= _LARGEST_VOCABULARY:
        raise OptionError(
            f"vocab_size {vocab_size} is not between 1 and 2^32. "
            "Pass the number of ids of the tokenizer."
        )
    if eos_id is not None and eos_id < 0:
        raise OptionError(f"eos_id {eos_id} is negative, but ids count from 0. Pass another id.")
    if eos_id is not None and vocab_size is not None and eos_id >= vocab_size:
        raise OptionError(
            f"eos_id {eos_id} is outside the vocabulary of {vocab_size} ids. The end id belongs to "
            "the vocabulary: pass a larger vocab_size."
        )
