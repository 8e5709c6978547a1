"""Formats of token shards, one format per file."""
