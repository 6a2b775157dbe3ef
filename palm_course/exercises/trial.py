"""An exercise, the trial of an answer to it, and the verdict: whatever the answer does ends in one clear message."""

import functools
import inspect
import io
import os
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

import palm_course
import palm_utils
from palm_course.exercises.protection import OutOfTime, kept, time_limit
from palm_course.exercises.student_values import describe, describe_call, duplicate, same, shorten
from palm_course.terminal import pad
from palm_utils.messages import CourseError, mark, tr

_SHOWN_OUTPUT, _SHOWN_ERROR = 200, 300  # characters


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise. Its text and its cells stand in the notebooks, its reference solution in those of the solutions.

    The classes of `value_check` and `layer_check` add how an answer is judged. Texts are in English, marked for `tr`.
    """

    number: str  # chapter and position, such as "2.3"; what `check`, `hint` and `solution` are called with
    name: str  # of the function or class that the student writes
    title: str
    success: str  # one sentence on what a right answer shows
    hint: str  # shown with a wrong answer; it leads without giving the answer away
    stronger_hint: str  # shown on request by `hint`
    seconds: float = 10.0  # that the student's code may take, all calls of one check together
    mistakes: tuple["Mistake", ...] = ()  # the first one that explains a wrong answer is named
    also: Callable[["Trial", Any], None] = lambda trial, answer: None  # a check of its own, made last

    @property
    def chapter(self) -> str:
        return self.number.split(".")[0]

    @property
    def rng(self) -> np.random.Generator:
        """A generator that makes the same random cases for every answer."""
        return np.random.default_rng(int(self.number.replace(".", "")))

    def with_mistakes(self, *mistakes: "Mistake") -> "Exercise":
        return replace(self, mistakes=mistakes)

    def judge(self, trial: "Trial", answer: Any) -> None:
        """Try the answer, and report a fault with `Trial.fail`."""

    def fault(self, reference: Callable, agrees: Callable[[Callable], bool], unknown: str = "") -> str:
        """Name the first mistake with which the reference agrees with the answer; `unknown` where none does."""
        return next((str(m) for m in self.mistakes if agrees(m.made_by(reference))), unknown)

    def examine(self, answer: Any) -> "Verdict":
        """Try `answer`, the student's function or class; whatever it does ends in a verdict."""
        trial = Trial(self)
        try:
            if not callable(answer):
                fault = tr("the check needs the function or class itself, not what a call of it gives.")
                hint = tr("leave out the brackets after {name}.", name=self.name)
                trial.fail(fault, expected=f'exercises.check("{self.number}", {self.name})', hint=hint)
            self.judge(trial, answer)
            self.also(trial, answer)
        except NotAttempted:
            text = tr("not attempted yet.")
            return Verdict(Status.NOT_ATTEMPTED, remark(self.number, text), (text,))
        except Wrong as wrong:
            return Verdict(Status.WRONG, str(wrong), wrong.summary)
        text = tr(self.success)
        return Verdict(Status.RIGHT, tr("✓ Exercise {number}: {text}", number=self.number, text=text), (text,))


class Status(Enum):
    RIGHT = mark("right")
    WRONG = mark("wrong")
    NOT_ATTEMPTED = mark("not attempted")


@dataclass(frozen=True)
class Verdict:
    """What a check found, with the text that the student is shown."""

    status: Status
    message: str
    # The message in parts, without number and hints: what was found, then what was tried, expected, came.
    summary: tuple[str, ...] = field(default=(), compare=False)


class Wrong(CourseError):
    """An answer that is not right yet. Jupyter, IPython and nbval show the text alone, without a traceback."""

    def __init__(self, text: str, summary: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.summary = summary

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def not_right(number: str, fault: str) -> str:
    return tr("✗ Exercise {number} is not right yet: {fault}", number=number, fault=fault)


def remark(number: str, text: str) -> str:
    return tr("Exercise {number}: {text}", number=number, text=text)


class NotAttempted(Exception):
    """The stub is as it came: it raises NotImplementedError."""


class Case:
    """The arguments of one call."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs

    def apply(self, function: Callable, *before: Any) -> Any:
        return function(*before, *self.args, **self.kwargs)

    def written(self, name: str) -> str:
        return describe_call(name, *self.args, **self.kwargs)


class Mistake:
    """A fault that many make: the sentence that names it, and other options of the reference that make it.

    Where options are not enough, a function takes the reference's place. The sentence is translated without `mark`; or
    a function makes it.
    """

    def __init__(self, fault: str | Callable[[], str], function: Callable | None = None, /, **options: Any) -> None:
        self._fault, self._function, self.options = fault, function, options

    def __str__(self) -> str:
        return self._fault() if callable(self._fault) else tr(self._fault)

    def made_by(self, reference: Callable) -> Callable:
        return self._function or functools.partial(reference, **self.options)


def first_fault(*faults: tuple[Any, str], otherwise: str = "") -> str:
    """Return the first of the texts, translated already, whose condition holds."""
    return next((text for holds, text in faults if holds), otherwise)


class Excerpt(io.StringIO):
    """A text file that keeps the first `room` characters and forgets the rest."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def write(self, text: str) -> int:
        super().write(text[: self._room - self.tell()])
        return len(text)


class Trial:
    def __init__(self, exercise: Exercise) -> None:
        self.exercise = exercise
        self._seconds_left = exercise.seconds
        self._output = Excerpt(room=2 * _SHOWN_OUTPUT)
        self._returned_once = False

    def fail(self, fault: str, *, tried: str = "", expected: str = "", came: str = "", hint: str = "") -> NoReturn:
        """Raise `Wrong` with one text made of these parts, translated already; without `hint`, the exercise's own."""
        number = self.exercise.number
        told = ((tr("tried:"), tried), (tr("expected:"), expected), (tr("came:"), came))
        parts = [f"{pad(label, 10)}{text}" for label, text in told if text]
        if printed := self._output.getvalue().strip():
            parts.append(tr("Your code printed: {output}", output=shorten(printed, _SHOWN_OUTPUT)))
        hint = tr("Hint: {hint}", hint=hint or tr(self.exercise.hint))
        more = tr('Still stuck? exercises.hint("{n}") says more, exercises.solution("{n}") all.', n=number)
        raise Wrong("\n  ".join([not_right(number, fault), *parts, hint, more]), (fault, *parts))

    def call(self, function: Callable, /, *args: Any, name: str = "", **kwargs: Any) -> Any:
        """Return what the student's `function` (in messages, `name`) returns; everything that goes wrong is a `Wrong`.

        Raises NotAttempted if the first call of the trial raises NotImplementedError in the student's code.
        """
        tried = describe_call(name or self.exercise.name, *args, **kwargs)
        value, error, changed, left = self._run(function, args, kwargs, tried)
        if error is not None:
            self._report(error, tried)
        self._returned_once = True
        if changed:
            template = mark("it changes {setting} for everything that runs after it. It has been put back.")
            hint = tr("a function should work with its arguments and leave global settings alone.")
            self.fail(tr(template, setting=changed[0]), tried=tried, hint=hint)
        if value is None:
            self.fail(tr("it returns nothing: is the `return` missing?"), tried=tried, came="None")
        for before, after in zip((*args, *kwargs.values()), left, strict=True):
            if not same(before, after):
                fault = tr("it changes its input. The caller may still need it as it was.")
                expected = tr("the argument as it was: {value}", value=describe(before))
                came = tr("after the call: {value}", value=describe(after))
                hint = tr("`*=`, `-=`, `sort`, `pop` and assigning to elements work in place; change a copy.")
                self.fail(fault, tried=tried, expected=expected, came=came, hint=hint)
        return value

    def _run(self, function: Callable, args: tuple, kwargs: dict[str, Any], tried: str) -> tuple:
        """Return the value, or the exception; the global settings that were changed; what became of the arguments."""
        args, kwargs = tuple(map(duplicate, args)), {key: duplicate(value) for key, value in kwargs.items()}
        try:
            with suppress(ValueError):  # a function written in C does not tell its arguments
                inspect.signature(function).bind(*args, **kwargs)
        except TypeError as error:
            self.fail(tr("it cannot be called this way: {error}.", error=error), tried=tried)
        value, error, started = None, None, time.monotonic()
        with kept() as changed:
            try:
                with redirect_stdout(self._output), redirect_stderr(Excerpt(0)), time_limit(self._seconds_left):
                    value = function(*args, **kwargs)
            # SystemExit too: `exit()` in an answer must not end the notebook's kernel.
            except (Exception, SystemExit, OutOfTime) as raised:
                error = raised
        self._seconds_left = max(self._seconds_left - (time.monotonic() - started), 0.1)
        return value, error, changed, (*args, *kwargs.values())

    def _report(self, error: BaseException, tried: str) -> NoReturn:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if not _in_library(frame.filename)]
        place = tr("code of a library")
        if own:
            place = tr("line {number} of {function}", number=own[-1].lineno, function=own[-1].name)
            place = tr("{place}: `{source}`", place=place, source=own[-1].line) if own[-1].line else place
        if isinstance(error, OutOfTime):
            late = mark("it did not come back within {seconds:g} seconds and was stopped in {place}.")
            hint = tr("is there a loop whose condition never becomes false?")
            self.fail(tr(late, seconds=self.exercise.seconds, place=place), tried=tried, hint=hint)
        # Libraries raise NotImplementedError too; where the source is unknown, the student is believed.
        raised_by = own[-1].line or "NotImplementedError" if own else ""
        if isinstance(error, NotImplementedError) and "NotImplementedError" in raised_by:
            if not self._returned_once:
                raise NotAttempted
            self.fail(tr("a part of it is still to be written: {place}.", place=place), tried=tried)
        if isinstance(error, SystemExit):
            self.fail(tr("it tries to end the program, in {place}.", place=place), tried=tried)
        text, kind = "", type(error).__name__
        with suppress(Exception):
            text = str(error).split("[Hint:")[0].strip()  # PaddlePaddle appends the place in its C++ source
        came = shorten(f"{kind}: {text}".removesuffix(": "), _SHOWN_ERROR)
        self.fail(tr("it raises {error} in {place}.", error=kind, place=place), tried=tried, came=came)


_LIBRARIES = tuple(os.path.normcase(Path(m.__file__).resolve().parent) + os.sep for m in (os, palm_utils, palm_course))


def _in_library(filename: str) -> bool:
    path = os.path.normcase(filename)
    generated = filename.startswith(("<frozen ", "<__array_function__", "<decorator-gen"))
    return generated or "site-packages" in path or "dist-packages" in path or path.startswith(_LIBRARIES)
