"""Whole measurements: each runs its passes, applies the laws, and returns one typed result."""
