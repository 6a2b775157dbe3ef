"""How the answers to exercises 3.1 and 3.2 are judged."""

from collections.abc import Callable
from typing import Any

import numpy as np

from palm_course.exercises.trial import Case, Mistake, Trial
from palm_course.exercises.values import as_array, describe, describe_call, describe_shape
from palm_utils.messages import mark, tr

# 3.1 ------------------------------------------------------------------------------------------


def _side(pixels: int, padding: int = 5, poolings: int = 3) -> int:
    pixels = (pixels + 2 * padding - 11) // 4 + 1
    return pixels // 2**poolings


def _features(height: int, width: int) -> int:
    return 256 * _side(height) * _side(width)


def _side_rounded_up(pixels: int) -> int:
    pixels = (pixels - 1) // 4 + 1
    for _ in range(3):
        pixels = -(-pixels // 2)
    return pixels


_FC1_MISTAKES = [
    Mistake(
        "it counts the pixels of one map; conv5 has 256 channels, each with a map of its own.",
        lambda height, width: _side(height) * _side(width),
    ),
    Mistake(
        "one pooling is missing: there is one after conv1, after conv2 and after conv5.",
        lambda height, width: 256 * _side(height, poolings=2) * _side(width, poolings=2),
    ),
    Mistake(
        "conv1's padding is missing.",
        lambda height, width: 256 * _side(height, padding=0) * _side(width, padding=0),
    ),
    Mistake(
        "conv1's padding is counted once; there are 5 pixels on *each* side.",
        lambda height, width: 256 * _side(height - 5) * _side(width - 5),
    ),
    Mistake(
        "a convolution has one position more than it takes steps: the + 1 is missing.",
        lambda height, width: 256 * ((height - 1) // 4 // 8) * ((width - 1) // 4 // 8),
    ),
    Mistake(
        "it divides by 32 and rounds down at the end; conv1 rounds up, thanks to its padding.",
        lambda height, width: 256 * (height // 32) * (width // 32),
    ),
    Mistake(
        "it divides by 32 and rounds at the end; every layer rounds for itself.",
        lambda height, width: 256 * round(height / 32) * round(width / 32),
    ),
    Mistake(
        "the poolings round up; what does not fill a whole 2 × 2 field is left out.",
        lambda height, width: 256 * _side_rounded_up(height) * _side_rounded_up(width),
    ),
    Mistake(
        "it takes the photograph for a square of `height` pixels.",
        lambda height, width: _features(height, height),
    ),
    Mistake(
        "it takes the photograph for a square of `width` pixels.",
        lambda height, width: _features(width, width),
    ),
    Mistake("conv1's stride of 4 is missing.", lambda height, width: 256 * (height // 8) * (width // 8)),
    Mistake("the 256 channels are those of conv5, not 384.", lambda height, width: 384 * _side(height) * _side(width)),
]


def judge_fc1_inputs(trial: Trial, answer: Any) -> None:
    """Check 3.1 on squares and others, on sizes that divide evenly and that do not, and on too small ones."""
    rng = np.random.default_rng(31)
    sizes = [(224, 224), (112, 112), (224, 448), (221, 225), (512, 384), (96, 61), (29, 300), (189, 190)]
    sizes += [tuple(int(side) for side in rng.integers(64, 600, 2)) for _ in range(8)]
    trial.compare(answer, [Case(size) for size in sizes], _features, _FC1_MISTAKES)
    for size in ((28, 224), (224, 20), (7, 7)):
        trial.call_for_error(ValueError, answer, size)


# 3.2 ------------------------------------------------------------------------------------------

# Half a grey level of 256 on the scale from -1 to 1 is 0.004: a way through uint8 passes.
_TOLERANCE = 0.01


def _mirrored(image: np.ndarray, flip: bool) -> np.ndarray:
    return image[:, :, ::-1] if flip else image


def _brighter(image: np.ndarray, factor: float) -> np.ndarray:
    return np.clip((image + 1) * factor - 1, -1, 1)


def _right(image: np.ndarray, flip: bool, factor: float) -> np.ndarray:
    return _brighter(_mirrored(image, flip), factor)


_IMAGE_MISTAKES: list[tuple[str, Callable]] = [
    (mark("it leaves the image as it is."), lambda image, flip, factor: image),
    (
        mark("top and bottom are exchanged; mirror left and right."),
        lambda image, flip, factor: _brighter(image[:, ::-1] if flip else image, factor),
    ),
    (
        mark("the colours are exchanged: the first axis holds blue, green and red."),
        lambda image, flip, factor: _brighter(image[::-1] if flip else image, factor),
    ),
    (
        mark("rows and columns are both reversed: that turns the eye upside down."),
        lambda image, flip, factor: _brighter(image[:, ::-1, ::-1] if flip else image, factor),
    ),
    (
        mark("everything is reversed, colours too; only left and right should be."),
        lambda image, flip, factor: _brighter(image[::-1, ::-1, ::-1] if flip else image, factor),
    ),
    (mark("it mirrors whether `flip` is true or not."), lambda image, flip, factor: _right(image, True, factor)),
    (mark("it never mirrors."), lambda image, flip, factor: _right(image, False, factor)),
    (mark("it mirrors where `flip` is false."), lambda image, flip, factor: _right(image, not flip, factor)),
    (mark("the brightness stays as it is."), lambda image, flip, factor: _mirrored(image, flip)),
    (
        mark("it multiplies the values themselves: 0 is a mid-grey here, so black (-1) does not stay black."),
        lambda image, flip, factor: np.clip(_mirrored(image, flip) * factor, -1, 1),
    ),
    (
        mark("it multiplies the values themselves (black, -1, does not stay black), and some end beyond -1 or 1."),
        lambda image, flip, factor: _mirrored(image, flip) * factor,
    ),
    (
        mark("it adds `factor` - 1 to every pixel, black ones too; brightness is a factor."),
        lambda image, flip, factor: np.clip(_mirrored(image, flip) + factor - 1, -1, 1),
    ),
    (
        mark("some values are above 1; what would be brighter than 1 becomes 1."),
        lambda image, flip, factor: (_mirrored(image, flip) + 1) * factor - 1,
    ),
    (
        mark("black has become 0: after multiplying, the scale must go back to where black is -1."),
        lambda image, flip, factor: np.clip((_mirrored(image, flip) + 1) * factor, 0, 2),
    ),
    (
        mark("black has become 0: after multiplying, the scale must go back to where black is -1."),
        lambda image, flip, factor: np.clip((_mirrored(image, flip) + 1) * factor, 0, 1),
    ),
    (
        mark("the dark half is lost: values are cut at 0 instead of -1."),
        lambda image, flip, factor: np.clip(_right(image, flip, factor), 0, 1),
    ),
]


def judge_flip_and_brighten(trial: Trial, answer: Any) -> None:
    """Check 3.2 on wide, tall and square images, with and without mirroring, darker and brighter."""
    rng = np.random.default_rng(32)
    calls = [
        (rng.uniform(-1, 1, (3, height, width)).astype(np.float32), flip, factor)
        for height, width, flip, factor in (
            (4, 6, True, 1.0),
            (5, 3, False, 1.5),
            (6, 6, True, 0.8),
            (7, 9, False, 0.5),
            (9, 8, True, 1.3),
            (8, 8, False, 1.0),
        )
    ]
    for image, _, _ in calls:
        image[:, 0, 0] = -1.0  # black
        image[:, -1, -1] = 1.0
    came = [_as_image(trial, trial.call(answer, call), call) for call in calls]

    def agree(way: Callable) -> list[bool]:
        return [bool(np.allclose(way(*call), got, atol=_TOLERANCE)) for call, got in zip(calls, came, strict=True)]

    right = agree(_right)
    if all(right):
        return
    fault = next((tr(sentence) for sentence, way in _IMAGE_MISTAKES if all(agree(way))), "")
    first = right.index(False)
    trial.fail(
        fault or tr("right for {right} of the {count} images tried.", right=sum(right), count=len(calls)),
        tried=describe_call(trial.exercise.name, calls[first], {}),
        expected=_rows(_right(*calls[first])),
        came=_rows(came[first]),
    )


def _as_image(trial: Trial, value: Any, call: tuple) -> np.ndarray:
    image = call[0]
    result = as_array(value)
    fault = ""
    if result is None:
        fault = tr("it does not return an array of numbers.")
    elif result.shape == (*image.shape[1:], 3) and result.shape != image.shape:
        fault = tr("the colour channel has become the last axis; it should stay the first (CHW).")
    elif result.shape != image.shape:
        fault = tr("the shape has changed.")
    elif result.dtype != np.float32:
        fault = tr("the dtype is wrong: networks are fed float32.")
    elif not np.isfinite(result).all():
        fault = tr("some values are not finite.")
    if fault:
        expected = describe_shape("array", image.shape, "float32")
        trial.fail(fault, tried=describe_call(trial.exercise.name, call, {}), expected=expected, came=describe(value))
    return result


def _rows(image: np.ndarray) -> str:
    """Describe an image by what a student can print: the first row of blue, and the range."""
    row = ", ".join(f"{value:.2f}" for value in image[0, 0, :6])
    more = ", …" if image.shape[2] > 6 else ""
    return tr(
        "first row of blue [{row}], values {least:.2f} to {largest:.2f}",
        row=row + more,
        least=image.min(),
        largest=image.max(),
    )
