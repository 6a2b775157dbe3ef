"""How Chinese prose is set: what `sync_zh.py` lists where a text is set otherwise."""

import re

from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", re.S)
HAN = "[\u4e00-\u9fff]"
# What to do, and what it looks like where it was not done.
_BAD_FORM = {
    "a blank between Chinese and Latin letters or digits": rf"{HAN}[A-Za-z0-9`]|[A-Za-z0-9`%]{HAN}",
    "Chinese punctuation beside Chinese": rf"{HAN}[,.;:?!()\"]|[,;:?!(\"]{HAN}|\.\.\.|。。",
    "no blank beside Chinese punctuation": r" [，。：；、？！（）“”《》]|[，。：；、？！（）“”《》] ",
    "no blank before a per cent sign": r"\d %",
    "markup that is rendered": r"\*|__",
    "a student is 你": "您",
    # A line's end is shown as a blank, and there is none between Chinese characters.
    "a paragraph is one line": r"\n",
}


def faults(markdown: str) -> list[str]:
    """Return what is not set as Chinese is in a text, each with the words around it."""
    found = []
    for token in _MARKDOWN.parse(_FORMULA.sub("`x`", markdown)):
        shown = {"text": lambda t: t.content, "code_inline": lambda t: "`x`", "softbreak": lambda t: "\n"}
        text = "".join(shown[t.type](t) if t.type in shown else "" for t in token.children or [])
        for rule, pattern in _BAD_FORM.items():
            found += [f"{rule}: {words}" for words in re.findall(f".{{0,9}}(?:{pattern}).{{0,9}}", text)]
    return found
