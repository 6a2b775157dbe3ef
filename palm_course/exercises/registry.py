"""All exercises of the course: by number, their reference solutions, and the table of those that are done."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from palm_course.exercises import (
    chapter_01,
    chapter_02,
    chapter_03,
    chapter_04,
    chapter_05,
    chapter_06,
    chapter_07,
    chapter_08,
)
from palm_course.exercises.student_values import shorten
from palm_course.exercises.trial import Exercise, Status
from palm_course.terminal import pad
from palm_utils.messages import CHINESE, CourseError, current, mark, tr

_CHAPTERS = (chapter_01, chapter_02, chapter_03, chapter_04, chapter_05, chapter_06, chapter_07, chapter_08)
FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "solutions"
_NOT_RUN = mark("not run yet")
_MARKS = {Status.RIGHT.value: "✓", Status.NOT_ATTEMPTED.value: "·", _NOT_RUN: "·"}


def all_exercises() -> list[Exercise]:
    """Return the exercises that the modules of the chapters declare, in order."""
    return [value for chapter in _CHAPTERS for value in vars(chapter).values() if isinstance(value, Exercise)]


def find(number: str) -> Exercise:
    """Return exercise `number`, such as "1.1"; raises CourseError where there is none."""
    for exercise in all_exercises():
        if exercise.number == str(number):
            return exercise
    known = ", ".join(exercise.number for exercise in all_exercises())
    raise CourseError("There is no exercise {number}. The course has {known}.", number=number, known=known)


def reference_source(number: str) -> str:
    """Return the source of the cell tagged "solution:NUMBER" in the solution notebooks; CourseError where none is."""
    import nbformat  # loads slowly, and only this function needs it

    chapter = int(number.split(".")[0])
    folders = [FOLDER.parent / "zh" / FOLDER.name, FOLDER] if current() == CHINESE else [FOLDER]
    paths = [path for folder in folders for path in sorted(folder.glob(f"{chapter:02d}_*.ipynb"))]
    if not paths:
        template = mark(
            "No solutions of chapter {chapter} in {folder}. They are notebooks of the course's repository; "
            "install palm_utils from a checkout of it (pip install -e .) or read them there."
        )
        raise CourseError(template, chapter=chapter, folder=FOLDER)
    for cell in nbformat.read(paths[0], as_version=4).cells:
        if f"solution:{number}" in cell.metadata.get("tags", []):
            return cell.source
    raise CourseError("{file} has no cell tagged solution:{number}; restore it with git.", file=paths[0], number=number)


def progress(chapter: int | str, names: dict[str, Any] | None = None) -> None:
    """Print which exercises of a chapter are done, as a table.

    What counts are the functions and classes that this kernel knows, as for the checks; `python -m palm_utils progress`
    reads the saved notebooks. chapter: its number. names: where to look for the answers; by default the notebook's own
    variables. Raises CourseError where the chapter has no exercises.
    """
    names = vars(sys.modules["__main__"]) if names is None else names
    rows: list[tuple] = []
    for exercise in (exercise for exercise in all_exercises() if exercise.chapter == str(chapter).lstrip("0")):
        rows.append((exercise.number, _NOT_RUN, "", ()))
        if exercise.name in names:
            verdict = exercise.examine(names[exercise.name])
            rows[-1] = (exercise.number, verdict.status.value, verdict.message, verdict.summary)
    if not rows:
        raise CourseError("There are no exercises of a chapter {chapter}.", chapter=chapter)
    print_table(rows)


def print_table(rows: Sequence[tuple[str, str, str, Sequence[str]]]) -> None:
    """Print how many exercises are right, and a line for each: number, verdict, message of its check and its parts."""
    done = sum(verdict == Status.RIGHT.value for _, verdict, *_ in rows)
    print(tr("{done} of {total} exercises done", done=done, total=len(rows)))
    for number, verdict, message, summary in rows:
        found = tr(verdict)
        if verdict not in _MARKS:
            fault = summary[0] if verdict == Status.WRONG.value and summary else message.split("\n")[0]
            found = tr("{verdict}: {fault}", verdict=found, fault=shorten(fault, limit=120))
        print(f"{_MARKS.get(verdict, '✗')} {number}  {pad(tr(find(number).title), 38)} {found}")
