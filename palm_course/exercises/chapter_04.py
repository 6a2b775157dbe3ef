"""The exercises of chapter 4, VGG: what a stack of convolutions costs and sees, and networks from a list."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from palm_course.exercises.layer_check import Fault, LayerExercise, Shape, are_flat
from palm_course.exercises.student_values import describe, describe_call, is_tensor
from palm_course.exercises.trial import Case, Mistake, Trial
from palm_course.exercises.value_check import NumberExercise
from palm_utils.messages import mark, tr


# 4.1 ------------------------------------------------------------------------------------------
def _cost(kernels, channels, side, *, of_kernel=2, of_map=2, bias="out", shrinks=False, bias_work=0, fixed=False):
    """Return parameters and multiply-adds. of_kernel, of_map: powers; fixed: all have the input's channels."""
    parameters = work = 0
    for kernel, inputs, outputs in zip(kernels, channels[:-1], channels[1:], strict=True):
        if fixed:
            inputs = outputs = channels[0]
        if shrinks:
            side = side - kernel + 1
        weights = kernel**of_kernel * inputs * outputs
        biases = {"out": outputs, "in": inputs, "none": 0, "one": 1}[bias]
        parameters += weights + biases
        work += (weights + bias_work * biases) * side**of_map
    return parameters, work


def _stacks(rng: np.random.Generator) -> list[Case]:
    cases = [Case(([3, 3], [64, 64, 64], 56)), Case(([5], [64, 64], 56)), Case(([7, 1], [3, 64, 20], 112))]
    for _ in range(6):
        kernels = rng.choice([1, 3, 5, 7, 11], rng.integers(1, 5)).tolist()
        # No two alike, so that an answer that takes the wrong one is found out.
        channels = rng.permutation(np.arange(2, 300))[: len(kernels) + 1].tolist()
        cases.append(Case((kernels, channels, int(rng.integers(14, 120)))))
    return cases


COST = NumberExercise(
    number="4.1",
    name="conv_stack_cost",
    title=mark("the price of a stack"),
    success=mark("you can tell what a stack of convolutions costs before you build it."),
    hint=mark(
        "how many weights make one output channel of one convolution? How often is each weight used on a map of "
        "`side` × `side` pixels?"
    ),
    stronger_hint=mark(
        "A convolution from C to D channels has kernel · kernel · C · D weights and D biases. Each weight is used "
        "once at every pixel of the output map. Walk through zip(kernels, channels, channels[1:]) and add up."
    ),
    cases=_stacks,
    reference=_cost,
    count=2,
).with_mistakes(
    Mistake("the biases are missing: each convolution has one per output channel.", bias="none"),
    Mistake("it counts a bias for each input channel; there is one for each output channel.", bias="in"),
    Mistake("it counts one bias for a whole convolution; there is one for each output channel.", bias="one"),
    Mistake("a kernel of size k has k · k weights per channel pair, not k.", of_kernel=1),
    Mistake("each weight is used at every pixel of the map: side · side times, not side times.", of_map=1),
    Mistake("the multiply-adds are those of a single pixel; each weight is used at every pixel of the map.", of_map=0),
    Mistake("the additions of the biases are not multiply-adds.", bias_work=1),
    Mistake("the padding keeps the maps as large as they were; yours shrink.", shrinks=True),
    Mistake("it uses the input's channels for every convolution; they may change from one to the next.", fixed=True),
    Mistake("the two numbers are exchanged: the parameters come first.", lambda *a: _cost(*a)[::-1]),
)


# 4.2 ------------------------------------------------------------------------------------------
def _window(layers, index, *, by=reversed, padded=(-1, -1), strides=True, behind=0, least=-np.inf, then=(0, 0)):
    """Return the first and the last input pixel. padded: how much padding moves the two; then: added in the end."""
    first = last = index
    for kernel, stride, padding in by(layers):
        step = stride if strides else 1
        first = max(first * step + padded[0] * padding, least)
        last = last * step + padded[1] * padding + kernel - 1 + behind
    return first + then[0], last + then[1]


def _windows(rng: np.random.Generator) -> list[Case]:
    conv, pool = (3, 1, 1), (2, 2, 0)
    cases = [Case(([conv, conv, pool], 10)), Case(([conv, conv, pool], 0)), Case(([(5, 1, 0)], 7))]
    cases.append(Case(([(11, 4, 5), pool, (5, 1, 2)], 3)))
    cases.append(Case(([conv, conv, pool, conv, conv, pool, conv, conv, conv, pool], 12)))
    for _ in range(6):
        count, ends = rng.integers(2, 5), ((2, 12), (1, 5), (0, 4))
        layers = [tuple(int(rng.integers(*end)) for end in ends) for _ in range(count)]
        cases.append(Case((layers, int(rng.integers(0, 20)))))
    return cases


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
    Mistake("the second number is one behind the window; the last pixel is to be included.", then=(0, 1)),
    Mistake(
        "the second number should be the last pixel, not how many there are.",
        lambda *a: (_window(*a)[0], 1 + np.ptp(_window(*a))),
    ),
    Mistake("it counts pixels from 1; the first is pixel 0.", then=(1, 1)),
    Mistake(
        "it cuts the window off at pixel 0; below 0 is the padding, and should stay.",
        lambda *a: np.maximum(_window(*a), 0),
    ),
    Mistake("it cuts the window off at pixel 0; below 0 is the padding, and should stay.", least=0),
    Mistake("the two ends are exchanged: the first pixel comes first.", lambda *a: _window(*a)[::-1]),
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
    import paddle.nn.functional as F

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


def _create_features(trial: Trial, answer: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    import paddle

    net = trial.call(answer, args, kwargs)
    several = isinstance(net, (list, tuple))
    if not isinstance(net, paddle.nn.Layer):
        trial.fail(
            tr("a list of layers cannot be called.") if several else tr("it should return a paddle.nn.Layer."),
            tried=describe_call(trial.exercise.name, args, kwargs),
            expected=tr("one paddle.nn.Layer"),
            came=tr("a {kind} of {count}", kind=type(net).__name__, count=len(net)) if several else describe(net),
            hint=tr("paddle.nn.Sequential makes one layer out of several.") if several else "",
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
        (([8, "M", 16, 16, "M"],), {}, [2, 3, 32, 32]),
        (([5, 7, "M", 9, "M"],), {}, [2, 3, 24, 24]),
        ((["M", 6, 10],), {"in_channels": 2}, [2, 2, 14, 14]),
        (([4, "M", "M", 6, 7, 9],), {"in_channels": 1}, [2, 1, 20, 20]),
        *(((plan,), {}, [2, 3, 32, 32]) for plan in (_VGG11, _VGG13, _VGG19)),
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
