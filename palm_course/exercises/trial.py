"""Calling a student's code so that whatever it does ends in one clear message."""

import functools
import inspect
import os
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

import palm_course
import palm_utils
from palm_course.exercises.limits import OutOfTime, time_limit
from palm_course.exercises.model import Exercise, Wrong, not_right
from palm_course.exercises.surroundings import Excerpt, kept
from palm_course.exercises.values import as_numbers, describe, describe_call, duplicate, same, shorten
from palm_utils.messages import pad, tr, trn

_SHOWN_OUTPUT = 200
_SHOWN_ERROR = 300


class NotAttempted(Exception):
    """The stub is as it came: it raises NotImplementedError."""


@dataclass(frozen=True)
class Case:
    """The arguments of one call."""

    args: tuple = ()
    kwargs: dict[str, Any] | None = None

    def apply(self, function: Callable) -> Any:
        """Call `function`, one of ours, with these arguments."""
        return function(*self.args, **(self.kwargs or {}))


class Mistake:
    """A fault that many make: the sentence that names it, and other options of the reference that make it.

    Where options are not enough, a function takes the reference's place::

        Mistake("the biases are missing.", bias=0)
        Mistake("it never stops a training.", lambda patience, accuracies: len(accuracies))

    The sentence is in English, and in the catalogue of translations without `mark`; or a function makes it.
    """

    def __init__(self, fault: str | Callable[[], str], function: Callable | None = None, /, **options: Any) -> None:
        self._fault, self._function, self.options = fault, function, options

    def __str__(self) -> str:
        return self._fault() if callable(self._fault) else tr(self._fault)

    def made_by(self, reference: Callable) -> Callable:
        """Return a function that makes the mistake where `reference` is right."""
        return self._function or functools.partial(reference, **self.options)


class Trial:
    """One run of one exercise's check."""

    def __init__(self, exercise: Exercise) -> None:
        self.exercise = exercise
        self._seconds_left = exercise.seconds
        self._output = Excerpt(room=2 * _SHOWN_OUTPUT)
        self._returned_once = False

    def fail(self, fault: str, *, tried: str = "", expected: str = "", came: str = "", hint: str = "") -> NoReturn:
        """Raise `Wrong` with one text made of these parts, which are in the language of the notebook already.

        Without `hint`, the exercise's own is given.
        """
        number, parts = self.exercise.number, []
        for label, text in ((tr("tried:"), tried), (tr("expected:"), expected), (tr("came:"), came)):
            if text:
                parts.append(f"{pad(label, 10)}{text}")
        if printed := self._output.getvalue().strip():
            parts.append(tr("Your code printed: {output}", output=shorten(printed, _SHOWN_OUTPUT)))
        hints = [
            tr("Hint: {hint}", hint=hint or tr(self.exercise.hint)),
            tr('Still stuck? exercises.hint("{n}") says more, exercises.solution("{n}") all.', n=number),
        ]
        lines = [not_right(number, fault), *(f"  {line}" for line in (*parts, *hints))]
        raise Wrong("\n".join(lines), (fault, *parts))

    def call(self, function: Callable, args: tuple = (), kwargs: dict[str, Any] | None = None, name: str = "") -> Any:
        """Return what the student's `function` returns; everything that goes wrong is a `Wrong`.

        Raises NotAttempted if the first call of the trial raises NotImplementedError in the student's code.
        `name` is what messages call the function; without it, the name the exercise gave it.
        """
        kwargs = kwargs or {}
        tried = describe_call(name or self.exercise.name, args, kwargs)
        given, given_named = _duplicates(args, kwargs)
        value, error, changed = self._run(function, given, given_named, tried)
        if error is not None:
            self._report(error, tried)
        self._returned_once = True
        if changed:
            self.fail(
                tr("it changes {setting} for everything that runs after it. It has been put back.", setting=changed[0]),
                tried=tried,
                hint=tr("a function should work with its arguments and leave global settings alone."),
            )
        if value is None:
            self.fail(tr("it returns nothing: is the `return` missing?"), tried=tried, came="None")
        for before, after in [
            *zip(args, given, strict=True),
            *((kwargs[key], given_named[key]) for key in kwargs),
        ]:
            if not same(before, after):
                self.fail(
                    tr("it changes its input. The caller may still need it as it was."),
                    tried=tried,
                    expected=tr("the argument as it was: {value}", value=describe(before)),
                    came=tr("after the call: {value}", value=describe(after)),
                    hint=tr("`*=`, `-=` and assignments to elements work in place; make a new array."),
                )
        return value

    def call_for_error(self, expected: type[Exception], function: Callable, args: tuple) -> None:
        """Call the student's `function` where `expected` must be raised; anything else is a `Wrong`."""
        tried = describe_call(self.exercise.name, args, {})
        value, error, _ = self._run(function, *_duplicates(args, {}), tried)
        if isinstance(error, expected):
            return
        self.fail(
            tr("it should raise {error} here.", error=expected.__name__),
            tried=tried,
            expected=expected.__name__,
            came=type(error).__name__ if error is not None else tr("the value {value}", value=describe(value)),
        )

    def compare(
        self,
        function: Callable,
        cases: Sequence[Case],
        truth: Callable,
        mistakes: Sequence[Mistake] = (),
        count: int = 1,
        tolerance: float = 0.0,
    ) -> None:
        """Compare the student's `function`, which returns `count` numbers, with `truth` on all `cases`.

        When some differ, the first of `mistakes` that gives the student's numbers on every case names
        the fault. `tolerance` is absolute; nan equals nan.
        """
        wanted = [case.apply(truth) for case in cases]
        came = [self._numbers(function, case, value, count) for case, value in zip(cases, wanted, strict=True)]

        def agree(values: Sequence[Any]) -> list[bool]:
            return [
                bool(np.allclose(as_numbers(value, count), got, rtol=0, atol=tolerance, equal_nan=True))
                for value, got in zip(values, came, strict=True)
            ]

        right = agree(wanted)
        if all(right):
            return
        fault = next(
            (
                str(mistake)
                for mistake in mistakes
                if all(agree([case.apply(mistake.made_by(truth)) for case in cases]))
            ),
            "",
        )
        if not fault and all(np.array_equal(got, came[0], equal_nan=True) for got in came):
            fault = tr("it gives the same answer whatever it is given.")
        first = right.index(False)
        self.fail(
            fault or tr("right for {right} of the {count} inputs tried.", right=sum(right), count=len(cases)),
            tried=describe_call(self.exercise.name, cases[first].args, cases[first].kwargs or {}),
            expected=_describe_numbers(as_numbers(wanted[first], count)),
            came=_describe_numbers(came[first]),
        )

    def _numbers(self, function: Callable, case: Case, wanted: Any, count: int) -> np.ndarray:
        value = self.call(function, case.args, case.kwargs)
        numbers = as_numbers(value, count)
        if numbers is None:
            self.fail(
                trn("it should return one number.", "it should return {count} numbers.", count),
                tried=describe_call(self.exercise.name, case.args, case.kwargs or {}),
                expected=_describe_numbers(as_numbers(wanted, count)),
                came=tr("{value} of type {kind}", value=describe(value), kind=type(value).__name__),
            )
        return numbers

    def _run(
        self, function: Callable, args: tuple, kwargs: dict[str, Any], tried: str
    ) -> tuple[Any, BaseException | None, list[str]]:
        """Return the value, or the exception, and the global settings that were changed."""
        try:
            inspect.signature(function).bind(*args, **kwargs)
        except TypeError as error:
            self.fail(tr("it cannot be called this way: {error}.", error=error), tried=tried)
        except ValueError:
            pass  # a function written in C does not tell its arguments
        value, error = None, None
        started = time.monotonic()
        with kept() as changed:
            try:
                with (
                    redirect_stdout(self._output),
                    redirect_stderr(Excerpt(room=0)),
                    time_limit(self._seconds_left),
                ):
                    value = function(*args, **kwargs)
            # SystemExit too: `exit()` in an answer must not end the notebook's kernel.
            except (Exception, SystemExit, OutOfTime) as raised:
                error = raised
        self._seconds_left = max(self._seconds_left - (time.monotonic() - started), 0.1)
        return value, error, changed

    def _report(self, error: BaseException, tried: str) -> NoReturn:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if not _in_library(frame.filename)]
        place = _describe_place(own[-1]) if own else tr("code of a library")
        if isinstance(error, OutOfTime):
            self.fail(
                tr(
                    "it did not come back within {seconds:g} seconds and was stopped in {place}.",
                    seconds=self.exercise.seconds,
                    place=place,
                ),
                tried=tried,
                hint=tr("is there a loop whose condition never becomes false?"),
            )
        if isinstance(error, NotImplementedError) and own and _raises_it(own[-1]):
            if not self._returned_once:
                raise NotAttempted
            self.fail(tr("a part of it is still to be written: {place}.", place=place), tried=tried)
        if isinstance(error, SystemExit):
            self.fail(tr("it tries to end the program, in {place}.", place=place), tried=tried)
        fault = tr("it raises {error} in {place}.", error=type(error).__name__, place=place)
        self.fail(fault, tried=tried, came=_error_text(error))


def _duplicates(args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Return copies of all arguments of a call."""
    return tuple(duplicate(arg) for arg in args), {key: duplicate(arg) for key, arg in kwargs.items()}


def _raises_it(frame: traceback.FrameSummary) -> bool:
    # Libraries raise NotImplementedError too; where the source is unknown, the student is believed.
    return not frame.line or "NotImplementedError" in frame.line


def _describe_place(frame: traceback.FrameSummary) -> str:
    place = tr("line {number} of {function}", number=frame.lineno, function=frame.name)
    return tr("{place}: `{source}`", place=place, source=frame.line) if frame.line else place


def _describe_numbers(numbers: np.ndarray) -> str:
    values = tuple(int(number) if number.is_integer() else round(float(number), 6) for number in numbers)
    return describe(values[0] if len(values) == 1 else values)


def _error_text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = ""
    # PaddlePaddle appends the place in its C++ source.
    text = text.split("[Hint:")[0]
    name = type(error).__name__
    return shorten(f"{name}: {text}" if text.strip() else name, _SHOWN_ERROR)


_LIBRARIES = tuple(
    os.path.normcase(Path(module.__file__).resolve().parent) + os.sep for module in (os, palm_utils, palm_course)
)


def _in_library(filename: str) -> bool:
    if filename.startswith(("<frozen ", "<__array_function__", "<decorator-gen")):
        return True
    path = os.path.normcase(filename)
    return "site-packages" in path or "dist-packages" in path or path.startswith(_LIBRARIES)
