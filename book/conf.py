"""Sphinx configuration of both editions. `build.py` makes the sources, and edition.json beside them."""

import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = Path(os.environ["BOOK_SOURCES"])
sys.path[:0] = [str(HERE), str(HERE.parent)]

from pages import missing_imports  # noqa: E402
from words import WORDS  # noqa: E402

edition = json.loads((SOURCES / "edition.json").read_text(encoding="utf-8"))
words = WORDS[edition["edition"]]

project = html_title = words["title"]
author = ""
html_show_copyright = False
language = words["language"]
extensions = ["myst_nb", "sphinx.ext.autosummary", "sphinx.ext.napoleon", "sphinx_copybutton", "book_extension"]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
locale_dirs = [str(HERE / "locale")]

book_edition, book_others = edition["edition"], edition["others"]

# Notebooks: shown as they are committed, never executed.
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}  # scripts from another host
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
myst_update_mathjax = False
# A solution's title is followed by the third-level headings of the exercises; nested, they come out right.
suppress_warnings = ["myst.header"]

# The packages' docstrings, read without the libraries that they compute with.
autodoc_mock_imports = missing_imports()
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_static_path = [str(HERE / "static"), str(SOURCES / "static")]
html_favicon = str(HERE / "static" / "favicon.svg")
html_css_files = ["book.css"]
html_js_files = [("book.js", {"defer": "defer"})]
templates_path = [str(HERE / "templates")]
html_math_renderer = "mathml"
html_search_language = "both"
html_copy_source = False
html_use_index = False
html_domain_indices = False
html_show_sphinx = False
html_baseurl = ""
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/edition.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
pygments_style = "a11y-light"
pygments_dark_style = "a11y-dark"
_fonts = (
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Hiragino Sans GB", '
    '"Microsoft YaHei", "Noto Sans CJK SC", "Source Han Sans SC", sans-serif'
)
html_theme_options = {
    "light_css_variables": {"font-stack": _fonts},
    "top_of_page_buttons": [],
}

# Code and commands are copied, output is not.
copybutton_selector = "div:not(.output) > div.highlight > pre"
