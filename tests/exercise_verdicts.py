"""What the tests of the exercises share: expecting one verdict, and the tests of many answers from tables of them."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from palm_course import exercises
from palm_course.exercises import Status
from palm_course.exercises.registry import reference_source


def right_size(size, kernel, stride=1, padding=0):
    return (size + 2 * padding - kernel) // stride + 1


def wrong_size(size, kernel, stride=1, padding=0):
    return (size + 2 * padding - kernel) // stride


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
    shown = re.findall(r"^ *(?:expected|came): +(.*)$", verdict.message, re.MULTILINE)
    assert len(shown) != 2 or shown[0] != shown[1], verdict.message
    assert "Traceback" not in verdict.message and "palm_utils" not in verdict.message, verdict.message
    return verdict.message


def reference(number: str, names: dict[str, Any]) -> Any:
    """Return the reference solution; `names` are what its notebook's first cell imports."""
    namespace = dict(names)
    exec(reference_source(number), namespace)
    return namespace[exercises.find(number).name]


def answer_tests(right: dict[str, list], wrong: dict[str, list]) -> tuple[Callable, Callable]:
    """Return two tests: right answers pass; wrong ones are refused in the words beside them.

    right: the answers by the exercise's number. wrong: pairs (answer, pattern) by number.
    """

    @pytest.mark.parametrize(("number", "answer"), [(n, answer) for n, answers in right.items() for answer in answers])
    def test_right_answers(number, answer):
        assert_right(number, answer)

    @pytest.mark.parametrize(("number", "answer", "words"), [(n, *row) for n, rows in wrong.items() for row in rows])
    def test_wrong_answers(number, answer, words):
        assert_wrong(number, answer, words)

    return test_right_answers, test_wrong_answers


def variant(base: type, **members: Any) -> type:
    """Return `base` with other methods or values: a class in one line of a table."""
    return type("Answer", (base,), members)


def fixed(base: type, *arguments: Any) -> type:
    """Return a class that is built with these arguments whatever it is given."""
    return variant(base, __init__=lambda self, *_, **__: base.__init__(self, *arguments))


def then(base: type, change: Callable) -> type:
    """Return a network that changes what `base` computes."""
    return variant(base, forward=lambda self, x: change(base.forward(self, x)))
