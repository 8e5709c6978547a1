"""What transformers gets of a GGUF file that icfast has read, compared with its own reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.corpus.gguf_files import with_every_type
from tests.neural.tiny_models import save_gguf, tiny_tokens

gguf = pytest.importorskip("gguf", reason="no gguf here: pip install 'icfast[neural]'")
from icfast.corpus.tokenizers.gguf_file import GgufFile  # noqa: E402
from icfast.neural.gguf_reader import HeaderReader, one_parse  # noqa: E402

VOCABULARY = ("tokens", "token_type", "merges")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_gguf(tmp_path_factory.mktemp("gguf") / "x.gguf")


def test_fields_are_those_of_the_package(path: Path, tmp_path: Path) -> None:
    for file in (path, with_every_type(tmp_path / "types.gguf")):
        whole, found = gguf.GGUFReader(file).fields, HeaderReader(GgufFile(file)).fields
        left_out = {f"tokenizer.ggml.{name}" for name in VOCABULARY}
        kept = [name for name in whole if name not in left_out and not name.startswith("GGUF.")]
        assert [name for name in found if name not in left_out] == kept
        for name in kept:
            own, other = found[name], whole[name]
            assert (own.name, own.data, own.types) == (other.name, other.data, other.types)
            assert len(own.parts) == len(other.parts)
            for part, expected in zip(own.parts, other.parts, strict=True):
                assert part.dtype == expected.dtype
                np.testing.assert_array_equal(part, expected)


def test_a_model_needs_only_the_size_of_the_vocabulary(path: Path) -> None:
    found = HeaderReader(GgufFile(path)).fields
    assert [name for name in VOCABULARY if f"tokenizer.ggml.{name}" in found] == ["tokens"]
    tokens = found["tokenizer.ggml.tokens"]
    assert tokens.types == gguf.GGUFReader(path).fields["tokenizer.ggml.tokens"].types
    assert tokens.contents() == [""] * len(tiny_tokens())


def test_the_package_is_whole_afterwards(path: Path, tmp_path: Path) -> None:
    reader, names = gguf.GGUFReader, gguf.get_tensor_name_map
    other = save_gguf(tmp_path / "other.gguf")
    llama = gguf.MODEL_ARCH.LLAMA

    def fail() -> None:
        assert isinstance(gguf.GGUFReader(str(path)), HeaderReader)
        assert isinstance(gguf.GGUFReader(other), reader)
        assert gguf.get_tensor_name_map(llama, 2) is gguf.get_tensor_name_map(llama, 2)
        raise RuntimeError("a failed loading")

    with pytest.raises(RuntimeError, match="a failed loading"), one_parse(GgufFile(path)):
        fail()
    assert (gguf.GGUFReader, gguf.get_tensor_name_map) == (reader, names)


def test_loading_reads_the_header_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="no torch here: pip install 'icfast[neural]'")
    from icfast.neural.load import load_gguf

    def refuse(*args: object) -> None:
        raise AssertionError("the header is read again")

    monkeypatch.setattr(gguf, "GGUFReader", refuse)
    assert load_gguf(path).vocab_size == len(tiny_tokens())
