"""Tokenizers that `icfast tokenize` accepts, one kind per file, and the reader of GGUF files."""
