"""Links of the repository's Markdown, pointed at pages of the book."""

import posixpath
import re

from hosting import source_url

# Code comes first: what stands in it is no link.
_CODE_OR_LINK = re.compile(
    r"(?P<code>^```.*?^```|`[^`\n]+`)"
    r"|(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)",
    re.DOTALL | re.MULTILINE,
)


def relink(text: str, place: str, page: str, pages: dict[str, str], repository: str) -> str:
    """Return Markdown with its relative links pointed at the book.

    place: path of the file that the text comes from, from the repository's root; page: source file of the
    page that the text becomes, from the book's root; pages: by the path of a file or folder in the
    repository, the source file of the page that shows it, or the address of one in the other edition. A
    link to anything else in the repository leads to where that is hosted, and is plain text where it is not.
    """

    def replace(match: re.Match) -> str:
        target = match["target"]
        if match["code"] or match["image"] or re.match(r"[a-z]+:|#|$", target):
            return match[0]
        path, hash_, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(place), path))
        if path in pages:
            inside = posixpath.relpath(pages[path], posixpath.dirname(page) or ".")
            if inside.endswith(".html"):  # a page of the other edition, which Sphinx does not know
                return f'<a href="{inside}{hash_}{anchor}">{match["text"]}</a>'
            return f"[{match['text']}]({inside}{hash_}{anchor})"
        outside = source_url(path, repository)
        return f"[{match['text']}]({outside}{hash_}{anchor})" if outside else match["text"]

    return _CODE_OR_LINK.sub(replace, text)
