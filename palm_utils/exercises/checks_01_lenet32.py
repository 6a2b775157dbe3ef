"""How the answers to exercise 1.3 are judged."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from palm_utils.exercises.student_layers import match_shapes, need_gradients
from palm_utils.exercises.trial import Trial
from palm_utils.exercises.values import describe, is_tensor

_SIGMOID_PLACES = (
    "the first convolution",
    "the second convolution",
    "the third convolution",
    "the first fully connected layer",
    "the last layer",
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
        trial.fail("LeNet32 should be a class derived from paddle.nn.Layer.", came=describe(answer))
    rng = np.random.default_rng(13)
    # Numbers of classes that no other layer has, so that parameters are told apart by their shapes.
    for num_classes, batch_size in ((10, 4), (2, 1), (7, 3)):
        created = f"LeNet32(num_classes={num_classes})"
        model = trial.call(answer, kwargs={"num_classes": num_classes})
        if answer.forward is paddle.nn.Layer.forward:
            trial.fail("it has no method `forward`.", tried=f"{created}(images)")
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
        fault = "it has no parameters that a Layer can find."
        hint = "create each layer in __init__ and keep it as an attribute of self; a plain list hides layers."
    elif missing and all(len(shape) == 1 for shape in missing) and not extra:
        fault = "biases are missing."
    else:
        fault = "its parameters are not those of the table."
    trial.fail(
        fault,
        tried=f"{created}.parameters()",
        expected=f"{sum(int(np.prod(shape)) for shape in expected):,} parameters"
        + (f", among them of shape {_shapes(missing)}" if missing else ""),
        came=f"{total:,}" + (f", among them of shape {_shapes(extra)}" if extra else ""),
        hint=hint,
    )


def _shapes(shapes: Sequence[Sequence[int]]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes)


def _check_logits(trial: Trial, created: str, logits: Any, images: Any, shape: list[int]) -> None:
    if not is_tensor(logits) or list(logits.shape) != shape:
        trial.fail(
            "the output is not a tensor of logits, one row per image and one column per class.",
            tried=f"{created}({describe(images)})",
            expected=f"a tensor of shape {shape}",
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
    fault = "the values are not those of the table's layers."
    if any(agrees(_forward(parameters, images, activation=name)) for name in ("relu", "tanh")):
        fault = "the activation is not a sigmoid."
    elif agrees(_forward(parameters, images, pooling="avg_pool2d")):
        fault = "it pools by averages, not maxima."
    elif agrees(_softmax(expected)):
        fault = "the output went through softmax; logits are the last layer's bare values."
    else:
        for sigmoids in itertools.product((0, 1, 2), (0, 1, 2), (0, 1), (0, 1), (0, 1)):
            if agrees(_forward(parameters, images, sigmoids)):
                fault = _misplaced(sigmoids)
                break
    trial.fail(
        fault,
        tried=f"{created}({describe(images)})",
        expected=f"logits of the first image (with random weights) {describe(expected[0])}",
        came=describe(came[0]),
        hint="go through `forward` line by line: after which layers does a sigmoid stand, and where twice?",
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _misplaced(sigmoids: Sequence[int]) -> str:
    counts = zip(_SIGMOID_PLACES, sigmoids, _RIGHT_SIGMOIDS, strict=True)
    wrong = [(place, count) for place, count, right in counts if count != right]
    words = {0: "no sigmoid", 1: "a sigmoid", 2: "two sigmoids"}
    return "; ".join(f"{words[count]} after {place}" for place, count in wrong) + "."
