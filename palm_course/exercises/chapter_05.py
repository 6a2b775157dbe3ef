"""The exercises of chapter 5, GoogLeNet."""

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from palm_course.exercises.layer_check import LayerExercise, Shape, create, normalise, norms_of
from palm_course.exercises.student_values import describe
from palm_course.exercises.trial import Case, Mistake, Trial
from palm_course.exercises.value_check import NumberExercise
from palm_utils.messages import mark, tr

# 5.1 ------------------------------------------------------------------------------------------
Module = tuple[int, tuple[int, int], tuple[int, int], int]  # c1, c2, c3, c4


def _convolutions(c0: int, module: Module) -> list[tuple[int, int, int]]:
    """Return channels in, channels out and kernel of the six convolutions."""
    c1, c2, c3, c4 = module
    return [(c0, c1, 1), (c0, c2[0], 1), (*c2, 3), (c0, c3[0], 1), (*c3, 5), (c0, c4, 1)]


def _chain(c0, modules, *, bias=1, chained=True, skipped=(), kernel=5, straight=False, ends=(0, 2, 4, 5)):
    """Return channels out and parameters.

    chained: each module gets the channels of the one before; skipped, ends: convolutions without parameters,
    and those that are concatenated; kernel: of the third branch; straight: the 3 × 3 and the 5 × 5 see c0 channels.
    """
    channels, parameters = c0, 0
    for module in modules:
        entering = channels if chained else c0
        convolutions = _convolutions(entering, module)
        for i, (fan_in, fan_out, size) in enumerate(convolutions):
            size = kernel if i == 4 else size
            fan_in = entering if straight and i in (2, 4) else fan_in
            if i not in skipped:
                parameters += (fan_in * size**2 + bias) * fan_out
        channels = sum(convolutions[i][1] for i in ends)
    return channels, parameters


def _chains(rng: np.random.Generator) -> list[Case]:
    first, second = (64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64)
    cases = [Case((192, [first])), Case((192, [first, second]))]
    for count in (1, 2, 3, 5, 8, 5, 9):
        drawn = [rng.integers(1, 200, 6).tolist() for _ in range(count)]
        modules = [(c1, (c2, c3), (c4, c5), c6) for c1, c2, c3, c4, c5, c6 in drawn]
        cases.append(Case((int(rng.integers(1, 500)), modules)))
    return cases


CHAIN = NumberExercise(
    number="5.1",
    name="inception_chain",
    title=mark("channels along a chain"),
    success=mark("you can lay out a row of Inception modules on paper, and know what it will cost."),
    hint=mark("write down the six convolutions of one module: channels in, channels out, kernel."),
    stronger_hint=mark(
        "a k × k convolution from a to b channels has (k · k · a + 1) · b parameters. Four of the six see c0 "
        "channels; the 3 × 3 and the 5 × 5 see what their reduction leaves. Only the ends of the branches are "
        "concatenated: c1, c2[1], c3[1] and c4. Their sum is the c0 of the next module."
    ),
    cases=_chains,
    reference=_chain,
    count=2,
).with_mistakes(
    Mistake("the biases are missing.", bias=0),
    Mistake("every module is given the c0 of the first; each gets what the one before it puts out.", chained=False),
    Mistake("the third branch's convolution is 5 × 5, you count 3 × 3 (as the tutorial's docstring says).", kernel=3),
    Mistake("the reductions are concatenated as well; only the ends of the branches are.", ends=(0, 1, 2, 3, 4, 5)),
    Mistake("it takes the channels of the reductions for those of the branches' ends.", ends=(0, 1, 3, 5)),
    Mistake("the pooling branch ends in a convolution to c4 channels, which is missing.", skipped=[5], ends=(0, 2, 4)),
    Mistake("the pooling branch ends in a 1 × 1 convolution, whose parameters are missing.", skipped=[5]),
    Mistake("the parameters of the two reductions are missing.", skipped=[1, 3]),
    Mistake("the 3 × 3 and the 5 × 5 see what their reduction leaves, not all c0 channels.", straight=True),
    Mistake(
        "the parameters are those of the last module alone; those of all are asked for.",
        lambda c0, modules: (_chain(c0, modules)[0], _chain(_chain(c0, modules[:-1])[0], modules[-1:])[1]),
    ),
    Mistake("the two numbers are exchanged: the channels come first.", lambda *a: _chain(*a)[::-1]),
)


# 5.2 ------------------------------------------------------------------------------------------
_BRANCHES = ("1 × 1", "3 × 3", "5 × 5", mark("pooling"))


def _module_parameters(c0: int, *module: Any) -> dict[str, Shape | int]:
    convolutions = list(enumerate(_convolutions(c0, module)))
    weights = {f"weight {i}": [outputs, inputs, kernel, kernel] for i, (inputs, outputs, kernel) in convolutions}
    return weights | {f"norm {i}": outputs for i, (_, outputs, _) in convolutions}


def _module(p, x, *_, training, order=range(4), pool="max_pool2d", pools_last=False, relus=(1, 1), then="norm relu"):
    """Compute the module. relus: after the two reductions, and at the ends; then: what follows a convolution."""
    import paddle
    import paddle.nn.functional as F

    def unit(i, x, relu=relus[1]):
        x = F.conv2d(x, p[f"weight {i}"], padding=(p[f"weight {i}"].shape[2] - 1) // 2)
        for step in then.split():
            x = normalise(p[f"norm {i}"], x, training) if step == "norm" else F.relu(x) if relu else x
        return x

    def pooled(x):
        return getattr(F, pool)(x, 3, 1, 1)

    branches = [unit(0, x), unit(2, unit(1, x, relus[0])), unit(4, unit(3, x, relus[0]))]
    branches.append(pooled(unit(5, x)) if pools_last else unit(5, pooled(x)))
    return paddle.concat([branches[i] for i in order], axis=1)


def _wrong_layers(model, missing, extra, c0, c1, c2, c3, c4):
    """Name what the shapes of the parameters alone would tell too dryly."""
    import paddle

    convolutions = [layer for layer in model.sublayers() if isinstance(layer, paddle.nn.Conv2D)]
    norms, biases = len(norms_of(model)), sum(layer.bias is not None for layer in convolutions)
    if any(list(layer.weight.shape) == [c3[1], c3[0], 3, 3] for layer in convolutions):
        fault = tr("the third branch's convolution is 3 × 3; it should be 5 × 5 (the tutorial's docstring errs here).")
    elif biases:
        fault = tr("a convolution has a bias; the batch norm after it makes that superfluous.")
    elif len(convolutions) == 6 and norms == 0:
        fault = tr("there is no batch norm that a Layer can find.")
    elif len(convolutions) == 6 and norms != 6:
        fault = tr("each of the six convolutions should have a batch norm of its own.")
    elif sorted(missing) == sorted(extra):
        fault = tr("not every convolution is followed by a paddle.nn.BatchNorm2D.")
    else:
        return {}
    words = mark("{convolutions} convolutions, kernels {kernels}, {biases} biases, {norms} batch norms")
    kernels = [layer.weight.shape[2] for layer in convolutions]
    came = tr(words, convolutions=len(convolutions), kernels=kernels, biases=biases, norms=norms)
    return {"fault": fault, "expected": tr("6 convolutions without bias, 6 batch norms"), "came": came}


def _in_order(order: Sequence[int]) -> str:
    return tr("the branches come in the order {branches}.", branches=", ".join(tr(_BRANCHES[i]) for i in order))


INCEPTION_BN = LayerExercise(
    number="5.2",
    name="InceptionBN",
    title=mark("an Inception module with batch norm"),
    success=mark("convolution, batch norm, ReLU: the unit that most networks after GoogLeNet are made of."),
    hint=mark(
        "print the name and the shape of each of `parameters()`: six convolutions, six batch norms, nothing else."
    ),
    stronger_hint=mark(
        "write a small function that returns paddle.nn.Sequential(Conv2D(..., padding=(k - 1) // 2, bias_attr=False),"
        " BatchNorm2D(...), ReLU()), and call it six times in __init__. Then `forward` has no activation of its own: "
        "it runs the four branches and concatenates them along axis 1. Let model.train() and model.eval() do the "
        "switching; batch norm listens to them by itself."
    ),
    # In every case all channel numbers differ, so that parameters are told apart by their shapes.
    builds=[
        ((9, 4, (5, 6), (2, 3), 7), {}, [3, 9, 8, 10]),
        ((4, 3, (8, 10), (6, 5), 2), {}, [4, 4, 7, 7]),
        ((11, 8, (2, 5), (3, 13), 6), {}, [2, 11, 9, 6]),
    ],
    parameters=_module_parameters,
    reference=_module,
    modes=(True, False),
    wrong_parameters=_wrong_layers,
    wrong_shape=mark("the shape of the output is wrong."),
    unknown=mark("the values are not those of the four branches."),
    values_hint=mark(
        "go through one branch: convolution, its batch norm, ReLU, and the same once more; then the next."
    ),
    seconds=20,
).with_mistakes(
    Mistake("in training mode it uses the running mean and variance; it should use the batch's.", training=False),
    Mistake("in evaluation mode it uses the batch's mean and variance; it should use the running.", training=True),
    Mistake("no ReLU follows the two reductions.", relus=(0, 1)),
    Mistake("no ReLU follows the ends of the branches.", relus=(1, 0)),
    Mistake("there is no ReLU.", relus=(0, 0)),
    Mistake("the ReLU stands before the batch norm; it belongs after it.", then="relu norm"),
    Mistake("the batch norms are there but `forward` does not use them.", then="relu"),
    Mistake("it pools by averages, not maxima.", pool="avg_pool2d"),
    Mistake("the last branch pools after its convolution; it should pool first.", pools_last=True),
    *(Mistake(functools.partial(_in_order, way), order=way) for way in itertools.permutations(range(4))),
)


# 5.3 ------------------------------------------------------------------------------------------
_DROPPED = 0.7


def _width(size: int) -> int:
    return 128 * ((size - 5) // 3 + 1) ** 2


def _head_parameters(in_channels: int, size: int, num_classes: int = 1) -> dict[str, Shape]:
    weights = {"conv": [128, in_channels, 1, 1], "fc1": [_width(size), 1024], "fc2": [1024, num_classes]}
    return weights | {"conv bias": [128], "fc1 bias": [1024], "fc2 bias": [num_classes]}


def _head(p, x, *_, training, num_classes=1, pool="avg_pool2d", relus=(1, 1), scale=1.0, end=None):
    """Compute the head in evaluation mode."""
    import paddle
    import paddle.nn.functional as F

    x = F.conv2d(getattr(F, pool)(x, 5, 3), p["conv"], p["conv bias"])
    x = F.linear(paddle.flatten(F.relu(x) if relus[0] else x, 1), p["fc1"], p["fc1 bias"])
    x = F.linear((F.relu(x) if relus[1] else x) * scale, p["fc2"], p["fc2 bias"])
    return getattr(F, end)(x) if end else x


def _wrong_width(model, missing, extra, in_channels, size, **kwargs):
    import paddle

    widths = [layer.weight.shape[0] for layer in model.sublayers() if isinstance(layer, paddle.nn.Linear)]
    if len(widths) != 2 or widths[1] != 1024 or widths[0] == _width(size):
        return {}
    fault = tr("the first fully connected layer has the wrong number of inputs.")
    return {"fault": fault, "expected": tr("{count}, which is 128 · s · s", count=_width(size)), "came": str(widths[0])}


def _look_for_dropout(trial: Trial, created: str, model: Any, x: Any) -> None:
    import paddle

    # Not by calling twice: a trial puts the random generators back after each call.
    one, other = trial.call(model, (paddle.concat([x[:1], x[:1]]),), name=created).numpy()
    if not np.allclose(one, other, rtol=1e-4, atol=1e-4):
        trial.fail(
            tr("the same image twice gets two answers in evaluation mode: dropout does not stop there."),
            tried=tr("{created} with a batch of two equal images after model.eval()", created=created),
            expected=tr("the same logits twice"),
            came=tr("{first} and {second}", first=describe(one), second=describe(other)),
            hint=tr("paddle.nn.Dropout listens to model.eval(); F.dropout has to be told training=self.training."),
        )


def _measure_dropout(trial: Trial, answer: Any) -> None:
    import paddle

    # All hidden units are made 1, so that the logit is their mean.
    model = create(trial, answer, (5, 8))
    hidden = {(512, 1024): 0.0, (1024,): 1.0, (1024, 1): 1 / 1024, (1,): 0.0}
    for parameter in model.parameters():
        if tuple(parameter.shape) in hidden:
            parameter.set_value(np.full(parameter.shape, hidden[tuple(parameter.shape)], np.float32))
    model.train()
    logits = trial.call(model, (paddle.zeros([400, 5, 8, 8]),), name="AuxiliaryHead(5, 8)").numpy()
    # The mean of 1024 units that are 1 / (1 - p) with probability 1 - p, else 0, varies by p / (1 - p) / 1024.
    variance = float(logits.var()) * 1024
    dropped = variance / (1 + variance)
    if abs(dropped - _DROPPED) <= 0.06:
        return
    fault = tr("about {share} of the hidden units should be dropped in training mode.", share="70 %")
    if variance < 1e-6:
        fault = tr("in training mode nothing is dropped, or not between the two fully connected layers.")
    elif abs(dropped - (1 - _DROPPED)) < 0.06:
        shares = {"kept": "70 %", "dropped": "30 %"}
        fault = tr("it keeps {kept} and drops {dropped}; it should be the other way round.", **shares)
    tried = tr("AuxiliaryHead(5, 8) on 400 images in training mode, with weights that make the share visible")
    expected, came = (tr("{share:.0%} dropped", share=share) for share in (_DROPPED, dropped))
    trial.fail(fault, tried=tried, expected=expected, came=came)


HEAD = LayerExercise(
    number="5.3",
    name="AuxiliaryHead",
    title=mark("an auxiliary classifier"),
    success=mark("you can hang a second output on a network, whatever the size of the maps it is given."),
    hint=mark("print the shape after each step of `forward` in evaluation mode, and hold it against the table."),
    stronger_hint=mark(
        "s follows the rule of exercise 1.1, (size - 5) // 3 + 1, so the first fully connected layer has 128 * s * s "
        "inputs. paddle.nn.AvgPool2D takes the stride as its second argument; without it the stride is the kernel "
        "size. paddle.nn.Dropout(p) takes the share that is dropped, and does nothing after model.eval()."
    ),
    builds=[
        ((6, 8), {}, [3, 6, 8, 8]),
        ((9, 11), {"num_classes": 3}, [2, 9, 11, 11]),
        ((5, 5), {"num_classes": 2}, [4, 5, 5, 5]),
        ((7, 16), {}, [1, 7, 16, 16]),
    ],
    parameters=_head_parameters,
    reference=_head,
    modes=(False,),
    tolerance=2e-3,
    wrong_parameters=_wrong_width,
    look_closer=_look_for_dropout,
    wrong_shape=mark("the output is not one row of logits per image."),
    unknown=mark("the values are not those of the table's layers."),
    values_hint=mark("go through `forward` line by line, beside the table."),
    also=_measure_dropout,
    seconds=20,
).with_mistakes(
    Mistake("it pools by maxima, not averages.", pool="max_pool2d"),
    Mistake("no ReLU follows the convolution.", relus=(0, 1)),
    Mistake("no ReLU follows the first fully connected layer.", relus=(1, 0)),
    Mistake("there is no ReLU.", relus=(0, 0)),
    Mistake("dropout scales the values in evaluation mode; it should leave them.", scale=1 - _DROPPED),
    Mistake("the output went through a sigmoid; logits are the last layer's bare values.", end="sigmoid"),
    Mistake("a ReLU follows the last layer; logits may be negative.", end="relu"),
)
