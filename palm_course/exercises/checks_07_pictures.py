"""How the answers to exercise 7.1 are judged."""

from collections.abc import Callable
from typing import Any

import numpy as np

from palm_course.exercises.trial import Trial
from palm_course.exercises.values import as_array, describe, describe_call, describe_shape
from palm_utils.messages import mark, tr

_Numbers = tuple[float, ...]


def _exact(batch: np.ndarray, mean: _Numbers, std: _Numbers) -> np.ndarray:
    """Return the pixels, float64 [N, H, W, 3], before they are rounded and limited."""
    return (batch.transpose(0, 2, 3, 1).astype(np.float64) * std + mean) * 255


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)


def _wrapped(values: np.ndarray) -> np.ndarray:
    return (np.rint(values).astype(np.int64) % 256).astype(np.uint8)


def _one_scale(batch: np.ndarray, mean: _Numbers, std: _Numbers) -> np.ndarray:
    return _exact(batch, (float(np.mean(mean)),) * 3, (float(np.mean(std)),) * 3)


_MISTAKES: list[tuple[str, Callable]] = [
    (
        mark("the digits are cut off instead of rounded: 99.9 became 99."),
        lambda b, m, s: np.clip(_exact(b, m, s), 0, 255).astype(np.uint8),
    ),
    (
        mark("values beyond 0 and 255 wrap around: 256 became 0. Set limits before you make it uint8."),
        lambda b, m, s: _wrapped(_exact(b, m, s)),
    ),
    (
        mark("the mean is added before the deviation is multiplied; it is the other way round."),
        lambda b, m, s: _to_uint8((b.transpose(0, 2, 3, 1) + np.array(m)) * s * 255),
    ),
    (
        mark("it normalises once more instead of undoing it."),
        lambda b, m, s: _to_uint8((b.transpose(0, 2, 3, 1) - np.array(m)) / s * 255),
    ),
    (mark("the mean is missing."), lambda b, m, s: _to_uint8(_exact(b, (0.0, 0.0, 0.0), s))),
    (mark("the deviation is missing."), lambda b, m, s: _to_uint8(_exact(b, m, (1.0, 1.0, 1.0)))),
    (mark("the factor 255 is missing."), lambda b, m, s: _to_uint8(_exact(b, m, s) / 255)),
    (mark("all channels get the same mean and deviation."), lambda b, m, s: _to_uint8(_one_scale(b, m, s))),
    (
        mark("mean and deviation meet the wrong channels: their order is turned round."),
        lambda b, m, s: _to_uint8(_exact(b, m[::-1], s[::-1])),
    ),
    (
        mark("the colours are turned round; their order should stay."),
        lambda b, m, s: _to_uint8(_exact(b, m, s))[..., ::-1],
    ),
    (
        mark("rows and columns are exchanged."),
        lambda b, m, s: _to_uint8(_exact(b, m, s)).transpose(0, 2, 1, 3),
    ),
    (
        mark("each batch is stretched to fill 0…255; mean and std say what the pixels were."),
        lambda b, m, s: _to_uint8((b.transpose(0, 2, 3, 1) - b.min()) / (b.max() - b.min()) * 255),
    ),
]


def judge_undo(trial: Trial, answer: Any) -> None:
    """Check 7.1 on batches made from pictures, and on values that no picture has."""
    rng = np.random.default_rng(71)
    usual = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
    tries = []
    for shape, (mean, std), beyond in [
        ((2, 3, 4, 4), usual, False),
        ((1, 3, 5, 3), ((0.2, 0.5, 0.7), (0.1, 0.3, 0.5)), True),
        ((4, 3, 6, 6), ([0.61, 0.33, 0.12], [0.2, 0.4, 0.25]), True),
        ((3, 3, 8, 2), ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)), False),
    ]:
        scale, shift = (np.array(v, np.float32).reshape(3, 1, 1) for v in (std, mean))
        # A third of a step away from whole numbers, where rounding and cutting off differ and nothing is in the middle.
        pixels = rng.integers(0, 256, shape) + rng.choice([-0.34, 0.34], shape)
        if beyond:
            pixels += rng.choice([0.0, 0.0, 0.0, -300.0, 300.0], shape)
        batch = ((pixels.astype(np.float32) / 255 - shift) / scale).astype(np.float32)
        value = trial.call(answer, (batch, mean, std))
        tried = describe_call(trial.exercise.name, (batch, mean, std), {})
        tries.append((batch, tuple(mean), tuple(std), tried, _as_pictures(trial, value, batch, tried)))
    wrong = [one for one in tries if not _agrees(_to_uint8(_exact(*one[:3])), one[4])]
    if not wrong:
        return
    fault = next(
        (
            tr(words)
            for words, mistake in _MISTAKES
            if all(_agrees(mistake(b, m, s), came) for b, m, s, _, came in tries)
        ),
        tr("the values are not those of the pictures."),
    )
    batch, mean, std, tried, came = wrong[0]
    expected = _to_uint8(_exact(batch, mean, std))
    trial.fail(
        fault,
        tried=tried,
        expected=tr("first pixels {pixels}", pixels=_pixels(expected)),
        came=tr("first pixels {pixels}", pixels=_pixels(came)),
    )


def _agrees(expected: np.ndarray, came: np.ndarray) -> bool:
    # Float32 may fall to the other side of a half in one pixel of thousands.
    return expected.shape == came.shape and bool((expected == came).all())


def _pixels(pictures: np.ndarray) -> str:
    return " ".join(str(pixel.tolist()) for pixel in pictures[0].reshape(-1, 3)[:3])


def _as_pictures(trial: Trial, value: Any, batch: np.ndarray, tried: str) -> np.ndarray:
    count, _, height, width = batch.shape
    pictures = as_array(value)
    fault = ""
    if pictures is None:
        fault = tr("it does not return an array of numbers.")
    elif pictures.shape == batch.shape and pictures.shape != (count, height, width, 3):
        fault = tr("the channels are still in front; plt.imshow wants them last.")
    elif pictures.shape not in ((count, height, width, 3), (count, width, height, 3)):
        fault = tr("the shape is wrong.")
    elif pictures.dtype != np.uint8:
        fault = tr("the dtype is wrong: plt.imshow takes floats for values between 0 and 1.")
    if fault:
        expected = describe_shape("array", [count, height, width, 3], "uint8")
        trial.fail(fault, tried=tried, expected=expected, came=describe(value))
    return pictures
