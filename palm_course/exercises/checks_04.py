"""How the answers to exercises 4.1 and 4.2 are judged."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from palm_course.exercises.trial import Case, Mistake, Trial

# 4.1 ------------------------------------------------------------------------------------------


def _cost(
    kernels: Sequence[int],
    channels: Sequence[int],
    side: int,
    *,
    area_of_kernel: int = 2,
    area_of_map: int = 2,
    bias: str = "out",
    shrinks: bool = False,
    count_biases_as_work: bool = False,
    first_channels_only: bool = False,
) -> tuple[int, int]:
    """Return parameters and multiply-adds; the defaults are right, each option is a mistake."""
    parameters = work = 0
    for kernel, inputs, outputs in zip(kernels, channels[:-1], channels[1:], strict=True):
        if first_channels_only:
            inputs = outputs = channels[0]
        if shrinks:
            side = side - kernel + 1
        weights = kernel**area_of_kernel * inputs * outputs
        biases = {"out": outputs, "in": inputs, "none": 0, "one": 1}[bias]
        parameters += weights + biases
        work += (weights + (biases if count_biases_as_work else 0)) * side**area_of_map
    return parameters, work


_COST_MISTAKES = [
    Mistake("the biases are missing: each convolution has one per output channel.", lambda *a: _cost(*a, bias="none")),
    Mistake(
        "it counts a bias for each input channel; there is one for each output channel.",
        lambda *a: _cost(*a, bias="in"),
    ),
    Mistake(
        "it counts one bias for a whole convolution; there is one for each output channel.",
        lambda *a: _cost(*a, bias="one"),
    ),
    Mistake("a kernel of size k has k · k weights per channel pair, not k.", lambda *a: _cost(*a, area_of_kernel=1)),
    Mistake(
        "each weight is used at every pixel of the map: side · side times, not side times.",
        lambda *a: _cost(*a, area_of_map=1),
    ),
    Mistake(
        "the multiply-adds are those of a single pixel; each weight is used at every pixel of the map.",
        lambda *a: _cost(*a, area_of_map=0),
    ),
    Mistake("the additions of the biases are not multiply-adds.", lambda *a: _cost(*a, count_biases_as_work=True)),
    Mistake("the padding keeps the maps as large as they were; yours shrink.", lambda *a: _cost(*a, shrinks=True)),
    Mistake(
        "it uses the input's channels for every convolution; they may change from one to the next.",
        lambda *a: _cost(*a, first_channels_only=True),
    ),
    Mistake("the two numbers are exchanged: the parameters come first.", lambda *a: _cost(*a)[::-1]),
]


def judge_cost(trial: Trial, answer: Any) -> None:
    """Check 4.1 on the stacks of the chapter and on stacks whose channels change."""
    rng = np.random.default_rng(41)
    cases = [Case(([3, 3], [64, 64, 64], 56)), Case(([5], [64, 64], 56)), Case(([7, 1], [3, 64, 20], 112))]
    for _ in range(6):
        kernels = rng.choice([1, 3, 5, 7, 11], rng.integers(1, 5)).tolist()
        # No two alike, so that an answer that takes the wrong one is found out.
        channels = rng.permutation(np.arange(2, 300))[: len(kernels) + 1].tolist()
        cases.append(Case((kernels, channels, int(rng.integers(14, 120)))))
    trial.compare(answer, cases, _cost, _COST_MISTAKES, count=2)


# 4.2 ------------------------------------------------------------------------------------------

Layers = Sequence[tuple[int, int, int]]


def _window(
    layers: Layers,
    index: int,
    *,
    forwards: bool = False,
    pad_first: int = -1,
    pad_last: int = -1,
    stride_counts: bool = True,
    behind: int = 0,
) -> tuple[int, int]:
    """Return first and last input pixel; the defaults are right, each option is a mistake."""
    first = last = index
    for kernel, stride, padding in layers if forwards else reversed(layers):
        step = stride if stride_counts else 1
        first = first * step + pad_first * padding
        last = last * step + pad_last * padding + kernel - 1 + behind
    return first, last


def _first_and_side(layers: Layers, index: int) -> tuple[int, int]:
    first, last = _window(layers, index)
    return first, last - first + 1


def _clipped(layers: Layers, index: int) -> tuple[int, int]:
    first, last = _window(layers, index)
    return max(first, 0), max(last, 0)


def _clipped_on_the_way(layers: Layers, index: int) -> tuple[int, int]:
    first = last = index
    for kernel, stride, padding in reversed(layers):
        first, last = max(first * stride - padding, 0), last * stride - padding + kernel - 1
    return first, last


_WINDOW_MISTAKES = [
    Mistake(
        "it walks from the input to the output; start at the output pixel and go back, last layer first.",
        lambda *a: _window(*a, forwards=True),
    ),
    Mistake(
        "it leaves out the padding, which moves the window towards the first pixel.",
        lambda *a: _window(*a, pad_first=0, pad_last=0),
    ),
    Mistake(
        "it adds the padding; padding moves the window the other way.",
        lambda *a: _window(*a, pad_first=1, pad_last=1),
    ),
    Mistake(
        "it makes the window wider by the padding; padding moves both ends by the same.",
        lambda *a: _window(*a, pad_last=0),
    ),
    Mistake(
        "it makes the window wider by the padding; padding moves both ends by the same.",
        lambda *a: _window(*a, pad_last=1),
    ),
    Mistake("it leaves out the strides.", lambda *a: _window(*a, stride_counts=False)),
    Mistake(
        "each layer makes the window one too wide: of `kernel` pixels, the last is kernel - 1 behind the first.",
        lambda *a: _window(*a, behind=1),
    ),
    Mistake(
        "the second number is one behind the window; the last pixel is to be included.",
        lambda *a: (_window(*a)[0], _window(*a)[1] + 1),
    ),
    Mistake("the second number should be the last pixel, not how many there are.", _first_and_side),
    Mistake("it counts pixels from 1; the first is pixel 0.", lambda *a: tuple(end + 1 for end in _window(*a))),
    Mistake("it cuts the window off at pixel 0; below 0 is the padding, and should stay.", _clipped),
    Mistake("it cuts the window off at pixel 0; below 0 is the padding, and should stay.", _clipped_on_the_way),
    Mistake("the two ends are exchanged: the first pixel comes first.", lambda *a: _window(*a)[::-1]),
    Mistake("it leaves out the index: that is the window of output pixel 0.", lambda layers, _: _window(layers, 0)),
]


def judge_window(trial: Trial, answer: Any) -> None:
    """Check 4.2 on single layers, the chapter's blocks, AlexNet's beginning and random stacks."""
    rng = np.random.default_rng(42)
    conv, pool = (3, 1, 1), (2, 2, 0)
    cases = [
        Case(([conv, conv, pool], 10)),
        Case(([conv, conv, pool], 0)),
        Case(([(5, 1, 0)], 7)),
        Case(([(11, 4, 5), pool, (5, 1, 2)], 3)),
        Case(([conv, conv, pool, conv, conv, pool, conv, conv, conv, pool], 12)),
    ]
    for _ in range(6):
        layers = [
            (int(rng.integers(2, 12)), int(rng.integers(1, 5)), int(rng.integers(0, 4)))
            for _ in range(rng.integers(2, 5))
        ]
        cases.append(Case((layers, int(rng.integers(0, 20)))))
    trial.compare(answer, cases, _window, _WINDOW_MISTAKES, count=2)
