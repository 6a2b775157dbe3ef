"""The exercises of chapter 5, GoogLeNet."""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from palm_course.exercises.layer_check import LayerExercise, Shape, create, need_layer, normalise, norms_of
from palm_course.exercises.protection import kept
from palm_course.exercises.student_values import F, describe, is_tensor, paddle
from palm_course.exercises.trial import Case, Exercise, Mistake, Trial, first_fault
from palm_course.exercises.value_check import NumberExercise
from palm_utils.messages import mark, tr


# 5.1 ------------------------------------------------------------------------------------------
def _widest(c0, c1, c2, c3, c4, budget, *, price=1, weights=25, ratio=4, ends=(1, 1), up=False, floor=0, less=0):
    """Return the widest reduction.

    price: of a channel of the reductions themselves; weights: of a 5 × 5 kernel for a channel; ratio: of the two
    reductions; ends: whether the 1 × 1 and the pooling branch count; up: rounded up; floor: the least; less: 1 for
    "fewer than".
    """
    fixed = c0 * (c1 * ends[0] + c4 * ends[1])
    each = price * (ratio + 1) * c0 + ratio * 9 * c2 + weights * c3
    left = budget - less - fixed
    return max(-(-left // each) if up else left // each, floor)


def _budgets(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(192, 64, 128, 32, 32, 163328)
    yield from (Case(832, 384, 384, 128, 128, 1443056), Case(64, 8, 8, 8, 8, 100), Case(64, 8, 8, 8, 8, 5064))
    for _ in range(24):
        c0, *ends = (int(n) for n in rng.integers(8, 400, 5))
        least = c0 * (ends[0] + ends[3])
        yield Case(c0, *ends, least + int(rng.integers(0, 60) * rng.integers(1, 400) * c0 // 4))


BUDGET = NumberExercise(
    number="5.1",
    name="widest_reduction",
    title=mark("an Inception module under a budget"),
    success=mark("you can design a module for a budget before any of it is built."),
    hint=mark("write down the multiply-adds of the six layers at one place; in four of them r occurs."),
    stronger_hint=mark(
        "at one place a layer with k × k kernels from a to b channels takes k · k · a · b multiply-adds. The 1 × 1 and "
        "the pooling branch take c0 · (c1 + c4), whatever r is. Each unit of r adds 5 · c0 for the two reductions, "
        "4 · 9 · c2 for the 3 × 3 and 25 · c3 for the 5 × 5. So r is what is left of the budget, divided by that and "
        "rounded down, and never below 0."
    ),
    cases=_budgets,
    reference=_widest,
).with_mistakes(
    Mistake("where not even r = 1 fits, the answer is 0; it should not be negative.", floor=-(10**12)),
    Mistake("the answer is at least 1, even where that costs more than the budget.", floor=1),
    Mistake("it is rounded up: one channel more than the budget allows.", up=True),
    Mistake("a module that costs exactly the budget stays within it.", less=1),
    Mistake("the two reductions cost something too: c0 for each of their channels.", price=0),
    Mistake("the third branch's layer has 5 × 5 kernels, you count 3 × 3.", weights=9),
    Mistake("the 5 × 5 kernels have 25 weights for each channel, you count 5.", weights=5),
    Mistake("the reduction before the 3 × 3 kernels has 4 * r channels, not r.", ratio=1),
    Mistake("the 1 × 1 layer behind the pooling is missing.", ends=(1, 0)),
    Mistake("the 1 × 1 branch is missing.", ends=(0, 1)),
    Mistake("the 1 × 1 branch and the layer behind the pooling are missing.", ends=(0, 0)),
)


# 5.2 ------------------------------------------------------------------------------------------
def _module_parameters(c0, c1, c2, c3, c4) -> dict[str, Shape | int]:
    """Return the weights of the six convolutional layers, and the sizes of their batch norms."""
    layers = [(c0, c1, 1), (c0, c2[0], 1), (*c2, 3), (c0, c3[0], 1), (*c3, 5), (c0, c4, 1)]
    weights = {f"weight {i}": [outputs, inputs, k, k] for i, (inputs, outputs, k) in enumerate(layers)}
    return weights | {f"norm {i}": outputs for i, (_, outputs, _) in enumerate(layers)}


def _module(p, x, *_, training, order=range(4), pool="max_pool2d", pools_last=False, relus=(1, 1), then="norm relu"):
    """Compute the module. relus: after the two reductions, and at the ends; then: what follows a convolution."""

    def unit(i, x, relu=relus[1]):
        x = F.conv2d(x, p[f"weight {i}"], padding=p[f"weight {i}"].shape[2] // 2)
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
    convolutions = [layer for layer in model.sublayers() if isinstance(layer, paddle.nn.Conv2D)]
    six, kernels = len(convolutions) == 6, [layer.weight.shape[2] for layer in convolutions]
    norms, biases = len(norms_of(model)), sum(layer.bias is not None for layer in convolutions)
    small = any(list(layer.weight.shape) == [c3[1], c3[0], 3, 3] for layer in convolutions)
    third = tr("the third branch's convolution is 3 × 3; it should be 5 × 5 (the tutorial's docstring errs here).")
    fault = first_fault(
        (small, third),
        (biases, tr("a convolution has a bias; the batch norm after it makes that superfluous.")),
        (six and norms == 0, tr("there is no batch norm that a Layer can find.")),
        (six and norms != 6, tr("each of the six convolutions should have a batch norm of its own.")),
        (sorted(missing) == sorted(extra), tr("not every convolution is followed by a paddle.nn.BatchNorm2D.")),
    )
    words = mark("{convolutions} convolutions, kernels {kernels}, {biases} biases, {norms} batch norms")
    came = tr(words, convolutions=len(convolutions), kernels=kernels, biases=biases, norms=norms)
    expected = tr("6 convolutions without bias, 6 batch norms")
    return {"fault": fault, "expected": expected, "came": came} if fault else {}


def _need_defaults(trial: Trial, answer: Any) -> None:
    for norm in norms_of(create(trial, answer, 9, 4, (5, 6), (2, 3), 7)):
        if (norm._momentum, norm._epsilon) != (0.9, 1e-5):
            fault, expected = tr("the batch norms should have their defaults."), "momentum=0.9, epsilon=1e-05"
            trial.fail(fault, expected=expected, came=f"momentum={norm._momentum:g}, epsilon={norm._epsilon:g}")


def _in_order(order: Sequence[int]) -> str:
    names = ("1 × 1", "3 × 3", "5 × 5", tr("pooling"))
    return tr("the branches come in the order {branches}.", branches=", ".join(names[i] for i in order))


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
        (Case(9, 4, (5, 6), (2, 3), 7), [3, 9, 8, 10]),
        (Case(4, 3, (8, 10), (6, 5), 2), [4, 4, 7, 7]),
        (Case(11, 8, (2, 5), (3, 13), 6), [2, 11, 9, 6]),
    ],
    parameters=_module_parameters,
    reference=_module,
    modes=(True, False),
    wrong_parameters=_wrong_layers,
    wrong_shape=mark("the output is not one tensor of the shape asked for."),
    unknown=mark("the values are not those of the four branches."),
    values_hint=mark(
        "go through one branch: convolution, its batch norm, ReLU, and the same once more; then the next."
    ),
    also=_need_defaults,
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
    x = F.conv2d(getattr(F, pool)(x, 5, 3), p["conv"], p["conv bias"])
    x = F.linear(paddle.flatten(F.relu(x) if relus[0] else x, 1), p["fc1"], p["fc1 bias"])
    x = F.linear((F.relu(x) if relus[1] else x) * scale, p["fc2"], p["fc2 bias"])
    return getattr(F, end)(x) if end else x


def _wrong_width(model, missing, extra, in_channels, size, **kwargs):
    widths = [layer.weight.shape[0] for layer in model.sublayers() if isinstance(layer, paddle.nn.Linear)]
    if len(widths) != 2 or widths[1] != 1024 or widths[0] == _width(size):
        return {}
    fault = tr("the first fully connected layer has the wrong number of inputs.")
    return {"fault": fault, "expected": tr("{count}, which is 128 · s · s", count=_width(size)), "came": str(widths[0])}


def _look_for_dropout(trial: Trial, created: str, model: Any, x: Any) -> None:
    # Not by calling twice: a trial puts the random generators back after each call.
    one, other = trial.call(model, paddle.concat([x[:1], x[:1]]), name=created).numpy()
    if not np.allclose(one, other, rtol=1e-4, atol=1e-4):
        trial.fail(
            tr("the same image twice gets two answers in evaluation mode: dropout does not stop there."),
            tried=tr("{created} with a batch of two equal images after model.eval()", created=created),
            expected=tr("the same logits twice"),
            came=tr("{first} and {second}", first=describe(one), second=describe(other)),
            hint=tr("paddle.nn.Dropout listens to model.eval(); F.dropout has to be told training=self.training."),
        )


def _measure_dropout(trial: Trial, answer: Any) -> None:
    # All hidden units are made 1, so that the logit is their mean.
    model = create(trial, answer, 5, 8)
    hidden = {(512, 1024): 0.0, (1024,): 1.0, (1024, 1): 1 / 1024, (1,): 0.0}
    for parameter in model.parameters():
        if tuple(parameter.shape) in hidden:
            parameter.set_value(np.full(parameter.shape, hidden[tuple(parameter.shape)], np.float32))
    model.train()
    logits = trial.call(model, paddle.zeros([400, 5, 8, 8]), name="AuxiliaryHead(5, 8)").numpy()
    # The mean of 1024 units that are 1 / (1 - p) with probability 1 - p, else 0, varies by p / (1 - p) / 1024.
    variance = float(logits.var()) * 1024
    dropped = variance / (1 + variance)
    if abs(dropped - _DROPPED) <= 0.06:
        return
    shares, swapped = {"kept": "70 %", "dropped": "30 %"}, abs(dropped - (1 - _DROPPED)) < 0.06
    fault = first_fault(
        ((logits == 0).any(), tr("dropout follows the last layer; it belongs between the two fully connected layers.")),
        (variance < 1e-6, tr("in training mode nothing is dropped, or not between the two fully connected layers.")),
        (swapped, tr("it keeps {kept} and drops {dropped}; it should be the other way round.", **shares)),
        otherwise=tr("about {share} of the hidden units should be dropped in training mode.", share="70 %"),
    )
    tried = tr("AuxiliaryHead(5, 8) on 400 images in training mode, with weights that make the share visible")
    expected, came = (tr("{share:.0%} dropped", share=share) for share in (_DROPPED, dropped))
    trial.fail(fault, tried=tried, expected=expected, came=came)


HEAD = LayerExercise(
    number="5.3",
    name="AuxiliaryHead",
    title=mark("an auxiliary head"),
    success=mark("you can hang a second output on a network, whatever the size of the maps it is given."),
    hint=mark("print the shape after each step of `forward` in evaluation mode, and hold it against the table."),
    stronger_hint=mark(
        "s follows the rule of exercise 1.1, (size - 5) // 3 + 1, so the first fully connected layer has 128 * s * s "
        "inputs. paddle.nn.AvgPool2D takes the stride as its second argument; without it the stride is the kernel "
        "size. paddle.nn.Dropout(p) takes the share that is dropped, and does nothing after model.eval()."
    ),
    builds=[
        (Case(6, 8), [3, 6, 8, 8]),
        (Case(9, 11, num_classes=3), [2, 9, 11, 11]),
        (Case(5, 5, num_classes=2), [4, 5, 5, 5]),
        (Case(7, 16), [1, 7, 16, 16]),
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


# 5.4 ------------------------------------------------------------------------------------------
_TRUNK = (
    *("conv1", "pool1", "conv2_1", "conv2_2", "pool2", "block3_1", "block3_2", "pool3"),
    *("block4_1", "block4_2", "block4_3", "block4_4", "block4_5", "pool4", "block5_1", "block5_2", "pool5"),
)


def _small_parts(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Return a small network whose layers have GoogLeNet's names, and two heads for it."""
    nn, network, channels, wide = paddle.nn, paddle.nn.Layer(), 3, {}
    for name in _TRUNK:
        if name.startswith("pool"):
            layer = nn.AdaptiveAvgPool2D(1) if name == "pool5" else nn.MaxPool2D(3, 2, 1)
        else:
            layer, channels = nn.Conv2D(channels, 8, 1, bias_attr=False), 8
            weight = rng.standard_normal(layer.weight.shape).astype(np.float32)
            # Modules have their ReLU inside: here they give nothing negative, so that one more changes nothing.
            layer.weight.set_value(np.abs(weight) / channels if name.startswith("block") else weight)
        wide[name] = channels
        setattr(network, name, layer)
    network.fc = nn.Linear(channels, 1)
    taps = ("block4_1", "block4_4")
    heads = [nn.Sequential(nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(wide[tap], 1)) for tap in taps]
    for number, linear in enumerate((network.fc, heads[0][2], heads[1][2]), start=1):
        linear.weight.set_value(rng.standard_normal(linear.weight.shape).astype(np.float32))
        linear.bias.set_value(np.full([1], number, np.float32))

    def features(x):
        for name in _TRUNK:
            x = getattr(network, name)(x)
            x = F.relu(x) if name.startswith("conv") else x
        return paddle.flatten(x, 1)

    network.features, network.forward = features, lambda x: network.fc(features(x))  # as GoogLeNet has them
    return network, *heads


def _three_logits(network, head1, head2, x, *, order=(0, 1, 2), after_stem=True, sigmoid=False, weights=(1, 1, 1)):
    """Return the three logits, [N, 3]. after_stem: whether ReLU follows the first three layers."""
    logits = {}
    for name in _TRUNK:
        x = getattr(network, name)(x)
        x = F.relu(x) if after_stem and name.startswith("conv") else x
        head = {"block4_1": head1, "block4_4": head2}.get(name)
        if head is not None:
            logits[len(logits) + 1] = head(x)
    logits[0] = network.fc(paddle.flatten(x, 1))
    joined = paddle.concat([weights[i] * logits[i] for i in order], axis=1)
    return F.sigmoid(joined) if sigmoid else joined


def _judge_heads(trial: Trial, answer: Any) -> None:
    need_layer(trial, answer)
    name, rng, calls = trial.exercise.name, trial.exercise.rng, []
    with kept():  # paddle.nn.Linear draws its first weights
        parts = _small_parts(trial.exercise.rng)
    model = trial.call(functools.partial(answer, *parts), name=name)
    if answer.forward is paddle.nn.Layer.forward:
        trial.fail(tr("it has no method `forward`."), tried=tr("calling it with a batch"))
    given, found = ({id(p) for layer in layers for p in layer.parameters()} for layers in (parts, [model]))
    if given - found:
        hint = tr("keep the network and both heads as attributes of self; a plain list hides layers.")
        trial.fail(tr("some of the parameters of network and heads would not be trained."), hint=hint)
    if found - given:
        trial.fail(tr("it has parameters of its own; only the layers that are given should be used."))
    for head in parts[1:]:
        head.register_forward_post_hook(lambda *_: calls.append(1))
    x = paddle.to_tensor(rng.standard_normal([3, 3, 64, 64]).astype(np.float32))
    for training in (True, False):
        model.train() if training else model.eval()
        calls.clear()
        output, used = trial.call(model, x, name=name), len(calls)
        tried = tr("three photographs in training mode") if training else tr("three photographs after model.eval()")
        _compare_logits(trial, tried, output, parts, x, training)
        if training:
            output[:, 1:].sum().backward()
            gradient = parts[0].conv1.weight.grad
            if gradient is None or not gradient.numpy().any():
                trial.fail(tr("no gradient flows from the heads back into the network."), tried=tried)
        if used and not training:
            trial.fail(tr("the heads are computed in evaluation mode too, where nobody needs them."), tried=tried)


def _compare_logits(trial: Trial, tried: str, output: Any, parts: Sequence[Any], x: Any, training: bool) -> None:
    columns = 3 if training else 1
    if not is_tensor(output) or list(output.shape) != [3, columns]:
        fault = tr("in training mode it should return three logits for each photograph, as one tensor.")
        if not training:
            fault = tr("in evaluation mode it should return the network's own logit alone.")
        expected = tr("a tensor of shape {shape}", shape=[3, columns])
        trial.fail(fault, tried=tried, expected=expected, came=describe(output))

    def logits(way: Callable) -> np.ndarray:
        return way(*parts, x).numpy()[:, :columns]

    def agrees(way: Callable) -> bool:
        return np.allclose(logits(way), output.numpy(), rtol=1e-3, atol=1e-3)

    if not agrees(_three_logits):
        unknown = tr("the logits are not those of the network and of the heads at 4a and 4d.")
        fault, expected = trial.exercise.fault(_three_logits, agrees, unknown), describe(logits(_three_logits)[0])
        trial.fail(fault, tried=tried, expected=expected, came=describe(output.numpy()[0]))


WITH_HEADS = Exercise(
    number="5.4",
    name="GoogLeNetWithHeads",
    title=mark("GoogLeNet with its auxiliary heads"),
    success=mark("three losses in training, one logit in use: that is how the paper trains GoogLeNet."),
    hint=mark("write out the chapter's `features` line by line, and stop where a head looks at the maps."),
    stronger_hint=mark(
        "keep network, head1 and head2 as attributes. In `forward`, x goes through the layers as in "
        "GoogLeNetFeatures.features, with F.relu after conv1, conv2_1 and conv2_2. Right after block4_1 and block4_4: "
        "if self.training, keep head1(x) and head2(x). At the end paddle.concat([main, first, second], axis=1), or "
        "main alone."
    ),
    also=_judge_heads,
    seconds=20,
).with_mistakes(
    *(Mistake("the three logits come in another order.", order=order) for order in ((0, 2, 1), (1, 2, 0))),
    Mistake("no ReLU follows conv1, conv2_1 and conv2_2; modules have theirs inside.", after_stem=False),
    Mistake("the logits went through a sigmoid; return them bare.", sigmoid=True),
    Mistake("the heads' logits are multiplied by 0.3; it is their losses that get this weight.", weights=(1, 0.3, 0.3)),
)
