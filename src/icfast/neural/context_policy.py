"""How documents become windows of a neural model: every token a target once, and what was counted.

A sequence is a document, or under `packed` all documents of a shard joined. Its tokens from the
first on (with a begin mark, BOS, before it) or from the second on (without) are *targets*; a
window [begin, end) of targets feeds the model the tokens before each of them, begin - 1 .. end - 2,
and scores those from `scored` on. The first window of a sequence scores all its targets, each
later one the next `stride`, with as much context as a window holds: a target has at least
min(t + 1, window - stride + 1) tokens before it in its window, t targets standing before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from icfast.errors import OptionError

I64 = NDArray[np.int64]

Normaliser = Literal["token", "byte", "word"]
NORMALISERS: tuple[Normaliser, ...] = get_args(Normaliser)


@dataclass(frozen=True)
class WindowPolicy:
    """What a loss of a neural model depends on beside the model and the corpus.

    Attributes:
        window: tokens that one window feeds the model, at most.
        stride: targets that each window after a sequence's first scores; from 1 to window. Less
            costs more and gives every token more context.
        bos_id: the id fed before each sequence, so that its first token is a target too; None: the
            first token is context only, and counted as ignored.
        packed: whether contexts cross documents: those of a shard are joined, as models are often
            trained and compared; by default each document stands alone.
        normaliser: what a loss is stated per: token, byte of text, or word of text.

    >>> WindowPolicy(window=1024, stride=512, bos_id=None).name
    'window 1024, stride 512, no BOS, documents apart, per token'
    """

    window: int
    stride: int
    bos_id: int | None
    packed: bool = False
    normaliser: Normaliser = "token"

    def __post_init__(self) -> None:
        if self.window < 1:
            raise OptionError(f"window {self.window} must be at least 1 token")
        if not 1 <= self.stride <= self.window:
            raise OptionError(
                f"stride {self.stride} must lie between 1 and the window of {self.window}; it is "
                "how many new tokens each window scores"
            )
        if self.bos_id is not None and self.bos_id < 0:
            raise OptionError(f"bos id {self.bos_id} is negative; ids count from 0")
        if self.normaliser not in NORMALISERS:
            listed = ", ".join(NORMALISERS)
            raise OptionError(f"normaliser {self.normaliser!r} is none of {listed}")

    @property
    def name(self) -> str:
        """The policy in words, for tables."""
        return (
            f"window {self.window}, stride {self.stride}, "
            f"{'no BOS' if self.bos_id is None else f'BOS {self.bos_id}'}, "
            f"{'documents joined' if self.packed else 'documents apart'}, per {self.normaliser}"
        )

    @property
    def first_target(self) -> int:
        """Position of a sequence's first target: 0 behind a BOS, else 1."""
        return 0 if self.bos_id is not None else 1

    def windows(self, lengths: I64) -> Windows:
        """The windows of sequences of these lengths, in order.

        >>> windows = WindowPolicy(window=4, stride=2, bos_id=0).windows(np.array([3, 7]))
        >>> fields = windows.sequence, windows.begin, windows.scored, windows.end
        >>> for window in zip(*fields): print(*map(int, window))
        0 0 0 3
        1 0 0 4
        1 2 4 6
        1 3 6 7
        """
        first = self.first_target
        targets = np.maximum(lengths - first, 0)
        behind = np.maximum(targets - self.window, 0)
        number = np.where(targets > 0, 1 - (-behind // self.stride), 0)
        sequence = np.repeat(np.arange(len(lengths)), number)
        rank = np.arange(len(sequence)) - np.repeat(np.cumsum(number) - number, number)
        end = np.minimum(self.window + rank * self.stride, targets[sequence])
        begin = np.maximum(end - self.window, 0)
        scored = np.where(rank == 0, 0, self.window + (rank - 1) * self.stride)
        return Windows(sequence, begin + first, scored + first, end + first)


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows in order, i64[windows] each; targets are named by their position in the sequence.

    Attributes:
        sequence: which sequence.
        begin: its first target, which is scored only where begin == scored.
        scored: the first target that is scored.
        end: behind its last target.
    """

    sequence: I64
    begin: I64
    scored: I64
    end: I64

    def __len__(self) -> int:
        return len(self.sequence)

    @property
    def lengths(self) -> I64:
        """i64[windows]: tokens each feeds the model."""
        return self.end - self.begin


@dataclass(frozen=True)
class WindowCounts:
    """What a policy made of a corpus.

    Attributes:
        windows: how many.
        predicted_tokens: targets, each scored once.
        context_tokens: tokens fed once more, for context only.
        first_tokens_not_predicted: those of sequences without a BOS.
        text_bytes, words: of the text of all documents, None where not known or not counted.
    """

    windows: int
    predicted_tokens: int
    context_tokens: int
    first_tokens_not_predicted: int
    text_bytes: int | None
    words: int | None
