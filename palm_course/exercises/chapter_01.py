"""The exercises of chapter 1, LeNet on MNIST."""

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from palm_course.exercises.layer_check import Fault, LayerExercise, Shape, are_flat
from palm_course.exercises.student_values import F, as_array, describe, paddle
from palm_course.exercises.trial import Case, Exercise, Mistake, Trial, first_fault
from palm_course.exercises.value_check import ArrayExercise, NumberExercise
from palm_utils.messages import mark, tr


# 1.1 ------------------------------------------------------------------------------------------
def _output_size(size, kernel, stride=1, padding=0, *, ends=2, strides=True, before=0, after=1, rounded=math.floor):
    """Compute what is right; here as in all references, what comes after the star serves the mistakes."""
    room = size + ends * padding - kernel
    return rounded((room + before) / (stride if strides else 1) + after)


def _layers(rng: np.random.Generator) -> Iterator[Case]:
    yield from (Case(28, 5), Case(24, 2, stride=2), Case(224, 11, stride=4, padding=5), Case(224, 7, 2, 3))
    yield from (Case(size=7, kernel=3, stride=1, padding=1), Case(9, 4, stride=3), Case(4, 4))
    for _ in range(20):
        kernel = int(rng.integers(1, 12))
        size = kernel + int(rng.integers(0, 60))
        yield Case(size, kernel, stride=int(rng.integers(1, 6)), padding=int(rng.integers(0, 6)))


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
def _lenet_parameters(num_classes, in_channels=1, *, conv_bias=1, fc_bias=1, third_kernel=4, first_linear=1):
    convolutions = [(in_channels, 6, 5), (6, 16, 5), (16, 120, third_kernel)]
    total = sum((fan_in * kernel**2 + conv_bias) * out for fan_in, out, kernel in convolutions)
    return total + (120 + fc_bias) * 64 * first_linear + (64 + fc_bias) * num_classes


def _lenets(rng: np.random.Generator) -> Iterator[Case]:
    yield from (Case(10), Case(1), Case(10, in_channels=3))
    yield from (Case(int(rng.integers(2, 1001)), in_channels=int(rng.integers(1, 12))) for _ in range(10))


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
    Mistake("the first fully connected layer's weights and bias are missing.", first_linear=0),
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
    builds=[(Case(num_classes=classes), [batch, 3, 32, 32]) for classes, batch in ((10, 4), (2, 1), (7, 3))],
    parameters=_lenet32_parameters,
    reference=_lenet32,
    wrong_parameters=_wrong_parameters,
    wrong_shape=mark("the output is not a tensor of logits, one row per image and one column per class."),
    unknown=mark("the values are not those of the table's layers."),
    values_hint=mark("go through `forward` line by line: after which layers does a sigmoid stand, and where twice?"),
).with_mistakes(
    *(Mistake("the activation is not a sigmoid.", activation=name) for name in ("relu", "tanh")),
    Mistake("it pools by averages, not maxima.", pool="avg_pool2d"),
    Mistake("the output went through softmax; logits are the last layer's bare values.", softmax=True),
    *(Mistake(functools.partial(_misplaced, way), sigmoids=way) for way in _WAYS),
)


# 1.4 ------------------------------------------------------------------------------------------
def _cross_entropy(logits, label, *, log=None, sign=-1.0, shift=np.max, base=np.exp):
    """Return the loss without a quotient; log: take this of the probability instead, which can be 0."""
    z = np.asarray(logits, np.float64)
    with np.errstate(all="ignore"):
        z = z - shift(z)
        parts = base(z)
        return float(np.log(parts.sum()) - z[label] if log is None else sign * log(parts[label] / parts.sum()))


def _logits(rng: np.random.Generator) -> Iterator[Case]:
    yield from (Case(np.array([2.0, 1.0, 0.0]), 0), Case(np.array([2.0, 1.0, 0.0]), 2), Case(np.zeros(10), 3))
    for _ in range(8):
        classes = int(rng.integers(2, 11))
        yield Case(np.round(rng.normal(0, 3, classes), 2), int(rng.integers(classes)))
    large = (([1000.0, 999.0, 0.0], 1), ([0.0, 1000.0], 0), ([-1000.0, -1001.0], 0), ([5000.0, 0.0], 1))
    for z, label in large:
        yield Case(np.array(z), label)


_NO_EXP = mark("softmax takes exp of each logit before it divides by the sum.")
_OVERFLOW = mark("right for small logits, but exp overflows for large ones.")

CROSS_ENTROPY = NumberExercise(
    number="1.4",
    name="cross_entropy",
    title=mark("softmax and cross-entropy, stable"),
    success=mark("you know what the loss of every classifier in this course computes, and how it stays finite."),
    hint=mark("softmax, then −ln, for [2, 1, 0] on paper; then look for the steps that fail for [0, 1000]."),
    stronger_hint=mark(
        "np.exp(1000) is too large for a float. Softmax does not change when the same number is taken away from all "
        "logits: take away the largest, and the largest exponential is exp(0) = 1. Then ln(a/b) is ln(a) − ln(b), so "
        "that no probability becomes 0 on the way."
    ),
    cases=_logits,
    reference=_cross_entropy,
    tolerance=1e-6,
    one_by_one=True,
    unknown=mark("this is not −ln of the right class's probability."),
).with_mistakes(
    Mistake("large logits make it infinite: a probability becomes 0 or exp overflows on the way.", log=np.log),
    Mistake("the minus sign is missing: a loss is 0 or above.", sign=1.0, log=np.log),
    Mistake("it returns the probability; the loss is −ln of it.", log=lambda p: p, sign=1.0),
    Mistake("this is a logarithm to base 2: the loss wants the natural one, np.log.", log=np.log2),
    Mistake("this is a logarithm to base 10: the loss wants the natural one, np.log.", log=np.log10),
    Mistake(_NO_EXP, shift=np.min, base=np.positive, log=np.log),
    Mistake(_NO_EXP, shift=np.zeros_like, base=np.positive, log=np.log),
    Mistake(_OVERFLOW, shift=np.zeros_like, log=np.log),
    Mistake(_OVERFLOW, shift=np.zeros_like),
)


# 1.5 ------------------------------------------------------------------------------------------
def _conv_and_pool(image, kernel, *, change=lambda kernel: kernel, pool=np.max):
    sums = _conv(image, change(kernel))
    rows, columns = (n // 2 * 2 for n in sums.shape)
    return pool(sums[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2), axis=(1, 3))


def _conv(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return np.einsum("ijuv,uv->ij", np.lib.stride_tricks.sliding_window_view(image, kernel.shape), kernel)


def _small_images(rng: np.random.Generator) -> Iterator[Case]:
    for h, w, k in ((5, 5, 2), (6, 6, 3), (8, 6, 3), (7, 9, 3), (6, 8, 1), (9, 9, 4)):
        yield Case(rng.integers(-3, 4, (h, w)) / 2, rng.integers(-2, 3, (k, k)) / 2)


def _wrong_map(shape: tuple, right: tuple, image: np.ndarray, kernel: np.ndarray) -> str:
    before = tuple(n - len(kernel) + 1 for n in image.shape)
    return first_fault(
        (shape == before, tr("this is the map before pooling.")),
        (shape == tuple(-(-n // 2) for n in before), tr("a region that is cut off by the edge does not count.")),
        otherwise=tr("the shape is not that of the map after pooling."),
    )


CONV_AND_POOL = ArrayExercise(
    number="1.5",
    name="conv_and_pool",
    title=mark("convolution and pooling by hand"),
    success=mark("you wrote the first two layers of LeNet in plain NumPy."),
    hint=mark("two loops, over the rows and the columns of the map: cut out the patch, multiply, add up."),
    stronger_hint=mark(
        "the patch at (row, column) is image[row : row + k, column : column + k], and the map has H − k + 1 rows. For "
        "the pooling, the region at (row, column) is map[2 * row : 2 * row + 2, 2 * column : 2 * column + 2], and "
        "there are H // 2 rows of them."
    ),
    cases=_small_images,
    reference=_conv_and_pool,
    close=lambda right, came: np.allclose(right, came, atol=1e-6),
    wrong_shape=_wrong_map,
    unknown=mark("the values are not those of a convolution and a max-pooling."),
).with_mistakes(
    Mistake("the kernel is turned by 180 degrees; networks leave it as it is.", change=lambda k: k[::-1, ::-1]),
    Mistake("rows and columns of the kernel are exchanged.", change=np.transpose),
    Mistake("it pools by averages, not maxima.", pool=np.mean),
    Mistake("it pools by minima, not maxima.", pool=np.min),
    Mistake("it pools by sums, not maxima.", pool=np.sum),
)


# 1.6 ------------------------------------------------------------------------------------------
_LINE = np.zeros((7, 7))
_LINE[:, 3] = 1.0


def _judge_kernel(trial: Trial, answer: Any) -> None:
    """Take any kernel that does what is asked."""
    value, tried = trial.call(answer), "vertical_strokes()"
    kernel = as_array(value)
    if kernel is None or kernel.shape != (3, 3):
        trial.fail(tr("it should return 3 × 3 numbers."), tried=tried, came=describe(value))
    plain, across, along = (_conv(picture, kernel) for picture in (np.ones((7, 7)), _LINE.T, _LINE))
    middle, others = along[:, 2], np.delete(along, 2, axis=1)
    faults = (
        (
            np.allclose(plain, 0, atol=1e-6),
            mark("a plain white picture lights it up: its numbers should add up to 0."),
            plain,
        ),
        (np.allclose(across, 0, atol=1e-6), mark("a horizontal stroke lights it up as well."), across),
        (middle.min() > 1e-6, mark("on a vertical stroke its map is not positive."), along),
        (middle.min() > others.max(), mark("its map is not largest on the stroke itself but beside it."), along),
    )
    for good, fault, came in faults:
        if not good:
            trial.fail(tr(fault), tried=tried, came=describe(np.round(came[np.abs(came).max(axis=1).argmax()], 4)))


VERTICAL_STROKES = Exercise(
    number="1.6",
    name="vertical_strokes",
    title=mark("a kernel for vertical strokes"),
    success=mark("you designed a kernel by hand; the first layer of a trained network finds such kernels by itself."),
    hint=mark("compare a pixel with its neighbours to the left and to the right, and let all rows be alike."),
    stronger_hint=mark(
        "give the middle column a positive weight, the other two a negative one. On a plain picture the sum of the "
        "nine numbers must be 0, so the middle weighs as much as left and right together."
    ),
    also=_judge_kernel,
)
