"""What there is to translate in a notebook's cell, and the file in which translators do it."""

import ast
import hashlib
import io
import re
import tokenize
from typing import Any, NamedTuple

from palm_utils.messages import CourseError

NEW, CHANGED, DONE = "new", "changed", "done"
_HEADER = """\
Below each line of the form "%% NAME STATE" stands an English text, below "%% zh" its Chinese translation.
Write there, leave the lines that begin with %% as they are, and import the file.
new: not translated yet. changed: the English has changed since. done: nothing to do.
NAME/1 is the first comment or docstring of a code cell. A text that occurs twice is listed once.
Links are written as in the English text; the import points them to the Chinese chapters.
"""
_NO_PROSE = re.compile(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|https?:\S+", re.S)
_WORD = re.compile(r"\b[A-Za-z]{2,}\b|[\u3400-\u9fff]")
_SHAPE = re.compile(r"\[(?![^\[\]]*[A-Za-z] +[A-Za-z])[^\[\]\u3400-\u9fff]*\]")


class Span(NamedTuple):
    """A text of a cell: characters `start` to `end` of its source."""

    start: int
    end: int
    text: str


class Entry(NamedTuple):
    """A text of a notebook. Its name is the cell's id, with /1, /2, … for those of a code cell."""

    name: str
    english: str
    chinese: str
    state: str


def texts(cell_type: str, source: str) -> list[Span]:
    """Return what there is to translate in a cell, in order: its prose, or its comments and docstrings."""
    if cell_type == "markdown":
        return [_stripped(source, 0, len(source))] if _WORD.search(_NO_PROSE.sub(" ", source)) else []
    return [span for span in remarks(source) if _is_prose(span.text)] if cell_type == "code" else []


def remarks(source: str) -> list[Span]:
    """Return the comments, without #, and the docstrings, without quotes, of a code cell, in order."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (SyntaxError, tokenize.TokenError):  # Jupyter's %magics; such a cell is taken as it is
        return []
    lines = source.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    found = []
    for token in tokens:
        if token.type == tokenize.COMMENT:
            start = starts[token.start[0] - 1] + token.start[1]
            found.append(_stripped(source, start + 1, start + len(token.string)))
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(node):
            text = node.body[0].value
            places = (text.lineno, text.col_offset), (text.end_lineno, text.end_col_offset)
            # ast counts bytes, not characters.
            start, end = (starts[n - 1] + len(lines[n - 1].encode()[:column].decode()) for n, column in places)
            opening = re.match(r"[a-zA-Z]*(\"\"\"|'''|\"|')", source[start:end])
            found.append(_stripped(source, start + opening.end(), end - len(opening[1])))
    return sorted(found)


def program(source: str) -> str:
    """Return a code cell's source without what its comments and docstrings say."""
    found = remarks(source)
    return substitute(source, found, [""] * len(found))


def substitute(source: str, spans: list[Span], new: list[str]) -> str:
    """Return a source with other texts in the places of `spans`."""
    for span, text in reversed(list(zip(spans, new, strict=True))):
        source = source[: span.start] + text + source[span.end :]
    return source


def digest(text: str) -> str:
    """Return a short digest of a text; blanks at the ends of lines do not count."""
    plain = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return hashlib.sha256(plain.encode()).hexdigest()[:12]


def name_of(cell: Any, number: int) -> str:
    """Return what text `number` (from 0) of a cell is called."""
    return f"{cell.id}/{number + 1}" if cell.cell_type == "code" else cell.id


def _stripped(source: str, start: int, end: int) -> Span:
    text = source[start:end]
    start += len(text) - len(text.lstrip())
    return Span(start, start + len(text.strip()), text.strip())


def _is_prose(remark: str) -> bool:
    # A shape, such as [N, num_classes], is none, nor is one within another, such as [N, c1 + c2[1]].
    return bool(_WORD.search(_SHAPE.sub("", _SHAPE.sub("", remark)))) and not remark.startswith("noqa")


# the translators' file --------------------------------------------------------------------------


def to_file(entries: list[Entry]) -> str:
    """Return the content of a translators' file; raises CourseError where it could not be read back."""
    blocks = [_HEADER]
    for entry in entries:
        if re.search("^%% ", f"{entry.english}\n{entry.chinese}", re.M):
            raise CourseError(f"{entry.name}: a line of a text must not begin with %%, which marks the next one")
        blocks.append(f"%% {entry.name} {entry.state}\n{entry.english}\n%% zh\n{entry.chinese}\n")
    return "\n".join(blocks)


def from_file(content: str, where: str) -> list[tuple[str, str, str]]:
    """Return (name, English, Chinese) of each text in a translators' file; `where` is what errors call it.

    Raises CourseError where the lines that begin with %% are not in order.
    """
    heads = list(re.finditer(r"^%% (\S+).*$", content, re.M))
    ends = [head.start() for head in heads[1:]] + [len(content)]
    blocks = [content[head.end() : end].strip() for head, end in zip(heads, ends, strict=True)]
    for number, head in enumerate(heads):
        pairs = number + 1 < len(heads) and heads[number + 1][1] == "zh"
        if (head[1] == "zh") != (number % 2 == 1) or (number % 2 == 0 and not pairs):
            line = content.count("\n", 0, head.start()) + 1
            raise CourseError(f'{where}, line {line}: after each "%% NAME" comes one "%% zh"; put that line right')
    return [(heads[i][1], blocks[i], blocks[i + 1]) for i in range(0, len(heads), 2)]
