"""How the answers to exercise 6.3 are judged."""

from collections.abc import Callable
from typing import Any

import numpy as np

from palm_course.exercises.trial import Trial
from palm_course.exercises.values import describe, is_tensor
from palm_utils.messages import tr


def _padded(x: np.ndarray, num_filters: int, stride: int) -> np.ndarray:
    missing = num_filters - x.shape[1]
    return np.pad(x[:, :, ::stride, ::stride], ((0, 0), (0, missing), (0, 0), (0, 0)))


def _pooled(x: np.ndarray, stride: int, combine: Callable) -> np.ndarray:
    """Combine squares of stride × stride pixels, as far as they fit."""
    n, c, height, width = x.shape
    height, width = height // stride, width // stride
    squares = x[:, :, : height * stride, : width * stride].reshape(n, c, height, stride, width, stride)
    return combine(squares, axis=(3, 5))


def _shortcut_mistakes(x: np.ndarray, filters: int, stride: int) -> list[tuple[str, np.ndarray]]:
    left = x[:, :, ::stride, ::stride]
    missing, n, c = filters - x.shape[1], x.shape[0], x.shape[1]
    zeros = np.zeros((n, missing, *left.shape[2:]), x.dtype)
    front, around = ((missing, 0), (missing // 2, missing - missing // 2))
    tiled = np.concatenate([left] * (filters // c + 1), axis=1)[:, :filters]
    height, width = left.shape[2:]

    def pad(part: np.ndarray, channels: tuple[int, int] = (0, missing)) -> np.ndarray:
        return np.pad(part, ((0, 0), channels, (0, 0), (0, 0)))

    return [
        (tr("the zeros come first; the channels of x should."), pad(left, front)),
        (tr("the zeros are on both sides; all of them should come behind the channels of x."), pad(left, around)),
        (tr("the new channels repeat those of x; they should be zero."), tiled),
        (tr("the new channels are filled with ones; they should be zero."), np.concatenate([left, zeros + 1], axis=1)),
        (
            tr("it begins with a later row and column than the first."),
            pad(x[:, :, stride - 1 :: stride, stride - 1 :: stride]),
        ),
        (tr("it averages neighbouring pixels; they should be left out."), pad(_pooled(x, stride, np.mean))),
        (tr("it takes the largest of neighbouring pixels; they should be left out."), pad(_pooled(x, stride, np.max))),
        (
            tr("it cuts a corner out of x instead of taking every stride-th row and column."),
            pad(x[:, :, :height, :width]),
        ),
    ]


def judge_pad_shortcut(trial: Trial, answer: Any) -> None:
    """Check 6.3 exactly, for sizes that the stride divides and others, with and without new channels."""
    import paddle

    rng = np.random.default_rng(63)
    cases = [((2, 8, 6, 6), 16, 2), ((2, 8, 5, 6), 16, 2), ((1, 3, 7, 4), 8, 3), ((3, 4, 5, 5), 9, 1)]
    for shape, filters, stride in [*cases, ((2, 6, 8, 5), 6, 2)]:
        x = rng.standard_normal(shape).astype(np.float32)
        tried = tr("{call} for x of shape {shape}", call=f"pad_shortcut(x, {filters}, {stride})", shape=list(shape))
        came = trial.call(answer, (paddle.to_tensor(x), filters, stride))
        expected = _padded(x, filters, stride)
        if not is_tensor(came):
            trial.fail(tr("it should return a tensor."), tried=tried, expected=tr("a tensor"), came=describe(came))
        if list(came.shape) != list(expected.shape):
            trial.fail(
                _shape_fault(shape, list(came.shape), list(expected.shape)),
                tried=tried,
                expected=tr("shape {shape}", shape=list(expected.shape)),
                came=tr("shape {shape}", shape=list(came.shape)),
            )
        values = came.numpy()
        if not np.array_equal(values, expected):
            faults = (words for words, wrong in _shortcut_mistakes(x, filters, stride) if _equal(values, wrong))
            trial.fail(
                next(faults, tr("the shape is right, the values are not.")),
                tried=tried,
                expected=tr("the first row of the first channel {values}", values=describe(expected[0, 0, 0])),
                came=describe(values[0, 0, 0]),
            )
        _check_way_back(trial, tried, answer, x, filters, stride)


def _equal(values: np.ndarray, wrong: np.ndarray) -> bool:
    return values.shape == wrong.shape and np.allclose(values, wrong, rtol=1e-5, atol=1e-6)


def _shape_fault(shape: tuple[int, ...], came: list[int], expected: list[int]) -> str:
    if len(came) != 4 or came[0] != expected[0]:
        return tr("the shape is wrong.")
    if came[1] == shape[1] + expected[1]:
        return tr("num_filters is the number of channels in the end, not of those to add.")
    if came[1] != expected[1]:
        return tr("the number of channels is wrong.")
    if came[2:] == list(shape[2:]):
        return tr("no rows and columns are left out.")
    if any(size < wanted for size, wanted in zip(came[2:], expected[2:], strict=True)):
        return tr("a row or column is lost: where the stride does not divide the size, it is rounded up.")
    return tr("height or width is wrong.")


def _check_way_back(trial: Trial, tried: str, answer: Any, x: np.ndarray, filters: int, stride: int) -> None:
    import paddle

    source = paddle.to_tensor(x, stop_gradient=False)
    output = trial.call(
        lambda: answer(source * 1.0, filters, stride), name=tr("pad_shortcut for {x}: ", x=describe(source))
    )
    if not output.stop_gradient:
        output.sum().backward()
    if source.grad is None or not np.array_equal(source.grad.numpy(), _kept_pixels(x, stride)):
        trial.fail(
            tr("the gradient does not find its way back to x."),
            tried=tr("{tried}, then backward() from the sum", tried=tried),
            expected=tr("a gradient of 1 for each pixel that is left in, 0 for the others"),
            hint=tr("a value that leaves PaddlePaddle (numpy, detach, no_grad) takes no gradient back."),
        )


def _kept_pixels(x: np.ndarray, stride: int) -> np.ndarray:
    kept = np.zeros_like(x)
    kept[:, :, ::stride, ::stride] = 1
    return kept
