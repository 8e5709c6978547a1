"""Options of the loss functions: the softmax, the results to return and the threads to use."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from icfast.backends.losses import Softmax, TokenLosses
from icfast.errors import OptionError
from icfast.parallel.threads import available_threads


@dataclass(frozen=True)
class SoftmaxOptions:
    """Options that define the distribution over the vocabulary.

    Attributes:
        ignore_index: target value of tokens that are not scored.
        vocab_size: number of logits that count, V; later columns are padding. None: all columns.
        softcap: cap c; a logit x becomes c tanh(x / c). None: no cap.
        temperature: divisor of the logits, applied after the cap.
    """

    ignore_index: int = field(
        default=-100,
        metadata={"help": "Target value of tokens that are not scored.", "metavar": "ID"},
    )
    vocab_size: int | None = field(
        default=None,
        metadata={"help": "Number of logits that count. Default: all columns.", "metavar": "V"},
    )
    softcap: float | None = field(
        default=None,
        metadata={"help": "Cap c: a logit x becomes c tanh(x / c). Default: no cap."},
    )
    temperature: float = field(
        default=1.0, metadata={"help": "Divisor of the logits, applied after the cap."}
    )

    def softmax(self, columns: int, name: str) -> Softmax:
        """Check the options against a matrix and return them for the kernels.

        Args:
            columns: number of columns of the matrix.
            name: name of the matrix in error messages, such as "logits".

        Raises:
            OptionError: an option is outside its range.
        """
        size = columns if self.vocab_size is None else self.vocab_size
        if not 1 <= size <= columns:
            raise OptionError(
                f"vocab_size must be between 1 and the {columns} columns of the {name}; "
                f"found {size}"
            )
        for option, value in (("softcap", self.softcap), ("temperature", self.temperature)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise OptionError(f"{option} must be positive and finite; found {value}")
        if not -(2**63) <= self.ignore_index < 2**63:
            raise OptionError(f"ignore_index must fit in 64 bits; found {self.ignore_index}")
        return Softmax(size, float(self.softcap or 0), float(self.temperature), self.ignore_index)


@dataclass(frozen=True)
class LossOptions(SoftmaxOptions):
    """Softmax options, the optional results, and how the work runs.

    Attributes:
        logsumexp, entropy, rank: whether to return that field of :class:`TokenLosses`.
        threads: maximum number of threads. None: every core that the process may use.
        backend: name of the backend, as in :func:`icfast.spectra`.
    """

    logsumexp: bool = False
    entropy: bool = False
    rank: bool = False
    threads: int | None = None
    backend: str = "auto"

    def allocate(self, rows: int) -> TokenLosses:
        """Return output arrays for the kernels; arrays of results not asked for are empty."""
        return TokenLosses(
            np.empty(rows),
            np.empty(rows, np.uint8),
            np.empty(rows if self.logsumexp else 0),
            np.empty(rows if self.entropy else 0),
            np.empty(rows if self.rank else 0, np.int64),
        )

    def threads_for(self, parts: int) -> int:
        """Return the number of threads for work that splits into this many useful parts.

        Raises:
            OptionError: threads is below 1.
        """
        if self.threads is not None and self.threads < 1:
            raise OptionError(f"threads must be at least 1; found {self.threads}")
        return max(1, min(self.threads or available_threads(), parts))
