"""`python -m palm_utils reset 03`: a fresh chapter in place, the student's copy beside it, answers carried over."""

import argparse
import ast
import contextlib
import itertools
import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palm_course import chapters
from palm_course.chapters import load, tags_of
from palm_utils.files import replacing
from palm_utils.messages import CourseError, Text, mark, tr, trn

_REMEDY = Text(
    "Download the course once more, unpack it in another folder, and run `python -m palm_utils reset CHAPTER --from "
    "THAT_FOLDER`; nothing has been changed."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = tr(
        "Put a fresh chapter in place. The present one stays beside it as NAME.mine.ipynb (or .mine-2, …). "
        "Save and close it in JupyterLab first."
    )
    parser.add_argument("chapters", nargs="+", metavar=tr("CHAPTER"), help="01, 02_ichallenge_pm, zh/03, …")
    carry = tr("carry your answers over into the fresh chapter")
    parser.add_argument("--keep-answers", action="store_true", help=carry)
    source = tr(
        "a fresh download of the course (its folder), or a branch or commit of git; "
        "by default the course's version that git holds"
    )
    parser.add_argument("--from", dest="source", metavar=tr("SOURCE"), help=source)


def run(args: argparse.Namespace) -> int:
    source = find_source(args.source)
    found = {start: [name for name in source.names if name.startswith(start)] for start in args.chapters}
    for start in (start for start, names in found.items() if len(names) != 1):
        values = {"start": start, "source": source.place, "known": ", ".join(source.names)}
        raise CourseError("No single chapter starts with {start!r} in {source}; there are: {known}", **values)
    for (name,) in found.values():
        print("\n".join(reset(chapters.FOLDER / name, source.read(name), keep_answers=args.keep_answers)))
    return 0


def reset(path: Path, fresh: bytes, *, keep_answers: bool = False) -> list[str]:
    """Replace a chapter by `fresh`, with the student's copy beside it; return lines that say what was done.

    keep_answers: put the student's answers into it. Raises CourseError where they cannot be read; nothing has changed.
    """
    if not path.exists():
        path.parent.mkdir(exist_ok=True)  # zh, if it was deleted
        write(path, fresh)
        return [tr("{file}: it was missing and is in place again", file=path.name)]
    if path.read_bytes() == fresh:
        return [tr("{file}: no different from the fresh one; nothing to do", file=path.name)]
    fresh, carried = carry_answers(load(path), fresh) if keep_answers else (fresh, [])
    copy = keep_copy(path)
    write(path, fresh)
    return [tr("{file}: fresh; yours is {copy}", file=path.name, copy=copy.name), *(f"  {line}" for line in carried)]


def write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def keep_copy(path: Path) -> Path:
    """Copy a notebook to NAME.mine.ipynb, or the first of .mine-2, .mine-3, … that is free; return which."""
    copies = (path.with_name(f"{path.stem}.mine{f'-{n}' if n > 1 else ''}.ipynb") for n in itertools.count(1))
    copy = next(copy for copy in copies if not copy.exists())
    write(copy, path.read_bytes())
    return copy


# answers ---------------------------------------------------------------------------------------


def carry_answers(mine: Any, fresh: bytes, base: bytes | None = None) -> tuple[bytes, list[str]]:
    """Return the notebook `fresh` with the answers of the notebook `mine`, and lines that say which they are.

    Line by line, as nbgitpuller merges, one side would be lost, or Jupyter could not open the file. Here an answer is a
    cell. It goes to the exercise whose function or class it defines, or else to that of its number while this still
    asks for the same. base: the version that the student started from, where it is not `fresh`. Answers without an
    exercise, and cells that the student has added, are not carried over, and the lines say so.
    """
    import nbformat

    book, start = (nbformat.reads(content.decode("utf-8"), as_version=4) for content in (fresh, base or fresh))
    stubs = {exercise: cell for cell in book.cells if (exercise := exercise_of(cell))}
    came = {exercise: cell.source for cell in start.cells if (exercise := exercise_of(cell))}
    answers = [cell for cell in mine.cells if (exercise := exercise_of(cell)) and cell.source != came.get(exercise)]
    homes = _homes(answers, {exercise: cell.source for exercise, cell in stubs.items()}, came)
    homeless = [exercise_of(cell) for number, cell in enumerate(answers) if number not in homes.values()]
    carried = [exercise for exercise, number in homes.items() if answers[number].source != stubs[exercise].source]
    for exercise in carried:
        stubs[exercise].update(source=answers[homes[exercise]].source, outputs=[], execution_count=None)
    known = {cell.source.strip() for cell in [*start.cells, *book.cells]} | {""}
    own = sum(not exercise_of(cell) and cell.source.strip() not in known for cell in mine.cells)
    return (nbformat.writes(book) + "\n").encode(), _lines(sorted(carried), homeless, own)


def _homes(answers: list, stubs: dict[str, str], came: dict[str, str]) -> dict[str, int]:
    """Return, by the number of an exercise, which of the answers belongs to it."""
    homes: dict[str, int] = {}
    for number, cell in enumerate(answers):  # those that define what an exercise asks for have the first choice
        for exercise, stub in stubs.items():
            if set(_defined(stub)) & set(_defined(cell.source)):
                homes.setdefault(exercise, number)
    for number, cell in enumerate(answers):
        exercise = exercise_of(cell)
        same = exercise in stubs and _defined(stubs[exercise]) == _defined(came.get(exercise, ""))
        if same and number not in homes.values():
            homes.setdefault(exercise, number)
    return homes


def _lines(carried: list[str], homeless: list[str], own: int) -> list[str]:
    told = mark("answers carried over: {numbers}") if carried else mark("there are no answers to carry over")
    lines = [tr(told, numbers=", ".join(carried))]
    if homeless:
        told = mark("the chapter has no exercise for your {numbers} any more; see your copy")
        lines.append(tr(told, numbers=", ".join(homeless)))
    if own:
        said = trn(
            "of your own, new or changed, and in your copy only: {count} cell",
            "of your own, new or changed, and in your copy only: {count} cells",
            own,
        )
        lines.append(said)
    return lines


def exercise_of(cell: Any) -> str:
    """Return the number of the exercise whose answer a cell holds, or ""."""
    return next((tag.removeprefix("exercise:") for tag in tags_of(cell) if tag.startswith("exercise:")), "")


def _defined(source: str) -> list[str]:
    # Of unfinished code too, which cannot be parsed.
    try:
        nodes = ast.parse(source).body
    except (SyntaxError, ValueError):
        return re.findall(r"^(?:def|class)\s+(\w+)", source, re.MULTILINE)
    return [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]


# where a fresh chapter comes from ---------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """A version of the course: its chapters' names, such as "zh/01_lenet_mnist.ipynb", and how one is read."""

    place: str
    names: list[str]
    read: Callable[[str], bytes]


def find_source(wanted: str | None = None) -> Source:
    """Return where fresh chapters come from: what is asked for, or the course's version in git; CourseError for none.

    Where the student commits too, that is the last commit that the course's own branch has as well.
    """
    if not wanted:
        wanted = "HEAD"
        with contextlib.suppress(GitFailed):  # no branch to follow
            wanted = git("merge-base", "HEAD", "@{upstream}").decode().strip()
    try:
        source = download(Path(wanted)) if Path(wanted).is_dir() else commit(wanted)
        problem = Text("There are no chapters in {source}.", source=source.place)
    except GitFailed as error:
        source, reason = None, str(error).split("\n")[0]
        problem = Text("A fresh chapter comes from git, and it has none here ({reason}).", reason=reason)
    if not source or not source.names:
        raise CourseError("{problem} {remedy}", problem=problem, remedy=_REMEDY)
    return source


def download(folder: Path) -> Source:
    """Return another copy of the course as a source: its folder, or the folder of its notebooks."""
    folder = folder / "notebooks" if (folder / "notebooks").is_dir() else folder
    found = (path.relative_to(folder).as_posix() for part in ("", "zh") for path in (folder / part).glob("*.ipynb"))
    return Source(str(folder), _chapters(found), lambda name: (folder / name).read_bytes())


def commit(name: str) -> Source:
    """Return a commit of this repository as a source; raises GitFailed where there is none of that name."""
    listed = git("ls-tree", "--name-only", "-z", name, "./", "zh/").decode().split("\0")
    # --filters: with this system's line ends.
    place = tr("commit {name}", name=name)
    return Source(place, _chapters(listed), lambda chapter: git("cat-file", "--filters", f"{name}:./{chapter}"))


def _chapters(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if re.fullmatch(r"(?:zh/)?\d\d_[a-z0-9_]+\.ipynb", name))


class GitFailed(CourseError):
    """A git command failed, or there is no git; the text is what it said."""


def git(*arguments: str) -> bytes:
    """Return what a git command in the chapters' folder prints; raises GitFailed where it fails."""
    try:
        done = subprocess.run(["git", *arguments], cwd=chapters.FOLDER, capture_output=True, check=True)
    except FileNotFoundError:
        raise GitFailed(mark("git is not installed")) from None
    except subprocess.CalledProcessError as error:
        raise GitFailed(error.stderr.decode(errors="replace").strip()) from None
    return done.stdout
