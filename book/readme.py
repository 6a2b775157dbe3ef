"""The parts of a README that become the front page and the page on set-up and use."""

import html
import re
from dataclasses import dataclass

from markdown_it import MarkdownIt

_CHAPTER = re.compile(r"\(notebooks/(?:zh/)?(\d\d_[a-z0-9_]+)\.ipynb\)")
_PICTURE = re.compile(
    r"\[!\[[^\]]*\]\((?!https?:)[^)]*\)\]\([^)]*\)"  # one that is a link
    r"|!\[[^\]]*\]\((?!https?:)[^)]*\)"
    r"|<img\b(?![^>]*src=[\"']https?:)[^>]*>"
)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Chapter:
    """A row of the README's table of chapters, each text as HTML."""

    number: str
    title: str
    builds: str
    claim: str
    measured: str


@dataclass(frozen=True)
class Readme:
    """A README taken apart: Markdown, and the chapters by name ("03_alexnet")."""

    intro: str
    chapters: dict[str, Chapter]
    below_chapters: str
    rest: str


def read(text: str) -> Readme:
    """Take a README apart; the section with links to the chapters is the one with their table."""
    _, intro, *sections = re.split(r"^(?=# |## )", without_pictures(text), flags=re.MULTILINE)
    about = next((section for section in sections if _CHAPTER.search(section)), "")
    rows = [line for line in about.splitlines() if line.startswith("|") and _CHAPTER.search(line)]
    prose = [line for line in about.splitlines()[1:] if not line.startswith("|")]
    return Readme(
        intro="\n".join(intro.splitlines()[1:]).strip(),
        chapters={_CHAPTER.search(row)[1]: _chapter(row) for row in rows},
        below_chapters="\n".join(prose).strip(),
        rest="".join(section for section in sections if section is not about).strip(),
    )


def without_pictures(text: str) -> str:
    """Leave out the repository's pictures: they show the book to those who have not opened it."""
    return _PICTURE.sub("", text)


def _chapter(row: str) -> Chapter:
    cells = [_html(cell) for cell in row.strip().strip("|").split("|")]
    return Chapter(*(cells + [""] * 5)[:5])


def _html(markdown: str) -> str:
    return MarkdownIt("commonmark", {"html": False}).renderInline(_LINK.sub(r"\1", markdown.strip()))


def cards(shown: list[tuple[str, Chapter, str]], words: dict[str, str]) -> str:
    """Return the chapters as HTML: (page, chapter, address of its picture or "") each."""
    lines = ['<ol class="cards">']
    for page, chapter, picture in shown:
        image = f'<img src="{html.escape(picture)}" alt="" width="400" height="180">' if picture else ""
        claims = [f"<dt>{words['claim']}</dt><dd>{chapter.claim}</dd>"] if chapter.claim else []
        claims += [f"<dt>{words['measured']}</dt><dd>{chapter.measured}</dd>"] if chapter.measured else []
        facts = f"<dl>{''.join(claims)}</dl>" if claims else ""
        lines.append(
            f'<li><a class="card" href="{page}.html">{image}<span class="card-title">'
            f'<span class="card-number">{chapter.number}</span> {chapter.title}</span>'
            f"<span>{chapter.builds}</span></a>{facts}</li>"
        )
    return "\n".join([*lines, "</ol>"])
