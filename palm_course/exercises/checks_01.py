"""How the answers to exercises 1.1 and 1.2 are judged."""

from typing import Any

import numpy as np

from palm_course.exercises.trial import Case, Mistake, Trial

# 1.1 ------------------------------------------------------------------------------------------


def _output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """Count the positions of the kernel's left edge on the padded input."""
    return len(range(0, size + 2 * padding - kernel + 1, stride))


_OUTPUT_SIZE_MISTAKES = [
    Mistake(
        "it is one too small: the position before the first step counts as well.",
        lambda size, kernel, stride=1, padding=0: (size + 2 * padding - kernel) // stride,
    ),
    Mistake(
        "padding is added at both ends, you count it once.",
        lambda size, kernel, stride=1, padding=0: (size + padding - kernel) // stride + 1,
    ),
    Mistake(
        "it takes no notice of the padding.",
        lambda size, kernel, stride=1, padding=0: (size - kernel) // stride + 1,
    ),
    Mistake(
        "it takes no notice of the stride.",
        lambda size, kernel, stride=1, padding=0: size + 2 * padding - kernel + 1,
    ),
    Mistake(
        "it takes no notice of stride and padding.",
        lambda size, kernel, stride=1, padding=0: size - kernel + 1,
    ),
    Mistake(
        "it is not always a whole number: a step cut short does not count.",
        lambda size, kernel, stride=1, padding=0: (size + 2 * padding - kernel) / stride + 1,
    ),
    Mistake(
        "it rounds up where it should round down: a step cut short does not count.",
        lambda size, kernel, stride=1, padding=0: -(-(size + 2 * padding - kernel) // stride) + 1,
    ),
    Mistake(
        "it rounds to the nearest number: a step cut short never counts.",
        lambda size, kernel, stride=1, padding=0: round((size + 2 * padding - kernel) / stride + 1),
    ),
    Mistake(
        "the one is added before the division by the stride; it belongs after it.",
        lambda size, kernel, stride=1, padding=0: (size + 2 * padding - kernel + 1) // stride,
    ),
    Mistake(
        "padding makes the output larger, not smaller.",
        lambda size, kernel, stride=1, padding=0: (size - 2 * padding - kernel) // stride + 1,
    ),
]


def judge_output_size(trial: Trial, answer: Any) -> None:
    """Check 1.1 on layers of this course and on random ones."""
    rng = np.random.default_rng(11)
    cases = [
        Case((28, 5)),
        Case((24, 2), {"stride": 2}),
        Case((224, 11), {"stride": 4, "padding": 5}),
        Case((224, 7, 2, 3)),
        Case((), {"size": 7, "kernel": 3, "stride": 1, "padding": 1}),
        Case((9, 4), {"stride": 3}),
        Case((4, 4)),
    ]
    for _ in range(20):
        kernel = int(rng.integers(1, 12))
        size = kernel + int(rng.integers(0, 60))
        stride, padding = int(rng.integers(1, 6)), int(rng.integers(0, 6))
        cases.append(Case((size, kernel), {"stride": stride, "padding": padding}))
    trial.compare(answer, cases, _output_size, _OUTPUT_SIZE_MISTAKES)


# 1.2 ------------------------------------------------------------------------------------------


def _lenet_parameters(
    num_classes: int, in_channels: int = 1, conv_bias: int = 1, fc_bias: int = 1, third_kernel: int = 4
) -> int:
    """Add up weights and biases of the five layers; the last three arguments serve the mistakes."""
    convolutions = [(in_channels, 6, 5), (6, 16, 5), (16, 120, third_kernel)]
    linears = [(120, 64), (64, num_classes)]
    return sum((fan_in * kernel**2 + conv_bias) * out for fan_in, out, kernel in convolutions) + sum(
        (fan_in + fc_bias) * out for fan_in, out in linears
    )


_PARAMETERS_MISTAKES = [
    Mistake(
        "the biases are missing.",
        lambda classes, in_channels=1: _lenet_parameters(classes, in_channels, conv_bias=0, fc_bias=0),
    ),
    Mistake(
        "the biases of the convolutions are missing.",
        lambda classes, in_channels=1: _lenet_parameters(classes, in_channels, conv_bias=0),
    ),
    Mistake(
        "the biases of the fully connected layers are missing.",
        lambda classes, in_channels=1: _lenet_parameters(classes, in_channels, fc_bias=0),
    ),
    Mistake(
        "it takes no notice of in_channels.",
        lambda classes, in_channels=1: _lenet_parameters(classes),
    ),
    Mistake(
        "it takes no notice of num_classes.",
        lambda classes, in_channels=1: _lenet_parameters(10, in_channels),
    ),
    Mistake(
        "the third convolution's kernel is 4 × 4, you count 5 × 5.",
        lambda classes, in_channels=1: _lenet_parameters(classes, in_channels, third_kernel=5),
    ),
    Mistake(
        "the first fully connected layer's weights and bias are missing.",
        lambda classes, in_channels=1: _lenet_parameters(classes, in_channels) - 121 * 64,
    ),
]


def judge_parameters(trial: Trial, answer: Any) -> None:
    """Check 1.2 for several numbers of classes and channels."""
    rng = np.random.default_rng(12)
    cases = [Case((10,)), Case((1,)), Case((10,), {"in_channels": 3})]
    for _ in range(10):
        cases.append(Case((int(rng.integers(2, 1001)),), {"in_channels": int(rng.integers(1, 12))}))
    trial.compare(answer, cases, _lenet_parameters, _PARAMETERS_MISTAKES)
