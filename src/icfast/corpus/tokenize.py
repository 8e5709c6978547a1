"""Turn text files into FILE.ds: token ids, an index of documents, and sidecars.

`icfast.corpus.sidecar` defines the layout of the sidecars. Documents are streamed: memory holds one
batch of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from icfast.corpus.corpus import BYTES
from icfast.corpus.open import AnyPath, as_paths
from icfast.corpus.sidecar import is_tokenized, sidecar_path, write_description
from icfast.corpus.text import Skipped, Text, read_texts
from icfast.corpus.text_files import text_files
from icfast.corpus.tokenizers.encoder import Encoded, Encoder, Refused, open_encoder
from icfast.corpus.tokenizers.gguf_file import PREFIX
from icfast.errors import CorpusError, OptionError
from icfast.files import Output, new_files
from icfast.notebook import facts_html
from icfast.units import format_bytes, format_count

#: Bytes of text at which a batch closes. `tokenizers` needs about 30 times as much memory for it.
_BATCH_BYTES = 1 << 20


@dataclass(frozen=True, repr=False)
class Tokenized:
    """Counts of what `tokenize` wrote.

    Attributes:
        documents: documents written, none of them empty.
        tokens: ids written, end ids included.
        text_bytes: UTF-8 bytes of the documents' text that the ids stand for.
        skipped_empty: documents left out because they have no text.
        skipped_undecodable: documents left out because they are not UTF-8, or not JSON.
        output: the file with the ids.
        skipped_unencodable: documents left out because the tokenizer fails on them.
        lost_characters: characters of the documents' text that no id stands for.
        lost_bytes: UTF-8 bytes of the documents' text that no id stands for.
        lost_documents: documents left out because no id stands for any of their text.
        lost_document_bytes: UTF-8 bytes of those documents.
        left_out: number of files and folders that were not read, by reason: hidden, repeated, own
            (written by icfast, or used by this command), unreadable.
        warnings: one message for each loss and each reason.
    """

    documents: int
    tokens: int
    text_bytes: int
    skipped_empty: int
    skipped_undecodable: int
    output: Path
    skipped_unencodable: int = 0
    lost_characters: int = 0
    lost_bytes: int = 0
    lost_documents: int = 0
    lost_document_bytes: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return (
            f"Tokenized({str(self.output)!r}, {format_count(self.documents)} documents, "
            f"{format_count(self.tokens)} tokens)"
        )

    def _repr_html_(self) -> str:
        facts = {
            "output": str(self.output),
            "documents": format_count(self.documents),
            "tokens": format_count(self.tokens),
            "text": format_bytes(self.text_bytes),
            "skipped: empty": format_count(self.skipped_empty),
            "skipped: undecodable": format_count(self.skipped_undecodable),
            "skipped: unencodable": format_count(self.skipped_unencodable),
            "lost: text": format_bytes(self.lost_bytes),
            "lost: documents": format_count(self.lost_documents),
            "left out: files": format_count(sum(self.left_out.values())),
        }
        return facts_html("Tokenized", facts)


def tokenize(
    texts: AnyPath | Iterable[AnyPath],
    output: AnyPath,
    *,
    tokenizer: str | Path = BYTES,
    eos_id: int | None = None,
    skip_bad: bool = False,
    overwrite: bool = False,
) -> Tokenized:
    """Write the documents of text files as ids, for `icfast.open` to read.

    A text file is a document. So is the "text" of each object in JSON lines and in an array of a
    .json file; the first line of a file shows that it is JSON. A byte order mark is dropped. A
    folder means all files in it and in its subfolders, sorted, without hidden files, repeated
    files and files that icfast wrote. Empty documents are left out and counted. Text that the
    tokenizer drops is counted, and .bytes has the size of what the ids stand for. A special token
    of the tokenizer becomes one id where the text spells it. After a failure no new output remains.

    Args:
        texts: files, folders and quoted patterns.
        output: path FILE.ds. FILE.ds.index, FILE.ds.bytes and FILE.ds.json are written next to it.
        tokenizer: "bytes" (the ids are the UTF-8 bytes), the path of a tokenizer.json, or
            "gguf:FILE" for the vocabulary inside a GGUF model.
        eos_id: id to append to each document. The index marks the documents without it.
        skip_bad: whether to leave out documents that cannot be decoded, or on which the tokenizer
            fails, and count them. By default icfast refuses them.
        overwrite: whether to replace existing files that icfast wrote.

    Returns:
        The counts.

    Raises:
        OutputError: an output is also an input, or is not what icfast wrote.
        CorpusError: a text does not exist, is not UTF-8, the tokenizer fails on it, or there is no
            text at all.
        OptionError: the output is not named FILE.ds, exists or is not writable, or the tokenizer
            or end id is unknown.
        ModelError: a GGUF file can't be read, or icfast does not know its kind of vocabulary.
        MissingExtraError: the tokenizer needs `tokenizers` or `gguf`, which is not installed.
        ResourceError: the disk is full.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     text = Path(folder, "a.txt")
    ...     _ = text.write_text("two words")
    ...     tokenize(text, Path(folder, "a.ds")).tokens
    9
    """
    output = Path(output)
    if output.suffix != ".ds":
        raise OptionError(f"output {output} must end in .ds, datatrove's suffix for files of ids.")
    encoder = open_encoder(tokenizer, eos_id)
    # The index comes last: readers treat a file without its index as incomplete.
    finals = [output, *(sidecar_path(output, suffix) for suffix in (".bytes", ".json", ".index"))]
    used = _tokenizer_files(tokenizer)
    found = text_files(as_paths(texts), finals, used)
    outputs = [
        Output(path, "token ids", lambda _: is_tokenized(output), (".ds", ".json"))
        for path in finals
    ]
    skipped = Skipped()
    with new_files(outputs, [*found.files, *used], overwrite) as temporaries:
        ids, text_bytes, description, index = temporaries
        documents = read_texts(found.files, skipped, skip_bad=skip_bad)
        written = _write(encoder, documents, (ids, text_bytes, index), skip_bad)
        if not written.documents:
            raise _no_text(found.files, skipped, written)
        write_description(description, encoder.description)
    return Tokenized(
        output=output,
        skipped_empty=skipped.empty,
        skipped_undecodable=skipped.undecodable,
        left_out=found.counts(),
        warnings=(*found.messages(), *_losses(written, encoder.description.tokenizer)),
        **vars(written),
    )


def _tokenizer_files(tokenizer: str | Path) -> list[Path]:
    """Return the file that the tokenizer is read from, if it is read from one."""
    return [] if tokenizer == BYTES else [Path(str(tokenizer).removeprefix(PREFIX))]


def _no_text(files: Sequence[Path], skipped: Skipped, written: _Written) -> CorpusError:
    which = f"{files[0]} and the other files" if len(files) > 1 else f"{files[0]}"
    if written.lost_documents:
        return CorpusError(
            f"no id stands for any text of {which}: the tokenizer drops all "
            f"{written.lost_document_bytes} bytes of {written.lost_documents} documents. Pass a "
            "tokenizer with an unknown token or with byte fallback."
        )
    return CorpusError(
        f"{which} {'hold' if len(files) > 1 else 'holds'} no text: {skipped.empty} documents are "
        f"empty, {skipped.undecodable} undecodable, {written.skipped_unencodable} refused by the "
        "tokenizer. Pass other files."
    )


def _losses(written: _Written, tokenizer: str) -> Iterator[str]:
    """Yield what the tokenizer dropped, as warnings."""
    if written.lost_bytes:
        whole = written.text_bytes + written.lost_bytes
        yield (
            f"tokenizer {tokenizer} drops {written.lost_characters} characters "
            f"({written.lost_bytes} of {whole} bytes): no id stands for them. Figures per byte "
            "count the other bytes. Does it lack an unknown token?"
        )
    if written.lost_documents:
        yield (
            f"tokenizer {tokenizer} drops all text of {written.lost_documents} documents "
            f"({written.lost_document_bytes} bytes), which were left out. Does it lack an unknown "
            "token?"
        )


@dataclass
class _Written:
    """Counts of what was written and lost, named as in `Tokenized`."""

    documents: int = 0
    tokens: int = 0
    text_bytes: int = 0
    skipped_unencodable: int = 0
    lost_characters: int = 0
    lost_bytes: int = 0
    lost_documents: int = 0
    lost_document_bytes: int = 0

    def add(self, text: bytes, encoded: Encoded, end_ids: int) -> int:
        """Count a document that has ids, and return the bytes that they stand for."""
        held = len(text) - encoded.lost.bytes
        self.documents += 1
        self.tokens += len(encoded.ids) + end_ids
        self.text_bytes += held
        self.lost_characters += encoded.lost.characters
        self.lost_bytes += encoded.lost.bytes
        return held


def _write(
    encoder: Encoder, texts: Iterable[Text], paths: Sequence[Path], skip_bad: bool
) -> _Written:
    """Stream the ids, the size of each text and the end of each document to three files."""
    written = _Written()
    eos_id = encoder.description.eos_id
    end = b"" if eos_id is None else np.array(eos_id, "<" + encoder.description.dtype).tobytes()
    with ExitStack() as stack:
        ids_file, bytes_file, index_file = (stack.enter_context(p.open("wb")) for p in paths)
        for batch in _batches(texts):
            encoded = encoder.encode([text.content for text in batch])
            for text, found in zip(batch, encoded, strict=True):
                if isinstance(found, Refused):
                    written.skipped_unencodable += 1
                    _refuse(text, found.reason, skip_bad)
                elif not len(found.ids):
                    written.lost_documents += 1
                    written.lost_document_bytes += len(text.content)
                else:
                    held = written.add(text.content, found, int(eos_id is not None))
                    ids_file.write(found.ids.tobytes() + end)
                    bytes_file.write(held.to_bytes(8, "little"))
                    index_file.write(written.tokens.to_bytes(8, "little"))
    return written


def _refuse(text: Text, reason: str, skip_bad: bool) -> None:
    if not skip_bad:
        raise CorpusError(
            f"{text.where}: the tokenizer fails on this text: {reason}. Pass a tokenizer with an "
            "unknown token, or skip and count such documents (--skip-bad)."
        )


def _batches(texts: Iterable[Text]) -> Iterator[list[Text]]:
    batch: list[Text] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text.content)
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
