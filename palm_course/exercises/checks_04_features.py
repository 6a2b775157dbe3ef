"""How the answers to exercise 4.3 are judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from palm_course.exercises.student_layers import match_shapes, need_gradients
from palm_course.exercises.trial import Trial
from palm_course.exercises.values import describe, describe_call, is_tensor
from palm_utils.messages import mark, tr

Plan = Sequence[int | str]

# Narrow, so that they are quick: one sixteenth of the real widths.
_VGG11 = [4, "M", 8, "M", 16, 16, "M", 32, 32, "M", 32, 32, "M"]
_VGG13 = [4, 4, "M", 8, 8, "M", 16, 16, "M", 32, 32, "M", 32, 32, "M"]
_VGG19 = [4, 4, "M", 8, 8, "M", *[16] * 4, "M", *[32] * 4, "M", *[32] * 4, "M"]

# In the plans without repeated widths all weights have shapes of their own, so it is certain which is which.
_TRIES: list[tuple[Plan, int, int]] = [
    ([8, "M", 16, 16, "M"], 3, 32),
    ([5, 7, "M", 9, "M"], 3, 24),
    (["M", 6, 10], 2, 14),
    ([4, "M", "M", 6, 7, 9], 1, 20),
    (_VGG11, 3, 32),
    (_VGG13, 3, 32),
    (_VGG19, 3, 32),
]


def judge_features(trial: Trial, answer: Any) -> None:
    """Check 4.3: parameters, shapes, values (however the layers are written) and gradients."""
    import paddle

    rng = np.random.default_rng(43)
    for plan, in_channels, side in _TRIES:
        kwargs = {} if in_channels == 3 else {"in_channels": in_channels}
        created = describe_call(trial.exercise.name, (plan,), kwargs)
        net = trial.call(answer, (plan,), kwargs)
        _check_layer(trial, created, net)
        weights, biases = _match_parameters(trial, created, net, plan, in_channels)
        images = paddle.to_tensor(rng.standard_normal((2, in_channels, side, side)).astype(np.float32))
        _check_shape(trial, created, trial.call(net, (images,), name=created), images, plan)
        for weight in weights:
            scale = np.sqrt(2 / np.prod(weight.shape[1:]))
            weight.set_value((rng.standard_normal(weight.shape) * scale).astype(np.float32))
        for bias in biases:
            bias.set_value((rng.standard_normal(bias.shape) * 0.3).astype(np.float32))
        output = trial.call(net, (images,), name=created)
        if len({tuple(weight.shape) for weight in weights}) == len(weights):
            _check_values(trial, created, output, images, plan, weights, biases)
        need_gradients(trial, f"{created}(images)", net, output)


def _check_layer(trial: Trial, created: str, net: Any) -> None:
    import paddle

    if isinstance(net, paddle.nn.Layer):
        return
    several = isinstance(net, (list, tuple))
    trial.fail(
        tr("a list of layers cannot be called.") if several else tr("it should return a paddle.nn.Layer."),
        tried=created,
        expected=tr("one paddle.nn.Layer"),
        came=tr("a {kind} of {count}", kind=type(net).__name__, count=len(net)) if several else describe(net),
        hint=tr("paddle.nn.Sequential makes one layer out of several.") if several else "",
    )


def _match_parameters(trial: Trial, created: str, net: Any, plan: Plan, in_channels: int) -> tuple[list, list]:
    """Return weights and biases in the order of the plan."""
    widths = [in_channels, *(step for step in plan if step != "M")]
    wanted = [[after, before, 3, 3] for before, after in pairwise(widths)]
    wanted += [[width] for width in widths[1:]]
    matched, missing, left = match_shapes(net.parameters(), wanted)
    if not missing and not left:
        return matched[: len(widths) - 1], matched[len(widths) - 1 :]
    came = [list(parameter.shape) for parameter in net.parameters()]
    fault, hint = _parameter_fault(came, missing, [list(p.shape) for p in left], len(widths) - 1)
    total = sum(int(np.prod(shape)) for shape in wanted)
    trial.fail(
        fault,
        tried=f"{created}.parameters()",
        expected=tr("{count:,} parameters", count=total)
        + (tr(", among them of shape {shapes}", shapes=_shapes(missing)) if missing else ""),
        came=f"{sum(int(np.prod(shape)) for shape in came):,}"
        + (tr(", among them of shape {shapes}", shapes=_shapes([list(p.shape) for p in left])) if left else ""),
        hint=hint,
    )


def _parameter_fault(came: list, missing: list, extra: list, convolutions: int) -> tuple[str, str]:
    """Return the sentence that names the fault, and a hint where the exercise's own would mislead."""
    kernels = [shape for shape in came if len(shape) == 4]
    if not came:
        return (
            tr("it has no parameters that a Layer can find."),
            tr(
                "paddle.nn.Sequential or paddle.nn.LayerList register their layers; "
                "a plain list as attribute hides them."
            ),
        )
    if any(shape[2:] != [3, 3] for shape in kernels):
        return tr("its kernels are not 3 × 3."), tr("every convolution of VGG has a 3 × 3 kernel.")
    if len(kernels) != convolutions:
        return tr("it has {count} convolutions; the plan has {wanted}.", count=len(kernels), wanted=convolutions), ""
    if not extra and all(len(shape) == 1 for shape in missing):
        return tr("biases are missing."), tr("a Conv2D has a bias unless bias_attr=False takes it away.")
    if not missing:
        return tr("it has parameters beside those of its convolutions."), tr(
            "the plan has convolutions and poolings only."
        )
    return tr("the channels do not follow the plan."), ""


def _shapes(shapes: Sequence[Sequence[int]]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes[:4]) + (", …" if len(shapes) > 4 else "")


def _check_shape(trial: Trial, created: str, output: Any, images: Any, plan: Plan) -> None:
    side = images.shape[2]
    for step in plan:
        side = side // 2 if step == "M" else side
    widths = [images.shape[1], *(step for step in plan if step != "M")]
    expected = [images.shape[0], widths[-1], side, side]
    if is_tensor(output) and list(output.shape) == expected:
        return
    fault, hint = tr("the output has the wrong shape."), ""
    if is_tensor(output) and len(output.shape) == 4:
        if output.shape[2] > side:
            fault = tr("its maps are too large: not every pooling of the plan makes them half as wide.")
            hint = tr("MaxPool2D(kernel_size=2, stride=2) takes half of the height and half of the width.")
        elif output.shape[2] < side:
            fault = tr("its maps are too small: only poolings should make them smaller, and each by half.")
            hint = tr("a 3 × 3 convolution keeps the size of a map with padding=1.")
    trial.fail(
        fault,
        tried=f"{created}({describe(images)})",
        expected=tr("a tensor of shape {shape}", shape=expected),
        came=describe(output),
        hint=hint,
    )


@dataclass(frozen=True)
class _Way:
    """One way to compute the plan; the defaults are the right one.

    relu: after which convolutions one stands: "all", "none", all but the "last", or only before a "pooling".
    """

    relu: str = "all"
    activation: str = "relu"
    pool: str = "max_pool2d"

    def apply(self, images: Any, plan: Plan, weights: list, biases: list) -> np.ndarray:
        import paddle
        import paddle.nn.functional as F

        left, x = list(zip(weights, biases, strict=True)), images
        with paddle.no_grad():
            for position, step in enumerate(plan):
                if step == "M":
                    x = getattr(F, self.pool)(x, 2, 2)
                    continue
                weight, bias = left.pop(0)
                x = F.conv2d(x, weight, bias, padding=1)
                at_end = list(plan[position + 1 : position + 2]) in ([], ["M"])
                if {"all": True, "none": False, "last": bool(left), "pooling": at_end}[self.relu]:
                    x = getattr(F, self.activation)(x)
        return x.numpy()


_MISTAKES: list[tuple[str, _Way]] = [
    (mark("the ReLUs are missing."), _Way(relu="none")),
    (mark("the ReLU after the last convolution is missing."), _Way(relu="last")),
    (mark("there is a ReLU at the end of each block only; one belongs after every convolution."), _Way(relu="pooling")),
    (mark("it pools by averages, not maxima."), _Way(pool="avg_pool2d")),
    (mark("the activation is not a ReLU."), _Way(activation="sigmoid")),
    (mark("the activation is not a ReLU."), _Way(activation="tanh")),
    (mark("the activation is not a ReLU."), _Way(activation="leaky_relu")),
]


def _check_values(
    trial: Trial, created: str, output: Any, images: Any, plan: Plan, weights: list, biases: list
) -> None:
    came = output.numpy()
    expected = _Way().apply(images, plan, weights, biases)

    def agrees(values: np.ndarray) -> bool:
        return np.allclose(values, came, rtol=1e-3, atol=1e-3)

    if agrees(expected):
        return
    fault = next((tr(words) for words, way in _MISTAKES if agrees(way.apply(images, plan, weights, biases))), "")
    trial.fail(
        fault or tr("the values are not those of the plan's layers, one after the other."),
        tried=tr("{call} with random weights", call=f"{created}({describe(images)})"),
        expected=tr("first pixel of the first channels {values}", values=describe(expected[0, :3, 0, 0])),
        came=describe(came[0, :3, 0, 0]),
    )
