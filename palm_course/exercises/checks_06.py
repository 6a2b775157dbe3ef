"""How the answers to exercises 6.1 and 6.4 are judged."""

from typing import Any

import numpy as np

from palm_course.exercises.trial import Case, Mistake, Trial
from palm_course.exercises.values import as_array, describe, describe_call
from palm_utils.messages import mark, tr

# 6.1 ------------------------------------------------------------------------------------------


def _parameters(
    channels: int,
    filters: int,
    stride: int = 1,
    *,
    norm: int = 2,
    expansion: int = 4,
    kernel: int = 3,
    conv_bias: int = 0,
    projection: bool | None = None,
    projection_norm: int = 2,
) -> int:
    """Count a bottleneck block; what comes after the stride serves the mistakes."""
    wide = expansion * filters
    total = channels * filters + kernel**2 * filters * filters + filters * wide
    total += (norm + conv_bias) * (filters + filters + wide)
    if projection is None:
        projection = channels != wide or stride != 1
    if projection:
        total += channels * wide + (min(norm, projection_norm) if norm < 4 else norm) * wide + conv_bias * wide
    return total


_PARAMETERS_MISTAKES = [
    Mistake("the batch norms are missing.", lambda c, f, stride=1: _parameters(c, f, stride, norm=0)),
    Mistake(
        "it counts the batch norms' running mean and variance; they are measured, not trained.",
        lambda c, f, stride=1: _parameters(c, f, stride, norm=4),
    ),
    Mistake(
        "it counts one number per channel of a batch norm; scale and bias are two.",
        lambda c, f, stride=1: _parameters(c, f, stride, norm=1),
    ),
    Mistake(
        "it gives the convolutions a bias; in front of a batch norm they have none.",
        lambda c, f, stride=1: _parameters(c, f, stride, conv_bias=1),
    ),
    Mistake(
        "the convolution on the shortcut is missing.",
        lambda c, f, stride=1: _parameters(c, f, stride, projection=False),
    ),
    Mistake(
        "it puts a convolution on every shortcut; where the shape stays there is none.",
        lambda c, f, stride=1: _parameters(c, f, stride, projection=True),
    ),
    Mistake(
        "a stride changes the shape too: such a block needs a convolution on its shortcut whatever its channels.",
        lambda c, f, stride=1: _parameters(c, f, stride, projection=c != 4 * f),
    ),
    Mistake(
        "it puts a convolution on the shortcut only where there is a stride; other channels need one as well.",
        lambda c, f, stride=1: _parameters(c, f, stride, projection=stride != 1),
    ),
    Mistake(
        "the batch norm on the shortcut is missing.",
        lambda c, f, stride=1: _parameters(c, f, stride, projection_norm=0),
    ),
    Mistake(
        "the last convolution goes up to 4 × num_filters channels.",
        lambda c, f, stride=1: _parameters(c, f, stride, expansion=1),
    ),
    Mistake(
        "the convolution in the middle is 3 × 3: nine weights for each pair of channels.",
        lambda c, f, stride=1: _parameters(c, f, stride, kernel=1),
    ),
]


def judge_parameters(trial: Trial, answer: Any) -> None:
    """Check 6.1 on blocks of ResNet-50 and on random ones."""
    rng = np.random.default_rng(61)
    cases = [
        Case((256, 64)),
        Case((64, 64)),
        Case((256, 128), {"stride": 2}),
        Case((256, 64), {"stride": 2}),
        Case((), {"num_channels": 2048, "num_filters": 512, "stride": 1}),
    ]
    for _ in range(12):
        filters = int(rng.integers(2, 200))
        channels = 4 * filters if rng.random() < 0.5 else int(rng.integers(2, 600))
        cases.append(Case((channels, filters), {"stride": int(rng.integers(1, 3))}))

    def truth(num_channels, num_filters, stride=1):
        return _parameters(num_channels, num_filters, stride)

    def named(function):
        return lambda num_channels, num_filters, stride=1: function(num_channels, num_filters, stride)

    mistakes = [Mistake(mistake.fault, named(mistake.function)) for mistake in _PARAMETERS_MISTAKES]
    trial.compare(answer, cases, truth, mistakes)


# 6.4 ------------------------------------------------------------------------------------------

_OUTPUTS = mark("expected two arrays, (new_weight, new_bias)")


def _fold(weight, scale, bias, mean, variance, epsilon=1e-5):
    factor = scale / np.sqrt(variance + epsilon)
    return weight * factor.reshape(-1, 1, 1, 1), bias - mean * factor


def _factor_faults(factor: np.ndarray, scale, variance, epsilon) -> list[tuple[str, np.ndarray]]:
    deviation = np.sqrt(variance + epsilon)
    return [
        (tr("epsilon is missing: it is added to the variance, inside the root."), scale / np.sqrt(variance)),
        (
            tr("epsilon is added after the root; it belongs to the variance, inside."),
            scale / (np.sqrt(variance) + epsilon),
        ),
        (tr("the square root is missing: it divides by the variance."), scale / (variance + epsilon)),
        (tr("it multiplies by the root instead of dividing."), scale * deviation),
        (tr("the scale is missing."), 1 / deviation),
        (tr("it takes the default epsilon instead of the one it is given."), scale / np.sqrt(variance + 1e-5)),
        (tr("the weight is left as it was."), np.ones_like(factor)),
    ]


def _fold_fault(arguments: tuple, epsilon: float, new_weight: np.ndarray, new_bias: np.ndarray) -> str:
    weight, scale, bias, mean, variance = arguments
    right_weight = _fold(*arguments, epsilon)[0]
    factor = scale / np.sqrt(variance + epsilon)
    if not _close(new_weight, right_weight):
        for fault, wrong in _factor_faults(factor, scale, variance, epsilon):
            if _close(new_weight, weight * wrong.reshape(-1, 1, 1, 1)):
                return fault
        if weight.shape[0] == weight.shape[1] and _close(new_weight, weight * factor.reshape(1, -1, 1, 1)):
            return tr(
                "it scales the input channels; a batch norm has a factor for each output channel, the first axis."
            )
        return tr("the new weight is not right.")
    for fault, wrong in (
        (tr("the new bias takes no notice of the mean."), bias),
        (tr("the mean has the wrong sign in the new bias: it is taken away."), bias + mean * factor),
        (
            tr("the mean is taken away as it is; what is taken away is scaled, like everything in the bracket."),
            bias - mean,
        ),
        (
            tr("the mean is divided by the root, but not multiplied by the scale."),
            bias - mean / np.sqrt(variance + epsilon),
        ),
        (tr("the old bias is missing in the new one."), -mean * factor),
        (tr("it scales the old bias as well; the bias is added after the scaling."), (bias - mean) * factor),
    ):
        if _close(new_bias, wrong):
            return fault
    return tr("the new weight is right, the new bias is not.")


def _close(came: np.ndarray, right: np.ndarray) -> bool:
    return came.shape == right.shape and bool(np.allclose(came, right, rtol=1e-4, atol=1e-5))


def judge_fold(trial: Trial, answer: Any) -> None:
    """Check 6.4 on convolutions of several sizes, square ones first, where a wrong axis does not fail by itself."""
    rng = np.random.default_rng(64)
    for outputs, inputs, kernel, epsilon in ((4, 4, 3, 1e-5), (2, 2, 1, 1e-3), (6, 3, 3, 1e-4), (5, 8, 1, 1e-5)):
        weight = rng.standard_normal((outputs, inputs, kernel, kernel))
        scale, bias, mean = rng.uniform(0.5, 2, outputs), rng.standard_normal(outputs), rng.standard_normal(outputs)
        variance = rng.uniform(3e-5, 3e-4, outputs)  # so small that epsilon shows
        arguments = tuple(array.astype(np.float32) for array in (weight, scale, bias, mean, variance))
        named = {} if epsilon == 1e-5 else {"epsilon": epsilon}
        value = trial.call(answer, arguments, named)
        tried = describe_call(trial.exercise.name, arguments, named)
        parts = [as_array(part) for part in value] if isinstance(value, (tuple, list)) and len(value) == 2 else []
        if len(parts) != 2 or any(part is None for part in parts):
            trial.fail(tr("it should return two arrays."), tried=tried, expected=tr(_OUTPUTS), came=describe(value))
        right = _fold(*arguments, epsilon)
        for name, part, wanted in zip(("new_weight", "new_bias"), parts, right, strict=True):
            if part.shape != wanted.shape:
                trial.fail(
                    tr("{name} has the wrong shape.", name=name),
                    tried=tried,
                    expected=tr("shape {shape}", shape=list(wanted.shape)),
                    came=tr("shape {shape}", shape=list(part.shape)),
                )
        if not all(_close(part, wanted) for part, wanted in zip(parts, right, strict=True)):
            trial.fail(
                _fold_fault(arguments, epsilon, *parts),
                tried=tried,
                expected=_describe_folded(*right),
                came=_describe_folded(*parts),
            )


def _describe_folded(weight: np.ndarray, bias: np.ndarray) -> str:
    return tr("first weights {weights}, bias {bias}", weights=describe(weight.reshape(-1)[:4]), bias=describe(bias))
