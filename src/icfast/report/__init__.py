"""Presentation of results: short tables in the terminal, and one self-contained HTML page.

Reports compute only differences and sums per token; every other number comes from the result and is
rounded. matplotlib and jinja2 are imported when a page is written.
"""
