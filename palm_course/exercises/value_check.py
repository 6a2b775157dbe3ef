"""Exercises whose answer is a function that returns numbers or arrays.

Such an exercise declares the calls to make and one reference, which computes what is right. A usual mistake is another
option of the reference. Exercises 1.1 and 3.2 are examples.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from palm_course.exercises.student_values import as_array, as_numbers, describe, describe_shape, is_tensor
from palm_course.exercises.trial import Case, Exercise, Trial
from palm_utils.messages import mark, tr, trn


@dataclass(frozen=True, kw_only=True)
class _Compared(Exercise):
    """A function whose values are compared with a reference's on all cases."""

    cases: Callable[[np.random.Generator], Iterable[Case]]
    reference: Callable[..., Any]  # what is right; in shape and dtype, too, where it is arrays
    called: Callable[[Trial, Any], Callable] = lambda trial, answer: answer  # the function that is called
    # The fault where wrong values come from none of the mistakes; {right} of {count} calls were right.
    unknown: str = mark("the shape is right, the values are not.")
    one_by_one: bool = False  # a mistake is named by the first call that goes wrong, and need not show in all of them

    def judge(self, trial: Trial, answer: Any) -> None:
        cases, function = list(self.cases(self.rng)), self.called(trial, answer)
        for group in [[case] for case in cases] if self.one_by_one else [cases]:
            self._need(trial, group, [self._call(trial, function, case) for case in group])

    def _need(self, trial: Trial, cases: Sequence[Case], came: list) -> None:
        """Refuse what `came` of the calls unless it is right in all cases; name the mistake that explains all of it."""

        def agreeing(way: Callable, made: bool) -> list[bool]:
            return [self._agrees(case.apply(way), value, made) for case, value in zip(cases, came, strict=True)]

        right = agreeing(self.reference, made=False)
        if all(right):
            return
        unknown = tr(self._unknown(came), right=sum(right), count=len(cases))
        fault = self.fault(self.reference, lambda way: all(agreeing(way, made=True)), unknown)
        self._refuse(trial, cases[right.index(False)], fault, self._show(came[right.index(False)]))

    def _unknown(self, came: list) -> str:
        return self.unknown

    def _refuse(self, trial: Trial, case: Case, fault: str, came: str) -> NoReturn:
        right = self._show(case.apply(self.reference))
        trial.fail(fault, tried=case.written(self.name), expected=right, came=came)


@dataclass(frozen=True, kw_only=True)
class NumberExercise(_Compared):
    """An exercise whose answer returns `count` numbers; `tolerance` is absolute, and nan equals nan."""

    count: int = 1
    tolerance: float = 0.0
    unknown: str = mark("right for {right} of the {count} inputs tried.")

    def _call(self, trial: Trial, function: Callable, case: Case) -> np.ndarray:
        value = case.apply(trial.call, function)
        numbers = as_numbers(value, self.count)
        if numbers is None:
            fault = trn("it should return one number.", "it should return {count} numbers.", self.count)
            came = tr("{value} of type {kind}", value=describe(value), kind=type(value).__name__)
            self._refuse(trial, case, fault, came)
        return numbers

    def _agrees(self, ours: Any, numbers: np.ndarray, made: bool) -> bool:
        return np.allclose(as_numbers(ours, self.count), numbers, rtol=0, atol=self.tolerance, equal_nan=True)

    def _unknown(self, came: list[np.ndarray]) -> str:
        if len(came) > 1 and all(np.array_equal(numbers, came[0], equal_nan=True) for numbers in came):
            return mark("it gives the same answer whatever it is given.")
        return super()._unknown(came)

    def _show(self, value: Any) -> str:
        numbers = [int(n) if n.is_integer() else round(float(n), 6) for n in as_numbers(value, self.count)]
        return describe(numbers[0] if self.count == 1 else tuple(numbers))


@dataclass(frozen=True, kw_only=True)
class ArrayExercise(_Compared):
    """An exercise whose answer returns an array, or several."""

    wrong_shape: Callable[..., str]  # (shape, right, *args of the call): the fault where an array's shape is not right
    # Of the array or arrays, expected or come.
    show: Callable[..., str] = lambda array: describe(np.round(np.asarray(array, float), 4))
    wrong_dtype: str = ""  # "" where any dtype will do
    not_arrays: str = mark("it does not return an array of numbers.")
    close: Callable[[np.ndarray, np.ndarray], bool] = np.array_equal  # (right, came): is it right?
    near: Callable[[np.ndarray, np.ndarray], bool] | None = None  # (wrong, came): is it this mistake? As `close`.
    kind: str = "array"  # or "tensor"

    def _agrees(self, ours: Any, arrays: tuple, made: bool) -> bool:
        return all(map(self.near if made and self.near else self.close, _arrays(ours), arrays))

    def _show(self, value: Any) -> str:
        return self.show(*_arrays(value))

    def _call(self, trial: Trial, function: Callable, case: Case) -> tuple:
        """Return the arrays of one call; anything else, or another shape or dtype, is a fault."""
        value, right = case.apply(trial.call, function), _arrays(case.apply(self.reference))
        parts = value if len(right) > 1 and isinstance(value, (tuple, list)) else [value]
        arrays = [as_array(part) for part in parts if self.kind == "array" or is_tensor(part)]
        if len(arrays) != len(right) or any(array is None for array in arrays):
            fault = tr(self.not_arrays)
        else:
            faults = (self._fault(array, wanted, case.args) for array, wanted in zip(arrays, right, strict=True))
            fault = next(filter(None, faults), "")
        if fault:
            shapes = ", ".join(describe_shape(self.kind, wanted.shape, wanted.dtype) for wanted in right)
            expected = shapes if len(right) == 1 else f"({shapes})"
            trial.fail(fault, tried=case.written(self.name), expected=expected, came=describe(value))
        return tuple(arrays)

    def _fault(self, array: np.ndarray, right: np.ndarray, args: tuple) -> str:
        if array.shape != right.shape:
            return self.wrong_shape(array.shape, right.shape, *args)
        if self.wrong_dtype and array.dtype != right.dtype:
            return tr(self.wrong_dtype)
        if self.wrong_dtype and not np.isfinite(array).all():
            return tr("some values are not finite.")
        return ""


def _arrays(value: Any) -> tuple:
    return value if isinstance(value, tuple) else (value,)
