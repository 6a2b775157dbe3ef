"""What the book adds to Sphinx: formulas without scripts, bilingual search, plain docstrings, the other edition."""

import html
import posixpath
import re
from xml.etree.ElementTree import ParseError, fromstring

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.search.en import SearchEnglish
from sphinx.util import logging
from words import WORDS

log = logging.getLogger(__name__)


def setup(app):
    app.add_config_value("book_edition", "en", "html")
    app.add_config_value("book_others", [], "html")  # pages of the other edition
    app.add_search_language(SearchBoth)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("autodoc-process-docstring", escape, priority=400)  # before napoleon
    app.connect("doctree-read", mark_tables)
    app.connect("html-page-context", add_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# docutils names some characters as HTML does (&ApplyFunction; behind ln), which XML does not know.
_ENTITY = re.compile(r"&(?!lt;|gt;|amp;)\w+;")
# docutils puts the index of a letter with an accent below the letter, and leaves no room around a function's name.
_ACCENT = re.compile(
    r"<munderover>\s*(<m\w+>[^<]*</m\w+>)\s*(<m\w+>[^<]*</m\w+>)\s*(<mo[^>]*>[ˆˉ˜~]</mo>)\s*</munderover>"
)
_NAME = re.compile(r"(<mi>\w{2,}</mi>)\s*<mo>&ApplyFunction;</mo>")
_ROOM = '<mspace width="0.17em"/>'


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
        text = _NAME.sub(rf"{_ROOM}\1<mo>&ApplyFunction;</mo>{_ROOM}", tex2mathml(tex, as_block=block))
        text = _ACCENT.sub(r'<msub><mover accent="true">\1\3</mover>\2</msub>', text)
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
        fromstring(text)
    except (SyntaxError, ParseError, MathError) as error:
        log.warning("formula that docutils cannot set: %s (%s)", tex, error, location=node)
        return f"<code>{nodes.unescape(tex)}</code>"
    return text


def escape(app, what, name, obj, options, lines):
    """Turn a docstring, plain text with `code` in it, into reStructuredText; sections are left to napoleon."""
    # A function of NumPy's that an attribute names; what Python says of a named tuple's fields.
    if not getattr(obj, "__module__", "palm").startswith("palm") or "".join(lines).startswith("Alias for field number"):
        lines.clear()
        return
    paragraphs, literal = re.split(r"\n\s*\n", "\n".join(lines)), False
    for number, paragraph in enumerate(paragraphs):
        if literal and paragraph.startswith(" "):
            continue
        literal = paragraph.rstrip().endswith("::")
        if not re.match(r"\w+:\n", paragraph):  # one paragraph is one line, so that no indentation is a block
            paragraph = " ".join(paragraph.split())
        parts = paragraph.split("`")  # text and code by turns
        parts[::2] = [re.sub(r"([\\*_|])", r"\\\1", part) for part in parts[::2]]
        # The escaped blanks let code touch letters and dots.
        paragraphs[number] = "".join(f"\\ ``{part}``\\ " if turn % 2 else part for turn, part in enumerate(parts))
    lines[:] = "\n\n".join(paragraphs).split("\n")


# The glossary's rows become paragraphs on a phone; figures are not broken into lines.
TABLES = {"glossary": "stacked", "results": "figures"}


def mark_tables(app, doctree):
    """Give the tables of some pages a class of their own."""
    for table in doctree.findall(nodes.table):
        table["classes"] += [TABLES[app.env.docname]] if app.env.docname in TABLES else []


def add_links(app, pagename, templatename, context, doctree):
    """Give the templates the same page in the other edition, or its front page."""
    here, other = ("zh", "en") if app.config.book_edition == "zh" else ("en", "zh")
    page = pagename if pagename in [*app.config.book_others, "search"] else "index"
    # The English edition lies in the site's root, the Chinese one in zh/.
    places = {"en": ".", "zh": "zh"}
    context["other_edition"] = {
        "href": posixpath.relpath(f"{places[other]}/{page}.html", f"{places[here]}/{posixpath.dirname(pagename)}"),
        "lang": other,
        "name": WORDS[other]["name"],
        "nav": WORDS[here]["this_page"],
        "title": WORDS[other]["switch"],
    }
    context["sidebar_names"] = WORDS[here]["sidebars"]


HAN = r"\u3400-\u4dbf\u4e00-\u9fff"


class SearchBoth(SearchEnglish):
    """English stemming and stop words; Chinese, in the index and as it is typed, cut into overlapping pairs.

    Sphinx leaves Chinese to jieba, but nothing cuts what a reader types: a phrase would be found only where jieba
    takes it for one word.
    """

    lang = "both"
    language_name = "English and Chinese"
    js_splitter_code = rf"""
function splitQuery(query) {{
  const words = [];
  for (const run of query.match(/[{HAN}]+|(?:_|[^\s{HAN}\p{{P}}\p{{S}}])+/gu) || []) {{
    if (!/[{HAN}]/.test(run) || run.length < 2) words.push(run);
    else for (let i = 0; i + 1 < run.length; i++) words.push(run.slice(i, i + 2));
  }}
  return words;
}}
"""

    def split(self, text: str) -> list[str]:
        words = []
        for run in re.findall(rf"[{HAN}]+|[^\W{HAN}]+", text):
            pairs = [run[i : i + 2] for i in range(len(run) - 1)] if re.match(rf"[{HAN}]", run) else []
            words += pairs or [run]
        return words

    def word_filter(self, word: str) -> bool:
        return len(word) > 1 and super().word_filter(word)
