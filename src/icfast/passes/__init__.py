"""Passes over a corpus: the only place where corpus meets kernels, measures and models."""
