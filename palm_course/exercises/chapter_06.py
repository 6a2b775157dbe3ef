"""The exercises of chapter 6, ResNet."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from palm_course.exercises.layer_check import LayerExercise, normalise, norms_of
from palm_course.exercises.student_values import F, describe, describe_call, paddle
from palm_course.exercises.trial import Case, Mistake, Trial, first_fault
from palm_course.exercises.value_check import ArrayExercise, NumberExercise
from palm_utils.messages import mark, tr, trn


# 6.1 ------------------------------------------------------------------------------------------
def _widest(channels, budget, *, kernel=3, norms=(4, 2), less=0, ways=2, more=0):
    """Return the widest neck. norms: their parameters for each unit of neck and channels; less: 1 for "fewer than"."""

    def cost(neck):
        return ways * channels * neck + kernel**2 * neck**2 + norms[0] * neck + norms[1] * channels

    neck = 0
    while cost(neck + 1) <= budget - less:
        neck += 1
    return neck + more


def _budgets(rng: np.random.Generator) -> Iterator[Case]:
    yield from (Case(256, 70_400), Case(256, 70_399), Case(256, 1_180_672), Case(64, 100), Case(64, 396))
    for i in range(40):
        channels, neck = int(rng.integers(4, 600)), int(rng.integers(1, 100))
        exact = 2 * channels * neck + 9 * neck**2 + 4 * neck + 2 * channels
        # Between this neck and the one before.
        yield Case(channels, exact - (int(rng.integers(2 * channels + 18 * neck)) if i % 4 else 0))


WIDEST_NECK = NumberExercise(
    number="6.1",
    name="widest_neck",
    title=mark("how wide may the neck be?"),
    success=mark("for what two 3 × 3 convolutions cost, the neck of a bottleneck may be wider than the block."),
    hint=mark("write a function of the neck that counts the parameters, then try necks from 1 on."),
    stronger_hint=mark(
        "cost = 2 * channels * neck + 9 * neck**2 for the convolutions, and 2 * (neck + neck + channels) for the "
        "batch norms. Start with neck = 0, and add 1 while the cost of neck + 1 is at most the budget."
    ),
    cases=_budgets,
    reference=_widest,
).with_mistakes(
    Mistake("the batch norms are missing.", norms=(0, 0)),
    Mistake("it counts one number per channel of a batch norm; scale and bias are two.", norms=(2, 1)),
    Mistake("it counts the batch norms' running mean and variance; they are measured, not trained.", norms=(8, 4)),
    Mistake(
        "a batch norm has as many channels as come out of the convolution before it: neck, neck, channels.",
        norms=(6, 0),
    ),
    Mistake("the convolution in the middle is 3 × 3: nine weights for each pair of channels.", kernel=1),
    Mistake("there are two 1 × 1 convolutions, down to the neck and up again.", ways=1),
    Mistake("a block that costs exactly the budget is allowed.", less=1),
    Mistake("it returns the first neck that costs too much; the one before is the answer.", more=1),
)


# 6.2 ------------------------------------------------------------------------------------------
def _block(p, x, *_, training, first="norm relu", second="norm relu", shortcut="input", swapped=False, end=""):
    """Compute the block. first, second: the steps in front of each convolution; end: those behind the addition."""

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
    builds=[(Case(16, 4), [4, 16, 6, 6]), (Case(3, 8), [4, 3, 5, 7])],
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
    Mistake("in evaluation mode it uses the batch's mean and variance; it should use the running.", training=True),
    Mistake("in training mode it uses the running mean and variance; it should use the batch's.", training=False),
)


# 6.3 ------------------------------------------------------------------------------------------
def _shortcuts(rng: np.random.Generator) -> Iterator[Case]:
    """Yield sizes that the stride divides and others, with and without new channels."""
    sizes = [((2, 8, 6, 6), 16, 2), ((2, 8, 5, 6), 16, 2), ((1, 3, 7, 4), 8, 3), ((3, 4, 5, 5), 9, 1)]
    for shape, filters, stride in [*sizes, ((2, 6, 8, 5), 6, 2)]:
        yield Case(paddle.to_tensor(rng.standard_normal(shape).astype(np.float32)), filters, stride)


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
    lost = shape[2] < right[2] or shape[3] < right[3]
    added = tr("num_filters is the number of channels in the end, not of those to add.")
    return first_fault(
        (shape[1] == x.shape[1] + num_filters, added),
        (shape[1] != num_filters, tr("the number of channels is wrong.")),
        (list(shape[2:]) == x.shape[2:], tr("no rows and columns are left out.")),
        (lost, tr("a row or column is lost: where the stride does not divide the size, it is rounded up.")),
        otherwise=tr("height or width is wrong."),
    )


def _need_gradients(trial: Trial, answer: Any) -> None:
    for x, filters, stride in (case.args for case in _shortcuts(trial.exercise.rng)):
        tried = tr("pad_shortcut for {x}: ", x=describe(x))
        x.stop_gradient = False
        output = trial.call(functools.partial(answer, x * 1.0, filters, stride), name=tried)
        if not output.stop_gradient:
            output.sum().backward()
        left_in = np.zeros(x.shape, np.float32)
        left_in[:, :, ::stride, ::stride] = 1
        if x.grad is None or not np.array_equal(x.grad.numpy(), left_in):
            call = describe_call(trial.exercise.name, x, filters, stride)
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
    show=lambda x: tr(
        "the first row of the first channel {first}, of the last {last}",
        first=describe(x[0, 0, 0]),
        last=describe(x[0, -1, 0]),
    ),
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
def _norms(rng: np.random.Generator) -> Iterator[Case]:
    """Yield convolutions of several sizes, square ones first, where a wrong axis does not fail by itself."""
    for outputs, inputs, kernel, epsilon in ((4, 4, 3, 1e-5), (2, 2, 1, 1e-3), (6, 3, 3, 1e-4), (5, 8, 1, 1e-5)):
        weight = rng.standard_normal((outputs, inputs, kernel, kernel))
        scale, bias, mean = rng.uniform(0.5, 2, outputs), rng.standard_normal(outputs), rng.standard_normal(outputs)
        variance = rng.uniform(3e-5, 3e-4, outputs)  # so small that epsilon shows
        arrays = [array.astype(np.float32) for array in (weight, scale, bias, mean, variance)]
        yield Case(*arrays, epsilon=epsilon) if epsilon != 1e-5 else Case(*arrays)


def _folded(weight, scale, bias, mean, variance, epsilon=1e-5, *, by=None, axis=0, add=lambda b, m, s, f: b - m * f):
    """Return the new weight and bias; add(bias, mean, scale, factor): the bias.

    Beside a weight that is wrong, by another by(scale, variance, epsilon), the bias may be anything: nan.
    """
    right = scale / np.sqrt(variance + epsilon)
    factors = np.resize(by(scale, variance, epsilon) if by else right, weight.shape[axis])
    new_weight = weight * np.expand_dims(factors, [other for other in range(4) if other != axis])
    return new_weight, np.full_like(bias, np.nan) if by or axis else add(bias, mean, scale, right)


_NONE = mark("epsilon is missing: it is added to the variance, inside the root.")
_LATE = mark("epsilon is added after the root; it belongs to the variance, inside.")
_NO_ROOT = mark("the square root is missing: it divides by the variance.")
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
    show=lambda w, b: tr(
        "first weights {weights}, bias {bias}", weights=describe(w[:, :, 0, 0].ravel()[:4]), bias=describe(b)
    ),
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
    Mistake(_NONE, by=lambda s, v, e: s / np.sqrt(v)),
    Mistake(_LATE, by=lambda s, v, e: s / (np.sqrt(v) + e)),
    Mistake(_NO_ROOT, by=lambda s, v, e: s / (v + e)),
    Mistake("it multiplies by the root instead of dividing.", by=lambda s, v, e: s * np.sqrt(v + e)),
    Mistake("the scale is missing.", by=lambda s, v, e: 1 / np.sqrt(v + e)),
    Mistake("it takes the default epsilon instead of the one it is given.", by=lambda s, v, e: s / np.sqrt(v + 1e-5)),
    Mistake("the weight is left as it was.", by=lambda s, v, e: np.ones_like(s)),
    Mistake("it scales the input channels; a batch norm has a factor for each output channel, the first axis.", axis=1),
)


# 6.5 ------------------------------------------------------------------------------------------
def _batches(rng: np.random.Generator) -> Iterator[Case]:
    """Yield batches in both modes; the first has four sizes, so that axes are told apart, the last a value per map."""
    for shape, training in (((6, 3, 4, 5), True), ((6, 3, 4, 5), False), ((2, 2, 2, 2), True), ((5, 4, 1, 1), True)):
        c = shape[1]
        x = rng.standard_normal(shape) * rng.uniform(0.003, 0.02, (1, c, 1, 1)) + rng.standard_normal((1, c, 1, 1))
        scale, bias, mean = rng.uniform(0.5, 2, c), rng.standard_normal(c), rng.standard_normal(c)
        arrays = (x, scale, bias, mean, rng.uniform(1e-5, 4e-4, c))
        yield Case(*(array.astype(np.float32) for array in arrays), training)


def _root(v):
    return np.sqrt(v + 1e-5)


def _batch_norm(
    x, *given, axes=(0, 2, 3), momentum=0.9, own=(0, 1), moves=(0, 1), ddof=0, divisor=_root, affine=(1, 1)
):
    """Return output, mean and variance.

    own, moves: whether it normalises by the batch and whether the averages move, in evaluation and in training.
    """
    scale, bias, mean, variance, training = given
    x64 = x.astype(np.float64)
    here, spread = x64.mean(axes, keepdims=True), x64.var(axes, keepdims=True)
    m, v = (here, spread) if own[training] else (mean[None, :, None, None], variance[None, :, None, None])
    y = (x64 - m) / divisor(v) * (scale[None, :, None, None] if affine[0] else 1)
    y = y + (bias[None, :, None, None] if affine[1] else 0)
    if moves[training]:
        mean = momentum * mean + (1 - momentum) * x64.mean((0, 2, 3))
        variance = momentum * variance + (1 - momentum) * x64.var((0, 2, 3), ddof=ddof)
    return tuple(array.astype(np.float32) for array in (y, mean, variance))


BATCH_NORM = ArrayExercise(
    number="6.5",
    name="batch_norm",
    title=mark("batch norm in both modes"),
    success=mark("this is what BatchNorm2D computes, in both modes."),
    hint=mark("one mean for each channel: over which axes of [N, C, H, W] is it taken? Then ask for the mode."),
    stronger_hint=mark(
        "x.mean(axis=(0, 2, 3)) and x.var(axis=(0, 2, 3)) are [C]. In training mode these normalise, and the running "
        "ones become 0.9 * old + 0.1 * new; in evaluation mode the running ones normalise and stay. A vector [C] fits "
        "[N, C, H, W] after .reshape(1, -1, 1, 1)."
    ),
    cases=_batches,
    reference=_batch_norm,
    one_by_one=True,
    close=lambda right, came: np.abs(came - right).max() <= 1e-3 * np.abs(right).max(),
    not_arrays=mark("it should return three arrays."),
    wrong_shape=lambda s, right, *_: tr("an array of shape {shape} should be {right}.", shape=s, right=right),
    unknown=mark("the values are not those of a batch norm."),
    show=lambda y, mean, variance: tr(
        "first outputs {outputs}, mean {mean}, variance {variance}",
        outputs=describe(y.ravel()[:3]),
        mean=describe(mean),
        variance=describe([float(f"{v:.5g}") for v in variance]),
    ),
).with_mistakes(
    Mistake("the scale and the bias are not applied.", affine=(0, 0)),
    Mistake("the scale is not applied.", affine=(0, 1)),
    Mistake("the bias is not applied.", affine=(1, 0)),
    Mistake("it normalises each image by itself; mean and variance are taken over the batch, too.", axes=(2, 3)),
    Mistake("it normalises each place by itself; mean and variance are taken over all places.", axes=(0,)),
    Mistake("it mixes the channels: each has a mean and a variance of its own.", axes=(0, 1, 2, 3)),
    Mistake(_NONE, divisor=np.sqrt),
    Mistake(_LATE, divisor=lambda v: np.sqrt(v) + 1e-5),
    Mistake(_NO_ROOT, divisor=lambda v: v + 1e-5),
    Mistake("0.9 and 0.1 are exchanged: the old average counts nine tenths.", momentum=0.1),
    Mistake("in training mode the running averages stay; they should move a tenth of the way.", moves=(0, 0)),
    Mistake("in evaluation mode the running averages move; they should stay.", moves=(1, 1)),
    Mistake("in evaluation mode it normalises by the batch; the running averages count.", own=(1, 1)),
    Mistake("in training mode it normalises by the running averages; the batch counts.", own=(0, 0)),
    Mistake("in evaluation mode it does what belongs to training mode.", own=(1, 1), moves=(1, 1)),
    Mistake("in training mode it does what belongs to evaluation mode.", own=(0, 0), moves=(0, 0)),
    Mistake("it divides the variance by one less than the number of values; np.var does not.", ddof=1),
)


# 6.6 ------------------------------------------------------------------------------------------
def _score(images):
    """A logit that is different at every place, and not linear in the image."""
    images = np.asarray(images, np.float64)
    ramp = np.arange(1, images[0].size + 1).reshape(images.shape[1:]) / images[0].size
    return np.tanh((images * np.sin(9 * ramp)).sum((1, 2, 3)) / 8)


def _eyes(rng: np.random.Generator) -> Iterator[Case]:
    for shape, *size in (((3, 8, 10), 4, 2), ((1, 9, 7), 3, 2), ((3, 6, 8), 2, 2), ((2, 7, 7), 3, 1)):
        yield Case(_score, rng.standard_normal(shape).astype(np.float32), *size)


def _occlusion(score, image, side, stride, *, of_image=1, of_covered=-1, value=0.0, channels=None, fresh=True):
    """Return the map. of_image, of_covered: how often the two logits count; channels: how many are covered."""
    tops, lefts = (range(0, length - side + 1, stride) for length in image.shape[1:])
    falls, covered = np.zeros((len(tops), len(lefts))), image.copy()
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            covered = image.copy() if fresh else covered
            covered[:channels, top : top + side, left : left + side] = value
            falls[row, column] = of_image * score(image[None])[0] + of_covered * score(covered[None])[0]
    return falls


def _wrong_places(shape, right, *args):
    if len(shape) != 2:
        return tr("the shape is wrong.")
    more = shape[0] >= right[0] and shape[1] >= right[1]
    return first_fault(
        (shape == right[::-1], tr("rows and columns are exchanged.")),
        (more, tr("there are too many places: the whole square has to fit into the image.")),
        otherwise=tr("there are too few places: squares begin stride pixels apart, and the last may touch the border."),
    )


OCCLUSION = ArrayExercise(
    number="6.6",
    name="occlusion",
    title=mark("an occlusion map"),
    success=mark("you can ask any network where it looks, whatever it is made of."),
    hint=mark("two loops, over the top and the left of the square. In them: copy the image, cover, score."),
    stronger_hint=mark(
        "The tops are range(0, H - side + 1, stride), the lefts likewise with W. covered = image.copy(), then "
        "covered[:, top : top + side, left : left + side] = 0; score(covered[np.newaxis])[0] is its logit. The fall is "
        "the logit of the image minus that."
    ),
    cases=_eyes,
    reference=_occlusion,
    one_by_one=True,
    close=lambda right, came: right.shape == came.shape and np.allclose(came, right, rtol=1e-4, atol=1e-5),
    wrong_shape=_wrong_places,
    show=lambda falls: tr("first row {values}", values=describe(np.round(np.asarray(falls[0], float), 4))),
).with_mistakes(
    Mistake("the sign is wrong: where covering lowers the logit, the map is positive.", of_image=-1, of_covered=1),
    Mistake("it returns the logits of the covered images; the fall is what is asked for.", of_image=0, of_covered=1),
    Mistake("only the first channel is covered.", channels=1),
    Mistake("it covers by 1; 0 is mid-grey.", value=1.0),
    Mistake("it covers by -1, which is black; 0 is mid-grey.", value=-1.0),
    Mistake("the places already covered stay covered: each place needs a fresh copy.", fresh=False),
    Mistake("rows and columns are exchanged.", lambda *a: _occlusion(*a).T),
)
