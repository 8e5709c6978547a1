"""Count the text that a tokenizer drops: characters that no id stands for.

A byte-pair vocabulary without an unknown token drops what it does not know, a normaliser may strip
accents, and a pre-tokenizer may remove white space. Nothing is lost if the ids decode to the text.
Otherwise the offsets of symbols show it. The package's offsets are wrong after a dropped symbol, so
a copy of the tokenizer with an unknown token and without merges gives them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.tokenizers.package import PackageError, call

_UNKNOWN = "<icfast unknown>"


class Lost(NamedTuple):
    """Characters and UTF-8 bytes of a text that no id stands for."""

    characters: int
    bytes: int


NOTHING = Lost(0, 0)


class LossCounter:
    """Counter of lost text for one tokenizer.

    Args:
        tokenizer: a `tokenizers.Tokenizer`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def count(self, texts: Sequence[str], ids: Sequence[list[int]]) -> list[Lost]:
        """Return what each text lost.

        Args:
            texts: the texts.
            ids: the ids of each text.
        """
        decoded = self._decoded(ids)
        different = [
            n for n, (text, back) in enumerate(zip(texts, decoded, strict=True)) if text != back
        ]
        found = [NOTHING] * len(texts)
        probed = (
            call(self._probe.encode_batch, [texts[n] for n in different], add_special_tokens=False)
            if different
            else ()
        )
        for number, encoding in zip(different, probed, strict=True):
            found[number] = self._lost(texts[number], encoding)
        return found

    def _decoded(self, ids: Sequence[list[int]]) -> Sequence[str | None]:
        try:
            decoded: Sequence[str] = call(
                self._tokenizer.decode_batch, list(ids), skip_special_tokens=False
            )
        except PackageError:
            return [None] * len(ids)
        return decoded

    @cached_property
    def _stored(self) -> dict[str, Any]:
        stored: dict[str, Any] = json.loads(self._tokenizer.to_str())
        return stored

    @cached_property
    def _maps_bytes(self) -> bool:
        """Whether each symbol of the model is a byte, not a character."""
        parts = (self._stored.get("normalizer"), self._stored.get("pre_tokenizer"))
        return any('"ByteLevel"' in json.dumps(part) for part in parts)

    @cached_property
    def _may_drop(self) -> bool:
        """Whether the model drops what it does not know. Other models fail, or have a token."""
        model = self._stored["model"]
        return model.get("type") == "BPE" and not model.get("unk_token")

    @cached_property
    def _probe(self) -> Any:
        """A copy whose tokens are single symbols, with their own offsets.

        It has an unknown token for what the model would drop.
        """
        import tokenizers

        unknown = max(self._tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        kept = self._stored["model"] if self._may_drop else {}
        model = {
            **kept,
            "type": "BPE",
            "vocab": {**kept.get("vocab", {}), _UNKNOWN: unknown},
            "merges": [],
            "unk_token": _UNKNOWN,
            "fuse_unk": False,
        }
        # A post-processor may trim white space off the offsets.
        changed = {**self._stored, "model": model, "post_processor": None}
        probe = call(tokenizers.Tokenizer.from_str, json.dumps(changed))
        probe.no_truncation()
        probe.no_padding()
        return probe

    def _lost(self, text: str, encoding: Any) -> Lost:
        size = len(text)
        dropped = self._may_drop
        unknown = np.array([dropped and token == _UNKNOWN for token in encoding.tokens], np.bool_)
        offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2).clip(0, size)
        held = _covered(offsets[~unknown], size)
        widths = _utf8_widths(text)
        characters = size - int(np.count_nonzero(held))
        if not self._maps_bytes:
            return Lost(characters, int(widths[~held].sum()))
        # Some bytes of a character may be lost.
        untouched = ~_covered(offsets, size)
        return Lost(characters, int(np.count_nonzero(unknown)) + int(widths[untouched].sum()))


def _covered(offsets: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """Return bool[size]: whether a range covers each position.

    >>> _covered(np.array([[0, 1], [2, 4]]), 5).tolist()
    [True, False, True, True, False]
    """
    steps = np.zeros(size + 1, np.int64)
    np.add.at(steps, offsets[:, 0], 1)
    np.add.at(steps, offsets[:, 1], -1)
    return np.asarray(np.cumsum(steps)[:size] > 0)


def _utf8_widths(text: str) -> NDArray[np.int64]:
    """Return the UTF-8 bytes of each character.

    >>> _utf8_widths("aé日𝄞").tolist()
    [1, 2, 3, 4]
    """
    points = np.frombuffer(text.encode("utf-32-le"), "<u4")
    return np.asarray(1 + np.searchsorted([0x80, 0x800, 0x10000], points, "right"), np.int64)
