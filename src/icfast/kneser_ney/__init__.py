"""Interpolated modified Kneser-Ney models: fit, store, score, compress and export them."""
