"""How the answers to exercise 2.4 are judged."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from palm_course.exercises.trial import Trial
from palm_course.exercises.values import as_array, describe, describe_call, describe_shape
from palm_utils.messages import mark, tr

# On the smooth photographs tried here usual interpolations and roundings differ by up to 0.05, and a
# wrong colour, scale, shape or place by several times as much somewhere.
_TOLERANCE = 0.1


@dataclass(frozen=True)
class _Way:
    """One way to fit a photograph into a square; the defaults are the right one."""

    fit: str = "longer"
    place: str = "middle"
    border: float = 0.0
    colours: str = "bgr"
    scale: str = "signed"

    def apply(self, img: np.ndarray, size: int) -> np.ndarray:
        """Return float32 [3, size, size]."""
        import cv2

        height, width = img.shape[:2]
        factor = size / (max(height, width) if self.fit == "longer" else min(height, width))
        new_height, new_width = round(height * factor), round(width * factor)
        if self.fit == "stretched":
            new_height = new_width = size
        small = cv2.resize(img, (new_width, new_height)).astype(np.float32)
        if self.fit == "shorter":
            top, left = (new_height - size) // 2, (new_width - size) // 2
            small = small[top : top + size, left : left + size]
            new_height = new_width = size
        square = np.full((size, size, 3), self.border, np.float32)
        top, left = self._margin(size - new_height), self._margin(size - new_width)
        square[top : top + new_height, left : left + new_width] = small
        if self.colours == "rgb":
            square = square[:, :, ::-1]
        square = square.transpose(2, 0, 1)
        return {"signed": square / 127.5 - 1, "unit": square / 255, "raw": square}[self.scale]

    def _margin(self, left_over: int) -> int:
        return {"middle": left_over // 2, "start": 0, "end": left_over}[self.place]


_RIGHT = _Way()

_MISTAKES = [
    (mark("it squeezes the photograph into a square instead of keeping its shape."), _Way(fit="stretched")),
    (
        mark("it cuts off the ends: the longer side should have `size` pixels, not the shorter."),
        _Way(fit="shorter"),
    ),
    (mark("the photograph is in the corner; the border should be even on both sides."), _Way(place="start")),
    (mark("the photograph is at the far end; the border should be even on both sides."), _Way(place="end")),
    (mark("the border is grey (0 after scaling); black is -1."), _Way(border=127.5)),
    (mark("the border is white; it should be black, -1."), _Way(border=255.0)),
    (mark("the colours are reordered to RGB; blue should stay first."), _Way(colours="rgb")),
    (mark("the values are in [0, 1]; they should fill [-1, 1]."), _Way(scale="unit")),
    (mark("the values are still 0…255; they should be in [-1, 1]."), _Way(scale="raw")),
]


@dataclass(frozen=True)
class _Try:
    """One call of the answer, and the float32 [3, size, size] that came."""

    tried: str
    img: np.ndarray
    size: int
    result: np.ndarray

    def agrees(self) -> bool:
        """Say whether the result is right, up to the interpolation and the rounding of the shorter side."""
        import cv2

        content = (_Way(scale="raw").apply(np.full_like(self.img, 255), self.size)[0] > 0).astype(np.uint8)
        # Two pixels on either side of the photograph's edge may be content or border.
        around = np.ones((5, 5), np.uint8)
        inside, outside = cv2.erode(content, around) == 1, cv2.dilate(content, around) == 0
        difference = np.abs(self.result - _RIGHT.apply(self.img, self.size))
        # The border is exact, whatever the interpolation.
        return bool(difference[:, inside].max() < _TOLERANCE and difference[:, outside].max(initial=0) < 1e-3)

    def is_near(self, way: _Way) -> bool:
        """Say whether `way` gives about this result; by the mean, which a row of pixels hardly moves."""
        unit = 127.5 if way.scale == "raw" else 1.0
        return bool(np.abs(way.apply(self.img, self.size) - self.result).mean() < 0.04 * unit)


def judge_keep_aspect(trial: Trial, answer: Any) -> None:
    """Check 2.4 on wide, tall, square, small and odd-sized photographs."""
    rng = np.random.default_rng(24)
    shapes = [(100, 200, None), (300, 180, None), (90, 90, 64), (71, 107, 150), (150, 101, 75), (64, 200, 99)]
    tries = []
    for height, width, size in shapes:
        img = _photograph(rng, height, width)
        kwargs = {} if size is None else {"size": size}
        tried = describe_call(trial.exercise.name, (img,), kwargs)
        value = trial.call(answer, (img,), kwargs)
        size = size or 224
        tries.append(_Try(tried, img, size, _as_result(trial, value, size, tried)))
    for one in tries:
        if not one.agrees():
            fault = next(
                (tr(sentence) for sentence, way in _MISTAKES if all(each.is_near(way) for each in tries)),
                tr("the values are not those of the resized photograph with a black border."),
            )
            expected = _RIGHT.apply(one.img, one.size)
            trial.fail(fault, tried=one.tried, expected=_summary(expected), came=_summary(one.result))


def _photograph(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return a smooth uint8 [height, width, 3] image, nowhere near black, its colours unlike each other."""
    import cv2

    # Without the offset between the channels, exchanged colours could go unseen.
    coarse = rng.uniform(80, 160, (3, 3, 3)) + np.array([60, 0, -30])
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def _as_result(trial: Trial, value: Any, size: int, tried: str) -> np.ndarray:
    result = as_array(value)
    fault = ""
    if result is None:
        fault = tr("it does not return an array of numbers.")
    elif result.shape == (size, size, 3):
        fault = tr("the colour channel is still the last axis; it should be the first (CHW).")
    elif result.shape == (1, 3, size, size):
        fault = tr("there is one axis too many: a single photograph has no batch axis.")
    elif result.shape != (3, size, size):
        fault = tr("the shape is wrong: the result should be a square of `size` pixels.")
    elif result.dtype != np.float32:
        fault = tr("the dtype is wrong: networks are fed float32.")
    elif not np.isfinite(result).all():
        fault = tr("some values are not finite.")
    if fault:
        expected = describe_shape("array", [3, size, size], "float32")
        trial.fail(fault, tried=tried, expected=expected, came=describe(value))
    return result


def _summary(result: np.ndarray) -> str:
    """Describe an image by what a student can print: its range, a corner, one pixel in the middle."""
    middle = result[:, result.shape[1] // 2, result.shape[2] // 2]
    return tr(
        "values {least:.2f} to {largest:.2f}, top left pixel {corner}, middle pixel {middle}",
        least=result.min(),
        largest=result.max(),
        corner=_pixel(result[:, 0, 0]),
        middle=_pixel(middle),
    )


def _pixel(values: np.ndarray) -> str:
    return "[" + ", ".join(f"{value:.2f}" for value in values) + "]"
