"""Text that a tokenizer drops is counted, and a tokenizer that fails gives an error of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from icfast.corpus import open_corpus, tokenize, train_bpe
from icfast.corpus.tokenizers.encoder import Encoded, PackageEncoder, Refused
from icfast.corpus.tokenizers.lost_text import LossCounter, Lost
from icfast.corpus.tokenizers.package import PackageError, call
from icfast.errors import CorpusError, ModelError


def no_unknown(**options: Any) -> Tokenizer:
    return Tokenizer(
        models.BPE(vocab={"a": 0, "b": 1, "ab": 2} | options.pop("more", {}), merges=[("a", "b")])
    )


def with_parts(tokenizer: Tokenizer, **parts: Any) -> Tokenizer:
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    return tokenizer


def lost(tokenizer: Tokenizer, text: str) -> Lost:
    encoded = tokenizer.encode(text, add_special_tokens=False)
    (found,) = LossCounter(tokenizer).count([text], [encoded.ids])
    return found


def words(unknown: str | None) -> Tokenizer:
    vocab = {"<unk>": 0, "the": 1, "fox": 2}
    return with_parts(
        Tokenizer(models.WordLevel(vocab, unk_token=unknown) if unknown else models.WordLevel()),
        pre_tokenizer=pre_tokenizers.Whitespace(),
    )


STRIPPED = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])


@pytest.mark.parametrize(
    ("tokenizer", "text", "expected"),
    [
        (no_unknown(), "abab", Lost(0, 0)),
        (no_unknown(), "ab\u00e9\u00e9\u00e9ab", Lost(3, 6)),
        (no_unknown(), "\u65e5ab\u65e5b", Lost(2, 6)),
        (no_unknown(), "a\u00e9b", Lost(1, 2)),  # the ids are those of "ab"
        (no_unknown(), "xyz", Lost(3, 3)),
        (no_unknown(), "\U0001d11e", Lost(1, 4)),
        # A normaliser folds accents: the letter stays, and nothing is lost.
        (with_parts(no_unknown(), normalizer=STRIPPED), "\u00e1b\u00e1", Lost(0, 0)),
        (with_parts(no_unknown(), normalizer=normalizers.Lowercase()), "AB", Lost(0, 0)),
        (with_parts(no_unknown(), normalizer=normalizers.Replace("x", "")), "axbx", Lost(2, 2)),
        # A pre-tokenizer removes white space.
        (with_parts(no_unknown(), pre_tokenizer=pre_tokenizers.Whitespace()), "ab  a", Lost(2, 2)),
        (words("<unk>"), "the dog  the", Lost(3, 3)),
    ],
)
def test_text_lost_in_tokenizing(tokenizer: Tokenizer, text: str, expected: Lost) -> None:
    assert lost(tokenizer, text) == expected


def test_bytes_of_a_character_may_be_lost() -> None:
    # Of the two bytes of this letter, the first has an id and the second has none.
    tokenizer = with_parts(
        no_unknown(more={"\u00c3": 3}),
        pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False),
    )
    assert lost(tokenizer, "ab\u00e9") == Lost(0, 1)
    assert lost(tokenizer, "ab\u00e9\u65e5") == Lost(1, 4)


def test_trimmed_offsets_lose_nothing() -> None:
    tokenizer = with_parts(
        no_unknown(more={"\u0120": 3, "\u0120a": 4}),
        pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False),
        post_processor=processors.ByteLevel(trim_offsets=True),
    )
    assert lost(tokenizer, "ab a ab") == Lost(0, 0)  # without a decoder the ids do not spell it


def test_a_byte_level_vocabulary_loses_nothing(tmp_path: Path) -> None:
    train_bpe(["the cat sat"], 260, tmp_path / "t.json")
    tokenizer = Tokenizer.from_file(str(tmp_path / "t.json"))
    counter = LossCounter(tokenizer)
    texts = ["d\u00e9 j\u00e0 \u65e5\u672c\u8a9e \U0001d11e\r\n\t x", ""]
    ids = [tokenizer.encode(text).ids for text in texts]
    assert counter.count(texts, ids) == [Lost(0, 0)] * 2
    assert "_probe" not in vars(counter)  # decoding showed it, so nothing was encoded again


def test_the_ids_do_not_change(tmp_path: Path) -> None:
    tokenizer = no_unknown()
    texts = ["ab\u00e9\u00e9ab", "a\u00e9b", "xyz", "ab"]
    encoder = PackageEncoder(tokenizer, "t.json", None, None)
    found = encoder.encode([text.encode() for text in texts])
    ids = [one.ids.tolist() for one in found if isinstance(one, Encoded)]
    assert ids == [no_unknown().encode(text).ids for text in texts]
    assert encoder.description.vocab_size == 3


def write_lines(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def test_figures_per_byte_use_what_the_ids_hold(tmp_path: Path) -> None:
    no_unknown().save(str(tmp_path / "t.json"))
    lines = write_lines(tmp_path / "t.jsonl", ["ab\u00e9\u00e9\u00e9ab", "xyz", "", "ab"])
    written = tokenize(lines, tmp_path / "o.ds", tokenizer=tmp_path / "t.json")
    assert (written.documents, written.tokens, written.text_bytes) == (2, 3, 6)
    assert (written.lost_characters, written.lost_bytes) == (3, 6)
    assert (written.lost_documents, written.lost_document_bytes) == (1, 3)
    assert written.skipped_empty == 1
    assert "drops 3 characters (6 of 12 bytes)" in written.warnings[0]
    assert "drops all text of 1 documents (3 bytes)" in written.warnings[1]
    corpus = open_corpus(tmp_path / "o.ds")
    sizes = corpus.documents_of(corpus.shards[0]).text_bytes
    assert np.array_equal(sizes, [4, 2])


def test_text_that_is_lost_whole_is_not_called_empty(tmp_path: Path) -> None:
    no_unknown().save(str(tmp_path / "t.json"))
    (tmp_path / "xyz.txt").write_text("xyz")
    message = r"no id stands for any text of .*xyz.txt: the tokenizer drops all 3 bytes of 1 docum"
    with pytest.raises(CorpusError, match=message) as refused:
        tokenize(tmp_path / "xyz.txt", tmp_path / "o.ds", tokenizer=tmp_path / "t.json")
    assert "empty" not in str(refused.value)


@pytest.mark.parametrize(
    ("tokenizer", "reason"),
    [
        (
            with_parts(
                Tokenizer(models.WordLevel({"the": 0, "fox": 1})),
                pre_tokenizer=pre_tokenizers.Whitespace(),
            ),
            "WordLevel error: Missing .UNK. token",
        ),
        (
            Tokenizer(models.Unigram([(one, -1.0) for one in ("t", "h", "e")], unk_id=None)),
            "unknown token but `unk_id` is",
        ),
        (Tokenizer(models.WordPiece({"the": 0})), "WordPiece error: Missing .UNK. token"),
    ],
)
def test_tracebacks_of_a_tokenizer_become_errors(
    tmp_path: Path, tokenizer: Tokenizer, reason: str
) -> None:
    tokenizer.save(str(tmp_path / "t.json"))
    lines = write_lines(tmp_path / "t.jsonl", ["the", "the fox jumps", "the"])
    options = {"tokenizer": tmp_path / "t.json"}
    with pytest.raises(CorpusError, match=f"line 2 of .*t.jsonl: the tokenizer fails .*{reason}"):
        tokenize(lines, tmp_path / "o.ds", **options)
    written = tokenize(lines, tmp_path / "o.ds", **options, skip_bad=True)
    assert (written.documents, written.skipped_unencodable) == (2, 1)


def test_an_empty_vocabulary_is_refused(tmp_path: Path) -> None:
    Tokenizer(models.BPE()).save(str(tmp_path / "t.json"))
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(ModelError, match=r"t\.json has no ids: its vocabulary is empty"):
        tokenize(tmp_path / "a.txt", tmp_path / "o.ds", tokenizer=tmp_path / "t.json")


class Panic(BaseException):
    """A panic of Rust code reaches Python as a BaseException."""


@pytest.mark.parametrize("raised", [Panic("index out of\nbounds"), RuntimeError("")])
def test_a_panic_is_a_failure_of_the_library(raised: BaseException) -> None:
    def fails() -> None:
        raise raised

    with pytest.raises(PackageError, match=r"^(index out of bounds|RuntimeError)$"):
        call(fails)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, MemoryError])
def test_interruptions_pass(raised: type[BaseException]) -> None:
    def fails() -> None:
        raise raised

    with pytest.raises(raised):
        call(fails)


def test_a_decoder_that_fails_hides_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = with_parts(no_unknown(), decoder=decoders.ByteLevel())
    counter = LossCounter(tokenizer)
    monkeypatch.setattr(counter, "_decoded", lambda ids: [None] * len(ids))
    assert counter.count(["ab\u00e9"], [[2]]) == [Lost(1, 2)]


def test_a_batch_with_one_bad_text_keeps_the_others() -> None:
    tokenizer = Tokenizer(models.Unigram([("a", -1.0)], unk_id=None))
    found = list(PackageEncoder(tokenizer, "t", None, None).encode([b"a", b"b", b"aa"]))
    assert [isinstance(one, Refused) for one in found] == [False, True, False]
