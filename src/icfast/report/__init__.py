"""What a measurement says, for people: a short table in the terminal and one HTML page.

The input is the dictionary of ``result.json`` (schema version 1), and nothing is computed from it
but differences, sums per token and rounded text. matplotlib and jinja2 are imported on use.
"""

from icfast.report.page import render_report, write_report
from icfast.report.run_page import render_run_report, write_run_report
from icfast.report.scaling_page import render_scaling_report, write_scaling_report
from icfast.report.terminal import print_entropy, print_result

__all__ = [
    "print_entropy",
    "print_result",
    "render_report",
    "render_run_report",
    "render_scaling_report",
    "write_report",
    "write_run_report",
    "write_scaling_report",
]
