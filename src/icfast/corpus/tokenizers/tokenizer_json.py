"""Files tokenizer.json of the `tokenizers` package: load one, or train a byte-level BPE."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from icfast.corpus.corpus import BYTES
from icfast.corpus.tokenizers.package import PackageError, call
from icfast.errors import OptionError, needs_extra
from icfast.files import Output, new_file, read_regular

#: Maximum size of a tokenizer.json. Known ones have up to 40 MB.
_MOST_BYTES = 512 << 20

#: Number of byte values: the smallest vocabulary of a byte-level BPE.
ALL_BYTES = 256


def load_tokenizer(path: Path) -> Any:
    """Load a tokenizer.json as a `tokenizers.Tokenizer`.

    Raises:
        OptionError: there is no such file, or it is not a tokenizer.
        MissingExtraError: `tokenizers` is not installed.
    """
    tokenizers = _import_tokenizers()
    content = read_tokenizer(path)
    try:
        return call(tokenizers.Tokenizer.from_buffer, content)
    except PackageError as error:
        raise OptionError(
            f"{path} is not a tokenizer of the tokenizers package: {error}. "
            "Pass the path of a tokenizer.json."
        ) from error


def read_tokenizer(path: Path) -> bytes:
    """Return the content of a tokenizer.json.

    Raises:
        OptionError: there is no such file, or it is too large for a tokenizer.
    """
    try:
        return read_regular(path, OptionError, _MOST_BYTES)
    except OSError as error:
        raise OptionError(
            f"tokenizer {path} is neither {BYTES!r} nor a file that can be read "
            f"({error.strerror}). Pass the path of a tokenizer.json."
        ) from error


def train_bpe(texts: Iterable[str], vocab_size: int, output: str | os.PathLike[str]) -> int:
    """Train a byte-level BPE on documents, write it as a tokenizer.json, and return its size.

    All 256 bytes are in the vocabulary, so every text can be encoded. The same texts give the same
    file.

    Args:
        texts: documents.
        vocab_size: number of ids to train, at least 256.
        output: path of the tokenizer.json. It must not exist.

    Returns:
        The number of ids, fewer than `vocab_size` if the text is too short.

    Raises:
        OptionError: the vocabulary is smaller than 256, or the output exists or is not writable.
        MissingExtraError: `tokenizers` is not installed.
        ResourceError: the disk is full.
    """
    if vocab_size < ALL_BYTES:
        raise OptionError(
            f"vocab_size {vocab_size} is below the {ALL_BYTES} bytes that a byte-level vocabulary "
            f"holds. Pass at least {ALL_BYTES}."
        )
    tokenizers = _import_tokenizers()
    # A file tokenizer.json does not tell who trained it, so none is ever replaced.
    written = Output(Path(output), "a tokenizer", lambda _: False, (".json",))
    with new_file(written) as temporary:
        tokenizer = _trained(tokenizers, texts, vocab_size)
        temporary.write_text(tokenizer.to_str(pretty=True) + "\n", encoding="utf-8")
    return int(tokenizer.get_vocab_size())


def _trained(tokenizers: Any, texts: Iterable[str], vocab_size: int) -> Any:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _import_tokenizers() -> Any:
    with needs_extra("tokenize", "a tokenizer file"):
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    return tokenizers
