"""What the tests of the exercises share: expecting one verdict, and the tests of many answers from tables of them."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from palm_course import exercises
from palm_course.exercises import Status
from palm_course.exercises.registry import reference_source


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


def answer_tests(names: dict[str, Any], right: dict[str, list], wrong: dict[str, list]) -> tuple[Callable, Callable]:
    """Return two tests: right answers and the reference pass; wrong ones are refused in the words beside them.

    right: the answers by the exercise's number. wrong: pairs (answer, pattern) by number. names: as in `reference`.
    """

    @pytest.mark.parametrize(("number", "answer"), [(n, a) for n, answers in right.items() for a in [None, *answers]])
    def test_right_answers(number, answer):
        assert_right(number, answer or reference(number, names))

    @pytest.mark.parametrize(("number", "answer", "words"), [(n, *row) for n, rows in wrong.items() for row in rows])
    def test_wrong_answers(number, answer, words):
        assert_wrong(number, answer, words)

    return test_right_answers, test_wrong_answers


def variant(base: type, **members: Any) -> type:
    """Return `base` with other methods or values: a class in one line of a table."""
    return type("Answer", (base,), members)


def hidden_in_a_list(build: Callable) -> type:
    """Return a Layer that keeps the one that `build` makes where Paddle does not find it."""
    import paddle

    class HiddenInAList(paddle.nn.Layer):
        def __init__(self, *args, **named):
            super().__init__()
            self.layers = [build(*args, **named)]

        def forward(self, x):
            return self.layers[0](x)

    return HiddenInAList
