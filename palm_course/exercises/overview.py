"""Which exercises of a chapter are done, as a table."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from palm_course import exercises
from palm_course.exercises.model import Status
from palm_course.exercises.values import shorten
from palm_utils.messages import CourseError, mark, pad, tr

_NOT_RUN = mark("not run yet")
_MARKS = {Status.RIGHT.value: "✓", Status.NOT_ATTEMPTED.value: "·", _NOT_RUN: "·"}
_WIDTH = 120  # characters of a fault


def progress(chapter: int | str, names: dict[str, Any] | None = None) -> None:
    """Print which exercises of a chapter are done, as a table.

    What counts are the functions and classes that this kernel knows, those of the cells that were run, as
    for the checks; the file may be saved or not. `python -m palm_utils progress` reads the saved notebooks.
    chapter: its number. names: where to look for the answers; by default the notebook's own variables.
    Raises CourseError where the chapter has no exercises.
    """
    names = vars(sys.modules["__main__"]) if names is None else names
    found = [e for e in exercises.all_exercises() if e.number.split(".")[0] == str(chapter).lstrip("0")]
    if not found:
        raise CourseError(tr("There are no exercises of a chapter {chapter}.", chapter=chapter))
    rows = []
    for exercise in found:
        if exercise.name in names:
            verdict = exercises.examine(exercise.number, names[exercise.name])
            rows.append(
                (exercise.number, verdict.status.value, brief(verdict.status.value, verdict.message, verdict.summary))
            )
        else:
            rows.append((exercise.number, _NOT_RUN, ""))
    print_table(rows)


def print_table(rows: Iterable[tuple[str, str, str]]) -> None:
    """Print a line for each (number, verdict, what is wrong), and how many are right."""
    rows = list(rows)
    done = sum(verdict == Status.RIGHT.value for _, verdict, _ in rows)
    exercises._say(tr("{done} of {total} exercises done", done=done, total=len(rows)))
    for number, verdict, fault in rows:
        found = tr(verdict)
        if verdict not in _MARKS:
            found = tr("{verdict}: {fault}", verdict=found, fault=shorten(fault, _WIDTH))
        exercises._say(f"{_MARKS.get(verdict, '✗')} {number}  {pad(tr(exercises.find(number).title), 38)} {found}")


def brief(verdict: str, message: str, summary: Sequence[str]) -> str:
    """Return the sentence of a check's message that says what is wrong, without what was tried."""
    return summary[0] if verdict == Status.WRONG.value and summary else message.split("\n")[0]
