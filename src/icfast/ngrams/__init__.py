"""Counting n-grams: spectra, count tables and their merge, growth curves, match lengths."""
