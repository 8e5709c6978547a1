"""Encoders turn batches of text into ids. `open_encoder` alone knows every kind of tokenizer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.corpus import BYTES
from icfast.corpus.sidecar import Description
from icfast.corpus.tokenizers.gguf_file import PREFIX, GgufFile
from icfast.corpus.tokenizers.gguf_vocabulary import gguf_tokenizer
from icfast.corpus.tokenizers.lost_text import NOTHING, LossCounter, Lost
from icfast.corpus.tokenizers.package import PackageError, call
from icfast.corpus.tokenizers.tokenizer_json import ALL_BYTES, load_tokenizer, read_tokenizer
from icfast.errors import ModelError, OptionError
from icfast.files import shown_name


class Encoded(NamedTuple):
    """A text as ids, little-endian in the description's dtype, and what no id stands for."""

    ids: NDArray[Any]
    lost: Lost = NOTHING


class Refused(NamedTuple):
    """A text that the tokenizer cannot encode, and its reason."""

    reason: str


class Encoder(Protocol):
    """A tokenizer in use: what it writes, and how."""

    @property
    def description(self) -> Description:
        """The content of FILE.ds.json."""

    def encode(self, batch: list[bytes]) -> Iterable[Encoded | Refused]:
        """Return the ids of each UTF-8 text, or why it has none."""


class ByteEncoder:
    """The tokenizer "bytes": the ids are the UTF-8 bytes of the text."""

    description = Description(BYTES, None, ALL_BYTES, None, "u1")

    def encode(self, batch: list[bytes]) -> Iterable[Encoded | Refused]:
        """Return the bytes of each text as u1 ids."""
        return [Encoded(np.frombuffer(text, np.uint8)) for text in batch]


class PackageEncoder:
    """A tokenizer of the `tokenizers` package. No special ids are added.

    Args:
        tokenizer: a `tokenizers.Tokenizer`.
        name: file name, for the sidecar and messages.
        sha256: SHA-256 in hex of the tokenizer file.
        eos_id: id to append to each document, or None.

    Raises:
        OptionError: the end id is outside the vocabulary.
        ModelError: the vocabulary is empty.
    """

    def __init__(self, tokenizer: Any, name: str, sha256: str | None, eos_id: int | None) -> None:
        self._tokenizer = tokenizer
        # A tokenizer file may carry settings for training batches, which would cut or pad texts.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        vocab = self._tokenizer.get_vocab(with_added_tokens=True)
        if not vocab:
            raise ModelError(
                f"tokenizer {name} has no ids: its vocabulary is empty. Pass one that was trained."
            )
        vocab_size = max(vocab.values()) + 1
        if eos_id is not None and not 0 <= eos_id < vocab_size:
            raise OptionError(
                f"eos_id {eos_id} is outside the {vocab_size} ids of {name}. "
                "Pass an id of that vocabulary."
            )
        dtype = "u2" if vocab_size <= 1 << 16 else "u4"
        self.description = Description(name, sha256, vocab_size, eos_id, dtype)
        self._losses = LossCounter(tokenizer)

    def encode(self, batch: list[bytes]) -> Iterable[Encoded | Refused]:
        """Return the ids of each text as u2 or u4, or why the tokenizer refuses it."""
        texts = [text.decode("utf-8") for text in batch]
        try:
            return self._encoded(texts)
        except PackageError:
            return [self._encoded_alone(text) for text in texts]

    def _encoded_alone(self, text: str) -> Encoded | Refused:
        try:
            return self._encoded([text])[0]
        except PackageError as failure:
            return Refused(str(failure))

    def _encoded(self, texts: list[str]) -> list[Encoded]:
        encodings = call(self._tokenizer.encode_batch, texts, add_special_tokens=False)
        ids = [encoding.ids for encoding in encodings]
        dtype = "<" + self.description.dtype
        losses = self._losses.count(texts, ids)
        return [Encoded(np.array(n, dtype), lost) for n, lost in zip(ids, losses, strict=True)]


def open_encoder(tokenizer: str | Path, eos_id: int | None) -> Encoder:
    """Open the tokenizer of a name: "bytes", a tokenizer.json, or "gguf:FILE".

    Args:
        tokenizer: the name.
        eos_id: id to append to each document, or None.

    Raises:
        OptionError: there is no such tokenizer, or the end id is not free or not in the vocabulary.
        ModelError: a GGUF file can't be read, or icfast does not know its kind of vocabulary.
        MissingExtraError: a package that reads the tokenizer is not installed.
    """
    name = str(tokenizer)
    if name.startswith(PREFIX):
        file = GgufFile(Path(name.removeprefix(PREFIX)))
        return PackageEncoder(
            gguf_tokenizer(file), shown_name(file.path), file.vocabulary_sha256(), eos_id
        )
    if name != BYTES:
        path = Path(tokenizer)
        loaded = load_tokenizer(path)
        return PackageEncoder(
            loaded, shown_name(path), hashlib.sha256(read_tokenizer(path)).hexdigest(), eos_id
        )
    if eos_id is not None:
        raise OptionError(
            f"eos_id {eos_id} is given with tokenizer bytes: all {ALL_BYTES} ids are text, none is "
            "free for an end id. Leave it out; the index keeps the document ends."
        )
    return ByteEncoder()
