"""The parts of a README that become the front page and the page on set-up and use."""

import html
import re
from typing import NamedTuple

from markdown_it import MarkdownIt

_CHAPTER = re.compile(r"\(notebooks/(?:zh/)?(\d\d_[a-z0-9_]+)\.ipynb\)")
_PICTURE = re.compile(
    r"\[!\[[^\]]*\]\((?!https?:)[^)]*\)\]\([^)]*\)"  # one that is a link
    r"|!\[[^\]]*\]\((?!https?:)[^)]*\)"
    r"|<img\b(?![^>]*src=[\"']https?:)[^>]*>"
)


class Readme(NamedTuple):
    """A README taken apart: Markdown, and the table's cells as HTML by the chapter's name ("03_alexnet")."""

    intro: str
    chapters: dict[str, list[str]]
    below_chapters: str
    rest: str


def read(text: str) -> Readme:
    """Take a README apart; the section with links to the chapters is the one with their table.

    The repository's own pictures are left out: they show the book to those who have not opened it.
    """
    _, intro, *sections = re.split(r"^(?=# |## )", _PICTURE.sub("", text), flags=re.MULTILINE)
    about = next((section for section in sections if _CHAPTER.search(section)), "")
    rows = [line for line in about.splitlines() if line.startswith("|") and _CHAPTER.search(line)]
    prose = [line for line in about.splitlines()[1:] if not line.startswith("|")]
    return Readme(
        intro="\n".join(intro.splitlines()[1:]).strip(),
        chapters={_CHAPTER.search(row)[1]: [_html(cell) for cell in row.strip().strip("|").split("|")] for row in rows},
        below_chapters="\n".join(prose).strip(),
        rest="".join(section for section in sections if section is not about).strip(),
    )


def _html(markdown: str) -> str:
    without_links = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown.strip())
    return MarkdownIt("commonmark", {"html": False}).renderInline(without_links)


def front(about: Readme, chapters: list[tuple[str, str, str]], words: dict[str, str]) -> str:
    """Return the front page; of each chapter its page, title and the address of its picture or ""."""
    cards = "\n".join(
        _card(about.chapters.get(page, [*title.split(" ", 1)]), page, picture, words)
        for page, title, picture in chapters
    )
    buttons = [(f"{chapters[0][0]}.html", words["read"]), ("guide.html", words["set_up"])]
    links = " ".join(f'<a class="button" href="{page}">{text}</a>' for page, text in buttons)
    parts = [f"# {words['title']}", about.intro, f'<p class="buttons">{links}</p>', f"## {words['chapters']}"]
    return "\n\n".join([*parts, f'<ol class="cards">\n{cards}\n</ol>', about.below_chapters])


def _card(cells: list[str], page: str, picture: str, words: dict[str, str]) -> str:
    number, title, builds, *figures = [*cells, "", "", ""][:5]
    image = f'<img src="{html.escape(picture)}" alt="" width="400" height="180">' if picture else ""
    names = (words["claim"], words["measured"])
    facts = "".join(f"<dt>{name}</dt><dd>{figure}</dd>" for name, figure in zip(names, figures, strict=True) if figure)
    return (
        f'<li><a class="card" href="{page}.html">{image}<span class="card-title">'
        f'<span class="card-number">{number}</span> {title}</span><span>{builds}</span></a>'
        f"{f'<dl>{facts}</dl>' if facts else ''}</li>"
    )
