"""The vocabulary of a GGUF file as a tokenizer, compared with byte-pair merging by definition."""

from __future__ import annotations

import math
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.neural.tiny_models import MERGES, byte_alphabet, save_gguf, tiny_tokens

from icfast.corpus import open_corpus, tokenize
from icfast.errors import MissingExtraError, ModelError

pytest.importorskip("gguf", reason="no gguf here: pip install 'icfast[neural]'")
pytest.importorskip("tokenizers", reason="no tokenizers here: pip install 'icfast[tokenize]'")
from icfast.corpus.tokenizers.gguf_file import GgufFile
from icfast.corpus.tokenizers.gguf_vocabulary import gguf_tokenizer

TEXTS = ["hello world 1212\n", "a  b\t½ ²x", "日本語 hell", "12<|end|>12"]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def merged(word: str) -> list[str]:
    """Merge the byte pairs of one word by definition: the earliest merge first, everywhere."""
    parts = list(word)
    ranks = {tuple(merge.split()): rank for rank, merge in enumerate(MERGES)}
    while True:
        pairs = [(ranks[pair], at) for at, pair in enumerate(pairwise(parts)) if pair in ranks]
        if not pairs:
            return parts
        _, at = min(pairs)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def definition(text: str) -> list[str]:
    """Split off digits, then words with the space before them, and merge each."""
    words: list[str] = []
    for letter in text:
        kind = "N" if unicodedata.category(letter)[0] == "N" else "L" if letter != " " else "S"
        if kind == "L" and words and words[-1][0] == "L":
            words[-1] = ("L", words[-1][1] + letter)  # type: ignore[call-overload]
        elif kind == "L" and words and words[-1] == ("S", " "):
            words[-1] = ("L", " " + letter)  # type: ignore[call-overload]
        else:
            words.append((kind, letter))  # type: ignore[arg-type]
    letters = byte_alphabet()
    encoded = ["".join(letters[byte] for byte in word.encode()) for _, word in words]
    return [part for word in encoded for part in merged(word)]


@given(st.lists(st.sampled_from(["hello", "hell", "w", "12", "1", "²", "é"]), max_size=8))
def test_digits_apart_then_merges(vocabulary: Path, words: list[str]) -> None:
    """The pre-tokenizer smollm splits off digits, so the merge "1 2" never applies."""
    text = " ".join(words)
    assert gguf_tokenizer(GgufFile(vocabulary)).encode(text).tokens == definition(text)


def test_gpt2_keeps_digits_together(tmp_path: Path) -> None:
    tokenizer = gguf_tokenizer(GgufFile(save_gguf(tmp_path / "x.gguf", pre="gpt-2")))
    assert tokenizer.encode("hello 1212").tokens == ["hello", "Ġ", "12", "12"]


@pytest.mark.parametrize(
    ("pre", "tokens"),
    [
        ("qwen2", ["1", "2", "1", "2", "Ġ", "Ġw", "Ċ", "Ċ"]),
        ("llama-bpe", ["12", "1", "2", "Ġ", "Ġw", "Ċ", "Ċ"]),
    ],
)
def test_patterns_of_their_own(tmp_path: Path, pre: str, tokens: list[str]) -> None:
    tokenizer = gguf_tokenizer(GgufFile(save_gguf(tmp_path / "x.gguf", pre=pre)))
    assert tokenizer.encode("1212  w\n\n").tokens == tokens


@given(st.text())
def test_nothing_is_lost(vocabulary: Path, text: str) -> None:
    tokenizer = gguf_tokenizer(GgufFile(vocabulary))
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_tokenizing_with_it(tmp_path: Path, vocabulary: Path) -> None:
    for number, text in enumerate(TEXTS):
        (tmp_path / f"{number}.txt").write_text(text)
    tokenize(tmp_path, tmp_path / "x.ds", tokenizer=f"gguf:{vocabulary}", eos_id=1)
    corpus = open_corpus(tmp_path / "x.ds")
    file = GgufFile(vocabulary)
    assert (corpus.tokenizer, corpus.vocab_size) == ("tiny.gguf", len(tiny_tokens()))
    assert corpus.tokenizer_sha256 == file.vocabulary_sha256()
    assert corpus.eos_id == 1
    (shard,) = corpus.shards
    documents = corpus.documents_of(shard)
    tokenizer = gguf_tokenizer(file)
    found = [
        tokenizer.decode(shard.tokens[a : b - 1].tolist(), skip_special_tokens=False)
        for a, b in zip(documents.starts, documents.stops, strict=True)
    ]
    assert found == TEXTS
    third = shard.tokens[documents.starts[3] : documents.stops[3] - 1]
    assert 1 in third  # the text spells <|end|>


def test_vocabularies_that_can_not_be_read(tmp_path: Path) -> None:
    sentencepiece = save_gguf(tmp_path / "spm.gguf", tokenizer="llama")
    with pytest.raises(
        ModelError, match=r"of kind 'llama'; icfast reads only byte-level BPE .*tokenizer.json"
    ):
        gguf_tokenizer(GgufFile(sentencepiece))
    strange = save_gguf(tmp_path / "x.gguf", pre="never-heard-of")
    with pytest.raises(ModelError, match="pre-tokenizer is 'never-heard-of'; icfast knows gpt-2"):
        gguf_tokenizer(GgufFile(strange))
    text = tmp_path / "a.txt"
    text.write_text("a")
    with pytest.raises(ModelError, match="not a GGUF file: it begins with b'a' instead of b'GGUF'"):
        tokenize(text, tmp_path / "x.ds", tokenizer=f"gguf:{text}")


def test_stored_sizes(vocabulary: Path) -> None:
    file = GgufFile(vocabulary)
    stored = {tensor.name: tensor for tensor in file.stored_tensors()}
    assert list(stored) == list(file.tensors)
    for name, tensor in file.tensors.items():
        found = stored[name]
        assert found.type == tensor.tensor_type.name
        assert found.parameters == math.prod(int(n) for n in tensor.shape)
        assert found.stored_bits == 8 * tensor.data.nbytes


def test_without_its_packages(
    vocabulary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("a")
    for missing, extra in (("gguf", "neural"), ("tokenizers", "tokenize")):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)
            with pytest.raises(MissingExtraError, match=rf"icfast\[{extra}\]"):
                tokenize(tmp_path / "a.txt", tmp_path / "x.ds", tokenizer=f"gguf:{vocabulary}")


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("tokens", "abc", "tokenizer.ggml.tokens is no list of str"),
        ("tokens", [1, 2], "tokenizer.ggml.tokens is no list of str"),
        ("merges", ["ab"], "the merge 'ab' does not join two tokens"),
        ("merges", ["never heard"], "Token `never` out of vocabulary"),
        ("token_type", [1], "tokens and 1 token types"),
        ("token_type", [0.5], "tokenizer.ggml.token_type is no list of int"),
    ],
)
def test_a_damaged_vocabulary_gives_no_traceback(
    vocabulary: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: object, why: str
) -> None:
    file = GgufFile(vocabulary)
    need = file.need

    def changed(name: str) -> object:
        return value if name == f"tokenizer.ggml.{key}" else need(name)

    monkeypatch.setattr(file, "need", changed)
    with pytest.raises(ModelError, match=f"its vocabulary is damaged: .*{why}"):
        gguf_tokenizer(file)
