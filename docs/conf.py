"""Sphinx configuration: sphinx-build -W -b html docs build/docs (needs the extra `docs`)."""

import sys
from pathlib import Path

import icfast

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "icfast"
author = "The icfast developers"
copyright = "2026, the icfast developers"  # noqa: A001 - the name that Sphinx reads
version = release = icfast.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_line",
    "public_names",
]
exclude_patterns = ["_ext"]

# Every type in the reference must lead to its documentation.
nitpicky = True
nitpick_ignore_regex = [
    # Types of other packages: the build has no network to look up their pages.
    ("py:.*", r"(numpy|pathlib|collections|typing|os)\..*"),
    # Arrays behind a model, for which the methods of the model are the way.
    ("py:class", r"icfast\.(backends\.models|ngrams\.(keys|manifest))\..*"),
    ("py:class", r".*\.Found"),  # a type variable
]
# Dashes of options stay as typed.
smartquotes = False
html_theme = "furo"
html_title = f"icfast {release}"

myst_enable_extensions = ["deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
