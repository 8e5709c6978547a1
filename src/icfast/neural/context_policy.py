"""The context policy: how documents become contexts of a neural model.

A sequence is one document, or all documents of a shard if `packed` is set. Every token of a
sequence is a target once; without a begin id (BOS) the first token has no prediction and is only
context. A context [begin, end) of targets feeds the model the tokens before each target, begin - 1
to end - 2, and scores the targets from `scored` on. The first context of a sequence scores all its
targets. Each later context scores the next `stride` targets and starts as early as the length
allows, so target t of a sequence sees at least min(t + 1, length - stride + 1) tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from icfast.corpus import Corpus
from icfast.errors import OptionError
from icfast.neural.token_model import TokenModel

I64 = NDArray[np.int64]

Normaliser = Literal["token", "byte", "word"]
NORMALISERS: tuple[Normaliser, ...] = get_args(Normaliser)

#: Length of the contexts of a model that takes any length.
DEFAULT_WINDOW = 1024

_PANEL = "Neural models"


@dataclass(frozen=True)
class ContextPolicy:
    """Options for feeding documents to a neural model.

    Attributes:
        window: maximum number of tokens in a context. None: the model's maximum, or 1024.
        stride: number of targets that each context after a sequence's first scores. None: the
            context's length, so no token is fed twice.
        bos: id fed before each sequence; "none" for no id; "auto" for the model's own id unless
            every document of the corpus already starts with it.
        packed: whether contexts cross documents; the documents of a shard are then joined.
        normaliser: unit that the loss is divided by: token, byte or word of the text.
    """

    window: int | None = field(
        default=None,
        metadata={
            "help": "Maximum tokens in a context. Default: the model's maximum.",
            "metavar": "W",
            "panel": _PANEL,
        },
    )
    stride: int | None = field(
        default=None,
        metadata={
            "help": "New tokens that each later context scores. Default: all of them.",
            "metavar": "S",
            "panel": _PANEL,
        },
    )
    bos: str = field(
        default="auto",
        metadata={
            "help": "Id fed before each document. auto: the model's own, if the corpus has none.",
            "metavar": "auto|none|ID",
            "panel": _PANEL,
        },
    )
    packed: bool = field(
        default=False,
        metadata={"help": "Join a shard's documents; contexts cross them.", "panel": _PANEL},
    )
    normaliser: str = field(
        default="token",
        metadata={
            "help": "Unit that the loss is divided by.",
            "metavar": "token|byte|word",
            "panel": _PANEL,
        },
    )

    def resolve(self, corpus: Corpus, model: TokenModel) -> ResolvedPolicy:
        """Return the policy with the defaults of a model and a corpus filled in.

        Raises:
            OptionError: an option is invalid or beyond the model's limits.
        """
        longest = model.context
        window = self.window
        if window is None:
            window = DEFAULT_WINDOW if longest is None else longest
        if longest is not None and window > longest:
            raise OptionError(
                f"window {window} is longer than the {longest} tokens that {model.name} takes. "
                "Pass a shorter --window"
            )
        bos_id = self._bos_id(corpus, model)
        if bos_id is not None and bos_id >= model.vocab_size:
            raise OptionError(
                f"bos id {bos_id} is outside the vocabulary of {model.name} "
                f"({model.vocab_size} ids)"
            )
        stride = window if self.stride is None else self.stride
        return ResolvedPolicy(window, stride, bos_id, self.packed, self.normaliser)  # type: ignore[arg-type]

    def _bos_id(self, corpus: Corpus, model: TokenModel) -> int | None:
        if self.bos == "none":
            return None
        if self.bos == "auto":
            own = model.bos_id
            return None if own is not None and _all_begin_with(corpus, own) else own
        if self.bos.isdecimal():
            return int(self.bos)
        raise OptionError(f"bos must be auto, none or an id; found {self.bos!r}")


def _all_begin_with(corpus: Corpus, token: int) -> bool:
    return all(
        bool((shard.tokens[corpus.documents_of(shard).starts] == token).all())
        for shard in corpus.shards
    )


@dataclass(frozen=True)
class ResolvedPolicy:
    """A context policy for one model and corpus, as results record it.

    Two losses are comparable only if their policies are equal.

    Attributes:
        window: maximum number of tokens in a context.
        stride: number of targets that each context after a sequence's first scores; from 1 to
            `window`. A smaller stride costs more and gives each token more context.
        bos_id: id fed before each sequence, so that its first token is a target too. None: the
            first token is only context and counts as ignored.
        packed: whether contexts cross the documents of a shard.
        normaliser: unit that the loss is divided by: token, byte or word of the text.

    >>> ResolvedPolicy(window=1024, stride=512, bos_id=None).name
    'window 1024, stride 512, no BOS, documents apart, per token'
    """

    window: int
    stride: int
    bos_id: int | None
    packed: bool = False
    normaliser: Normaliser = "token"

    def __post_init__(self) -> None:
        if self.window < 1:
            raise OptionError(f"window must be at least 1 token; found {self.window}")
        if not 1 <= self.stride <= self.window:
            raise OptionError(
                f"stride must be between 1 and the window of {self.window} tokens; found "
                f"{self.stride}. It is the number of new tokens that each context scores"
            )
        if self.bos_id is not None and self.bos_id < 0:
            raise OptionError(f"bos id must not be negative; found {self.bos_id}")
        if self.normaliser not in NORMALISERS:
            raise OptionError(
                f"normaliser must be one of {', '.join(NORMALISERS)}; found {self.normaliser!r}"
            )

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
        """Position of a sequence's first target (0 after a BOS, otherwise 1)."""
        return 0 if self.bos_id is not None else 1

    def contexts(self, lengths: I64) -> Contexts:
        """Return the contexts of sequences of these lengths, in order.

        >>> contexts = ResolvedPolicy(window=4, stride=2, bos_id=0).contexts(np.array([3, 7]))
        >>> fields = contexts.sequence, contexts.begin, contexts.scored, contexts.end
        >>> for context in zip(*fields): print(*map(int, context))
        0 0 0 3
        1 0 0 4
        1 2 4 6
        1 3 6 7
        """
        first = self.first_target
        targets = np.maximum(lengths - first, 0)
        later = np.maximum(targets - self.window, 0)
        number = np.where(targets > 0, 1 - (-later // self.stride), 0)
        sequence = np.repeat(np.arange(len(lengths)), number)
        rank = np.arange(len(sequence)) - np.repeat(np.cumsum(number) - number, number)
        end = np.minimum(self.window + rank * self.stride, targets[sequence])
        begin = np.maximum(end - self.window, 0)
        scored = np.where(rank == 0, 0, self.window + (rank - 1) * self.stride)
        return Contexts(sequence, begin + first, scored + first, end + first)


@dataclass(frozen=True, eq=False)
class Contexts:
    """Contexts in order; a target is named by its position in its sequence.

    Attributes:
        sequence: i64[contexts], number of the sequence.
        begin: i64[contexts], first target; it is scored only if begin == scored.
        scored: i64[contexts], first target that is scored.
        end: i64[contexts], one after the last target.
    """

    sequence: I64
    begin: I64
    scored: I64
    end: I64

    def __len__(self) -> int:
        return len(self.sequence)


@dataclass(frozen=True)
class ContextCounts:
    """Counts of the contexts and tokens of a corpus under a policy.

    Attributes:
        windows: number of contexts.
        predicted_tokens: number of targets; each is scored once.
        context_tokens: number of tokens that are fed again, as context only.
        first_tokens_not_predicted: number of first tokens of sequences without a BOS.
        text_bytes: bytes of the text of all documents, or None if unknown.
        words: words of the text of all documents, or None if unknown.
    """

    windows: int
    predicted_tokens: int
    context_tokens: int
    first_tokens_not_predicted: int
    text_bytes: int | None
    words: int | None
