"""Exercises 6.1 and 6.4: the reference passes, so do other right ways; wrong answers are named."""

import numpy as np
import pytest
from exercise_verdicts import assert_right, assert_wrong, reference

paddle = pytest.importorskip("paddle")


@pytest.mark.parametrize("number", ["6.1", "6.4"])
def test_reference_solution_passes(number):
    assert_right(number, reference(number, {"np": np}))


# 6.1 ------------------------------------------------------------------------------------------


def count(
    num_channels,
    num_filters,
    stride=1,
    norm=2,
    conv_bias=0,
    expansion=4,
    middle=3,
    projects=lambda channels, wide, stride: channels != wide or stride != 1,
    projection_norm=2,
):
    """Count as most would; the arguments behind the stride make the mistakes."""
    wide = expansion * num_filters
    total = 0
    for c_in, c_out, kernel in (
        (num_channels, num_filters, 1),
        (num_filters, num_filters, middle),
        (num_filters, wide, 1),
    ):
        total += c_out * (c_in * kernel * kernel + norm + conv_bias)
    if projects(num_channels, wide, stride):
        total += wide * (num_channels + (projection_norm if norm == 2 else norm) + conv_bias)
    return total


def wrong_count(**changes):
    return lambda num_channels, num_filters, stride=1: count(num_channels, num_filters, stride, **changes)


def counted_on_layers(num_channels, num_filters, stride=1):
    nn, wide = paddle.nn, 4 * num_filters
    sizes = [(num_channels, num_filters, 1), (num_filters, num_filters, 3), (num_filters, wide, 1)]
    if (num_channels, stride) != (wide, 1):
        sizes.append((num_channels, wide, 1))
    layers = [nn.Conv2D(*size, bias_attr=False) for size in sizes] + [nn.BatchNorm2D(size[1]) for size in sizes]
    return sum(int(np.prod(p.shape)) for layer in layers for p in layer.parameters() if not p.stop_gradient)


def counted_by_formula(num_channels, num_filters, stride=1):
    total = num_filters * (num_channels + 13 * num_filters + 12)
    return np.int64(total + 4 * num_filters * (num_channels + 2) * int((num_channels, stride) != (4 * num_filters, 1)))


@pytest.mark.parametrize("answer", [counted_on_layers, counted_by_formula, wrong_count()])
def test_bottleneck_parameters_in_other_right_ways(answer):
    assert_right("6.1", answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (wrong_count(norm=0), "batch norms are missing"),
        (wrong_count(norm=4), "running mean and variance"),
        (wrong_count(norm=1), "scale and bias are two"),
        (wrong_count(conv_bias=1), "gives the convolutions a bias"),
        (wrong_count(projects=lambda *_: False), "convolution on the shortcut is missing"),
        (wrong_count(projects=lambda *_: True), "on every shortcut"),
        (wrong_count(projects=lambda channels, wide, stride: channels != wide), "a stride changes the shape too"),
        (wrong_count(projects=lambda channels, wide, stride: stride != 1), "only where there is a stride"),
        (wrong_count(projection_norm=0), "batch norm on the shortcut is missing"),
        (wrong_count(expansion=1), "up to 4 × num_filters"),
        (wrong_count(middle=1), "nine weights"),
        (lambda num_channels, num_filters, stride=1: 70_400, "same answer whatever"),
        (lambda num_channels, num_filters: count(num_channels, num_filters), "cannot be called this way"),
        (lambda num_channels, num_filters, stride=1: [count(num_channels, num_filters, stride)] * 2, "one number"),
        (lambda num_channels, num_filters, stride=1: None, "return` missing"),
    ],
)
def test_bottleneck_parameters_wrong(answer, words):
    assert_wrong("6.1", answer, words)


# 6.4 ------------------------------------------------------------------------------------------


def fold(weight, scale, bias, mean, variance, epsilon=1e-5):
    factor = scale / np.sqrt(variance + epsilon)
    return weight * factor[:, None, None, None], bias - mean * factor


def fold_in_a_loop(weight, scale, bias, mean, variance, epsilon=1e-5):
    new_weight, new_bias = np.empty_like(weight), np.empty_like(bias)
    for i in range(len(weight)):
        new_weight[i] = weight[i] * scale[i] / (variance[i] + epsilon) ** 0.5
        new_bias[i] = bias[i] - mean[i] * scale[i] / (variance[i] + epsilon) ** 0.5
    return new_weight, new_bias


def fold_by_einsum(weight, scale, bias, mean, variance, epsilon=1e-5):
    factor = scale.astype("float64") * (variance.astype("float64") + epsilon) ** -0.5
    return [np.einsum("oikl,o->oikl", weight, factor), bias + -factor * mean]


def fold_as_tensors(*arguments, **named):
    return tuple(map(paddle.to_tensor, fold(*arguments, **named)))


@pytest.mark.parametrize("answer", [fold, fold_in_a_loop, fold_by_einsum, fold_as_tensors])
def test_fold_in_other_right_ways(answer):
    assert_right("6.4", answer)


def wrong_fold(factor=None, axis=0, new_bias=None):
    """Return fold with another factor, on another axis, or with another bias."""

    def answer(weight, scale, bias, mean, variance, epsilon=1e-5):
        right = scale / np.sqrt(variance + epsilon)
        of_weight = right if factor is None else factor(scale, variance, epsilon)
        shape = [1, 1, 1, 1]
        shape[axis] = -1
        left = bias - mean * of_weight if new_bias is None else new_bias(scale, bias, mean, variance + epsilon)
        return weight * of_weight.reshape(shape), left

    return answer


def in_place(weight, scale, bias, mean, variance, epsilon=1e-5):
    weight *= (scale / np.sqrt(variance + epsilon)).reshape(-1, 1, 1, 1)
    return weight, bias - mean * scale / np.sqrt(variance + epsilon)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (wrong_fold(lambda scale, variance, epsilon: scale / np.sqrt(variance)), "epsilon is missing"),
        (wrong_fold(lambda scale, variance, epsilon: scale / (np.sqrt(variance) + epsilon)), "after the root"),
        (wrong_fold(lambda scale, variance, epsilon: scale / (variance + epsilon)), "square root is missing"),
        (wrong_fold(lambda scale, variance, epsilon: scale * np.sqrt(variance + epsilon)), "instead of dividing"),
        (wrong_fold(lambda scale, variance, epsilon: 1 / np.sqrt(variance + epsilon)), "scale is missing"),
        (wrong_fold(lambda scale, variance, epsilon: scale / np.sqrt(variance + 1e-5)), "default epsilon"),
        (wrong_fold(lambda scale, variance, epsilon: np.ones_like(scale)), "weight is left as it was"),
        (wrong_fold(axis=1), "scales the input channels"),
        (wrong_fold(axis=3), "raises ValueError"),
        (wrong_fold(new_bias=lambda scale, bias, mean, v: bias), "no notice of the mean"),
        (wrong_fold(new_bias=lambda scale, bias, mean, v: bias + mean * scale / np.sqrt(v)), "wrong sign"),
        (wrong_fold(new_bias=lambda scale, bias, mean, v: bias - mean), "taken away as it is"),
        (wrong_fold(new_bias=lambda scale, bias, mean, v: bias - mean / np.sqrt(v)), "not multiplied by the scale"),
        (wrong_fold(new_bias=lambda scale, bias, mean, v: -mean * scale / np.sqrt(v)), "old bias is missing"),
        (wrong_fold(new_bias=lambda scale, bias, mean, v: (bias - mean) * scale / np.sqrt(v)), "scales the old bias"),
        (wrong_fold(new_bias=lambda scale, bias, mean, v: bias * 7), "new bias is not"),
        (lambda *arguments, **named: fold(*arguments, **named)[0], "two arrays"),
        (lambda *arguments, **named: fold(*arguments, **named)[::-1], "new_weight has the wrong shape"),
        (lambda *arguments, **named: (np.zeros_like(arguments[0]), arguments[2]), "the new weight is not right"),
        (in_place, "changes its input"),
    ],
)
def test_fold_wrong(answer, words):
    assert_wrong("6.4", answer, words)


def test_a_folded_convolution_does_what_convolution_and_batch_norm_did():
    conv, norm = paddle.nn.Conv2D(3, 5, 3, bias_attr=False), paddle.nn.BatchNorm2D(5)
    x = paddle.randn([4, 3, 8, 8])
    norm(conv(x) * 3 + 1)  # statistics that are not those of a fresh batch norm
    norm.eval()
    held = [p.numpy() for p in (norm.weight, norm.bias, norm._mean, norm._variance)]
    weight, bias = reference("6.4", {"np": np})(conv.weight.numpy(), *held)
    folded = paddle.nn.functional.conv2d(x, paddle.to_tensor(weight), paddle.to_tensor(bias))
    np.testing.assert_allclose(folded.numpy(), norm(conv(x)).numpy(), rtol=1e-4, atol=1e-5)
