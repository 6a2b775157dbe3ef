"""Keep the Chinese edition of the notebooks in step with the English one: python tools/sync_zh.py

Without a word behind it, brings code, outputs, tags and metadata of each English notebook over to the one of
the same name in notebooks/zh/, keeps the Chinese texts, and lists those that have to be translated anew.
`export 03` writes the texts of a chapter and of its solutions, English and Chinese, to a file; `import 03`
reads it back and makes the Chinese notebooks where there are none yet.

What is translated are markdown cells, comments and docstrings. In its cell's metadata, each Chinese text
keeps a digest of the English that it was translated from. By that it is found again wherever this English
stands: texts follow when a cell moves or the code around them changes, and the same English has the same
Chinese everywhere, that of the first notebook in which it occurs. What checks of exercises print is made
anew, in Chinese, and so are diagrams of words where the machine has a font for them. Of other outputs, the
lines that the package prints are translated.
"""

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import zh_form
import zh_outputs
import zh_speech
import zh_texts
from zh_texts import CHANGED, DONE, NEW, Entry, digest, name_of, program, substitute, texts

from palm_course import chapters
from palm_utils.files import replacing
from palm_utils.messages import CourseError

DIGESTS = "translated_from"  # in a cell's metadata: one digest for each of its texts, "" for what is English still


class Edition:
    """The Chinese notebooks beside the English ones, and the translations that they hold."""

    def __init__(self, folder: Path) -> None:
        """Read the Chinese notebooks; `folder` is that of the English chapters."""
        self.folder = folder
        self.zh = folder / "zh"
        self.english = find(folder)
        self.begun = [path for path in self.english if self.chinese(path).is_file()]
        self._by_digest: dict[str, str] = {}
        self._by_name: dict[str, tuple[str, str]] = {}  # Chinese, digest of its English
        self._current = {digest(text) for path in self.english for _, text in _named_texts(path)}
        for path in self.begun:
            self._remember(path)

    def chinese(self, path: Path) -> Path:
        """Return where the Chinese notebook of an English one is, or would be."""
        return self.zh / path.relative_to(self.folder)

    def of_chapter(self, start: str) -> list[Path]:
        """Return the one English chapter whose name starts so, and its solutions if it has any."""
        found = chapters.find(start, self.folder)
        if len(found) > 1:
            raise CourseError(f"Several chapters start with {start!r}: {', '.join(path.stem for path in found)}")
        return [path for path in self.english if path.name == found[0].name]

    def entries(self, paths: Iterable[Path]) -> list[Entry]:
        """Return the texts of English notebooks with their translations, "" where there is none."""
        found = []
        for path in paths:
            for name, english in _named_texts(path):
                chinese, source = self._look_up(name, english)
                state = NEW if not source else DONE if source == digest(english) else CHANGED
                found.append(Entry(name, english, chinese, state))
        return found

    def learn(self, name: str, english: str, chinese: str) -> None:
        """Take a translation in; it goes before those that the notebooks have."""
        self._by_digest[digest(english)] = chinese
        self._by_name[name] = chinese, digest(english)

    def knows(self, name: str, english: str, chinese: str) -> bool:
        """Tell whether a translation is one that the notebooks have."""
        return self._by_digest.get(digest(english)) == chinese or self._by_name.get(name) == (chinese, digest(english))

    def sync(self, paths: Iterable[Path]) -> dict[Path, bool]:
        """Bring the Chinese notebooks of English ones up to date; tell of each whether it was changed.

        Raises CourseError, with nothing changed, where a translation would make another program of a cell.
        """
        paths = list(paths)
        self.begun = sorted({*self.begun, *paths}, key=self.english.index)  # before links are set
        new = {path: nbformat.writes(book) + "\n" for path, book in self.translate(paths).items()}
        return {path: _write(self.chinese(path), content) for path, content in new.items()}

    def translate(self, paths: Iterable[Path]) -> dict[Path, Any]:
        """Return the Chinese notebooks of English ones, of which the texts without a translation stay English.

        Raises CourseError as `sync` does.
        """
        books = {path: self._translate(path) for path in paths}
        listened = zh_speech.listen(books)
        for path, book in books.items():
            said, drawn = listened[path]
            for cell in book.cells:
                if cell.id in said and cell.outputs:
                    cell.outputs = [nbformat.v4.new_output("stream", text=said[cell.id])]
                    continue
                for output in cell.get("outputs", []):
                    if output.output_type == "stream":
                        output.text = zh_outputs.translated(output.text)
                    elif cell.id in drawn and "image/png" in output.get("data", {}):
                        output.data["image/png"] = drawn[cell.id]
        return books

    def _translate(self, path: Path) -> Any:
        book = chapters.load(path)
        for cell in book.cells:
            spans = texts(cell.cell_type, cell.source)
            if not spans:
                continue
            found = [self._look_up(name_of(cell, number), span.text) for number, span in enumerate(spans)]
            new = [chinese or span.text for (chinese, _), span in zip(found, spans, strict=True)]
            source = substitute(cell.source, spans, new)
            if cell.cell_type == "markdown":
                source = self._move_links(source, path, self.chinese(path))
            same = cell.cell_type != "code" or program(source) == program(cell.source)
            if not same or len(texts(cell.cell_type, source)) != len(spans):
                raise CourseError(
                    f"{path.stem}, cell {cell.id}: a translation is text, that of a comment on one line, that of a "
                    f"docstring without the quotes that would end it. With this one the cell is another:\n{source}"
                )
            cell.source, cell.metadata[DIGESTS] = source, [source for _, source in found]
        return book

    def _look_up(self, name: str, english: str) -> tuple[str, str]:
        """Return the Chinese for a text and the digest of its English, which may be an older one; or ("", "")."""
        if digest(english) in self._by_digest:
            return self._by_digest[digest(english)], digest(english)
        chinese, source = self._by_name.get(name, ("", ""))
        # Where the older English stands elsewhere now, its translation went there.
        return ("", "") if source in self._current else (chinese, source)

    def _remember(self, path: Path) -> None:
        for cell in chapters.load(self.chinese(path)).cells:
            spans, sources = texts(cell.cell_type, cell.source), cell.metadata.get(DIGESTS, [])
            if len(spans) != len(sources):  # edited by hand; which text was which is not known
                continue
            for number, (span, source) in enumerate(zip(spans, sources, strict=True)):
                text = span.text
                if cell.cell_type == "markdown":
                    text = self._move_links(text, self.chinese(path), path)
                if source:
                    self._by_digest.setdefault(source, text)
                    self._by_name[name_of(cell, number)] = text, source

    def _move_links(self, text: str, old: Path, new: Path) -> str:
        """Rewrite the relative links of a text that moves from one edition's notebook to the other's."""

        def moved(match: re.Match) -> str:
            target = Path(os.path.normpath(old.parent / match[2]))
            if new.is_relative_to(self.zh) and target in self.begun:
                target = self.chinese(target)
            elif not new.is_relative_to(self.zh) and target.is_relative_to(self.zh):
                target = self.folder / target.relative_to(self.zh)
            return match[1] + Path(os.path.relpath(target, new.parent)).as_posix()

        parts = re.split(r"(```.*?```|`[^`]*`)", text, flags=re.S)  # code[i](x) is no link
        parts[::2] = [re.sub(r"(\]\()(?![a-z]+:|#)([^)\s#]+)", moved, part) for part in parts[::2]]
        return "".join(parts)


def find(folder: Path) -> list[Path]:
    """Return the chapters of an edition, whose folder this is, and then the solutions."""
    found: list[Path] = []
    for part in (folder, folder / "solutions"):
        with contextlib.suppress(CourseError):  # there are none
            found += chapters.find("", part)
    return found


def _named_texts(path: Path) -> list[tuple[str, str]]:
    cells = [(cell, texts(cell.cell_type, cell.source)) for cell in chapters.load(path).cells]
    return [(name_of(cell, number), span.text) for cell, spans in cells for number, span in enumerate(spans)]


def _write(path: Path, content: str) -> bool:
    """Replace a file where its content is another; return whether it was."""
    if path.is_file() and path.read_text(encoding="utf-8") == content:
        return False
    with replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8", newline="\n")
    return True


# the commands -----------------------------------------------------------------------------------


def sync(edition: Edition, paths: list[Path]) -> None:
    """Bring notebooks up to date and say what was done and what is left to do."""
    for path, changed in edition.sync(paths).items():
        print(f"{_name(edition, path)}: {'brought up to date' if changed else 'no change'}")
        entries = edition.entries([path])
        for state, text in ((CHANGED, "English changed since"), (NEW, "not translated")):
            if names := [entry.name for entry in entries if entry.state == state]:
                print(f"  {text}: {', '.join(names)}")
        for cell in chapters.load(edition.chinese(path)).cells:
            if cell.cell_type == "markdown" and re.search(zh_form.HAN, cell.source):
                print("".join(f"  {cell.id}: {fault!r}\n" for fault in zh_form.faults(cell.source)), end="")


def sync_all(edition: Edition) -> None:
    """Bring every Chinese notebook that was begun up to date; list what there is no counterpart of."""
    sync(edition, edition.begun)
    for path in edition.english:
        if path not in edition.begun:
            print(f"{_name(edition, path)}: not begun")
    for path in find(edition.zh):
        if edition.folder / path.relative_to(edition.zh) not in edition.english:
            print(f"{path.relative_to(edition.folder).as_posix()}: its English notebook is gone; remove it")


def export_chapter(edition: Edition, chapter: str, folder: Path) -> None:
    """Write a translators' file; refuse to replace one that holds what was not imported."""
    paths = edition.of_chapter(chapter)
    target = folder / f"{paths[0].stem}.md"
    if target.is_file():
        left = zh_texts.from_file(target.read_text(encoding="utf-8"), str(target))
        if lost := [name for name, *pair in left if pair[1] and not edition.knows(name, *pair)]:
            raise CourseError(
                f"{target} holds translations that were not imported ({', '.join(lost)}): import it first"
            )
    entries: dict[str, Entry] = {}
    for entry in edition.entries(paths):
        entries.setdefault(entry.english, entry)  # a text that occurs twice is listed once
    _write(target, zh_texts.to_file(list(entries.values())))
    print(f"{target}: {len(entries)} texts, {sum(entry.state != DONE for entry in entries.values())} to be translated")


def import_chapter(edition: Edition, chapter: str, folder: Path) -> None:
    """Read a translators' file back into the Chinese notebooks, those of other chapters with the same texts too."""
    paths = edition.of_chapter(chapter)
    source = folder / f"{paths[0].stem}.md"
    if not source.is_file():
        raise CourseError(f"{source} is not there; `export {chapter}` writes it")
    known = {entry.name for entry in edition.entries(paths)}
    for name, english, chinese in zh_texts.from_file(source.read_text(encoding="utf-8"), str(source)):
        if name not in known:
            print(f"{source.name}: {name} is in the English chapter no more, and left out")
        elif chinese:
            edition.learn(name, english, chinese)
    sync(edition, [*paths, *(path for path in edition.begun if path not in paths)])


def _name(edition: Edition, path: Path) -> str:
    return edition.chinese(path).relative_to(edition.folder).as_posix()


def main(arguments: list[str] | None = None, folder: Path = chapters.FOLDER) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=("export", "import"), help="by default: bring all up to date")
    parser.add_argument("chapter", nargs="?", help="03, 03_alexnet, …")
    parser.add_argument("--folder", type=Path, default=folder.parent / "build" / "zh", help="of the translators' files")
    args = parser.parse_args(arguments)
    if (args.command is None) != (args.chapter is None):
        parser.error("say which chapter: export 03")
    try:
        edition = Edition(folder)
        if args.command is None:
            sync_all(edition)
        else:
            {"export": export_chapter, "import": import_chapter}[args.command](edition, args.chapter, args.folder)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
