"""The exercises of chapter 4, VGG: a small one that sees as far, what a stack sees, and networks from a list."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from palm_course.exercises.layer_check import Fault, LayerExercise, Shape, are_flat
from palm_course.exercises.student_values import F, as_numbers, describe, describe_call, is_tensor, paddle
from palm_course.exercises.trial import Case, Exercise, Mistake, Trial
from palm_course.exercises.value_check import ArrayExercise, NumberExercise
from palm_utils.messages import mark, tr

# 4.1 ------------------------------------------------------------------------------------------
MOST_LAYERS, MOST_PARAMETERS, SEEN = 11, 1_000_000, 212


def _judge_small(trial: Trial, answer: Any) -> None:
    value = trial.call(answer)
    pairs = [as_numbers(pair, 2) for pair in value] if isinstance(value, (list, tuple, np.ndarray)) else []
    if len(pairs) != 5 or not all(pair is not None and (pair >= 1).all() and (pair % 1 == 0).all() for pair in pairs):
        fault = tr("it should return five pairs of whole numbers, all at least 1: layers and channels of each block.")
        trial.fail(fault, expected="((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))", came=describe(value))
    counts, widths = ([int(number) for number in numbers] for numbers in zip(*pairs, strict=True))
    if sum(counts) > MOST_LAYERS:
        fault, expected = tr("it has too many convolutional layers."), tr("at most {most}", most=MOST_LAYERS)
        trial.fail(fault, expected=expected, came=describe(sum(counts)), hint=tr("each pair is (layers, channels)."))
    # A block's layers and its pooling reach 2 * layers + 1 steps further, and each block doubles the step.
    seen = 1 + sum((2 * layers + 1) * 2**block for block, layers in enumerate(counts))
    if seen != SEEN:
        fault = tr("it does not see as much as VGG-16.")
        hint = tr("a layer in block 1 adds 2 pixels, one in block 5 adds 32; what must the layers add together?")
        came, expected = (tr("{h} × {w} pixels", h=side, w=side) for side in (seen, SEEN))
        trial.fail(fault, tried=tr("one pixel after block 5"), expected=expected, came=came, hint=hint)
    blocks = zip(counts, [3, *widths], widths, strict=False)
    parameters = sum((9 * before + 1 + (layers - 1) * (9 * width + 1)) * width for layers, before, width in blocks)
    if parameters >= MOST_PARAMETERS:
        expected = tr("fewer than {most:,} parameters", most=MOST_PARAMETERS)
        hint = tr("a layer from C to C channels has 9 C² weights: half of the channels leave a quarter of them.")
        trial.fail(tr("it is still too large."), expected=expected, came=f"{parameters:,}", hint=hint)


SMALL = Exercise(
    number="4.1",
    name="small_vgg",
    title=mark("a smaller VGG"),
    success=mark("fewer layers and a fraction of the parameters, and it sees as much of the eye as VGG-16."),
    hint=mark("how many pixels does one more layer add to the last receptive field, in each of the five blocks?"),
    stronger_hint=mark(
        "A layer in block b adds 2^b pixels: 2, 4, 8, 16 or 32; the poolings and the first pixel make 32. So the layers"
        " must add 180 together, with at least one in each block. Begin with block 5. Then choose thin blocks, such as"
        " 16 channels that double."
    ),
    also=_judge_small,
)


# 4.2 ------------------------------------------------------------------------------------------
def _window(
    layers, index, *, by=reversed, padded=(-1, -1), strides=True, behind=0, least=-np.inf, then=lambda *ends: ends
):
    """Return the first and the last input pixel. padded: how much padding moves the two; then: their last change."""
    first = last = index
    for kernel, stride, padding in by(layers):
        step = stride if strides else 1
        first = max(first * step + padded[0] * padding, least)
        last = last * step + padded[1] * padding + kernel - 1 + behind
    return then(first, last)


def _windows(rng: np.random.Generator) -> Iterator[Case]:
    conv, pool = (3, 1, 1), (2, 2, 0)
    yield from (Case([conv, conv, pool], 10), Case([conv, conv, pool], 0), Case([(5, 1, 0)], 7))
    yield Case([(11, 4, 5), pool, (5, 1, 2)], 3)
    yield Case([conv, conv, pool, conv, conv, pool, conv, conv, conv, pool], 12)
    for _ in range(6):
        count, ends = rng.integers(2, 5), ((2, 12), (1, 5), (0, 4))
        layers = [tuple(int(rng.integers(*end)) for end in ends) for _ in range(count)]
        yield Case(layers, int(rng.integers(0, 20)))


_CUT_OFF = mark("it cuts the window off at pixel 0; below 0 is the padding, and should stay.")

WINDOW = NumberExercise(
    number="4.2",
    name="input_window",
    title=mark("where does it look?"),
    success=mark("you can point at the part of a photograph that any feature comes from."),
    hint=mark(
        "start at the output with first = last = index; which pixels of the map below does one layer need for them?"
    ),
    stronger_hint=mark(
        "Go through the layers from the last to the first. With padding p, output pixel i of a layer reads the pixels"
        " i · stride - p to i · stride - p + kernel - 1 of the map below. Apply the first to `first`, the second to "
        "`last`."
    ),
    cases=_windows,
    reference=_window,
    count=2,
).with_mistakes(
    Mistake("it walks from the input to the output; start at the output pixel and go back, last layer first.", by=iter),
    Mistake("it leaves out the padding, which moves the window towards the first pixel.", padded=(0, 0)),
    Mistake("it adds the padding; padding moves the window the other way.", padded=(1, 1)),
    Mistake("it makes the window wider by the padding; padding moves both ends by the same.", padded=(-1, 0)),
    Mistake("it makes the window wider by the padding; padding moves both ends by the same.", padded=(-1, 1)),
    Mistake("it leaves out the strides.", strides=False),
    Mistake(
        "each layer makes the window one too wide: of `kernel` pixels, the last is kernel - 1 behind the first.",
        behind=1,
    ),
    Mistake(
        "the second number is one behind the window; the last pixel is to be included.", then=lambda a, z: (a, z + 1)
    ),
    Mistake("the second number should be the last pixel, not how many there are.", then=lambda a, z: (a, z - a + 1)),
    Mistake("it counts pixels from 1; the first is pixel 0.", then=lambda a, z: (a + 1, z + 1)),
    Mistake(_CUT_OFF, then=lambda first, last: (max(first, 0), max(last, 0))),
    Mistake(_CUT_OFF, least=0),
    Mistake("the two ends are exchanged: the first pixel comes first.", then=lambda a, z: (z, a)),
    Mistake("it leaves out the index: that is the window of output pixel 0.", lambda layers, _: _window(layers, 0)),
)


# 4.3 ------------------------------------------------------------------------------------------
# Narrow, so that they are quick: one sixteenth of the real widths.
_VGG11 = [4, "M", 8, "M", 16, 16, "M", 32, 32, "M", 32, 32, "M"]
_VGG13 = [4, 4, "M", 8, 8, "M", 16, 16, "M", 32, 32, "M", 32, 32, "M"]
_VGG19 = [4, 4, "M", 8, 8, "M", *[16] * 4, "M", *[32] * 4, "M", *[32] * 4, "M"]


def _plan_parameters(plan: Sequence, in_channels: int = 3) -> dict[str, Shape]:
    widths = [in_channels, *(step for step in plan if step != "M")]
    weights = {f"weight {i}": [after, before, 3, 3] for i, (before, after) in enumerate(pairwise(widths))}
    return weights | {f"bias {i}": [width] for i, width in enumerate(widths[1:])}


def _planned(p, x, plan, in_channels=3, *, training, relu="all", activation="relu", pool="max_pool2d"):
    """Compute the plan. relu: after "all" convolutions, "none", all but the "last", or only before a "pooling"."""
    number = 0
    for position, step in enumerate(plan):
        if step == "M":
            x = getattr(F, pool)(x, 2, 2)
            continue
        x = F.conv2d(x, p[f"weight {number}"], p[f"bias {number}"], padding=1)
        number += 1
        at_end = list(plan[position + 1 : position + 2]) in ([], ["M"])
        if {"all": True, "none": False, "last": f"weight {number}" in p, "pooling": at_end}[relu]:
            x = getattr(F, activation)(x)
    return x


def _create_features(trial: Trial, answer: Any, *args: Any, **kwargs: Any) -> Any:
    net = trial.call(answer, *args, **kwargs)
    several = isinstance(net, (list, tuple))
    if not isinstance(net, paddle.nn.Layer):
        trial.fail(
            tr("a list of layers cannot be called.") if several else tr("it should return a paddle.nn.Layer."),
            tried=describe_call(trial.exercise.name, *args, **kwargs),
            expected=tr("one paddle.nn.Layer"),
            came=tr("a {kind} of {count}", kind=type(net).__name__, count=len(net)) if several else describe(net),
            hint=tr("paddle.nn.Sequential makes one layer out of several.") if several else "",
        )
    if type(net).forward is paddle.nn.Layer.forward:  # a LayerList, too
        trial.fail(
            tr("it has no method `forward`."),
            tried=describe_call(trial.exercise.name, *args, **kwargs),
            came=tr("a {kind} of {count}", kind=type(net).__name__, count=len(list(net.children()))),
            hint=tr("paddle.nn.Sequential makes one layer out of several."),
        )
    return net


def _unplanned(net: Any, missing: list[Shape], extra: list[Shape], plan: Sequence, in_channels: int = 3) -> Fault:
    """Name what is wrong with the parameters, and a hint where the exercise's own would mislead."""
    kernels = [parameter.shape for parameter in net.parameters() if parameter.ndim == 4]
    wanted = sum(step != "M" for step in plan)
    fault, hint = tr("the channels do not follow the plan."), ""
    if any(shape[2:] != [3, 3] for shape in kernels):
        fault, hint = tr("its kernels are not 3 × 3."), tr("every convolution of VGG has a 3 × 3 kernel.")
    elif len(kernels) != wanted:
        fault = tr("it has {count} convolutions; the plan has {wanted}.", count=len(kernels), wanted=wanted)
    elif not extra and are_flat(missing):
        fault, hint = tr("biases are missing."), tr("a Conv2D has a bias unless bias_attr=False takes it away.")
    elif not missing:
        fault = tr("it has parameters beside those of its convolutions.")
        hint = tr("the plan has convolutions and poolings only.")
    return {"fault": fault, "hint": hint}


def _wrong_maps(output: Any, shape: Shape) -> Fault:
    fault, hint = tr("the output has the wrong shape."), ""
    larger = output.shape[2] - shape[2] if is_tensor(output) and output.ndim == 4 else 0
    if larger > 0:
        fault = tr("its maps are too large: not every pooling of the plan makes them half as wide.")
        hint = tr("MaxPool2D(kernel_size=2, stride=2) takes half of the height and half of the width.")
    elif larger < 0:
        fault = tr("its maps are too small: only poolings should make them smaller, and each by half.")
        hint = tr("a 3 × 3 convolution keeps the size of a map with padding=1.")
    return {"fault": fault, "hint": hint}


FEATURES = LayerExercise(
    number="4.3",
    name="make_features",
    title=mark("a whole family from lists"),
    success=mark("with this one function VGG-11, 13, 16 and 19 are four lists."),
    hint=mark("what must you remember from one convolution to the next? And what becomes of it at a pooling?"),
    stronger_hint=mark(
        "Collect layers in a list: for a number, Conv2D(in_channels, number, 3, padding=1) and ReLU(), and then "
        'in_channels = number; for "M", MaxPool2D(2, 2). At the end, paddle.nn.Sequential(*layers) makes one layer of'
        " them."
    ),
    builds=[
        (Case([8, "M", 16, 16, "M"]), [2, 3, 32, 32]),
        (Case([5, 7, "M", 9, "M"]), [2, 3, 24, 24]),
        (Case(["M", 6, 10], in_channels=2), [2, 2, 14, 14]),
        (Case([4, "M", "M", 6, 7, 9], in_channels=1), [2, 1, 20, 20]),
        *((Case(plan), [2, 3, 32, 32]) for plan in (_VGG11, _VGG13, _VGG19)),
    ],
    parameters=_plan_parameters,
    reference=_planned,
    create=_create_features,
    wrong_parameters=_unplanned,
    wrong_shape=_wrong_maps,
    hidden=mark(
        "paddle.nn.Sequential or paddle.nn.LayerList register their layers; a plain list as attribute hides them."
    ),
    unknown=mark("the values are not those of the plan's layers, one after the other."),
).with_mistakes(
    Mistake("the ReLUs are missing.", relu="none"),
    Mistake("the ReLU after the last convolution is missing.", relu="last"),
    Mistake("there is a ReLU at the end of each block only; one belongs after every convolution.", relu="pooling"),
    Mistake("it pools by averages, not maxima.", pool="avg_pool2d"),
    *(Mistake("the activation is not a ReLU.", activation=name) for name in ("sigmoid", "tanh", "leaky_relu")),
)


# 4.4 ------------------------------------------------------------------------------------------
def _growing(layers, *, first=1, dilate=True, strides=True, late=False, wide=0, then=None):
    """Return the sides after each layer. late: a layer's stride counts for itself; wide: added to each kernel."""
    sides, side, step = [], first, 1
    for kernel, stride, dilation in layers:
        step *= stride if late and strides else 1
        side += (kernel - 1 + wide) * (dilation if dilate else 1) * step
        step *= stride if strides and not late else 1
        sides.append(side)
    return np.array(sides if then is None else then(sides))


def _any_stacks(rng: np.random.Generator) -> Iterator[Case]:
    conv, pool = (3, 1, 1), (2, 2, 1)
    yield from (Case([conv, conv, pool, (3, 1, 2)]), Case([(11, 4, 1), pool, (5, 1, 1)]), Case([(1, 3, 1), conv]))
    yield Case([*[conv] * 2, pool, *[conv] * 2, pool, *([conv] * 3 + [pool]) * 3])
    for _ in range(6):
        yield Case([tuple(int(n) for n in rng.integers(1, (8, 4, 4))) for _ in range(rng.integers(2, 6))])


GROWING = ArrayExercise(
    number="4.4",
    name="growing_field",
    title=mark("the field grows, layer by layer"),
    success=mark("one pass through any stack, and you know what every layer sees."),
    hint=mark("after a stride of 2, how many pixels of the photograph does the next layer's kernel jump at each step?"),
    stronger_hint=mark(
        "Begin with side = 1 and step = 1. A layer adds (kernel - 1) · dilation · step to the side; after that, its "
        "stride multiplies the step. Append the side to a list after each layer."
    ),
    cases=_any_stacks,
    reference=_growing,
    wrong_shape=lambda *args: tr("it should return a list with one number for each layer."),
    not_arrays=mark("it should return a list with one number for each layer."),
    unknown=mark("some of the sides are not those of the receptive field."),
    show=lambda sides: describe([int(side) if float(side).is_integer() else float(side) for side in sides]),
).with_mistakes(
    Mistake("it leaves out the dilation, which pulls the kernel apart.", dilate=False),
    Mistake("it leaves out the strides.", strides=False),
    Mistake("a layer's own stride changes the steps of the layers behind it, not its own.", late=True),
    Mistake("each layer adds one step too many: a kernel of k pixels reaches k - 1 steps further.", wide=1),
    Mistake("one pixel is seen before the first layer: the side begins with 1, not with 0.", first=0),
    Mistake("the fields are in the wrong order: input side first.", then=lambda sides: sides[::-1]),
)
