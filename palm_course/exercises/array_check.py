"""Judging a function that returns an array, or several.

An exercise declares the calls to make and one reference, which computes what is right. A usual mistake is another
option of the reference::

    def _mirrored(image, *, axis=2):
        return np.flip(image, axis)

    judge_mirrored = ArrayCheck(
        cases=lambda rng: [Case((rng.random(shape, np.float32),)) for shape in ((3, 4, 6), (3, 5, 2))],
        reference=_mirrored,
        mistakes=[Mistake("top and bottom are exchanged; mirror left and right.", axis=1)],
        wrong_shape=lambda shape, right, *args: tr("the shape has changed."),
        wrong_dtype=mark("the dtype has changed."),
        unknown=mark("right for {right} of the {count} images tried."),
        show=lambda image: tr("first row {values}", values=describe(image[0, 0])),
    )
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palm_course.exercises.student_values import as_array, describe, describe_shape, is_tensor
from palm_course.exercises.trial import Case, Mistake, Trial
from palm_utils.messages import mark, tr

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class ArrayCheck:
    """How a function that returns an array, or several, is judged; the module's text shows an example."""

    cases: Callable[[np.random.Generator], Sequence[Case]]
    reference: Callable[..., np.ndarray | Arrays]  # what is right, in shape, dtype and values; a tuple for several
    mistakes: Sequence[Mistake]
    wrong_shape: Callable[..., str]  # (shape, right, *args of the call): the fault where an array's shape is not right
    unknown: str  # the fault where wrong values come from none of the mistakes; {right} of {count} calls were right
    show: Callable[..., str]  # of the array or arrays, expected or come
    wrong_dtype: str = ""  # "" where any dtype will do
    not_arrays: str = mark("it does not return an array of numbers.")
    close: Callable[[np.ndarray, np.ndarray], bool] = np.array_equal  # (right, came): is it right?
    near: Callable[[np.ndarray, np.ndarray], bool] | None = None  # (wrong, came): is it this mistake? As `close`.
    kind: str = "array"  # or "tensor"
    one_by_one: bool = False  # a mistake is named by the first call that goes wrong, and need not show in all of them

    def __call__(self, trial: Trial, answer: Any) -> None:
        """Judge an answer: kind, shapes, dtype, values."""
        cases = self.cases(np.random.default_rng(int(trial.exercise.number.replace(".", ""))))
        for group in [[case] for case in cases] if self.one_by_one else [cases]:
            self._compare(trial, answer, group)

    def _compare(self, trial: Trial, answer: Any, cases: Sequence[Case]) -> None:
        def all_are(close: Callable) -> Callable[[Any, Arrays], bool]:
            return lambda ours, arrays: all(map(close, _arrays(ours), arrays))

        came = [self._call(trial, answer, case) for case in cases]
        agree, near = all_are(self.close), all_are(self.near or self.close)
        show, options = lambda arrays: self.show(*_arrays(arrays)), {"unknown": self.unknown, "near": near}
        trial.need_values(cases, came, self.reference, self.mistakes, agree=agree, show=show, **options)

    def _call(self, trial: Trial, answer: Any, case: Case) -> Arrays:
        """Return the arrays of one call; anything else, or another shape or dtype, is a fault."""
        value, right = trial.call(answer, case.args, case.kwargs), _arrays(case.apply(self.reference))
        parts = value if len(right) > 1 and isinstance(value, (tuple, list)) else [value]
        arrays = [as_array(part) for part in parts if self.kind == "array" or is_tensor(part)]
        if len(arrays) != len(right) or any(array is None for array in arrays):
            fault = tr(self.not_arrays)
        else:
            faults = (self._fault(array, wanted, case.args) for array, wanted in zip(arrays, right, strict=True))
            fault = next(filter(None, faults), "")
        if fault:
            expected = [describe_shape(self.kind, wanted.shape, wanted.dtype) for wanted in right]
            trial.fail(
                fault,
                tried=trial.describe(case),
                expected=expected[0] if len(right) == 1 else f"({', '.join(expected)})",
                came=describe(value),
            )
        return tuple(arrays)

    def _fault(self, array: np.ndarray, right: np.ndarray, args: tuple) -> str:
        if array.shape != right.shape:
            return self.wrong_shape(array.shape, right.shape, *args)
        if self.wrong_dtype and array.dtype != right.dtype:
            return tr(self.wrong_dtype)
        if self.wrong_dtype and not np.isfinite(array).all():
            return tr("some values are not finite.")
        return ""


def _arrays(value: np.ndarray | Arrays) -> Arrays:
    return value if isinstance(value, tuple) else (value,)
