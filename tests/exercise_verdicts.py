"""What the tests of the exercises share: expecting one verdict."""

import re
from typing import Any

from palm_course import exercises
from palm_course.exercises import Status
from palm_course.exercises.texts import reference_source


def assert_right(number: str, answer: Any) -> None:
    """Expect that the check takes `answer`."""
    verdict = exercises.examine(number, answer)
    assert verdict.status is Status.RIGHT, verdict.message


def assert_wrong(number: str, answer: Any, words: str) -> str:
    """Expect that the check refuses `answer` in a friendly message that `words`, a pattern, is found in."""
    verdict = exercises.examine(number, answer)
    assert verdict.status is Status.WRONG, verdict.message
    assert re.search(words, verdict.message), verdict.message
    assert "Hint:" in verdict.message
    assert "Traceback" not in verdict.message and "palm_utils" not in verdict.message, verdict.message
    return verdict.message


def reference(number: str, names: dict[str, Any]) -> Any:
    """Return the reference solution; `names` are what its notebook's first cell imports."""
    namespace = dict(names)
    exec(reference_source(number), namespace)
    return namespace[exercises.find(number).name]
