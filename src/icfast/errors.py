"""Errors that icfast raises, and the one table from a kernel's status code to a sentence.

A message has four parts: what is wrong, what was found, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class IcfastError(Exception):
    """Base class of every error that icfast raises on purpose."""


class CorpusError(IcfastError):
    """Error in a corpus: its format, size, dtype, index or ids."""


class ArtefactError(IcfastError):
    """Error in a file that icfast wrote (table, model, result): damage, or another version."""


class ModelError(IcfastError):
    """Error in a neural model: a file or weights are missing, or a part is unknown."""


class LogError(IcfastError):
    """Error in a training log or a table of runs or energy. The message names the line."""


class MeterError(IcfastError):
    """Failure to meter energy: no counter, no driver, no permission, or a counter that failed."""


class MergeError(IcfastError):
    """Refusal to merge measurements that differ in a convention or share shards."""


class OptionError(IcfastError, ValueError):
    """Error in an argument: an unknown name, a value out of range, a missing companion option."""


class OutputError(OptionError):
    """Refusal of an output: it is an input, another output, or not what icfast wrote there."""


class UnitError(OptionError):
    """Error in units: a formula received quantities of different units."""


class BackendError(IcfastError):
    """Failure of a backend: a forced one is missing, for the reason given, or a device failed."""


class MissingExtraError(IcfastError, ImportError):
    """Missing optional package. The message names the extra to install."""


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Explain a failed import in the block by naming the extra that provides the package.

    Args:
        extra: name of the extra of icfast, such as "arrow".
        what: what needs the package, the subject of the message.

    Raises:
        MissingExtraError: a package imported in the block is not installed.
    """
    try:
        yield
    except MissingExtraError:
        raise
    except ImportError as missing:
        raise MissingExtraError(
            f"{what} needs {missing.name or missing}, which is not installed. "
            f"Run pip install 'icfast[{extra}]'"
        ) from missing


class SelfCheckError(IcfastError):
    """Violated invariant: a bug, or input that changed while it was read."""


class ResourceError(IcfastError):
    """Shortage of memory, disk space or file descriptors. No half-written file remains."""


#: Error class and sentence of each status code of a kernel.
_KERNEL_SENTENCES: dict[int, tuple[type[IcfastError], str]] = {
    1: (
        CorpusError,
        "token {value} at position {index} of {where} is outside the vocabulary of {vocab} ids. "
        "Was it written with another tokenizer or dtype? Pass --vocab-size or --dtype.",
    ),
    2: (
        CorpusError,
        "token {value} at position {index} of {where} did not occur when the ids were listed. "
        "Did the file change while it was read? Run again.",
    ),
    3: (
        ResourceError,
        "an output of the kernel was too small at {index} (needs {value}) in {where}. "
        "Did the input change while it was read, or is it damaged? Run again.",
    ),
    4: (
        ArtefactError,
        "entry {index} of {where} does not ascend (lead {value}): the table is damaged. "
        "Count it again.",
    ),
    5: (
        ArtefactError,
        "n-gram {index} of {where} has no context (symbol {value}): the table is damaged. "
        "Count it again.",
    ),
    6: (
        ArtefactError,
        "entry {index} of {where} skips a rank before {value}: the table is damaged. "
        "Count it again.",
    ),
    7: (
        BackendError,
        "the GPU refused work on {where}: CUDA error {value}. It ran out of memory, this build has "
        "no code for its architecture, or an earlier call failed. Reduce the batch, or run on the "
        "CPU.",
    ),
}


#: Status code of an id that is not in the vocabulary.
ID_OUTSIDE_VOCABULARY = 1


def kernel_error(status: tuple[int, int, int], where: object, vocab: object = "?") -> IcfastError:
    """Return the exception for a kernel's status (code, index, value) with a code other than 0."""
    code, index, value = status
    error, sentence = _KERNEL_SENTENCES[code]
    return error(sentence.format(index=index, value=value, where=where, vocab=vocab))


def check(status: tuple[int, int, int], where: object = "the input", vocab: object = "?") -> None:
    """Raise the error of a kernel's status (code, index, value). Code 0 passes.

    Args:
        status: what the kernel returned.
        where: name of its input, for the message.
        vocab: number of ids of the vocabulary, for the message.

    Raises:
        IcfastError: the code is not 0. The table above gives the class.

    >>> check((0, 0, 0))
    >>> check((1, 7, 70000), where="a.bin", vocab=50257)
    Traceback (most recent call last):
    icfast.errors.CorpusError: token 70000 at position 7 of a.bin is outside the vocabulary of \
50257 ids. Was it written with another tokenizer or dtype? Pass --vocab-size or --dtype.
    """
    if status[0]:
        raise kernel_error(status, where, vocab)
