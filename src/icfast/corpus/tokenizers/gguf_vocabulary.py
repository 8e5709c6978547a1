"""The vocabulary inside a GGUF file as a tokenizer of the `tokenizers` package."""

from __future__ import annotations

from typing import Any

from icfast.corpus.tokenizers.gguf_file import GgufFile
from icfast.corpus.tokenizers.package import PackageError, call
from icfast.errors import ModelError, needs_extra

#: Token types "control" and "user defined": such a token is one id wherever the text spells it.
_SPECIAL = (3, 4)

#: Names in llama.cpp of pre-tokenizers that split text as GPT-2 does.
_GPT2 = ("gpt-2", "gpt2", "mpt", "olmo", "jais")
#: Names of those that split off every digit first.
_DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone")
#: Names of those that split by a regular expression.
_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_PATTERNS = {
    "qwen2": _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + _REST,
    "llama-bpe": _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + _REST,
}
#: Pre-tokenizers whose pre-tokens become one id if they are in the vocabulary, without merges.
_WHOLE = ("llama-bpe",)


def gguf_tokenizer(file: GgufFile) -> Any:
    """Return the vocabulary of a GGUF file as a `tokenizers.Tokenizer`.

    Raises:
        ModelError: the vocabulary is missing, is not a byte-level BPE, or has a pre-tokenizer that
            icfast does not know.
        MissingExtraError: the tokenizers package is not installed.
    """
    with needs_extra("tokenize", "a tokenizer"):
        import tokenizers
        from tokenizers import decoders
    kind, pre = file.need("tokenizer.ggml.model"), file.get("tokenizer.ggml.pre", "")
    if kind != "gpt2":
        raise ModelError(
            f"{file.path}: the vocabulary is of kind {kind!r}; icfast reads only byte-level BPE "
            "('gpt2'). Pass the model's tokenizer.json."
        )
    tokens, merges = file.need("tokenizer.ggml.tokens"), file.need("tokenizer.ggml.merges")
    types = file.need("tokenizer.ggml.token_type")
    _check_lists(file, tokens, merges, types)
    bpe = _bpe(
        file,
        vocab={token: number for number, token in enumerate(tokens)},
        merges=[tuple(merge.split(" ", 1)) for merge in merges],
        ignore_merges=pre in _WHOLE,
    )
    tokenizer = tokenizers.Tokenizer(bpe)
    tokenizer.pre_tokenizer = _pre_tokenizer(file, pre)
    tokenizer.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, types, strict=True) if kind in _SPECIAL]
    tokenizer.add_special_tokens(
        [tokenizers.AddedToken(token, normalized=False, special=True) for token in special]
    )
    return tokenizer


def _check_lists(file: GgufFile, tokens: Any, merges: Any, types: Any) -> None:
    """Refuse lists of another kind or length than a vocabulary has."""
    for name, values, kind in (
        ("tokens", tokens, str),
        ("merges", merges, str),
        ("token_type", types, int),
    ):
        if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
            raise _damaged(file, f"tokenizer.ggml.{name} is no list of {kind.__name__}")
    if len(types) != len(tokens):
        raise _damaged(file, f"it has {len(tokens)} tokens and {len(types)} token types")
    wrong = next((merge for merge in merges if " " not in merge[1:]), None)
    if wrong is not None:
        raise _damaged(file, f"the merge {wrong!r:.60} does not join two tokens")


def _bpe(file: GgufFile, **options: Any) -> Any:
    from tokenizers import models

    try:
        return call(models.BPE, **options)
    except PackageError as error:
        raise _damaged(file, str(error)) from error


def _damaged(file: GgufFile, why: str) -> ModelError:
    return ModelError(
        f"{file.path}: its vocabulary is damaged: {why}. Download or convert it again, or pass the "
        "model's tokenizer.json."
    )


def _pre_tokenizer(file: GgufFile, name: str) -> Any:
    """Return the pre-tokenizer that llama.cpp calls by this name."""
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
        f"{file.path}: the pre-tokenizer is {name!r}; icfast knows {known}. "
        "Pass the model's tokenizer.json."
    )
