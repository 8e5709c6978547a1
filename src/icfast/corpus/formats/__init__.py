"""Formats of token shards, one file each."""
