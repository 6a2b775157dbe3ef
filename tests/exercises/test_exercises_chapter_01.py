"""Exercises 1.1 and 1.2: the reference passes, so do other right ways; wrong answers are named."""

import math

import numpy as np
import pytest
from exercise_verdicts import assert_right, assert_wrong, reference

paddle = pytest.importorskip("paddle")


@pytest.mark.parametrize("number", ["1.1", "1.2"])
def test_reference_solution_passes(number):
    assert_right(number, reference(number, {}))


# 1.1 ------------------------------------------------------------------------------------------


def size_by_counting(size, kernel, stride=1, padding=0):
    position, count = -padding, 0
    while position + kernel <= size + padding:
        position, count = position + stride, count + 1
    return count


def size_of_an_actual_convolution(size, kernel, stride=1, padding=0):
    layer = paddle.nn.Conv2D(1, 1, kernel, stride=stride, padding=padding)
    return layer(paddle.zeros([1, 1, size, size])).shape[-1]


@pytest.mark.parametrize(
    "answer",
    [
        size_by_counting,
        size_of_an_actual_convolution,
        lambda size, kernel, stride=1, padding=0: math.floor((size + 2 * padding - kernel) / stride) + 1,
        lambda size, kernel, stride=1, padding=0: np.floor((size - kernel + 2 * padding) / stride + 1),
        lambda size, kernel, stride=1, padding=0: paddle.to_tensor((size + 2 * padding - kernel) // stride + 1),
        lambda size, kernel, stride=1, padding=0: np.array([(size + 2 * padding - kernel + stride) // stride]),
    ],
)
def test_output_size_in_other_right_ways(answer):
    assert_right("1.1", answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda size, kernel, stride=1, padding=0: (size + 2 * padding - kernel) // stride, "one too small"),
        (lambda size, kernel, stride=1, padding=0: (size + padding - kernel) // stride + 1, "both ends"),
        (lambda size, kernel, stride=1, padding=0: (size - kernel) // stride + 1, "no notice of the padding"),
        (lambda size, kernel, stride=1, padding=0: size + 2 * padding - kernel + 1, "notice of the stride"),
        (
            lambda size, kernel, stride=1, padding=0: (size + 2 * padding - kernel) / stride + 1,
            "whole number",
        ),
        (
            lambda size, kernel, stride=1, padding=0: math.ceil((size + 2 * padding - kernel) / stride) + 1,
            "rounds up",
        ),
        (
            lambda size, kernel, stride=1, padding=0: (size + 2 * padding - kernel + 1) // stride,
            "before the division",
        ),
        (lambda size, kernel, stride=1, padding=0: 24, "same answer whatever"),
        (lambda size, kernel, stride=1, padding=0: {28: 24, 24: 12}[size], "raises KeyError"),
        (
            lambda size, kernel, stride=1, padding=0: {28: 24, 24: 12}.get(size, 1),
            r"right for \d of the 27 inputs.*\n  tried:    conv_output_size\(224, 11, stride=4, padding=5\)"
            r"\n  expected: 56\n  came:     1\n",
        ),
        (lambda size, kernel: size - kernel + 1, "cannot be called this way"),
        (lambda size, kernel, stride=1, padding=0: [size, size], "one number"),
        (lambda size, kernel, stride=1, padding=0: str(size), "one number"),
    ],
)
def test_output_size_wrong(answer, words):
    assert_wrong("1.1", answer, words)


# 1.2 ------------------------------------------------------------------------------------------


def parameters_of_a_model(num_classes, in_channels=1):
    nn = paddle.nn
    layers = [nn.Conv2D(in_channels, 6, 5), nn.Conv2D(6, 16, 5), nn.Conv2D(16, 120, 4)]
    layers += [nn.Linear(120, 64), nn.Linear(64, num_classes)]
    return sum(parameter.size for layer in layers for parameter in layer.parameters())


def parameters(num_classes, in_channels=1, bias=1, k3=4):
    convolutions = in_channels * 6 * 25 + 6 * bias + 6 * 16 * 25 + 16 * bias + 16 * 120 * k3**2 + 120 * bias
    return convolutions + (120 + bias) * 64 + (64 + bias) * num_classes


@pytest.mark.parametrize(
    "answer",
    [
        parameters_of_a_model,
        parameters,
        lambda num_classes, in_channels=1: np.int64(41806 - 650 - 150 + 65 * num_classes + 150 * in_channels),
    ],
)
def test_parameters_in_other_right_ways(answer):
    assert_right("1.2", answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda num_classes, in_channels=1: parameters(num_classes, in_channels, bias=0),
            "biases are missing",
        ),
        (lambda num_classes, in_channels=1: parameters(num_classes), "no notice of in_channels"),
        (lambda num_classes, in_channels=1: parameters(10, in_channels), "no notice of num_classes"),
        (lambda num_classes, in_channels=1: parameters(num_classes, in_channels, k3=5), "4 × 4"),
        (
            lambda num_classes, in_channels=1: parameters(num_classes, in_channels) - 6 - 16 - 120,
            "biases of the convolutions",
        ),
        (
            lambda num_classes, in_channels=1: parameters(num_classes, in_channels) - 64 - num_classes,
            "biases of the fully connected",
        ),
        (lambda num_classes, in_channels=1: 41806, "same answer whatever"),
        (lambda num_classes: parameters(num_classes), "cannot be called this way"),
    ],
)
def test_parameters_wrong(answer, words):
    assert_wrong("1.2", answer, words)
