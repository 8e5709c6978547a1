"""Counting n-grams: the plan, windows, spectra, count tables and their merge, suffixes."""
