"""Sphinx: one tool for the whole site. tools/build_docs.py puts the sources together and calls it."""

import os

project = "mlscope"
author = "The mlscope developers"
copyright = "The mlscope developers; BSD-3-Clause"
version = release = "0.1.0"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["site"]
root_doc = "index"
language = "en"

# Pages hold all that they need: no widgets, fonts or formulas from elsewhere.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_merge_streams = True
# A view stands in the notebook twice: as a page that works without a kernel, and as the widget's own state.
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
# Names in single backticks are code here, not links.
default_role = "code"
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type", "ref.python"]

napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": False}

html_theme = "furo"
html_title = "mlscope"
html_static_path = []
html_show_sourcelink = False
html_theme_options = {"source_repository": os.environ.get("MLSCOPE_REPOSITORY", "")}
