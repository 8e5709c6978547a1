"""Scores of documents under a model of any kind."""
