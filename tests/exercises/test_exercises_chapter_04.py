"""Exercises of chapter 4: right answers written in several ways pass; in wrong ones the fault is named."""

from functools import partial
from itertools import pairwise

import numpy as np
import paddle
from exercise_verdicts import answer_tests

nn = paddle.nn
F = nn.functional

RIGHT, WRONG = {}, {}


def blocks(layers=(2, 2, 1, 2, 4), channels=(16, 32, 64, 96, 96)):
    return lambda: tuple(zip(layers, channels, strict=True))


RIGHT["4.1"] = [blocks(), lambda: np.array(blocks()()), lambda: [list(pair) for pair in blocks(channels=[8] * 5)()]]
WRONG["4.1"] = [
    (lambda: 12, "five pairs"),
    (blocks((2, 2, 1, 2), (8, 8, 8, 8)), "five pairs"),
    (blocks((0, 3, 1, 2, 4)), "all at least 1"),
    (blocks((2, 2, 1.5, 2, 4)), "whole numbers"),
    (blocks((2, 2, 3, 3, 3)), "too many convolutional layers"),
    (lambda: [pair[::-1] for pair in blocks()()], r"each pair is \(layers, channels\)"),
    (blocks((2, 2, 2, 2, 3)), r"as much as VGG-16(.|\n)*212 × 212(.|\n)*188 × 188"),
    (blocks(channels=(64, 128, 256, 512, 512)), "too large"),
]


def window_by_sets(layers, index):
    needed = {index}
    for kernel, stride, padding in layers[::-1]:
        needed = {pixel * stride - padding + offset for pixel in needed for offset in range(kernel)}
    # Where a stride is larger than its kernel, pixels between are not read; the two ends are.
    return np.array([min(needed), max(needed)])


def window(layers, index, first_padding=-1, last_padding=-1, strides=True, more=0):
    first = last = index
    for kernel, stride, padding in reversed(layers):
        step = stride if strides else 1
        first = first * step + first_padding * padding
        last = last * step + last_padding * padding + kernel - 1 + more
    return first, last


RIGHT["4.2"] = [window, window_by_sets]
WRONG["4.2"] = [
    (lambda layers, index: window(layers[::-1], index), "walks from the input to the output"),
    (partial(window, first_padding=0, last_padding=0), "leaves out the padding"),
    (partial(window, first_padding=1, last_padding=1), "adds the padding"),
    (partial(window, last_padding=0), "wider by the padding"),
    (partial(window, last_padding=1), "wider by the padding"),
    (partial(window, strides=False), "leaves out the strides"),
    (partial(window, more=1), "one too wide"),
    (lambda *a: (window(*a)[0], window(*a)[1] + 1), "one behind the window"),
    (lambda *a: (window(*a)[0], window(*a)[1] - window(*a)[0] + 1), "not how many"),
    (lambda *a: np.add(window(*a), 1), "counts pixels from 1"),
    (lambda *a: (max(0, window(*a)[0]), window(*a)[1]), "cuts the window off"),
    (lambda *a: window(*a)[::-1], "two ends are exchanged"),
    (lambda layers, index: window(layers, 0), "leaves out the index"),
]


def make(
    plan,
    in_channels=3,
    *,
    conv=lambda before, after: nn.Conv2D(before, after, 3, padding=1),
    activation=nn.ReLU,
    pool=lambda: nn.MaxPool2D(2, 2),
    wrap=nn.Sequential,
):
    """Build the plan with the places where the wrong answers below differ."""
    layers = []
    for step in plan:
        if step == "M":
            layers.append(pool())
        else:
            layers += [conv(in_channels, step), activation()]
            in_channels = step
    return wrap(*layers)


class Features(nn.Layer):
    """Works the plan off in forward, with functions for everything that has no weights."""

    def __init__(self, plan, in_channels=3):
        super().__init__()
        self.plan = plan
        widths = [in_channels, *(step for step in plan if step != "M")]
        self.convs = nn.LayerList([nn.Conv2D(b, a, 3, padding=1) for b, a in pairwise(widths)])

    def forward(self, x):
        convs = iter(self.convs)
        for step in self.plan:
            x = F.max_pool2d(x, 2) if step == "M" else F.relu(next(convs)(x))
        return x


def pooled_before_the_relu(plan, in_channels=3):
    """A max-pooling and a ReLU may change places."""
    layers = list(make(plan, in_channels, conv=lambda before, after: nn.Conv2D(before, after, 3, padding="SAME")))
    for i in range(1, len(layers)):
        if isinstance(layers[i], nn.MaxPool2D) and isinstance(layers[i - 1], nn.ReLU):
            layers[i - 1 : i + 1] = layers[i], layers[i - 1]
    return nn.Sequential(*layers)


def nested_blocks(plan, in_channels=3):
    layers = list(make(plan, in_channels))
    return nn.Sequential(nn.Sequential(*layers[:3]), nn.Sequential(nn.Sequential(*layers[3:])))


RIGHT["4.3"] = [make, Features, pooled_before_the_relu, nested_blocks]


def without_last_relu(plan, in_channels=3):
    layers = list(make(plan, in_channels))
    last = max(i for i, layer in enumerate(layers) if isinstance(layer, nn.ReLU))
    return nn.Sequential(*layers[:last], *layers[last + 1 :])


def relu_once_a_block(plan, in_channels=3):
    layers = list(make(plan, in_channels))
    following = [*layers[1:], nn.MaxPool2D(2)]
    pairs = zip(layers, following, strict=True)
    kept = (one for one, after in pairs if not isinstance(one, nn.ReLU) or isinstance(after, nn.MaxPool2D))
    return nn.Sequential(*kept)


def input_channels_forgotten(plan, in_channels=3):
    layers = []
    for step in plan:
        layers += [nn.MaxPool2D(2)] if step == "M" else [nn.Conv2D(in_channels, step, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def batch_normed(before, after):
    return nn.Sequential(nn.Conv2D(before, after, 3, padding=1), nn.BatchNorm2D(after))


class PoolsLast(Features):
    """All poolings behind all convolutions: right shape, wrong values."""

    def forward(self, x):
        for conv in self.convs:
            x = F.relu(conv(x))
        for step in self.plan:
            x = F.max_pool2d(x, 2) if step == "M" else x
        return x


WRONG["4.3"] = [
    (partial(make, wrap=lambda *layers: list(layers)), "list of layers"),
    (partial(make, wrap=lambda *layers: nn.LayerList(layers)), r"no method `forward`(.|\n)*paddle\.nn\.Sequential"),
    (partial(make, conv=lambda b, a: nn.Conv2D(b, a, 3)), "maps are too small(.|\n)*padding=1"),
    (partial(make, pool=lambda: nn.MaxPool2D(2, 1)), "maps are too large: not every pooling"),
    (partial(make, conv=lambda b, a: nn.Conv2D(b, a, 5, padding=2)), "kernels are not 3 × 3"),
    (partial(make, conv=lambda b, a: nn.Conv2D(b, a, 3, padding=1, bias_attr=False)), "biases are missing"),
    (partial(make, activation=nn.Identity), "ReLUs are missing"),
    (partial(make, activation=nn.Sigmoid), "not a ReLU"),
    (without_last_relu, "after the last convolution is missing"),
    (relu_once_a_block, "one belongs after every convolution"),
    (partial(make, pool=lambda: nn.AvgPool2D(2, 2)), "by averages"),
    (partial(make, conv=batch_normed), "parameters beside"),
    (input_channels_forgotten, "channels do not follow the plan"),
    (lambda plan, in_channels=3: make(plan), r"channels do not follow(.|\n)*in_channels=2(.|\n)*\[6, 2, 3, 3\]"),
    (lambda plan, **more: make(plan[1:] if plan[0] == "M" else plan, **more), "maps are too large: not every pooling"),
    (PoolsLast, "not those of the plan's layers"),
]


def growing(layers, first=1, own=False, dilated=True, strides=True, more=0):
    sides, side, step = [], first, 1
    for kernel, stride, dilation in layers:
        jump = step * stride if own else step
        side += (kernel - 1 + more) * jump * (dilation if dilated else 1)
        step *= stride if strides else 1
        sides.append(side)
    return sides


def growing_by_the_formula(layers):
    """The chapter's way, back from each layer."""
    sides = []
    for end in range(1, len(layers) + 1):
        side = 1
        for kernel, stride, dilation in layers[:end][::-1]:
            side = (side - 1) * stride + (kernel - 1) * dilation + 1
        sides.append(side)
    return np.array(sides)


RIGHT["4.4"] = [growing, growing_by_the_formula, lambda layers: tuple(growing(layers))]
WRONG["4.4"] = [
    (partial(growing, dilated=False), "leaves out the dilation"),
    (partial(growing, strides=False), "leaves out the strides"),
    (partial(growing, own=True), "own stride"),
    (partial(growing, more=1), "one step too many"),
    (partial(growing, first=0), "begins with 1"),
    (lambda layers: growing(layers)[::-1], "wrong order"),
    (lambda layers: growing(layers)[-1:], "one number for each layer"),
    (lambda layers: growing(layers[::-1]), "some of the sides"),
    (lambda layers: "3, 5", "one number for each layer"),
    (lambda layers: (growing(layers), layers.pop())[0], "changes its input"),
]

test_right_answers, test_wrong_answers = answer_tests(RIGHT, WRONG)
