"""What the book adds to Sphinx: formulas without scripts, bilingual search, docstrings, and links between editions."""

import posixpath
from xml.etree.ElementTree import ParseError, fromstring

import docstrings
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from search import SearchBoth
from sphinx.util import logging

log = logging.getLogger(__name__)


def setup(app):
    app.add_config_value("book_pages", {}, "html")  # by edition: page -> file in the repository, or ""
    app.add_config_value("book_edition", "en", "html")
    app.add_config_value("book_words", {}, "html")
    app.add_config_value("book_links", {}, "html")  # page -> (link's words, address) of where it is hosted
    app.add_search_language(SearchBoth)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("autodoc-process-docstring", process_docstring)
    app.connect("doctree-read", mark_tables)
    app.connect("html-page-context", add_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# Browsers set MathML themselves: no script, no font to load, and it prints.
def visit_math(translator, node):
    translator.body.append(_mathml(node, block=False))
    raise nodes.SkipNode


def visit_math_block(translator, node):
    translator.body.append(f'<div class="formula">{_mathml(node, block=True)}</div>')
    raise nodes.SkipNode


def _mathml(node, block: bool) -> str:
    tex = node.astext()
    try:
        text = tex2mathml(tex, as_block=block)
        fromstring(text)
    except (SyntaxError, ParseError) as error:
        log.warning("formula that docutils cannot set: %s (%s)", tex, error, location=node)
        return f"<code>{nodes.unescape(tex)}</code>"
    return text


def process_docstring(app, what, name, obj, options, lines):
    lines[:] = docstrings.to_rst(lines)


# The glossary's rows become paragraphs on a phone; figures are not broken into lines.
TABLES = {"glossary": "stacked", "results": "figures"}


def mark_tables(app, doctree):
    """Give the tables of some pages a class of their own."""
    if app.env.docname in TABLES:
        for table in doctree.findall(nodes.table):
            table["classes"].append(TABLES[app.env.docname])


def add_links(app, pagename, templatename, context, doctree):
    """Give the templates the same page in the other edition, and where the page's source is hosted."""
    here = app.config.book_edition
    other = next(edition for edition in app.config.book_pages if edition != here)
    page = pagename if pagename in app.config.book_pages[other] or pagename == "search" else "index"
    # The English edition lies in the site's root, the Chinese one in zh/.
    target = posixpath.join("zh" if other == "zh" else "", f"{page}.html")
    place = posixpath.join("zh" if here == "zh" else "", posixpath.dirname(pagename))
    words = app.config.book_words[other]
    context["other_edition"] = {
        "href": posixpath.relpath(target, place or "."),
        "lang": words["language"].partition("_")[0],
        "name": words["name"],
        "nav": app.config.book_words[here]["this_page"],
        "title": words["switch"] if page == pagename else words["switch_front"],
    }
    words = app.config.book_words[here]
    context["sidebar_names"] = (words["book_sidebar"], words["page_sidebar"])
    context["hosted_links"] = app.config.book_links.get(pagename, [])
