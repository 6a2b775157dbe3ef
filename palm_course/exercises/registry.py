"""All exercises of the course, in order and by number."""

from palm_course.exercises import chapter_01, chapter_02, chapter_03, chapter_04, chapter_05, chapter_06, chapter_07
from palm_course.exercises.trial import Exercise
from palm_utils.messages import CourseError

_CHAPTERS = (chapter_01, chapter_02, chapter_03, chapter_04, chapter_05, chapter_06, chapter_07)


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
