"""Flat arrays in, caller-allocated arrays out: the same few kernels from several backends."""
