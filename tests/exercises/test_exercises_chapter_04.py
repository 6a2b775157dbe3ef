"""Exercises of chapter 4: right answers written in several ways pass; in wrong ones the fault is named."""

from functools import partial
from itertools import pairwise

import numpy as np
import paddle
from exercise_verdicts import answer_tests

nn = paddle.nn
F = nn.functional

RIGHT, WRONG = {}, {}

# 4.1 ------------------------------------------------------------------------------------------


def cost_by_layers(kernels, channels, side):
    parameters = multiply_adds = 0
    for position, kernel in enumerate(kernels):
        layer = nn.Conv2D(channels[position], channels[position + 1], kernel, padding=kernel // 2)
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


RIGHT["4.1"] = [cost_by_layers, cost]


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


WRONG["4.1"] = [
    (partial(cost, biases=lambda before, after: 0), "biases are missing"),
    (partial(cost, biases=lambda before, after: before), "bias for each input channel"),
    (partial(cost, biases=lambda before, after: 1), "one bias for a whole convolution"),
    (partial(cost, kernel_power=1), "k · k weights"),
    (partial(cost, map_power=1), "side · side times"),
    (partial(cost, map_power=0), "those of a single pixel"),
    (cost_with_biases_as_work, "biases are not multiply-adds"),
    (cost_without_padding, "yours shrink"),
    (cost_of_equal_channels, "input's channels for every convolution"),
    (lambda *a: cost(*a)[::-1], "exchanged"),
    (lambda *a: cost(*a)[0], "2 numbers"),
    (lambda *a: (cost(*a), a[1].pop())[0], "changes its input"),
]

# 4.2 ------------------------------------------------------------------------------------------


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


def window_cut_in_the_photograph(layers, index):
    first, last = window(layers, index)
    return max(0, first), last


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
    (window_cut_in_the_photograph, "cuts the window off"),
    (lambda *a: window(*a)[::-1], "two ends are exchanged"),
    (lambda layers, index: window(layers, 0), "leaves out the index"),
]

# 4.3 ------------------------------------------------------------------------------------------


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
    return nn.Sequential(
        *(one for one, after in pairs if not isinstance(one, nn.ReLU) or isinstance(after, nn.MaxPool2D))
    )


def input_channels_forgotten(plan, in_channels=3):
    layers = []
    for step in plan:
        layers += [nn.MaxPool2D(2)] if step == "M" else [nn.Conv2D(in_channels, step, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def without_leading_pooling(plan, in_channels=3):
    return make(plan[1:] if plan[0] == "M" else plan, in_channels)


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
    (without_leading_pooling, "maps are too large: not every pooling"),
    (PoolsLast, "not those of the plan's layers"),
]

test_right_answers, test_wrong_answers = answer_tests(RIGHT, WRONG)
