"""Pure, mergeable totals: spectra, losses, fan-outs, match lengths. Laws read nothing else."""
