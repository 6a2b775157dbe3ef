"""Whatever an answer does ends in a clear verdict and leaves the notebook usable."""

import asyncio
import dataclasses
import os
import random
import re
import sys
import threading
from datetime import tzinfo
from pathlib import Path

import numpy as np
import paddle
import pytest
from exercise_verdicts import assert_right, assert_wrong, reference, right_size, wrong_size

from palm_course import exercises
from palm_course.exercises import Status


@pytest.fixture
def short_limit(monkeypatch):
    """Give answers 0.3 seconds, so that an endless one does not hold up the tests."""
    find = exercises.find
    monkeypatch.setattr(exercises, "find", lambda number: dataclasses.replace(find(number), seconds=0.3))


class Unprintable(Exception):
    def __repr__(self):
        raise RuntimeError

    __str__ = __repr__


def dividing_by_zero(size, kernel, stride=1, padding=0):
    return size / (kernel - kernel)  # the fault


def in_a_library(size, kernel, stride=1, padding=0):
    return np.zeros(3).reshape(size)


def raising_what_cannot_be_printed(size, kernel, stride=1, padding=0):
    raise Unprintable


def without_end(size, kernel, stride=1, padding=0):
    return without_end(size, kernel, stride, padding)


def unfinished(size, kernel, stride=1, padding=0):
    if padding:
        raise NotImplementedError
    return right_size(size, kernel, stride)


# Raised by a library, this does not make an exercise untouched; the name would, in the line that calls it.
NOT_IMPLEMENTED = "it raises NotImplementedError in line"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (24, r"itself(.|\n)*leave out the brackets"),
        (None, r"itself(.|\n)*leave out the brackets"),
        (
            dividing_by_zero,
            r"it raises ZeroDivisionError in line \d+ of dividing_by_zero: "
            r"`return size / \(kernel - kernel\)  # the fault`(.|\n)*came:     ZeroDivisionError: division by zero",
        ),
        (in_a_library, r"raises ValueError in line \d+ of in_a_library: `return np\.zeros\(3\)\.reshape\(size\)`"),
        (raising_what_cannot_be_printed, "came:     Unprintable\n"),
        (without_end, "raises RecursionError"),
        (lambda *_, **__: sys.exit(3), "end the program"),
        (unfinished, "still to be written: line"),
        (lambda *_, **__: asyncio.AbstractEventLoop().stop(), NOT_IMPLEMENTED),
        (lambda *_, **__: tzinfo().utcoffset(None), NOT_IMPLEMENTED),
        (lambda *_, **__: None, r"returns nothing: is the `return` missing\?"),
        (lambda *_, **__: Unprintable(), "came:     an object of type Unprintable"),
    ],
)
def test_whatever_an_answer_does_is_said(answer, words):
    assert_wrong("1.1", answer, words)


def test_prints_are_shown_only_when_wrong(capsys):
    def loud(answer):
        def function(size, kernel, stride=1, padding=0):
            print("size is", size)
            print("a warning", file=sys.stderr)
            return answer(size, kernel, stride, padding)

        return function

    assert_right("1.1", loud(right_size))
    message = assert_wrong("1.1", loud(wrong_size), "Your code printed: ")
    assert capsys.readouterr() == ("", "")
    (line,) = re.findall(r"Your code printed: (.*)", message)
    assert line.startswith("size is 28 size is 24") and line.endswith("…") and len(line) == 200


def test_user_interrupt_is_passed_on():
    def answer(size, kernel, stride=1, padding=0):
        np.random.seed(0)
        raise KeyboardInterrupt

    before = np.random.get_state()[1].tolist()
    with pytest.raises(KeyboardInterrupt):
        exercises.examine("1.1", answer)
    assert np.random.get_state()[1].tolist() == before


def test_input_must_stay_as_it_was():
    def answer(img, size=224):
        img[:] = 0
        return img

    assert_wrong("2.4", answer, r"changes its input(.|\n)*in place")


def loops(size, kernel, stride=1, padding=0):
    while True:
        pass


def loops_inside_a_catch(size, kernel, stride=1, padding=0):
    try:
        while True:
            pass
    except Exception:
        return right_size(size, kernel, stride, padding)


def loops_and_catches_everything(size, kernel, stride=1, padding=0):
    while True:
        try:  # noqa: SIM105
            size += 1
        except:  # noqa: E722
            pass


def loops_and_calls_and_catches_everything(size, kernel, stride=1, padding=0):
    while True:
        try:  # noqa: SIM105
            right_size(size, kernel, stride, padding)
        except:  # noqa: E722
            pass


def loops_and_prints(size, kernel, stride=1, padding=0):
    while True:
        print("still here")


NOT_ON_3_10 = pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 lets no interruption into such a loop")


@pytest.mark.parametrize(
    "answer",
    [
        loops,
        loops_inside_a_catch,
        pytest.param(loops_and_catches_everything, marks=NOT_ON_3_10),
        pytest.param(loops_and_calls_and_catches_everything, marks=NOT_ON_3_10),
        loops_and_prints,
    ],
)
@pytest.mark.parametrize("on_main_thread", [True, False])
@pytest.mark.usefixtures("short_limit")
def test_endless_loop(answer, on_main_thread):
    verdicts = []

    def examine():
        verdicts.append(exercises.examine("1.1", answer))

    if on_main_thread:
        examine()
    else:
        thread = threading.Thread(target=examine, daemon=True)
        thread.start()
        thread.join(timeout=60)
    assert verdicts and verdicts[0].status is Status.WRONG
    assert re.search(r"within 0\.3 seconds and was stopped in line \d+ of loops", verdicts[0].message)
    # And the next answer is judged as if nothing had happened.
    assert_right("1.1", right_size)


def drawing(size, kernel, stride=1, padding=0):
    random.seed(1), np.random.seed(1), paddle.seed(1)
    random.random(), np.random.rand(), paddle.rand([1])
    return right_size(size, kernel, stride, padding)


@pytest.mark.parametrize(
    ("number", "answer"),
    [("1.1", drawing), ("3.3", reference("3.3", {"paddle": paddle}))],
    ids=["by the answer", "by the check"],
)
def test_random_generators_are_put_back_silently(number, answer):
    def draw():
        return random.random(), np.random.rand(), float(paddle.rand([]))

    def seed():
        random.seed(7), np.random.seed(7), paddle.seed(7)

    seed()
    expected = draw()
    seed()
    assert_right(number, answer)
    assert draw() == expected


@pytest.mark.parametrize(
    ("change", "read", "words"),
    [
        (lambda: os.chdir(os.sep), lambda: Path.cwd(), "working directory"),
        (lambda: np.seterr(all="ignore"), lambda: np.geterr(), "np.seterr"),
        (lambda: np.set_printoptions(precision=2), lambda: np.get_printoptions(), "print options"),
        (lambda: sys.setrecursionlimit(5000), lambda: sys.getrecursionlimit(), "recursion limit"),
        (lambda: paddle.set_default_dtype("float64"), lambda: paddle.get_default_dtype(), "default dtype"),
        (lambda: paddle.enable_static(), lambda: paddle.in_dynamic_mode(), "static-graph mode"),
        (lambda: paddle.set_grad_enabled(False), lambda: paddle.is_grad_enabled(), "gradient recording"),
    ],
)
def test_global_settings_are_put_back_and_named(change, read, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = read()

    def answer(size, kernel, stride=1, padding=0):
        change()
        return right_size(size, kernel, stride, padding)

    assert "put back" in assert_wrong("1.1", answer, rf"it changes .*{words}")
    assert read() == before


def falls_by_truth(score, image, side, stride):
    return np.zeros([(length - side) // stride + 1 for length in image.shape[1:]], bool)


def half_as_large(image, kernel):
    return np.zeros([(length - len(kernel) + 1) // 2 for length in image.shape], bool)


@pytest.mark.parametrize(("number", "answer"), [("1.5", half_as_large), ("6.6", falls_by_truth)])
def test_an_array_of_truth_values_gets_a_verdict(number, answer):
    assert exercises.examine(number, answer).status is Status.WRONG
