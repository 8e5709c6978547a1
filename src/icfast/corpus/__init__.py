"""Token corpora: open, inspect and write them. Files are memory-mapped, not copied."""

from __future__ import annotations

from icfast.corpus.corpus import Corpus, Documents
from icfast.corpus.detect import FORMATS
from icfast.corpus.inspect import Inspection, ShardReport, inspect
from icfast.corpus.open import open_corpus
from icfast.corpus.options import CorpusOptions
from icfast.corpus.shard import Shard, largest_id, outside_vocabulary
from icfast.corpus.tokenize import Tokenized, tokenize
from icfast.corpus.tokenizers.tokenizer_json import train_bpe

__all__ = [
    "FORMATS",
    "Corpus",
    "CorpusOptions",
    "Documents",
    "Inspection",
    "Shard",
    "ShardReport",
    "Tokenized",
    "inspect",
    "largest_id",
    "open_corpus",
    "outside_vocabulary",
    "tokenize",
    "train_bpe",
]
