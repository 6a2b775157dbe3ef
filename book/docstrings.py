"""Docstrings as palm_utils writes them, plain text with `code` in it, turned into reStructuredText.

Paragraphs stay paragraphs. A paragraph that ends with :: introduces literal text; "Args:", "Raises:" and the
like introduce names with explanations; everything that would mean something to reStructuredText is escaped.
"""

import re
from itertools import groupby

_CODE = re.compile(r"`([^`]+)`")
_SPECIAL = re.compile(r"([\\*_|])")
_ITEM = re.compile(r"(\w+): (.*)")


def to_rst(lines: list[str]) -> list[str]:
    """Return the lines of a docstring, common indentation removed, as lines of reStructuredText."""
    result, literal = [], False
    for paragraph in _paragraphs(lines):
        if literal and paragraph[0].startswith(" "):
            result += [*(f"   {line}" for line in paragraph), ""]
            continue
        header, *rest = paragraph
        if rest and header.endswith(":") and all(line.startswith(" ") for line in rest):
            result += [_inline(header), "", *_items(rest), ""]
            literal = False
            continue
        literal = paragraph[-1].endswith("::")
        # One paragraph is one line: no indentation within it can be taken for a block.
        text = " ".join(line.strip() for line in paragraph)
        result += [_inline(text[:-2]) + "::" if literal else _inline(text), ""]
    return result


def _paragraphs(lines: list[str]) -> list[list[str]]:
    return [list(block) for filled, block in groupby(lines, key=lambda line: bool(line.strip())) if filled]


def _items(lines: list[str]) -> list[str]:
    """Return "name: explanation" lines, continuations indented further, as a bullet list."""
    first = len(lines[0]) - len(lines[0].lstrip())
    items: list[str] = []
    for line in lines:
        if len(line) - len(line.lstrip()) > first and items:
            items[-1] += " " + line.strip()
        else:
            items.append(line.strip())
    named = (_ITEM.fullmatch(item) for item in items)
    return [
        f"- ``{match[1]}``: {_inline(match[2])}" if match else f"- {_inline(item)}"
        for match, item in zip(named, items, strict=True)
    ]


def _inline(text: str) -> str:
    """Escape a line, and make `code` literal."""
    parts = _CODE.split(text)  # text and code by turns
    for index, part in enumerate(parts):
        # The escaped blanks let code touch letters and dots, which reStructuredText forbids otherwise.
        parts[index] = f"\\ ``{part}``\\ " if index % 2 else _SPECIAL.sub(r"\\\1", part)
    return "".join(parts).removeprefix("\\ ").removesuffix("\\ ")
