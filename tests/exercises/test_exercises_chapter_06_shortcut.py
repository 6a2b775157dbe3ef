"""Exercise 6.3: the reference passes, so do other right ways; wrong answers are named."""

import numpy as np
import pytest
from exercise_verdicts import assert_right, assert_wrong, reference

paddle = pytest.importorskip("paddle")
F = paddle.nn.functional


def test_reference_solution_passes():
    assert_right("6.3", reference("6.3", {"paddle": paddle, "F": F}))


def by_pooling(x, num_filters, stride):
    left = F.max_pool2d(x, 1, stride)
    return with_zeros(left, num_filters)


def with_zeros(left, num_filters, value=0.0, front=0):
    """Add channels of one value, `front` of them in front."""
    shape = list(left.shape)
    missing = num_filters - shape[1]
    parts = [paddle.full([shape[0], front, *shape[2:]], value)] if front else []
    parts.append(left)
    if missing - front:
        parts.append(paddle.full([shape[0], missing - front, *shape[2:]], value))
    return paddle.concat(parts, axis=1)


def by_a_convolution(x, num_filters, stride):
    return F.conv2d(x, paddle.eye(num_filters, x.shape[1]).unsqueeze([2, 3]), stride=stride)


def by_strided_slice(x, num_filters, stride):
    left = paddle.strided_slice(x, axes=[2, 3], starts=[0, 0], ends=[x.shape[2], x.shape[3]], strides=[stride] * 2)
    return with_zeros(left, num_filters)


def step(x, stride, start=0):
    return x[:, :, start::stride, start::stride]


@pytest.mark.parametrize("answer", [by_pooling, by_a_convolution, by_strided_slice])
def test_pad_shortcut_in_other_right_ways(answer):
    assert_right("6.3", answer)


def repeats(x, num_filters, stride):
    left = step(x, stride)
    return paddle.concat([left] * (num_filters // x.shape[1] + 1), axis=1)[:, :num_filters]


def cut_corner(x, num_filters, stride):
    height, width = step(x, stride).shape[2:]
    return with_zeros(x[:, :, :height, :width], num_filters)


def through_numpy(x, num_filters, stride):
    return paddle.to_tensor(with_zeros(step(x, stride), num_filters).numpy())


def in_place(x, num_filters, stride):
    result = with_zeros(step(x, stride), num_filters)
    x.set_value(paddle.zeros_like(x))
    return result


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda x, num_filters, stride: with_zeros(step(x, stride), num_filters, front=num_filters - x.shape[1]),
            "first",
        ),
        (
            lambda x, num_filters, stride: with_zeros(
                step(x, stride), num_filters, front=(num_filters - x.shape[1]) // 2
            ),
            "both sides",
        ),
        (repeats, "repeat those of x"),
        (lambda x, num_filters, stride: with_zeros(step(x, stride), num_filters, 1.0), "ones"),
        (lambda x, num_filters, stride: with_zeros(step(x, stride, 1), num_filters), "later row and column"),
        (lambda x, num_filters, stride: with_zeros(F.avg_pool2d(x, stride), num_filters), "averages"),
        (lambda x, num_filters, stride: with_zeros(F.max_pool2d(x, stride), num_filters), "largest of neighbouring"),
        (cut_corner, "cuts a corner"),
        (lambda x, num_filters, stride: with_zeros(step(x, stride), num_filters + x.shape[1]), "not of those to add"),
        (lambda x, num_filters, stride: step(x, stride), "number of channels is wrong"),
        (lambda x, num_filters, stride: with_zeros(x, num_filters), "no rows and columns are left out"),
        (lambda x, num_filters, stride: with_zeros(x[:, :, ::stride], num_filters), "height or width is wrong"),
        (lambda x, num_filters, stride: with_zeros(step(x, 2), num_filters), "is lost|height or width"),
        (lambda x, num_filters, stride: step(x, stride)[0], "the shape is wrong"),
        (lambda x, num_filters, stride: with_zeros(step(x, stride), num_filters) * 2, "shape is right, the values"),
        (lambda x, num_filters, stride: with_zeros(step(x, stride), num_filters).numpy(), "return a tensor"),
        (through_numpy, "gradient does not find its way back"),
        (in_place, "changes its input"),
    ],
)
def test_pad_shortcut_wrong(answer, words):
    assert_wrong("6.3", answer, words)


def test_pad_shortcut_fits_the_branch_of_a_block_that_changes_the_shape():
    x = paddle.to_tensor(np.random.default_rng(0).standard_normal((2, 8, 9, 7)).astype(np.float32))
    branch = paddle.nn.Conv2D(8, 16, 3, stride=2, padding=1)(x)
    shortcut = reference("6.3", {"paddle": paddle})(x, 16, 2)
    assert list(branch.shape) == list(shortcut.shape)
