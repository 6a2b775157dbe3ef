"""Whatever an answer does ends in a clear verdict and leaves the notebook usable."""

import asyncio
import dataclasses
import os
import random
import re
import signal
import sys
import threading
from datetime import tzinfo
from pathlib import Path

import numpy as np
import pytest
from exercise_verdicts import assert_right, assert_wrong

from palm_course import exercises
from palm_course.exercises import Status


def right_size(size, kernel, stride=1, padding=0):
    return (size + 2 * padding - kernel) // stride + 1


def wrong_size(size, kernel, stride=1, padding=0):
    return (size + 2 * padding - kernel) // stride


def message_of(answer):
    """Return the text that a wrong answer to 1.1 gets."""
    return assert_wrong("1.1", answer, "not right yet")


@pytest.fixture
def short_limit(monkeypatch):
    """Give answers 0.3 seconds, so that an endless one does not hold up the tests."""
    find = exercises.find
    monkeypatch.setattr(exercises, "find", lambda number: dataclasses.replace(find(number), seconds=0.3))


def test_not_a_function():
    assert "itself" in message_of(24) and "leave out the brackets" in message_of(None)


def test_raises():
    def answer(size, kernel, stride=1, padding=0):
        return size / (kernel - kernel)  # the fault

    message = message_of(answer)
    assert "it raises ZeroDivisionError in line" in message
    assert "of answer: `return size / (kernel - kernel)  # the fault`" in message
    assert "came:     ZeroDivisionError: division by zero" in message


def test_raises_inside_a_library():
    def answer(size, kernel, stride=1, padding=0):
        return np.zeros(3).reshape(size)

    assert "raises ValueError in line" in message_of(answer)
    assert "of answer: `return np.zeros(3).reshape(size)`" in message_of(answer)


def test_raises_something_that_cannot_be_printed():
    class Unprintable(Exception):
        def __str__(self):
            raise RuntimeError

    def answer(size, kernel, stride=1, padding=0):
        raise Unprintable

    assert "came:     Unprintable\n" in message_of(answer)


def test_recursion_without_end():
    def answer(size, kernel, stride=1, padding=0):
        return answer(size, kernel, stride, padding)

    assert "raises RecursionError" in message_of(answer)


def test_ends_the_program():
    assert "end the program" in message_of(lambda size, kernel, stride=1, padding=0: sys.exit(3))


def test_unfinished_part_is_not_untouched():
    def answer(size, kernel, stride=1, padding=0):
        if padding:
            raise NotImplementedError
        return right_size(size, kernel, stride)

    assert "still to be written: line" in message_of(answer)


@pytest.mark.parametrize("call", [lambda: asyncio.AbstractEventLoop().stop(), lambda: tzinfo().utcoffset(None)])
def test_not_implemented_inside_a_library_is_not_untouched(call):
    assert "it raises NotImplementedError in line" in message_of(lambda size, kernel, stride=1, padding=0: call())


def test_returns_nothing():
    assert "returns nothing: is the `return` missing?" in message_of(lambda size, kernel, stride=1, padding=0: None)


def test_returns_something_that_cannot_be_shown():
    class Unprintable:
        def __repr__(self):
            raise RuntimeError

    message = message_of(lambda size, kernel, stride=1, padding=0: Unprintable())
    assert "came:     an object of type Unprintable" in message


def test_prints_are_shown_only_when_wrong(capsys):
    def loud(answer):
        def function(size, kernel, stride=1, padding=0):
            print("size is", size)
            print("a warning", file=sys.stderr)
            return answer(size, kernel, stride, padding)

        return function

    assert_right("1.1", loud(right_size))
    message = message_of(loud(wrong_size))
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


# endless answers --------------------------------------------------------------------------------


def loops(size, kernel, stride=1, padding=0):
    while True:
        pass


def loops_and_catches(size, kernel, stride=1, padding=0):
    while True:
        try:  # noqa: SIM105
            size += 1
        except Exception:
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


NOT_ON_3_10 = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10 does not let interruptions into such a loop"
)


@pytest.mark.parametrize(
    "answer",
    [
        loops,
        pytest.param(loops_and_catches, marks=NOT_ON_3_10),
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


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timers")
def test_other_timers_are_put_back():
    def handler(signum, frame):
        raise AssertionError("a timer of somebody else went off")

    previous = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 3600)
        exercises.examine("1.1", right_size)
        assert signal.getsignal(signal.SIGALRM) is handler
        remaining, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        assert 0 < remaining <= 3600
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


# global state -----------------------------------------------------------------------------------


def test_random_generators_are_put_back_silently():
    paddle = pytest.importorskip("paddle")

    def answer(size, kernel, stride=1, padding=0):
        random.seed(1)
        np.random.seed(1)
        paddle.seed(1)
        random.random(), np.random.rand(), paddle.rand([1])
        return right_size(size, kernel, stride, padding)

    def draw():
        return random.random(), np.random.rand(), float(paddle.rand([]))

    def seed():
        random.seed(7), np.random.seed(7), paddle.seed(7)

    seed()
    expected = draw()
    seed()
    assert_right("1.1", answer)
    assert draw() == expected


@pytest.mark.parametrize(
    ("change", "read", "words"),
    [
        (lambda paddle: os.chdir(os.sep), lambda paddle: Path.cwd(), "working directory"),
        (lambda paddle: np.seterr(all="ignore"), lambda paddle: np.geterr(), "np.seterr"),
        (
            lambda paddle: np.set_printoptions(precision=2),
            lambda paddle: np.get_printoptions(),
            "print options",
        ),
        (
            lambda paddle: sys.setrecursionlimit(5000),
            lambda paddle: sys.getrecursionlimit(),
            "recursion limit",
        ),
        (
            lambda paddle: paddle.set_default_dtype("float64"),
            lambda paddle: paddle.get_default_dtype(),
            "default dtype",
        ),
        (lambda paddle: paddle.enable_static(), lambda paddle: paddle.in_dynamic_mode(), "static-graph mode"),
        (
            lambda paddle: paddle.set_grad_enabled(False),
            lambda paddle: paddle.is_grad_enabled(),
            "gradient recording",
        ),
    ],
)
def test_global_settings_are_put_back_and_named(change, read, words, tmp_path, monkeypatch):
    paddle = pytest.importorskip("paddle")
    monkeypatch.chdir(tmp_path)
    before = read(paddle)

    def answer(size, kernel, stride=1, padding=0):
        change(paddle)
        return right_size(size, kernel, stride, padding)

    message = message_of(answer)
    assert re.search(rf"it changes .*{words}", message) and "put back" in message
    assert read(paddle) == before
