"""Cross-entropy losses of tokens, for arrays of NumPy, torch, CuPy and other libraries."""
