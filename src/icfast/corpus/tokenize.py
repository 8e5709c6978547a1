"""Text files to FILE.ds: token ids with a document index, and the sidecars that say how.

The layout of FILE.ds.index, FILE.ds.bytes and FILE.ds.json is in `sidecar`. Documents stream
through: memory holds one batch of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from icfast.corpus import gguf_file
from icfast.corpus.corpus import BYTES
from icfast.corpus.formats.sidecar import Description, beside, write_description
from icfast.corpus.open import AnyPath, as_paths
from icfast.corpus.text import Skipped, read_texts, text_files
from icfast.errors import CorpusError, OptionError, needs_extra
from icfast.files import atomic_path, atomic_paths

#: A batch closes at so many bytes of text; `tokenizers` needs some thirty times as many for it.
_BATCH_BYTES = 1 << 20
#: Bytes there are, so the smallest byte-level vocabulary.
_ALL_BYTES = 256


@dataclass(frozen=True)
class Tokenized:
    """What `tokenize` wrote.

    Attributes:
        documents: documents written, none empty.
        tokens: ids written, end ids included.
        text_bytes: UTF-8 bytes of the documents' text.
        skipped_empty: documents left out because they gave no ids.
        skipped_undecodable: documents left out because they are not UTF-8 (or not JSON).
        output: the file with the ids.
    """

    documents: int
    tokens: int
    text_bytes: int
    skipped_empty: int
    skipped_undecodable: int
    output: Path


class _Encoder(Protocol):
    @property
    def description(self) -> Description: ...

    def encode(self, batch: list[bytes]) -> Iterable[NDArray[Any]]:
        """The ids of each text, in the description's dtype."""


class _Bytes:
    """Ids that are the bytes."""

    description = Description(BYTES, None, _ALL_BYTES, None, "u1")

    def encode(self, batch: list[bytes]) -> Iterable[NDArray[Any]]:
        return [np.frombuffer(text, np.uint8) for text in batch]


class _TokenizerFile:
    """A tokenizer of the `tokenizers` package, without the special ids it would add itself."""

    def __init__(self, tokenizer: Any, name: str, sha256: str | None, eos_id: int | None) -> None:
        self._tokenizer = tokenizer
        # Settings for training batches, which the file may carry: they would cut or fill texts.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        vocab_size = max(self._tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        if eos_id is not None and not 0 <= eos_id < vocab_size:
            raise OptionError(f"eos_id {eos_id} is outside the {vocab_size} ids of {name}")
        dtype = "u2" if vocab_size <= 1 << 16 else "u4"
        self.description = Description(name, sha256, vocab_size, eos_id, dtype)

    def encode(self, batch: list[bytes]) -> Iterable[NDArray[Any]]:
        texts = [text.decode("utf-8") for text in batch]
        dtype = "<" + self.description.dtype
        for encoding in self._tokenizer.encode_batch(texts, add_special_tokens=False):
            yield np.array(encoding.ids, dtype)


def tokenize(
    texts: AnyPath | Iterable[AnyPath],
    output: AnyPath,
    *,
    tokenizer: str | Path = BYTES,
    eos_id: int | None = None,
    skip_bad: bool = False,
) -> Tokenized:
    """Write the documents of text files as ids to `output`, which `open_corpus` reads.

    A file is one document, a line of a .jsonl file is one (its "text"), and a folder stands for
    all files in it, sorted. Empty documents are left out and counted. What the tokenizer file
    calls a special token becomes its id where the text spells it. An existing output is replaced;
    after a failure no new output is left.

    Args:
        texts: files and folders.
        output: FILE.ds; FILE.ds.index, FILE.ds.bytes and FILE.ds.json are written beside it.
        tokenizer: "bytes" (ids are the UTF-8 bytes), a tokenizer.json of `tokenizers`, or
            "gguf:FILE" for the vocabulary inside a GGUF model.
        eos_id: an id appended to each document; the index tells the documents without it.
        skip_bad: leave undecodable documents out and count them, instead of refusing.

    Raises:
        CorpusError: no such text, no text in it, or text that is not UTF-8.
        OptionError: output is not FILE.ds or not writable, or the tokenizer or end id is unknown.
        ModelError: a GGUF file is none, or its vocabulary is of a kind unknown here.
        MissingExtraError: a tokenizer file is given and `tokenizers` (or `gguf`) is not installed.
        ResourceError: the disk is full.
    """
    output = Path(output)
    if output.suffix != ".ds":
        raise OptionError(f"output {output} must end in .ds, the name datatrove gives to ids")
    encoder = _encoder(tokenizer, eos_id)
    # The index comes last: without it no reader takes the file for complete.
    finals = [output, *(beside(output, suffix) for suffix in (".bytes", ".json", ".index"))]
    files = text_files(as_paths(texts), finals)
    skipped = Skipped()
    with atomic_paths(finals) as (ids, text_bytes, description, index):
        written = _write(
            encoder, read_texts(files, skipped, skip_bad=skip_bad), (ids, text_bytes, index)
        )
        if not written.documents:
            raise CorpusError(
                f"{files[0]}{' and the other files hold' if len(files) > 1 else ' holds'} no text: "
                f"{skipped.empty} documents are empty, {skipped.undecodable} undecodable"
            )
        write_description(description, encoder.description)
    return Tokenized(
        written.documents,
        written.tokens,
        written.text_bytes,
        skipped.empty + written.without_ids,
        skipped.undecodable,
        output,
    )


@dataclass
class _Written:
    documents: int = 0
    tokens: int = 0
    text_bytes: int = 0
    without_ids: int = 0


def _write(encoder: _Encoder, texts: Iterable[bytes], paths: Sequence[Path]) -> _Written:
    """Stream the ids, the bytes of each text and the end of each document to three files."""
    written = _Written()
    eos_id = encoder.description.eos_id
    end = b"" if eos_id is None else np.array(eos_id, "<" + encoder.description.dtype).tobytes()
    with ExitStack() as stack:
        ids_file, bytes_file, index_file = (stack.enter_context(p.open("wb")) for p in paths)
        for batch in _batches(texts):
            for text, ids in zip(batch, encoder.encode(batch), strict=True):
                if not len(ids):
                    written.without_ids += 1
                    continue
                written.documents += 1
                written.tokens += len(ids) + (eos_id is not None)
                written.text_bytes += len(text)
                ids_file.write(ids.tobytes() + end)
                bytes_file.write(len(text).to_bytes(8, "little"))
                index_file.write(written.tokens.to_bytes(8, "little"))
    return written


def _batches(texts: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _encoder(tokenizer: str | Path, eos_id: int | None) -> _Encoder:
    if str(tokenizer).startswith(gguf_file.PREFIX):
        file = gguf_file.GgufFile(Path(str(tokenizer).removeprefix(gguf_file.PREFIX)))
        return _TokenizerFile(file.tokenizer(), file.path.name, file.vocabulary_sha256(), eos_id)
    if str(tokenizer) != BYTES:
        path = Path(tokenizer)
        loaded = _load_tokenizer(path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return _TokenizerFile(loaded, path.name, sha256, eos_id)
    if eos_id is not None:
        raise OptionError(
            f"eos_id {eos_id} with tokenizer bytes: all {_ALL_BYTES} ids are text, none is free "
            "for an end id; leave it out, the index keeps the document ends"
        )
    return _Bytes()


def _load_tokenizer(path: Path) -> Any:
    tokenizers = _import_tokenizers()
    if not path.is_file():
        raise OptionError(
            f"tokenizer {path} is neither {BYTES!r} nor a file; name a tokenizer.json"
        )
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the package raises nothing narrower
        raise OptionError(
            f"{path} is not a tokenizer of the tokenizers package: {error}"
        ) from error


def _import_tokenizers() -> Any:
    with needs_extra("tokenize", "a tokenizer file"):
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    return tokenizers


def train_bpe(texts: Iterable[str], vocab_size: int, output_json: AnyPath) -> int:
    """Train a byte-level BPE on documents and write it as a tokenizer.json; returns its ids.

    All 256 bytes are in the vocabulary, so no text is unknown. Too little text gives fewer ids
    than `vocab_size`. The same texts give the same file.

    Raises:
        OptionError: the vocabulary is smaller than the bytes, or the output is not writable.
        MissingExtraError: `tokenizers` is not installed.
        ResourceError: the disk is full.
    """
    if vocab_size < _ALL_BYTES:
        raise OptionError(f"vocab_size {vocab_size} is below the {_ALL_BYTES} bytes it must hold")
    tokenizers = _import_tokenizers()
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
    with atomic_path(Path(output_json)) as temporary:
        temporary.write_text(tokenizer.to_str(pretty=True) + "\n", encoding="utf-8")
    return int(tokenizer.get_vocab_size())
