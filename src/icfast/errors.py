"""The one family of errors icfast raises, and the exit codes the command line gives them.

Every message says what was expected, what was found, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class IcfastError(Exception):
    """Base of every error icfast raises on purpose."""


class CorpusError(IcfastError):
    """A corpus can't be read as it stands: format, size, dtype, index or ids."""


class ArtefactError(IcfastError):
    """A file icfast wrote earlier (table, model, result) is damaged or of another version."""


class ModelError(IcfastError):
    """A neural model can't be used as it stands: no such file, weights missing, unknown parts."""


class LogError(IcfastError):
    """A training log, or a table of runs or energy, can't be read; the message has the line."""


class MeterError(IcfastError):
    """Joules can't be metered: no counter, no driver, no permission, or a counter that failed."""


class MergeError(IcfastError):
    """Two measurements can't be added: other tokenizer, order, convention, or shared shards."""


class OptionError(IcfastError, ValueError):
    """An argument has no meaning: unknown name, impossible range, missing partner."""


class UnitError(OptionError):
    """Quantities of different units met in one formula."""


class BackendError(IcfastError):
    """A forced backend is not there; the message carries its own reason."""


class MissingExtraError(IcfastError, ImportError):
    """An optional package is needed here; the message names the extra to install."""


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Turn a failed import in the block into the name of the extra that holds the package.

    Args:
        extra: of icfast, as pip takes it.
        what: needs the package, the sentence's subject.

    Raises:
        MissingExtraError: a package imported in the block is not installed.
    """
    try:
        yield
    except MissingExtraError:
        raise
    except ImportError as missing:
        raise MissingExtraError(
            f"{what} needs {missing.name or missing}, which is not installed; "
            f"pip install 'icfast[{extra}]'"
        ) from missing


class SelfCheckError(IcfastError):
    """A sum that must hold by construction does not: a bug, or input that changed underway."""


class ResourceError(IcfastError):
    """Memory, disk or file descriptors do not suffice; nothing was left half-written."""


#: What each status code of a kernel means, and what to do about it.
_KERNEL_SENTENCES: dict[int, tuple[type[IcfastError], str]] = {
    1: (
        CorpusError,
        "token {value} at position {index} of {where} is outside the vocabulary of {vocab}; "
        "was it written with another tokenizer or dtype?",
    ),
    2: (
        CorpusError,
        "token {value} at position {index} of {where} was not there when the ids were listed; "
        "did the file change while it was read?",
    ),
    3: (
        ResourceError,
        "an output of the kernel was too small at {index} (needs {value}) in {where}; "
        "the input changed while it was read, or is damaged",
    ),
    4: (
        ArtefactError,
        "entry {index} of {where} does not ascend (lead {value}); the table is damaged, "
        "count it again",
    ),
    5: (
        ArtefactError,
        "n-gram {index} of {where} has no context (symbol {value}); the table is damaged, "
        "count it again",
    ),
    6: (
        ArtefactError,
        "entry {index} of {where} skips a rank before {value}; the table is damaged, "
        "count it again",
    ),
    7: (
        BackendError,
        "the device refused work on {where}: error {value}; an earlier call on it may have failed, "
        "and what fits no memory or no code for this device fails here",
    ),
}


#: The code of an id at or above the vocabulary.
ID_OUTSIDE_VOCABULARY = 1


def kernel_error(status: tuple[int, int, int], where: object, vocab: object = "?") -> IcfastError:
    """The exception for what a kernel reported, any code but 0."""
    code, index, value = status
    error, sentence = _KERNEL_SENTENCES[code]
    return error(sentence.format(index=index, value=value, where=where, vocab=vocab))


def check(status: tuple[int, int, int], where: object = "the input", vocab: object = "?") -> None:
    """Raise what a kernel reported; code 0 passes.

    >>> check((0, 0, 0))
    >>> check((1, 7, 70000), where="a.bin", vocab=50257)
    Traceback (most recent call last):
    icfast.errors.CorpusError: token 70000 at position 7 of a.bin is outside the vocabulary of \
50257; was it written with another tokenizer or dtype?
    """
    if status[0]:
        raise kernel_error(status, where, vocab)
