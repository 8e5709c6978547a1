"""Turn text files into FILE.ds: token ids, an index of documents, and sidecars.

`icfast.corpus.sidecar` defines the layout of the sidecars. Documents are streamed: memory holds one
batch of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from icfast.corpus.corpus import BYTES
from icfast.corpus.open import AnyPath, as_paths
from icfast.corpus.sidecar import is_tokenized, sidecar_path, write_description
from icfast.corpus.text import Skipped, read_texts, text_files
from icfast.corpus.tokenizers.encoder import Encoder, open_encoder
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
        text_bytes: UTF-8 bytes of the documents' text.
        skipped_empty: documents left out because they have no ids.
        skipped_undecodable: documents left out because they are not UTF-8, or not JSON.
        output: the file with the ids.
    """

    documents: int
    tokens: int
    text_bytes: int
    skipped_empty: int
    skipped_undecodable: int
    output: Path

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

    Each file is a document. Each line of a .jsonl file is a document, its "text". A folder means
    all files in it and in its subfolders, sorted. Empty documents are left out and counted. A
    special token of the tokenizer becomes one id where the text spells it. After a failure no new
    output remains.

    Args:
        texts: files and folders.
        output: path FILE.ds. FILE.ds.index, FILE.ds.bytes and FILE.ds.json are written next to it.
        tokenizer: "bytes" (the ids are the UTF-8 bytes), the path of a tokenizer.json, or
            "gguf:FILE" for the vocabulary inside a GGUF model.
        eos_id: id to append to each document. The index marks the documents without it.
        skip_bad: whether to leave out undecodable documents and count them. By default icfast
            refuses them.
        overwrite: whether to replace existing files that icfast wrote.

    Returns:
        The counts.

    Raises:
        OutputError: an output is also an input, or is not what icfast wrote.
        CorpusError: a text does not exist, is not UTF-8, or there is no text at all.
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
    files = text_files(as_paths(texts), finals)
    outputs = [
        Output(path, "token ids", lambda _: is_tokenized(output), (".ds", ".json"))
        for path in finals
    ]
    skipped = Skipped()
    with new_files(outputs, [*files, *_tokenizer_files(tokenizer)], overwrite) as temporaries:
        ids, text_bytes, description, index = temporaries
        documents = read_texts(files, skipped, skip_bad=skip_bad)
        written = _write(encoder, documents, (ids, text_bytes, index))
        if not written.documents:
            raise _no_text(files, skipped)
        write_description(description, encoder.description)
    return Tokenized(
        written.documents,
        written.tokens,
        written.text_bytes,
        skipped.empty + written.without_ids,
        skipped.undecodable,
        output,
    )


def _tokenizer_files(tokenizer: str | Path) -> list[Path]:
    """Return the file that the tokenizer is read from, if it is read from one."""
    return [] if tokenizer == BYTES else [Path(str(tokenizer).removeprefix("gguf:"))]


def _no_text(files: Sequence[Path], skipped: Skipped) -> CorpusError:
    return CorpusError(
        f"{files[0]}{' and the other files hold' if len(files) > 1 else ' holds'} no text: "
        f"{skipped.empty} documents are empty, {skipped.undecodable} undecodable. "
        "Pass other files."
    )


@dataclass
class _Written:
    documents: int = 0
    tokens: int = 0
    text_bytes: int = 0
    without_ids: int = 0


def _write(encoder: Encoder, texts: Iterable[bytes], paths: Sequence[Path]) -> _Written:
    """Stream the ids, the size of each text and the end of each document to three files."""
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
