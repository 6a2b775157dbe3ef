"""Exercise 2.4: the reference passes, so do other right ways; wrong answers are named."""

import cv2
import numpy as np
import pytest
from exercise_verdicts import assert_right, assert_wrong, reference


def test_reference_solution_passes():
    assert_right("2.4", reference("2.4", {"np": np, "cv2": cv2}))


def keep_aspect(img, size=224, pad=0, colour=True, interpolation=cv2.INTER_LINEAR, rounding=round):
    """Return uint8 [size, size, 3] by the way that most would choose."""
    height, width = img.shape[:2]
    factor = size / max(height, width)
    new = rounding(height * factor), rounding(width * factor)
    small = cv2.resize(img, new[::-1], interpolation=interpolation)
    top, left = (size - new[0]) // 2, (size - new[1]) // 2
    bottom, right = size - new[0] - top, size - new[1] - left
    return cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(pad,) * 3)


def to_chw(img):
    return (img.astype(np.float32) / 255 * 2 - 1).transpose(2, 0, 1)


def pad_first(img, size=224):
    height, width = img.shape[:2]
    longer = max(height, width)
    square = np.zeros((longer, longer, 3), np.uint8)
    top, left = (longer - height + 1) // 2, (longer - width + 1) // 2
    square[top : top + height, left : left + width] = img
    return to_chw(cv2.resize(square, (size, size)))


def scale_first(img, size=224):
    height, width = img.shape[:2]
    factor = size / max(height, width)
    values = (img.astype(np.float32) - 127.5) / 127.5
    small = cv2.resize(values, (max(1, int(width * factor)), max(1, int(height * factor))))
    result = -np.ones((3, size, size), np.float32)
    top, left = (size - small.shape[0] + 1) // 2, (size - small.shape[1] + 1) // 2
    result[:, top : top + small.shape[0], left : left + small.shape[1]] = small.transpose(2, 0, 1)
    return result


@pytest.mark.parametrize(
    "answer",
    [
        pad_first,
        scale_first,
        lambda img, size=224: to_chw(keep_aspect(img, size)),
        lambda img, size=224: to_chw(keep_aspect(img, size, interpolation=cv2.INTER_AREA)),
        lambda img, size=224: to_chw(keep_aspect(img, size, interpolation=cv2.INTER_CUBIC)),
        lambda img, size=224: to_chw(keep_aspect(img, size, interpolation=cv2.INTER_LANCZOS4)),
        lambda img, size=224: to_chw(keep_aspect(img, size, interpolation=cv2.INTER_NEAREST)),
        lambda img, size=224: to_chw(keep_aspect(img, size, rounding=lambda side: int(side + 0.999))),
    ],
)
def test_keep_aspect_in_other_right_ways(answer):
    assert_right("2.4", answer)


def in_the_corner(img, size=224):
    height, width = img.shape[:2]
    factor = size / max(height, width)
    square = np.zeros((size, size, 3), np.uint8)
    small = cv2.resize(img, (round(width * factor), round(height * factor)))
    square[: small.shape[0], : small.shape[1]] = small
    return to_chw(square)


def cropped(img, size=224):
    height, width = img.shape[:2]
    factor = size / min(height, width)
    small = cv2.resize(img, (round(width * factor), round(height * factor)))
    top, left = (small.shape[0] - size) // 2, (small.shape[1] - size) // 2
    return to_chw(small[top : top + size, left : left + size])


def exchanged_sides(img, size=224):
    height, width = img.shape[:2]
    factor = size / max(height, width)
    square = np.zeros((size, size, 3), np.uint8)
    new_height, new_width = round(height * factor), round(width * factor)
    square[:new_height, :new_width] = cv2.resize(img, (new_height, new_width))
    return to_chw(square)


def in_place(img, size=224):
    result = to_chw(keep_aspect(img, size))
    img //= 2
    return result


def grey_border(img, size=224):
    result = scale_first(img, size)
    result[:, keep_aspect(np.full_like(img, 255), size)[:, :, 0] == 0] = 0
    return result


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda img, size=224: to_chw(cv2.resize(img, (size, size))), "squeezes"),
        (cropped, "cuts off the ends"),
        (in_the_corner, "in the corner"),
        (grey_border, "border is grey"),
        (lambda img, size=224: to_chw(keep_aspect(img, size, pad=255)), "border is white"),
        (lambda img, size=224: to_chw(keep_aspect(img, size)[:, :, ::-1]), "reordered to RGB"),
        (lambda img, size=224: (to_chw(keep_aspect(img, size)) + 1) / 2, r"in \[0, 1\]"),
        (lambda img, size=224: keep_aspect(img, size).transpose(2, 0, 1).astype(np.float32), "still 0…255"),
        (lambda img, size=224: keep_aspect(img, size).astype(np.float32) / 127.5 - 1, "last axis"),
        (lambda img, size=224: to_chw(keep_aspect(img, size)).astype(np.float64), "dtype is wrong"),
        (lambda img, size=224: to_chw(keep_aspect(img, 224)), "square of `size` pixels"),
        (lambda img, size=224: to_chw(keep_aspect(img, size))[np.newaxis], "batch axis"),
        (lambda img, size=224: to_chw(keep_aspect(img, size)).transpose(0, 2, 1), "not those of the resized"),
        (lambda img, size=224: np.zeros((3, size, size), np.float32), "not those of the resized"),
        (lambda img, size=224: [img, size], "array of numbers"),
        (exchanged_sides, "raises ValueError in line .*cv2.resize"),
        (in_place, "changes its input"),
    ],
)
def test_keep_aspect_wrong(answer, words):
    assert_wrong("2.4", answer, words)
