"""The checks behind the exercise cells.

In a chapter, the cell below each stub calls::

    from palm_course import exercises

    exercises.check("1.1", conv_output_size)

`hint` and `solution` help on; `examine` gives the verdict as a value. What they say is in the language of the
notebook (see palm_utils.messages).
"""

import os
import sys
from typing import Any

from palm_course.exercises import chapter_01, chapter_02, chapter_03, chapter_04, chapter_05, chapter_06, chapter_07
from palm_course.exercises.cells import Cell, cells_of
from palm_course.exercises.model import Exercise, Status, Verdict, Wrong, remark
from palm_course.exercises.overview import progress
from palm_course.exercises.solutions import reference_source
from palm_course.exercises.trial import NotAttempted, Trial
from palm_utils.messages import CourseError, tr

__all__ = ["Cell", "Exercise", "Status", "Verdict", "Wrong", "all_exercises", "cells", "check"]
__all__ += ["examine", "find", "hint", "progress", "solution"]

_CHAPTERS = {
    number: module.EXERCISES
    for number, module in enumerate(
        (chapter_01, chapter_02, chapter_03, chapter_04, chapter_05, chapter_06, chapter_07), start=1
    )
}


def all_exercises() -> list[Exercise]:
    """Return the exercises of all chapters, in order."""
    return [exercise for chapter in _CHAPTERS.values() for exercise in chapter]


def find(number: str) -> Exercise:
    """Return exercise `number`, such as "1.1"; raises CourseError where there is none."""
    for exercise in all_exercises():
        if exercise.number == str(number):
            return exercise
    known = ", ".join(exercise.number for exercise in all_exercises())
    raise CourseError(tr("There is no exercise {number}. The course has {known}.", number=number, known=known))


def examine(number: str, answer: Any) -> Verdict:
    """Try `answer`, the student's function or class, and return what was found.

    Whatever the answer does (raise, print, return nothing, run for ever, change its input or global
    settings) ends in a verdict; what it prints is kept out of sight unless it is wrong.
    Raises CourseError where there is no such exercise.
    """
    exercise = find(number)
    trial = Trial(exercise)
    try:
        if not callable(answer):
            trial.fail(
                tr("the check needs the function or class itself, not what a call of it gives."),
                expected=f'exercises.check("{exercise.number}", {exercise.name})',
                hint=tr("leave out the brackets after {name}.", name=exercise.name),
            )
        exercise.judge(trial, answer)
    except NotAttempted:
        text = tr("not attempted yet.")
        return Verdict(Status.NOT_ATTEMPTED, remark(exercise.number, text), (text,))
    except Wrong as wrong:
        return Verdict(Status.WRONG, str(wrong), wrong.summary)
    text = tr(exercise.success)
    return Verdict(Status.RIGHT, tr("✓ Exercise {number}: {text}", number=exercise.number, text=text), (text,))


def check(number: str, answer: Any) -> None:
    """Print whether `answer`, the student's function or class, solves exercise `number`.

    Raises Wrong where it does not. A stub that still raises NotImplementedError is only reported,
    unless the environment variable PALM_EXERCISES is "required": then it is Wrong as well.
    """
    verdict = examine(number, answer)
    if verdict.status is Status.WRONG:
        raise Wrong(verdict.message, verdict.summary)
    if verdict.status is Status.NOT_ATTEMPTED and os.environ.get("PALM_EXERCISES") == "required":
        raise Wrong(tr("{message} PALM_EXERCISES=required asks for an answer.", message=verdict.message))
    _say(verdict.message)


def hint(number: str) -> None:
    """Print a stronger hint than the one that comes with a wrong answer."""
    _say(remark(number, tr(find(number).stronger_hint)))


def solution(number: str) -> None:
    """Print the reference solution; raises CourseError where this copy of the course has none."""
    _say(reference_source(find(number).number))


def cells(chapter: int) -> list[Cell]:
    """Return the exercise cells of a chapter, in order: for each exercise its text, stub and check."""
    return [cell for exercise in _CHAPTERS.get(chapter, ()) for cell in cells_of(exercise)]


def _say(text: str) -> None:
    # A Windows console may lack the tick; a question mark in its place does no harm.
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, errors="replace").decode(encoding))
