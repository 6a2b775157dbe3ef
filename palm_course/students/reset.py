"""`python -m palm_utils reset 03`: a fresh chapter in place, the student's copy beside it."""

import argparse
import ast
import re
import subprocess
from pathlib import Path
from typing import Any

from palm_course import chapters as notebooks
from palm_course.students.answers import load, tags_of
from palm_utils.files import flush, replacing
from palm_utils.messages import CourseError, mark, tr, trn

_CHAPTER = re.compile(r"(?:zh/)?\d\d_[a-z0-9_]+\.ipynb")


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser(
        "reset",
        help=tr("put a fresh chapter in place and keep yours beside it"),
        description=tr(
            "Put a fresh chapter in place. The present one stays beside it as NAME.mine.ipynb (or .mine-2, …). "
            "Save and close it in JupyterLab first."
        ),
    )
    parser.add_argument("chapters", nargs="+", metavar=tr("CHAPTER"), help="01, 02_ichallenge_pm, zh/03, …")
    parser.add_argument(
        "--keep-answers", action="store_true", help=tr("carry your answers over into the fresh chapter")
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar=tr("SOURCE"),
        help=tr(
            "a fresh download of the course (its folder), or a branch or commit of git; "
            "by default the course's version that git holds"
        ),
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Reset the chapters, and say of each where the student's copy is and what was carried over."""
    source = find_source(args.source)
    known = source.names()
    names = []
    for start in args.chapters:
        found = [name for name in known if name.startswith(start)]
        if len(found) != 1:
            raise CourseError(
                tr(
                    "No single chapter starts with {start!r} in {source}; there are: {known}",
                    start=start,
                    source=source,
                    known=", ".join(known),
                )
            )
        names += found
    for name in names:
        print("\n".join(reset(notebooks.FOLDER / name, source.read(name), keep_answers=args.keep_answers)))
    return 0


def reset(path: Path, fresh: bytes, *, keep_answers: bool = False) -> list[str]:
    """Replace a chapter by `fresh`, with the student's copy beside it; return lines that say what was done.

    keep_answers: put the student's answers into the fresh chapter. Where they cannot be read, CourseError is
    raised and nothing has changed.
    """
    if not path.exists():
        _write(path, fresh)
        return [tr("{file}: it was missing and is in place again", file=path.name)]
    if path.read_bytes() == fresh:
        return [tr("{file}: no different from the fresh one; nothing to do", file=path.name)]
    carried: list[str] = []
    if keep_answers:
        fresh, carried = carry_answers(load(path), fresh)
    copy = keep_copy(path)
    _write(path, fresh)
    return [tr("{file}: fresh; yours is {copy}", file=path.name, copy=copy.name), *(f"  {line}" for line in carried)]


def keep_copy(path: Path) -> Path:
    """Copy a notebook to NAME.mine.ipynb, or the first of .mine-2, .mine-3, … that is free; return which."""
    content, number = path.read_bytes(), 1
    while True:
        copy = path.with_name(f"{path.stem}.mine{f'-{number}' if number > 1 else ''}.ipynb")
        try:
            with open(copy, "xb") as file:
                file.write(content)
        except FileExistsError:
            number += 1
            continue
        flush(copy)
        return copy


def carry_answers(mine: Any, fresh: bytes, base: bytes | None = None) -> tuple[bytes, list[str]]:
    """Return the notebook `fresh` with the answers of the notebook `mine`, and lines that say which they are.

    base: the version of the course that the student started from, where it is not `fresh`. An answer belongs
    to the exercise whose function or class it defines, or else to that of its number while this still asks for
    the same. What is not carried over is said: answers without an exercise, and cells that the student has added.
    """
    import nbformat

    book, start = (nbformat.reads(content.decode("utf-8"), as_version=4) for content in (fresh, base or fresh))
    stubs = {tag: cell for cell in book.cells if (tag := exercise_of(cell))}
    came = {tag: cell.source for cell in start.cells if (tag := exercise_of(cell))}
    answers = [cell for cell in mine.cells if (tag := exercise_of(cell)) and cell.source != came.get(tag)]
    homes: dict[str, Any] = {}
    for cell in answers:  # those that define what an exercise asks for have the first choice
        for home, stub in stubs.items():
            if set(_defined(stub.source)) & set(_defined(cell.source)):
                homes.setdefault(home, cell)
    for cell in answers:
        tag = exercise_of(cell)
        same = tag in stubs and _defined(stubs[tag].source) == _defined(came.get(tag, ""))
        if same and not any(cell is other for other in homes.values()):
            homes.setdefault(tag, cell)
    carried = [home for home, cell in homes.items() if cell.source != stubs[home].source]
    for home in carried:
        stubs[home].source, stubs[home].outputs, stubs[home].execution_count = homes[home].source, [], None
    homeless = [exercise_of(cell) for cell in answers if not any(cell is other for other in homes.values())]
    lines = [tr("there are no answers to carry over")]
    if carried:
        lines = [tr("answers carried over: {numbers}", numbers=_list(sorted(carried)))]
    if homeless:
        text = tr("the chapter has no exercise for your {numbers} any more; see your copy", numbers=_list(homeless))
        lines.append(text)
    known = {cell.source.strip() for cell in [*start.cells, *book.cells]} | {""}
    if own := sum(not exercise_of(cell) and cell.source.strip() not in known for cell in mine.cells):
        lines.append(
            trn(
                "of your own, new or changed, and in your copy only: {count} cell",
                "of your own, new or changed, and in your copy only: {count} cells",
                own,
            )
        )
    return (nbformat.writes(book) + "\n").encode(), lines


def exercise_of(cell: Any) -> str:
    """Return the tag that says which exercise's answer a cell holds, or ""."""
    return next((tag for tag in tags_of(cell) if tag.startswith("exercise:")), "")


def _list(tags: list[str]) -> str:
    return ", ".join(tag.removeprefix("exercise:") for tag in tags)


def _defined(source: str) -> list[str]:
    # Of unfinished code too, which cannot be parsed.
    try:
        nodes = ast.parse(source).body
    except (SyntaxError, ValueError):
        return re.findall(r"^(?:def|class)\s+(\w+)", source, re.MULTILINE)
    return [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)  # zh, if it was deleted
    with replacing(path) as temporary:
        temporary.write_bytes(content)


# where a fresh chapter comes from ---------------------------------------------------------------


class Download:
    """Another copy of the course: its folder, or the folder of its notebooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "notebooks" if (folder / "notebooks").is_dir() else folder

    def __str__(self) -> str:
        return str(self.folder)

    def names(self) -> list[str]:
        found = [*self.folder.glob("*.ipynb"), *self.folder.glob("zh/*.ipynb")]
        names = (path.relative_to(self.folder).as_posix() for path in found)
        return sorted(name for name in names if _CHAPTER.fullmatch(name))

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


class Commit:
    """The chapters as a commit of this repository has them."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return tr("commit {name}", name=self.name)

    def names(self) -> list[str]:
        listed = git("ls-tree", "--name-only", "-z", self.name, "./", "zh/").decode().split("\0")
        return sorted(name for name in listed if _CHAPTER.fullmatch(name))

    def read(self, name: str) -> bytes:
        return git("cat-file", "--filters", f"{self.name}:./{name}")  # with this system's line ends


def find_source(wanted: str | None = None) -> Download | Commit:
    """Return where fresh chapters come from: what is asked for, or the course's version in git.

    Where the student commits too, that is the last commit that the course's own branch has as well. Raises
    CourseError where there is none.
    """
    if wanted and Path(wanted).is_dir():
        source = Download(Path(wanted))
    else:
        try:
            source = Commit(wanted or course_commit())
            source.names()
        except GitFailed as error:
            reason = str(error).split("\n")[0]
            text = tr("A fresh chapter comes from git, and it has none here ({reason}).", reason=reason)
            raise CourseError(f"{text} {tr(_REMEDY)}") from None
    if not source.names():
        text = tr("There are no chapters in {source}.", source=source)
        raise CourseError(f"{text} {tr(_REMEDY)}")
    return source


_REMEDY = mark(
    "Download the course once more, unpack it in another folder, and run `python -m palm_utils reset CHAPTER --from "
    "THAT_FOLDER`; nothing has been changed."
)


def course_commit() -> str:
    """Return the commit of the course that this copy stands on; raises GitFailed without git or a history."""
    head = git("rev-parse", "--verify", "HEAD").decode().strip()
    try:
        return git("merge-base", "HEAD", "@{upstream}").decode().strip()
    except GitFailed:  # no branch to follow
        return head


class GitFailed(CourseError):
    """A git command failed, or there is no git; the text is what it said."""


def git(*arguments: str) -> bytes:
    """Return what a git command in the chapters' folder prints; raises GitFailed where it fails."""
    try:
        done = subprocess.run(["git", *arguments], cwd=notebooks.FOLDER, capture_output=True, check=True)
    except FileNotFoundError:
        raise GitFailed(tr("git is not installed")) from None
    except subprocess.CalledProcessError as error:
        raise GitFailed(error.stderr.decode(errors="replace").strip()) from None
    return done.stdout
