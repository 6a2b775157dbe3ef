"""How the answers to exercise 1.3 are judged."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from palm_course.exercises.student_layers import match_shapes, need_gradients
from palm_course.exercises.trial import Trial
from palm_course.exercises.values import describe, is_tensor
from palm_utils.messages import mark, tr

_SIGMOID_PLACES = (
    mark("the first convolution"),
    mark("the second convolution"),
    mark("the third convolution"),
    mark("the first fully connected layer"),
    mark("the last layer"),
)
_RIGHT_SIGMOIDS = (1, 1, 1, 1, 0)


def _parameter_shapes(num_classes: int) -> list[list[int]]:
    weights = [[6, 3, 5, 5], [16, 6, 5, 5], [120, 16, 5, 5], [120, 64], [64, num_classes]]
    biases = [[6], [16], [120], [64], [num_classes]]
    return weights + biases


def judge_lenet32(trial: Trial, answer: Any) -> None:
    """Check 1.3: parameters, shapes, every activation (by numbers, however it is written), gradients."""
    import paddle

    if not (isinstance(answer, type) and issubclass(answer, paddle.nn.Layer)):
        trial.fail(tr("{name} should be a class derived from paddle.nn.Layer.", name="LeNet32"), came=describe(answer))
    rng = np.random.default_rng(13)
    # Numbers of classes that no other layer has, so that parameters are told apart by their shapes.
    for num_classes, batch_size in ((10, 4), (2, 1), (7, 3)):
        created = f"LeNet32(num_classes={num_classes})"
        model = trial.call(answer, kwargs={"num_classes": num_classes})
        if answer.forward is paddle.nn.Layer.forward:
            trial.fail(tr("it has no method `forward`."), tried=f"{created}(images)")
        parameters = _match_parameters(trial, created, model, num_classes)
        images = paddle.to_tensor(rng.standard_normal((batch_size, 3, 32, 32)).astype(np.float32))
        logits = trial.call(model, (images,), name=created)
        _check_logits(trial, created, logits, images, [batch_size, num_classes])
        _randomise(parameters, rng)
        logits = trial.call(model, (images,), name=created)
        _check_values(trial, created, parameters, images, logits)
        need_gradients(trial, f"{created}(images)", model, logits)


def _match_parameters(trial: Trial, created: str, model: Any, num_classes: int) -> list[Any]:
    """Return the parameters in the order of `_parameter_shapes`."""
    expected = _parameter_shapes(num_classes)
    matched, missing, left = match_shapes(model.parameters(), expected)
    if not missing and not left:
        return matched
    extra = [list(parameter.shape) for parameter in left]
    total = sum(int(np.prod(parameter.shape)) for parameter in model.parameters())
    hint = ""
    if not total:
        fault = tr("it has no parameters that a Layer can find.")
        hint = tr("create each layer in __init__ and keep it as an attribute of self; a plain list hides layers.")
    elif missing and all(len(shape) == 1 for shape in missing) and not extra:
        fault = tr("biases are missing.")
    else:
        fault = tr("its parameters are not those of the table.")
    trial.fail(
        fault,
        tried=f"{created}.parameters()",
        expected=tr("{count:,} parameters", count=sum(int(np.prod(shape)) for shape in expected))
        + (tr(", among them of shape {shapes}", shapes=_shapes(missing)) if missing else ""),
        came=f"{total:,}" + (tr(", among them of shape {shapes}", shapes=_shapes(extra)) if extra else ""),
        hint=hint,
    )


def _shapes(shapes: Sequence[Sequence[int]]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes)


def _check_logits(trial: Trial, created: str, logits: Any, images: Any, shape: list[int]) -> None:
    if not is_tensor(logits) or list(logits.shape) != shape:
        trial.fail(
            tr("the output is not a tensor of logits, one row per image and one column per class."),
            tried=f"{created}({describe(images)})",
            expected=tr("a tensor of shape {shape}", shape=shape),
            came=describe(logits),
        )


def _randomise(parameters: list[Any], rng: np.random.Generator) -> None:
    # A freshly initialised LeNet hardly depends on its input; larger weights make every step show.
    for parameter in parameters:
        shape = list(parameter.shape)
        fan_in = int(np.prod(shape[1:])) if len(shape) == 4 else shape[0]
        scale = 0.5 if len(shape) == 1 else 4 / np.sqrt(fan_in)
        parameter.set_value((rng.standard_normal(shape) * scale).astype(np.float32))


def _forward(
    parameters: list[Any],
    images: Any,
    sigmoids: Sequence[int] = _RIGHT_SIGMOIDS,
    activation: str = "sigmoid",
    pooling: str = "max_pool2d",
) -> np.ndarray:
    """Compute the network with the given parameters; `sigmoids` counts activations after each layer."""
    import paddle
    import paddle.nn.functional as F

    weights, biases = parameters[:5], parameters[5:]
    x = images
    with paddle.no_grad():
        for layer, (weight, bias, count) in enumerate(zip(weights, biases, sigmoids, strict=True)):
            if layer == 3:
                x = paddle.flatten(x, 1)
            x = F.conv2d(x, weight, bias) if layer < 3 else F.linear(x, weight, bias)
            # Max-pooling and a rising function may change places, so an activation that a student
            # applies after pooling is counted here too.
            for _ in range(count):
                x = getattr(F, activation)(x)
            if layer < 2:
                x = getattr(F, pooling)(x, 2, 2)
    return x.numpy()


def _check_values(trial: Trial, created: str, parameters: list[Any], images: Any, logits: Any) -> None:
    came = logits.numpy()

    def agrees(values: np.ndarray) -> bool:
        return np.allclose(values, came, rtol=1e-3, atol=1e-3)

    expected = _forward(parameters, images)
    if agrees(expected):
        return
    fault = tr("the values are not those of the table's layers.")
    if any(agrees(_forward(parameters, images, activation=name)) for name in ("relu", "tanh")):
        fault = tr("the activation is not a sigmoid.")
    elif agrees(_forward(parameters, images, pooling="avg_pool2d")):
        fault = tr("it pools by averages, not maxima.")
    elif agrees(_softmax(expected)):
        fault = tr("the output went through softmax; logits are the last layer's bare values.")
    else:
        for sigmoids in itertools.product((0, 1, 2), (0, 1, 2), (0, 1), (0, 1), (0, 1)):
            if agrees(_forward(parameters, images, sigmoids)):
                fault = _misplaced(sigmoids)
                break
    trial.fail(
        fault,
        tried=f"{created}({describe(images)})",
        expected=tr("logits of the first image (with random weights) {values}", values=describe(expected[0])),
        came=describe(came[0]),
        hint=tr("go through `forward` line by line: after which layers does a sigmoid stand, and where twice?"),
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _misplaced(sigmoids: Sequence[int]) -> str:
    counts = zip(_SIGMOID_PLACES, sigmoids, _RIGHT_SIGMOIDS, strict=True)
    wrong = [(place, count) for place, count, right in counts if count != right]
    words = {
        0: mark("no sigmoid after {place}"),
        1: mark("a sigmoid after {place}"),
        2: mark("two sigmoids after {place}"),
    }
    parts = [tr(words[count], place=tr(place)) for place, count in wrong]
    return tr("{list}.", list=tr("; ").join(parts))
