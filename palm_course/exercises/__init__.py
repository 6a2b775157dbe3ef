"""The checks behind the exercise cells: `exercises.check("1.1", conv_output_size)`.

`hint` and `solution` help on; `examine` gives the verdict as a value. What they say is in the language of the notebook
(see palm_utils.messages). Texts and stubs of the exercises stand in the notebooks.
"""

import os
from typing import Any

from palm_course.exercises.registry import all_exercises, find, progress, reference_source
from palm_course.exercises.trial import Exercise, Status, Verdict, Wrong, remark
from palm_utils.messages import tr

__all__ = ["Exercise", "Status", "Verdict", "Wrong", "all_exercises", "check", "examine", "find"]
__all__ += ["hint", "progress", "solution"]


def examine(number: str, answer: Any) -> Verdict:
    """Try `answer`, a function or class; whatever it does ends in a verdict. CourseError for no such exercise."""
    return find(number).examine(answer)


def check(number: str, answer: Any) -> None:
    """Print whether `answer`, a function or class, solves exercise `number`; raises Wrong where it does not.

    A stub is only reported, unless the environment variable PALM_EXERCISES is "required": then it is Wrong as well.
    """
    verdict = examine(number, answer)
    if verdict.status is Status.WRONG:
        raise Wrong(verdict.message, verdict.summary)
    if verdict.status is Status.NOT_ATTEMPTED and os.environ.get("PALM_EXERCISES") == "required":
        raise Wrong(tr("{message} PALM_EXERCISES=required asks for an answer.", message=verdict.message))
    print(verdict.message)


def hint(number: str) -> None:
    """Print a stronger hint than the one that comes with a wrong answer."""
    print(remark(number, tr(find(number).stronger_hint)))


def solution(number: str) -> None:
    """Print the reference solution; raises CourseError where this copy of the course has none."""
    print(reference_source(find(number).number))
