"""What an exercise is made of, and what a check can say about an answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from palm_utils.messages import CourseError, mark, tr

if TYPE_CHECKING:
    from palm_course.exercises.trial import Trial


@dataclass(frozen=True)
class Exercise:
    """One exercise: what the student reads, and the function that judges an answer.

    Title, success and hints are in English, marked for translation; `tr` them where they are shown.
    """

    number: str
    """Chapter and position, such as "2.3"; what `check`, `hint` and `solution` are called with."""
    title: str
    text: str
    """Markdown: why it matters, exactly what is required, one example."""
    name: str
    """Name of the function or class that the student writes."""
    stub: str
    """Source of the cell to fill in; it raises NotImplementedError."""
    success: str
    """One sentence on what a right answer shows."""
    hint: str
    """Shown with a wrong answer; it leads without giving the answer away."""
    stronger_hint: str
    """Shown on request by `hint`."""
    judge: Callable[["Trial", Any], None]
    """Tries the answer through the `Trial` and reports a fault with `Trial.fail`; just returns if right."""
    seconds: float = 10.0
    """Time that the student's code may take, all calls of one check together."""


class Status(Enum):
    """The three things a check can find."""

    RIGHT = mark("right")
    WRONG = mark("wrong")
    NOT_ATTEMPTED = mark("not attempted")


@dataclass(frozen=True)
class Verdict:
    """What a check found, with the text that the student is shown."""

    status: Status
    message: str
    summary: tuple[str, ...] = field(default=(), compare=False)
    """The message in parts, without number and hints: what was found, then what was tried, expected, came."""


class Wrong(CourseError):
    """An answer that is not right yet; the text says what was tried, what was expected and what came.

    Jupyter, IPython and nbval show the text alone, without a traceback. `summary` is that of the Verdict.
    """

    def __init__(self, text: str, summary: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.summary = summary

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def not_right(number: str, fault: str) -> str:
    """Return the first line of what is said about a wrong answer."""
    return tr("✗ Exercise {number} is not right yet: {fault}", number=number, fault=fault)


def remark(number: str, text: str) -> str:
    """Return what is said about an exercise otherwise."""
    return tr("Exercise {number}: {text}", number=number, text=text)
