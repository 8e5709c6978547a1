"""The loss kernels on a CUDA device: checked against fp64, then timed. See run.py."""
