"""Interpolated Kneser-Ney models: built from counts, stored, scored, compressed."""
