"""Exercises 3.1 and 3.2: the references pass, so do other right ways; wrong answers are named."""

import math

import numpy as np
import pytest
from exercise_verdicts import assert_right, assert_wrong, reference


@pytest.mark.parametrize("number", ["3.1", "3.2"])
def test_reference_solution_passes(number):
    assert_right(number, reference(number, {"np": np}))


# 3.1 ------------------------------------------------------------------------------------------


def side(pixels, padding=5, step=1, poolings=3):
    pixels = (pixels + 2 * padding - 11) // 4 + step
    for _ in range(poolings):
        pixels //= 2
    return pixels


def features(height, width, one=side, channels=256):
    if side(height) < 1 or side(width) < 1:
        raise ValueError("too small")
    return channels * one(height) * one(width)


def features_in_short(height, width):
    rows, columns = math.ceil(height / 4) // 8, -(-width // 4) // 8
    if not rows * columns:
        raise ValueError
    return float(np.prod([256, rows, columns]))


def features_by_paddle(height, width):
    paddle = pytest.importorskip("paddle")
    x = paddle.nn.functional.conv2d(
        paddle.zeros([1, 1, height, width]), paddle.zeros([1, 1, 11, 11]), stride=4, padding=5
    )
    if min(x.shape[2:]) < 8:
        raise ValueError("nothing is left")
    for _ in range(3):
        x = paddle.nn.functional.max_pool2d(x, 2, 2)
    return paddle.to_tensor(256 * x.shape[2] * x.shape[3])


@pytest.mark.parametrize("answer", [features, features_in_short, features_by_paddle])
def test_fc1_inputs_in_other_right_ways(answer):
    assert_right("3.1", answer)


def rounding_up(pixels):
    pixels = (pixels - 1) // 4 + 1
    for _ in range(3):
        pixels = math.ceil(pixels / 2)
    return pixels


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda height, width: features(height, width, channels=1), "256 channels"),
        (lambda height, width: features(height, width, channels=384), "not 384"),
        (lambda height, width: features(height, width, lambda n: side(n, poolings=2)), "one pooling is missing"),
        (lambda height, width: features(height, width, lambda n: side(n, padding=0)), "padding is missing"),
        (lambda height, width: features(height, width, lambda n: side(n - 5)), "counted once"),
        (lambda height, width: features(height, width, lambda n: side(n, step=0)), r"the \+ 1 is missing"),
        (lambda height, width: features(height, width, lambda n: n // 32), "rounds down at the end"),
        (lambda height, width: features(height, width, lambda n: round(n / 32)), "every layer rounds"),
        (lambda height, width: features(height, width, rounding_up), "poolings round up"),
        (lambda height, width: features(height, width, lambda n: n // 8), "stride of 4 is missing"),
        (lambda height, width: features(height, height), "square of `height`"),
        (lambda height, width: features(width, width), "square of `width`"),
        (lambda height, width: 12544, "same answer whatever"),
        (lambda height, width: 256 * side(height) * side(width), "should raise ValueError here(.|\n)*value 0"),
        (lambda height, width: (256, side(height), side(width)), "one number"),
        (lambda height, width: print(features(height, width)), "returns nothing(.|\n)*printed: 12544"),
    ],
)
def test_fc1_inputs_wrong(answer, words):
    assert_wrong("3.1", answer, words)


# 3.2 ------------------------------------------------------------------------------------------


def flip_in_float(image, flip, factor):
    image = np.flip(image, axis=2) if flip else image.copy()
    return np.minimum(image * factor + (factor - 1), 1).astype("float32")


def flip_as_uint8(image, flip, factor):
    grey = np.rint((image + 1) * 127.5)
    if flip:
        grey = grey[..., ::-1]
    return (np.clip(grey * factor, 0, 255) / 127.5 - 1).astype(np.float32)


def flip_by_loops(image, flip, factor):
    result = np.empty_like(image)
    _, height, width = image.shape
    for i in range(height):
        for j in range(width):
            for c in range(3):
                value = image[c, i, width - 1 - j if flip else j]
                result[c, i, j] = min(1.0, (value + 1) * factor - 1)
    return result


def flip_by_paddle(image, flip, factor):
    paddle = pytest.importorskip("paddle")
    x = paddle.to_tensor(image)
    x = paddle.flip(x, axis=[2]) if flip else x
    return paddle.clip((x + 1) * factor - 1, -1, 1)


@pytest.mark.parametrize("answer", [flip_in_float, flip_as_uint8, flip_by_loops, flip_by_paddle])
def test_flip_and_brighten_in_other_right_ways(answer):
    assert_right("3.2", answer)


def brighten(image, factor):
    return np.clip((image + 1) * factor - 1, -1, 1)


def mirror(image, flip):
    return image[:, :, ::-1] if flip else image


def in_place(image, flip, factor):
    image += 1
    image *= factor
    image -= 1
    return np.clip(image[:, :, ::-1] if flip else image, -1, 1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda image, flip, factor: brighten(image[:, ::-1] if flip else image, factor), "top and bottom"),
        (lambda image, flip, factor: brighten(image[::-1] if flip else image, factor), "colours are exchanged"),
        (lambda image, flip, factor: brighten(image[:, ::-1, ::-1] if flip else image, factor), "upside down"),
        (lambda image, flip, factor: brighten(np.flip(image) if flip else image, factor), "colours too"),
        (lambda image, flip, factor: brighten(image[:, :, ::-1], factor), "whether `flip` is true or not"),
        (lambda image, flip, factor: brighten(image, factor), "never mirrors"),
        (lambda image, flip, factor: brighten(mirror(image, not flip), factor), "where `flip` is false"),
        (lambda image, flip, factor: mirror(image, flip), "brightness stays"),
        (lambda image, flip, factor: np.clip(mirror(image, flip) * factor, -1, 1), "does not stay black"),
        (lambda image, flip, factor: mirror(image, flip) * factor, "end beyond -1 or 1"),
        (lambda image, flip, factor: np.clip(mirror(image, flip) + factor - 1, -1, 1), "brightness is a factor"),
        (lambda image, flip, factor: (mirror(image, flip) + 1) * factor - 1, "above 1"),
        (lambda image, flip, factor: np.clip((mirror(image, flip) + 1) * factor, 0, 1), "black has become 0"),
        (lambda image, flip, factor: np.clip(brighten(mirror(image, flip), factor), 0, 1), "cut at 0"),
        (lambda image, flip, factor: brighten(mirror(image, flip), factor).astype("float64"), "dtype is wrong"),
        (lambda image, flip, factor: brighten(mirror(image, flip), factor).transpose(1, 2, 0), r"last axis.*\(CHW\)"),
        (lambda image, flip, factor: brighten(mirror(image, flip), factor)[np.newaxis], "shape has changed"),
        (lambda image, flip, factor: image, "leaves the image as it is"),
        (lambda image, flip, factor: np.zeros_like(image), "right for 0 of the 6"),
        (lambda image, flip, factor: [image, flip], "array of numbers"),
        (in_place, "changes its input"),
    ],
)
def test_flip_and_brighten_wrong(answer, words):
    assert_wrong("3.2", answer, words)
