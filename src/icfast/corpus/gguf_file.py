"""GGUF files of llama.cpp: what they say of themselves, and their vocabulary as a tokenizer.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from icfast.errors import ModelError, needs_extra

#: How the command line and `tokenize` name a GGUF file.
PREFIX = "gguf:"

_MAGIC = b"GGUF"
#: Token types: control, and defined by the user. Both are one id wherever the text spells them.
_SPECIAL = (3, 4)
#: Pre-tokenizers by llama.cpp's names: GPT-2's own, and the one that takes digits apart first.
_GPT2 = ("gpt-2", "gpt2", "mpt", "olmo", "jais")
_DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone")
#: Those that are a pattern of their own.
_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_PATTERNS = {
    "qwen2": _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + _REST,
    "llama-bpe": _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + _REST,
}
#: Pre-tokens that are in the vocabulary are taken whole, whatever the merges say.
_WHOLE = ("llama-bpe",)


class GgufFile:
    """A GGUF file, mapped; its metadata by key, its tensors as the `gguf` package gives them.

    Raises:
        ModelError: no such file, no GGUF, or damaged.
        MissingExtraError: the gguf package is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                magic = file.read(4)
        except OSError as error:
            raise ModelError(f"{path} can't be read as a GGUF file: {error.strerror}") from error
        if magic != _MAGIC:
            raise ModelError(f"{path} is no GGUF file: it does not begin with {_MAGIC!r}")
        with needs_extra("neural", "a GGUF file"):
            import gguf
        try:
            self._reader = gguf.GGUFReader(path)
        except Exception as error:  # the package checks little and fails anywhere
            raise ModelError(f"{path} is a damaged GGUF file: {error!r}") from error
        self.path = path

    @property
    def tensors(self) -> dict[str, Any]:
        """Its tensors by name: tensor_type, shape, n_elements, n_bytes, data."""
        return {tensor.name: tensor for tensor in self._reader.tensors}

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key of its metadata, or the default."""
        field = self._reader.get_field(key)
        return default if field is None else field.contents()

    def need(self, key: str) -> Any:
        """The value of a key.

        Raises:
            ModelError: the key is missing.
        """
        found = self.get(key)
        if found is None:
            raise ModelError(f"{self.path} says nothing of {key}; it is no complete model")
        return found

    def vocabulary_sha256(self) -> str | None:
        """SHA-256 over what its tokenizer does: ids, their types, merges, pre-tokenizer.

        Files of one model in several quantisations have the same; None: no vocabulary.
        """
        if self.get("tokenizer.ggml.tokens") is None:
            return None
        found = hashlib.sha256()
        for key in ("model", "pre", "tokens", "token_type", "merges", "scores"):
            value = self.get(f"tokenizer.ggml.{key}")
            parts = value if isinstance(value, list) else [value]
            found.update(f"{key}\0{len(parts)}\0".encode())
            for part in parts:
                found.update(f"{part}\0".encode())
        return found.hexdigest()

    def tokenizer(self) -> Any:
        """Its vocabulary as a `tokenizers.Tokenizer`.

        Raises:
            ModelError: a vocabulary, or a way to cut text before it is merged, unknown here.
            MissingExtraError: the tokenizers package is not installed.
        """
        with needs_extra("tokenize", "a tokenizer"):
            import tokenizers
            from tokenizers import decoders, models
        kind, pre = self.need("tokenizer.ggml.model"), self.get("tokenizer.ggml.pre", "")
        if kind != "gpt2":
            raise ModelError(
                f"the vocabulary of {self.path} is of kind {kind!r}; only byte-level BPE ('gpt2') "
                "can be read, use the model's tokenizer.json"
            )
        tokens, merges = self.need("tokenizer.ggml.tokens"), self.need("tokenizer.ggml.merges")
        types = self.need("tokenizer.ggml.token_type")
        bpe = models.BPE(
            vocab={token: number for number, token in enumerate(tokens)},
            merges=[tuple(merge.split(" ", 1)) for merge in merges],
            ignore_merges=pre in _WHOLE,
        )
        tokenizer = tokenizers.Tokenizer(bpe)
        tokenizer.pre_tokenizer = self._pre_tokenizer(pre)
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.add_special_tokens(
            [
                tokenizers.AddedToken(token, normalized=False, special=True)
                for token, kind in zip(tokens, types, strict=True)
                if kind in _SPECIAL
            ]
        )
        return tokenizer

    def _pre_tokenizer(self, name: str) -> Any:
        """How text is cut before it is merged, by llama.cpp's name for it."""
        from tokenizers import Regex
        from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence, Split

        if name in _GPT2:
            return ByteLevel(add_prefix_space=False)
        if name in _DIGITS:
            return Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
        if name in _PATTERNS:
            cut = Split(Regex(_PATTERNS[name]), "isolated")
            return Sequence([cut, ByteLevel(add_prefix_space=False, use_regex=False)])
        known = ", ".join((*_GPT2, *_DIGITS, *_PATTERNS))
        raise ModelError(
            f"the pre-tokenizer {name!r} of {self.path} is none of {known}; "
            "use the model's tokenizer.json"
        )
