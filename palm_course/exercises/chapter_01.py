"""The exercises of chapter 1, LeNet on MNIST."""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from palm_course.exercises.layer_check import Fault, LayerExercise, Shape, are_flat
from palm_course.exercises.trial import Case, Mistake
from palm_course.exercises.value_check import NumberExercise
from palm_utils.messages import mark, tr


# 1.1 ------------------------------------------------------------------------------------------
def _output_size(size, kernel, stride=1, padding=0, *, ends=2, strides=True, before=0, after=1, rounded=math.floor):
    """Compute what is right; here as in all references, what comes after the star serves the mistakes."""
    room = size + ends * padding - kernel
    return rounded((room + before) / (stride if strides else 1) + after)


def _layers(rng: np.random.Generator) -> list[Case]:
    cases = [Case((28, 5)), Case((24, 2), {"stride": 2}), Case((224, 11), {"stride": 4, "padding": 5})]
    cases += [Case((224, 7, 2, 3)), Case((), {"size": 7, "kernel": 3, "stride": 1, "padding": 1})]
    cases += [Case((9, 4), {"stride": 3}), Case((4, 4))]
    for _ in range(20):
        kernel = int(rng.integers(1, 12))
        size = kernel + int(rng.integers(0, 60))
        stride, padding = int(rng.integers(1, 6)), int(rng.integers(0, 6))
        cases.append(Case((size, kernel), {"stride": stride, "padding": padding}))
    return cases


OUTPUT_SIZE = NumberExercise(
    number="1.1",
    name="conv_output_size",
    title=mark("how large is the output?"),
    success=mark("you can follow an image's size through any stack of convolutions and poolings."),
    hint=mark(
        "put the kernel at the very left of the padded input; how many pixels to the right of it are left to move over?"
    ),
    stronger_hint=mark(
        "after padding there are size + 2 · padding pixels, and the kernel covers `kernel` of them before it has "
        "moved. Each step uses up `stride` of the others, and a step cut short does not count. The position before "
        "the first step counts as well."
    ),
    cases=_layers,
    reference=_output_size,
).with_mistakes(
    Mistake("it is one too small: the position before the first step counts as well.", after=0),
    Mistake("padding is added at both ends, you count it once.", ends=1),
    Mistake("it takes no notice of the padding.", ends=0),
    Mistake("it takes no notice of the stride.", strides=False),
    Mistake("it takes no notice of stride and padding.", ends=0, strides=False),
    Mistake("it is not always a whole number: a step cut short does not count.", rounded=float),
    Mistake("it rounds up where it should round down: a step cut short does not count.", rounded=math.ceil),
    Mistake("it rounds to the nearest number: a step cut short never counts.", rounded=round),
    Mistake("the one is added before the division by the stride; it belongs after it.", before=1, after=0),
    Mistake("padding makes the output larger, not smaller.", ends=-2),
)


# 1.2 ------------------------------------------------------------------------------------------
def _lenet_parameters(num_classes, in_channels=1, *, conv_bias=1, fc_bias=1, third_kernel=4):
    convolutions = [(in_channels, 6, 5), (6, 16, 5), (16, 120, third_kernel)]
    linears = [(120, 64), (64, num_classes)]
    total = sum((fan_in * kernel**2 + conv_bias) * out for fan_in, out, kernel in convolutions)
    return total + sum((fan_in + fc_bias) * out for fan_in, out in linears)


def _lenets(rng: np.random.Generator) -> list[Case]:
    drawn = [Case((int(rng.integers(2, 1001)),), {"in_channels": int(rng.integers(1, 12))}) for _ in range(10)]
    return [Case((10,)), Case((1,)), Case((10,), {"in_channels": 3}), *drawn]


PARAMETERS = NumberExercise(
    number="1.2",
    name="lenet_parameters",
    title=mark("counting LeNet's parameters"),
    success=mark(
        "you know where a network keeps its parameters: three quarters of LeNet's sit in its third convolution."
    ),
    hint=mark(
        "list the five layers with parameters; for each, how many weights lead to *one* of its outputs, and what is "
        "added?"
    ),
    stronger_hint=mark(
        "one output channel of a k × k convolution has k · k weights for every input channel and one bias. One unit "
        "of a fully connected layer has a weight for every input and one bias. Pooling and sigmoid have none. "
        "`in_channels` matters to the first layer only, `num_classes` to the last only."
    ),
    cases=_lenets,
    reference=_lenet_parameters,
).with_mistakes(
    Mistake("the biases are missing.", conv_bias=0, fc_bias=0),
    Mistake("the biases of the convolutions are missing.", conv_bias=0),
    Mistake("the biases of the fully connected layers are missing.", fc_bias=0),
    Mistake("it takes no notice of in_channels.", lambda classes, in_channels=1: _lenet_parameters(classes)),
    Mistake("it takes no notice of num_classes.", lambda classes, in_channels=1: _lenet_parameters(10, in_channels)),
    Mistake("the third convolution's kernel is 4 × 4, you count 5 × 5.", third_kernel=5),
    Mistake(
        "the first fully connected layer's weights and bias are missing.",
        lambda classes, in_channels=1: _lenet_parameters(classes, in_channels) - 121 * 64,
    ),
)


# 1.3 ------------------------------------------------------------------------------------------
_PLACES = [mark("the first convolution"), mark("the second convolution"), mark("the third convolution")]
_PLACES += [mark("the first fully connected layer"), mark("the last layer")]
_COUNTS = (mark("no sigmoid after {place}"), mark("a sigmoid after {place}"), mark("two sigmoids after {place}"))
_RIGHT = (1, 1, 1, 1, 0)  # sigmoids after each place
_WAYS = itertools.product((0, 1, 2), (0, 1, 2), (0, 1), (0, 1), (0, 1))


def _lenet32_parameters(num_classes: int) -> dict[str, Shape]:
    weights = [[6, 3, 5, 5], [16, 6, 5, 5], [120, 16, 5, 5], [120, 64], [64, num_classes]]
    biases = [[6], [16], [120], [64], [num_classes]]
    return {f"weight {i}": w for i, w in enumerate(weights)} | {f"bias {i}": b for i, b in enumerate(biases)}


def _lenet32(p, x, *, num_classes, training, sigmoids=_RIGHT, activation="sigmoid", pool="max_pool2d", softmax=False):
    import paddle
    import paddle.nn.functional as F

    for layer, count in enumerate(sigmoids):
        weight, bias = p[f"weight {layer}"], p[f"bias {layer}"]
        x = F.conv2d(x, weight, bias) if layer < 3 else F.linear(paddle.flatten(x, 1), weight, bias)
        # Max-pooling and a rising function may change places: where a student pools first, this is the same.
        for _ in range(count):
            x = getattr(F, activation)(x)
        x = getattr(F, pool)(x, 2, 2) if layer < 2 else x
    return F.softmax(x) if softmax else x


def _wrong_parameters(model: Any, missing: list[Shape], extra: list[Shape], num_classes: int) -> Fault:
    only_biases = not extra and are_flat(missing)
    return {"fault": tr("biases are missing.") if only_biases else tr("its parameters are not those of the table.")}


def _misplaced(sigmoids: Sequence[int]) -> str:
    wrong = [(count, place) for count, place, right in zip(sigmoids, _PLACES, _RIGHT, strict=True) if count != right]
    return tr("{list}.", list=tr("; ").join(tr(_COUNTS[count], place=tr(place)) for count, place in wrong))


LENET32 = LayerExercise(
    number="1.3",
    name="LeNet32",
    title=mark("a LeNet for small colour photographs"),
    success=mark("you built a network from a table of shapes, with every activation where it belongs."),
    hint=mark("print the shape after each step of `forward` and hold it against the table."),
    stronger_hint=mark(
        "start from the chapter's LeNet. Three things differ: the first convolution sees three channels, the third "
        "one needs a kernel that turns 5 × 5 into 1 × 1, and `forward` applies F.sigmoid right after each of the "
        "three convolutions and after the first fully connected layer, but not once more before a convolution."
    ),
    # Numbers of classes that no other layer has, so that parameters are told apart by their shapes.
    builds=[((), {"num_classes": classes}, [batch, 3, 32, 32]) for classes, batch in ((10, 4), (2, 1), (7, 3))],
    parameters=_lenet32_parameters,
    reference=_lenet32,
    wrong_parameters=_wrong_parameters,
    wrong_shape=mark("the output is not a tensor of logits, one row per image and one column per class."),
    unknown=mark("the values are not those of the table's layers."),
    values_hint=mark("go through `forward` line by line: after which layers does a sigmoid stand, and where twice?"),
).with_mistakes(
    Mistake("the activation is not a sigmoid.", activation="relu"),
    Mistake("the activation is not a sigmoid.", activation="tanh"),
    Mistake("it pools by averages, not maxima.", pool="avg_pool2d"),
    Mistake("the output went through softmax; logits are the last layer's bare values.", softmax=True),
    *(Mistake(functools.partial(_misplaced, way), sigmoids=way) for way in _WAYS),
)
