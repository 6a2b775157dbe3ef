"""Exercises 4.1 and 4.2: the reference passes, so do other right ways; wrong answers are named."""

import numpy as np
import pytest
from exercise_verdicts import assert_right, assert_wrong, reference


@pytest.mark.parametrize("number", ["4.1", "4.2"])
def test_reference_solution_passes(number):
    assert_right(number, reference(number, {}))


# 4.1 ------------------------------------------------------------------------------------------


def cost_by_arrays(kernels, channels, side):
    channels = np.array(channels)
    weights = np.array(kernels) ** 2 * channels[:-1] * channels[1:]
    return np.array([weights.sum() + channels[1:].sum(), weights.sum() * side**2])


def cost_by_layers(kernels, channels, side):
    paddle = pytest.importorskip("paddle")
    parameters = multiply_adds = 0
    for position, kernel in enumerate(kernels):
        layer = paddle.nn.Conv2D(channels[position], channels[position + 1], kernel, padding=kernel // 2)
        parameters += sum(int(np.prod(p.shape)) for p in layer.parameters())
        multiply_adds += int(np.prod(layer.weight.shape)) * side**2
    return [parameters, multiply_adds]


def cost(kernels, channels, side, biases=lambda before, after: after, kernel_power=2, map_power=2):
    total = work = 0
    for kernel, before, after in zip(kernels, channels[:-1], channels[1:], strict=True):
        weights = kernel**kernel_power * before * after
        total += weights + biases(before, after)
        work += weights * side**map_power
    return total, work


@pytest.mark.parametrize("answer", [cost_by_arrays, cost_by_layers, cost])
def test_cost_in_other_right_ways(answer):
    assert_right("4.1", answer)


def cost_with_biases_as_work(kernels, channels, side):
    parameters, _ = cost(kernels, channels, side)
    return parameters, parameters * side**2


def cost_without_padding(kernels, channels, side):
    work = 0
    for position, kernel in enumerate(kernels):
        side = side - kernel + 1
        work += kernel**2 * channels[position] * channels[position + 1] * side**2
    return cost(kernels, channels, side)[0], work


def cost_of_equal_channels(kernels, channels, side):
    return cost(kernels, [channels[0]] * len(channels), side)


def cost_by_popping(kernels, channels, side):
    before = channels.pop(0)
    total = sum(kernel**2 * before * after + after for kernel, after in zip(kernels, channels, strict=True))
    return total, total


def cost_printed(kernels, channels, side):
    print(*cost(kernels, channels, side))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *a: cost(*a, biases=lambda before, after: 0), "biases are missing"),
        (lambda *a: cost(*a, biases=lambda before, after: before), "bias for each input channel"),
        (lambda *a: cost(*a, biases=lambda before, after: 1), "one bias for a whole convolution"),
        (lambda *a: cost(*a, kernel_power=1), "k · k weights"),
        (lambda *a: cost(*a, map_power=1), "side · side times"),
        (lambda *a: cost(*a, map_power=0), "those of a single pixel"),
        (cost_with_biases_as_work, "biases are not multiply-adds"),
        (cost_without_padding, "yours shrink"),
        (cost_of_equal_channels, "input's channels for every convolution"),
        (lambda *a: cost(*a)[::-1], "exchanged"),
        (lambda *a: (73_856, 231_211_008), "same answer whatever"),
        (lambda *a: cost(*a)[0], "2 numbers"),
        (lambda *a: [cost(a[0][:1], a[1][:2], a[2])[0], cost(*a)[1]], "right for 1 of the 9"),
        (cost_by_popping, "changes its input"),
        (cost_printed, "returns nothing(.|\n)*printed: 73856 231211008"),
        (lambda kernels, channels: (0, 0), "cannot be called this way"),
    ],
)
def test_cost_wrong(answer, words):
    assert_wrong("4.1", answer, words)


# 4.2 ------------------------------------------------------------------------------------------


def window_by_jump(layers, index):
    """Walk from the input to the output, keeping step and offset of the output's pixels."""
    step, start, side = 1, 0, 1
    for kernel, stride, padding in layers:
        start -= padding * step
        side += (kernel - 1) * step
        step *= stride
    return start + index * step, start + index * step + side - 1


def window_by_recursion(layers, index):
    if not layers:
        return index, index
    *below, (kernel, stride, padding) = layers
    start = index * stride - padding
    return window_by_recursion(below, start)[0], window_by_recursion(below, start + kernel - 1)[1]


def window_by_sets(layers, index):
    needed = {index}
    for kernel, stride, padding in layers[::-1]:
        needed = {pixel * stride - padding + offset for pixel in needed for offset in range(kernel)}
    # Where a stride is larger than its kernel, pixels between are not read; the two ends are.
    return np.array([min(needed), max(needed)])


def window_by_gradient(layers, index):
    """Measure it, as section 4.3 does, in the middle of a long row of ones."""
    paddle = pytest.importorskip("paddle")
    shift = 4096
    parts = []
    for kernel, stride, _ in layers:
        parts.append(paddle.nn.Conv1D(1, 1, kernel, stride, bias_attr=False))
        parts[-1].weight.set_value(paddle.ones([1, 1, kernel]))
    x = paddle.ones([1, 1, 3 * shift])
    x.stop_gradient = False
    jump, moved = 1, 0
    for _, stride, padding in layers:
        moved += padding * jump
        jump *= stride
    steps = shift // jump
    paddle.nn.Sequential(*parts)(x)[0, 0, index + steps].backward()
    seen = np.flatnonzero(x.grad.numpy()[0, 0]) - steps * jump - moved
    return int(seen[0]), int(seen[-1])


@pytest.mark.parametrize("answer", [window_by_jump, window_by_recursion, window_by_sets, window_by_gradient])
def test_window_in_other_right_ways(answer):
    assert_right("4.2", answer)


def window(layers, index, first_padding=-1, last_padding=-1, strides=True, more=0):
    first = last = index
    for kernel, stride, padding in reversed(layers):
        step = stride if strides else 1
        first = first * step + first_padding * padding
        last = last * step + last_padding * padding + kernel - 1 + more
    return first, last


def window_emptying_its_input(layers, index):
    first = last = index
    while layers:
        kernel, stride, padding = layers.pop()
        first, last = first * stride - padding, last * stride - padding + kernel - 1
    return first, last


def window_cut_in_the_photograph(layers, index):
    first, last = window(layers, index)
    return max(0, first), last


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda layers, index: window(layers[::-1], index), "walks from the input to the output"),
        (lambda *a: window(*a, first_padding=0, last_padding=0), "leaves out the padding"),
        (lambda *a: window(*a, first_padding=1, last_padding=1), "adds the padding"),
        (lambda *a: window(*a, last_padding=0), "wider by the padding"),
        (lambda *a: window(*a, last_padding=1), "wider by the padding"),
        (lambda *a: window(*a, strides=False), "leaves out the strides"),
        (lambda *a: window(*a, more=1), "one too wide"),
        (lambda *a: (window(*a)[0], window(*a)[1] + 1), "one behind the window"),
        (lambda *a: (window(*a)[0], window(*a)[1] - window(*a)[0] + 1), "not how many"),
        (lambda *a: np.add(window(*a), 1), "counts pixels from 1"),
        (window_cut_in_the_photograph, "cuts the window off"),
        (lambda *a: window(*a)[::-1], "two ends are exchanged"),
        (lambda layers, index: window(layers, 0), "leaves out the index"),
        (lambda layers, index: (18, 23), "same answer whatever"),
        (lambda *a: window(*a)[1] - window(*a)[0] + 1, "2 numbers"),
        (lambda *a: tuple(map(str, window(*a))), "2 numbers"),
        (window_emptying_its_input, "changes its input"),
        (lambda layers, index: layers[index], "raises IndexError"),
    ],
)
def test_window_wrong(answer, words):
    assert_wrong("4.2", answer, words)
