"""The notebook cells of an exercise, so that chapters and package cannot drift apart."""

from typing import NamedTuple

from palm_course.exercises.model import Exercise

# What these cells print depends on the student, so nbval must not compare it.
_NOT_COMPARED = "nbval-ignore-output"


class Cell(NamedTuple):
    """One cell of a notebook: "markdown" or "code", its source, its tags."""

    kind: str
    source: str
    tags: tuple[str, ...] = ()


def cells_of(exercise: Exercise) -> list[Cell]:
    """Return the text, the stub and the check of one exercise."""
    number = exercise.number
    text = f"### Exercise {number}: {exercise.title}\n\n{exercise.text}"
    check = f'from palm_utils import exercises\n\nexercises.check("{number}", {exercise.name})'
    return [
        Cell("markdown", text),
        Cell("code", exercise.stub, (f"exercise:{number}", _NOT_COMPARED)),
        Cell("code", check, (f"check:{number}", _NOT_COMPARED)),
    ]
