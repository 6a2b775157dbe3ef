"""The exercises of chapter 6, ResNet."""

from typing import Any

import numpy as np

from palm_course.exercises.layer_check import LayerExercise, normalise, norms_of
from palm_course.exercises.student_values import describe, describe_call
from palm_course.exercises.trial import Case, Mistake, Trial
from palm_course.exercises.value_check import ArrayExercise, NumberExercise
from palm_utils.messages import mark, tr, trn


# 6.1 ------------------------------------------------------------------------------------------
def _cost(num_channels, num_filters, stride=1, *, norm=2, last=None, growth=4, kernel=3, bias=0, projected=(0, 1, 1)):
    """Count a block; norm, last (on the shortcut), bias: per channel; projected: always, for channels, for a stride."""
    wide = growth * num_filters
    total = num_channels * num_filters + kernel**2 * num_filters**2 + num_filters * wide
    total += (norm + bias) * (num_filters + num_filters + wide)
    if np.dot(projected, (1, num_channels != wide, stride != 1)):
        total += (num_channels + bias + (norm if last is None else last)) * wide
    return total


def _blocks(rng: np.random.Generator) -> list[Case]:
    cases = [Case((256, 64)), Case((64, 64)), Case((256, 128), {"stride": 2}), Case((256, 64), {"stride": 2})]
    cases.append(Case((), {"num_channels": 2048, "num_filters": 512, "stride": 1}))
    for _ in range(12):
        filters = int(rng.integers(2, 200))
        channels = 4 * filters if rng.random() < 0.5 else int(rng.integers(2, 600))
        cases.append(Case((channels, filters), {"stride": int(rng.integers(1, 3))}))
    return cases


PARAMETERS = NumberExercise(
    number="6.1",
    name="bottleneck_parameters",
    title=mark("what a bottleneck costs"),
    success=mark("sixteen such numbers, the first convolution and the last layer are all of ResNet-50."),
    hint=mark("write down input channels, output channels and kernel of each convolution, the shortcut's too."),
    stronger_hint=mark(
        "A convolution has inputs × outputs × kernel × kernel weights here, a batch norm 2 per channel. The shortcut "
        "needs its convolution where num_channels != 4 * num_filters or stride != 1, and it too goes from "
        "num_channels to 4 * num_filters."
    ),
    cases=_blocks,
    reference=_cost,
).with_mistakes(
    Mistake("the batch norms are missing.", norm=0),
    Mistake("it counts the batch norms' running mean and variance; they are measured, not trained.", norm=4),
    Mistake("it counts one number per channel of a batch norm; scale and bias are two.", norm=1),
    Mistake("it gives the convolutions a bias; in front of a batch norm they have none.", bias=1),
    Mistake("the convolution on the shortcut is missing.", projected=(0, 0, 0)),
    Mistake("it puts a convolution on every shortcut; where the shape stays there is none.", projected=(1, 1, 1)),
    Mistake(
        "a stride changes the shape too: such a block needs a convolution on its shortcut whatever its channels.",
        projected=(0, 1, 0),
    ),
    Mistake(
        "it puts a convolution on the shortcut only where there is a stride; other channels need one as well.",
        projected=(0, 0, 1),
    ),
    Mistake("the batch norm on the shortcut is missing.", last=0),
    Mistake("the last convolution goes up to 4 × num_filters channels.", growth=1),
    Mistake("the convolution in the middle is 3 × 3: nine weights for each pair of channels.", kernel=1),
)


# 6.2 ------------------------------------------------------------------------------------------
def _block(p, x, *_, training, first="norm relu", second="norm relu", shortcut="input", swapped=False, end=""):
    """Compute the block. first, second: the steps in front of each convolution; end: those behind the addition."""
    import paddle.nn.functional as F

    def steps(y, norm, words):
        for word in words.split():
            y = F.relu(y) if word == "relu" else normalise(p[norm], y, training)
        return y

    def conv(y, name):
        return F.conv2d(y, p[name], padding=1)

    if swapped:
        y = conv(steps(conv(x, "conv in"), "norm middle", "norm relu"), "conv out")
        return steps(steps(y, "norm channels", "norm") + x, "", end)
    activated = steps(x, "norm channels", first)
    y = conv(steps(conv(activated, "conv in"), "norm middle", second), "conv out")
    return steps({"input": y + x, "active": y + activated, "none": y}[shortcut], "", end)


def _wrong_layers(block, missing, extra, channels, middle):
    sizes, hint = [norm._mean.shape[0] for norm in norms_of(block)], ""
    fault = tr("its parameters are not those of two convolutions and two batch norms.")
    if len(sizes) < 2:
        count = len(sizes)
        fault = trn("it has {count} batch norm instead of two.", "it has {count} batch norms instead of two.", count)
    elif not missing and sorted(extra) == sorted([[channels], [middle]]):
        fault = tr("its convolutions have biases.")
        hint = tr("bias_attr=False leaves the bias away; the batch norm has one.")
    elif any(p.ndim == 4 and p.shape[2:] != [3, 3] for p in block.parameters()):
        fault = tr("a convolution's kernel is not 3 × 3.")
    elif sizes in ([channels] * 2, [middle] * 2):
        fault = tr("both batch norms have the same size; each has to fit what comes out of the layer in front of it.")
    return {"fault": fault, "hint": hint}


PRE_ACTIVATION = LayerExercise(
    number="6.2",
    name="PreActBlock",
    title=mark("activate first"),
    success=mark("the shortcut is clear from end to end: what goes in comes out, plus what the branch adds."),
    hint=mark("follow `x` with a finger: what is done to it before the first convolution, and what at the end?"),
    stronger_hint=mark(
        "In __init__: BatchNorm2D(channels), Conv2D(channels, middle, 3, padding=1, bias_attr=False), then the same "
        "with the two numbers exchanged. In forward: y = conv(relu(norm(x))) twice with the two sets of layers, and "
        "at the end x + y, where x is still what came in."
    ),
    # The two numbers differ, so that layers are told apart by their shapes.
    builds=[((16, 4), {}, [4, 16, 6, 6]), ((3, 8), {}, [4, 3, 5, 7])],
    parameters=lambda c, m: {"conv in": [m, c, 3, 3], "conv out": [c, m, 3, 3], "norm channels": c, "norm middle": m},
    reference=_block,
    modes=(False, True),
    wrong_parameters=_wrong_layers,
    wrong_shape=mark("the output is not a tensor of the input's shape."),
    unknown=mark("the values are not those of the block described."),
).with_mistakes(
    Mistake("a ReLU follows the addition; nothing should.", end="relu"),
    Mistake("the shortcut starts behind the first ReLU; it should start at the block's own input.", shortcut="active"),
    Mistake("the input is not added: there is no shortcut.", shortcut="none"),
    Mistake(
        "this is the chapter's order, convolution first; batch norm and ReLU belong in front of each convolution.",
        swapped=True,
        end="relu",
    ),
    Mistake("each convolution comes before its batch norm; batch norm and ReLU belong in front of it.", swapped=True),
    Mistake("the ReLU in front of the first convolution is missing.", first="norm"),
    Mistake("the ReLU in front of the second convolution is missing.", second="norm"),
    Mistake("both ReLUs are missing.", first="norm", second="norm"),
    Mistake("ReLU comes before batch norm; it is the other way round.", first="relu norm", second="relu norm"),
    Mistake("the first batch norm is never used.", first="relu"),
    Mistake("the second batch norm is never used.", second="relu"),
    Mistake("it normalises in both modes alike; in evaluation mode the running statistics count.", training=True),
    Mistake("it normalises in both modes alike; in evaluation mode the running statistics count.", training=False),
)


# 6.3 ------------------------------------------------------------------------------------------
def _shortcuts(rng: np.random.Generator) -> list[Case]:
    """Return sizes that the stride divides and others, with and without new channels."""
    import paddle

    sizes = [((2, 8, 6, 6), 16, 2), ((2, 8, 5, 6), 16, 2), ((1, 3, 7, 4), 8, 3), ((3, 4, 5, 5), 9, 1)]
    return [
        Case((paddle.to_tensor(rng.standard_normal(shape).astype(np.float32)), filters, stride))
        for shape, filters, stride in [*sizes, ((2, 6, 8, 5), 6, 2)]
    ]


def _shortcut(x, num_filters, stride, *, late=0, corner=False, combine=None, front=lambda missing: 0, **padding):
    """Return the shortcut as an array. late: begin that much later; front: how many new channels come first."""
    x = x.numpy()
    start = late * (stride - 1)
    left = x[:, :, start::stride, start::stride]
    if corner:
        left = x[:, :, : left.shape[2], : left.shape[3]]
    if combine:  # squares of stride × stride pixels, as far as they fit
        n, c, height, width = x.shape
        squares = x[:, :, : height // stride * stride, : width // stride * stride]
        left = combine(squares.reshape(n, c, height // stride, stride, width // stride, stride), axis=(3, 5))
    missing = num_filters - x.shape[1]
    return np.pad(left, ((0, 0), (front(missing), missing - front(missing)), (0, 0), (0, 0)), **padding)


def _wrong_shortcut(shape: tuple, right: tuple, x: Any, num_filters: int, stride: int) -> str:
    if len(shape) != 4 or shape[0] != right[0]:
        return tr("the shape is wrong.")
    if shape[1] == x.shape[1] + num_filters:
        return tr("num_filters is the number of channels in the end, not of those to add.")
    if shape[1] != num_filters:
        return tr("the number of channels is wrong.")
    if list(shape[2:]) == x.shape[2:]:
        return tr("no rows and columns are left out.")
    if shape[2] < right[2] or shape[3] < right[3]:
        return tr("a row or column is lost: where the stride does not divide the size, it is rounded up.")
    return tr("height or width is wrong.")


def _need_gradients(trial: Trial, answer: Any) -> None:
    for case in _shortcuts(trial.exercise.rng):
        _need_gradient(trial, answer, *case.args)


def _need_gradient(trial: Trial, answer: Any, x: Any, filters: int, stride: int) -> None:
    x.stop_gradient = False
    output = trial.call(lambda: answer(x * 1.0, filters, stride), name=tr("pad_shortcut for {x}: ", x=describe(x)))
    if not output.stop_gradient:
        output.sum().backward()
    left_in = np.zeros(x.shape, np.float32)
    left_in[:, :, ::stride, ::stride] = 1
    if x.grad is None or not np.array_equal(x.grad.numpy(), left_in):
        call = describe_call(trial.exercise.name, (x, filters, stride), {})
        trial.fail(
            tr("the gradient does not find its way back to x."),
            tried=tr("{tried}, then backward() from the sum", tried=call),
            expected=tr("a gradient of 1 for each pixel that is left in, 0 for the others"),
            hint=tr("a value that leaves PaddlePaddle (numpy, detach, no_grad) takes no gradient back."),
        )


PAD_SHORTCUT = ArrayExercise(
    number="6.3",
    name="pad_shortcut",
    title=mark("a shortcut without weights"),
    success=mark("a shortcut may change the shape and still have nothing to learn."),
    hint=mark("two steps, each a line: leave out rows and columns, then add channels. Print the shape after each."),
    stronger_hint=mark(
        "A slice takes a step: x[:, :, ::stride, ::stride]. Then paddle.concat, along axis 1, of that and "
        "paddle.zeros of shape [N, num_filters - C, H', W'] does the rest; where no channel is missing there is "
        "nothing to add."
    ),
    cases=_shortcuts,
    reference=_shortcut,
    kind="tensor",
    one_by_one=True,
    near=lambda wrong, came: wrong.shape == came.shape and np.allclose(wrong, came, rtol=1e-5, atol=1e-6),
    not_arrays=mark("it should return a tensor."),
    wrong_shape=_wrong_shortcut,
    unknown=mark("the shape is right, the values are not."),
    show=lambda x: tr("the first row of the first channel {values}", values=describe(x[0, 0, 0])),
    also=_need_gradients,
).with_mistakes(
    Mistake("the zeros come first; the channels of x should.", front=lambda missing: missing),
    Mistake("the zeros are on both sides; all of them should come behind the channels of x.", front=lambda n: n // 2),
    Mistake("the new channels repeat those of x; they should be zero.", mode="wrap"),
    Mistake("the new channels are filled with ones; they should be zero.", constant_values=1),
    Mistake("it begins with a later row and column than the first.", late=1),
    Mistake("it averages neighbouring pixels; they should be left out.", combine=np.mean),
    Mistake("it takes the largest of neighbouring pixels; they should be left out.", combine=np.max),
    Mistake("it cuts a corner out of x instead of taking every stride-th row and column.", corner=True),
)


# 6.4 ------------------------------------------------------------------------------------------
def _norms(rng: np.random.Generator) -> list[Case]:
    """Return convolutions of several sizes, square ones first, where a wrong axis does not fail by itself."""
    cases = []
    for outputs, inputs, kernel, epsilon in ((4, 4, 3, 1e-5), (2, 2, 1, 1e-3), (6, 3, 3, 1e-4), (5, 8, 1, 1e-5)):
        weight = rng.standard_normal((outputs, inputs, kernel, kernel))
        scale, bias, mean = rng.uniform(0.5, 2, outputs), rng.standard_normal(outputs), rng.standard_normal(outputs)
        variance = rng.uniform(3e-5, 3e-4, outputs)  # so small that epsilon shows
        arguments = tuple(array.astype(np.float32) for array in (weight, scale, bias, mean, variance))
        cases.append(Case(arguments, {} if epsilon == 1e-5 else {"epsilon": epsilon}))
    return cases


def _folded(weight, scale, bias, mean, variance, epsilon=1e-5, *, by=None, axis=0, add=lambda b, m, s, f: b - m * f):
    """Return the new weight and bias; add(bias, mean, scale, factor): the bias.

    Beside a weight that is wrong, by another by(scale, variance, epsilon), the bias may be anything: nan.
    """
    right = scale / np.sqrt(variance + epsilon)
    factors = np.resize(by(scale, variance, epsilon) if by else right, weight.shape[axis])
    new_weight = weight * np.expand_dims(factors, [other for other in range(4) if other != axis])
    return new_weight, np.full_like(bias, np.nan) if by or axis else add(bias, mean, scale, right)


_NAMES = {4: "new_weight", 1: "new_bias"}

FOLD = ArrayExercise(
    number="6.4",
    name="fold_batch_norm",
    title=mark("batch norm for nothing"),
    success=mark("53 batch norms of ResNet-50 cost nothing once training is over."),
    hint=mark("multiply the formula out: what is x multiplied by, and what is left over that has no x in it?"),
    stronger_hint=mark(
        "factor = scale / sqrt(variance + epsilon). The convolution is linear, so its weight times factor gives x "
        "times factor; factor belongs to output channels, the first axis: factor.reshape(-1, 1, 1, 1). Without x "
        "there remain bias and -mean * factor."
    ),
    cases=_norms,
    reference=_folded,
    one_by_one=True,
    # What nan stands for, anything, is close.
    close=lambda right, came: (np.isclose(came, right, rtol=1e-4, atol=1e-5) | np.isnan(right)).all(),
    not_arrays=mark("it should return two arrays."),
    wrong_shape=lambda shape, right, *args: tr("{name} has the wrong shape.", name=_NAMES[len(right)]),
    unknown=mark("the new weight is not right."),
    show=lambda w, b: tr("first weights {weights}, bias {bias}", weights=describe(w.ravel()[:4]), bias=describe(b)),
).with_mistakes(
    # The weight is right with these ...
    Mistake("the new bias takes no notice of the mean.", add=lambda b, m, s, f: b),
    Mistake("the mean has the wrong sign in the new bias: it is taken away.", add=lambda b, m, s, f: b + m * f),
    Mistake(
        "the mean is taken away as it is; what is taken away is scaled, like everything in the bracket.",
        add=lambda b, m, s, f: b - m,
    ),
    Mistake("the mean is divided by the root, but not multiplied by the scale.", add=lambda b, m, s, f: b - m * f / s),
    Mistake("the old bias is missing in the new one.", add=lambda b, m, s, f: -m * f),
    Mistake("it scales the old bias as well; the bias is added after the scaling.", add=lambda b, m, s, f: (b - m) * f),
    Mistake("the new weight is right, the new bias is not.", add=lambda b, *_: np.full_like(b, np.nan)),
    # ... and wrong with these.
    Mistake("epsilon is missing: it is added to the variance, inside the root.", by=lambda s, v, e: s / np.sqrt(v)),
    Mistake(
        "epsilon is added after the root; it belongs to the variance, inside.", by=lambda s, v, e: s / (np.sqrt(v) + e)
    ),
    Mistake("the square root is missing: it divides by the variance.", by=lambda s, v, e: s / (v + e)),
    Mistake("it multiplies by the root instead of dividing.", by=lambda s, v, e: s * np.sqrt(v + e)),
    Mistake("the scale is missing.", by=lambda s, v, e: 1 / np.sqrt(v + e)),
    Mistake("it takes the default epsilon instead of the one it is given.", by=lambda s, v, e: s / np.sqrt(v + 1e-5)),
    Mistake("the weight is left as it was.", by=lambda s, v, e: np.ones_like(s)),
    Mistake("it scales the input channels; a batch norm has a factor for each output channel, the first axis.", axis=1),
)
