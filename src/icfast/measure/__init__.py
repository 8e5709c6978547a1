"""Mergeable sums: counts, spectra and losses. Means and entropies live in laws."""
