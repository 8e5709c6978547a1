"""Mergeable totals: count spectra, losses, fan-outs, match lengths. Laws read only these."""
