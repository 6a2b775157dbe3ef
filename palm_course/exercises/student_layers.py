"""What the checks of layers and networks that a student writes share."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from palm_course.exercises.trial import Trial
from palm_course.exercises.values import describe, is_tensor
from palm_utils.messages import tr


def need_layer_class(trial: Trial, answer: Any) -> None:
    """Refuse everything but a class derived from paddle.nn.Layer."""
    import paddle

    name = trial.exercise.name
    if not (isinstance(answer, type) and issubclass(answer, paddle.nn.Layer)):
        trial.fail(tr("{name} should be a class derived from paddle.nn.Layer.", name=name), came=describe(answer))


def create(trial: Trial, answer: Any, args: tuple, kwargs: dict[str, Any] | None = None) -> Any:
    """Return an object of the student's class, made with these arguments."""
    import paddle

    model = trial.call(answer, args, kwargs)
    if answer.forward is paddle.nn.Layer.forward:
        trial.fail(tr("it has no method `forward`."), tried=tr("calling it with a batch"))
    return model


def trainable(model: Any) -> list[Any]:
    """Return the trainable parameters; the running figures of a batch norm are not among them."""
    return [parameter for parameter in model.parameters() if not parameter.stop_gradient]


def match_shapes(parameters: Sequence[Any], expected: Sequence[list[int]]) -> tuple[list, list, list]:
    """Return parameters in the order of `expected`, their shapes; the shapes without one; the parameters left over."""
    left, matched, missing = list(parameters), [], []
    for shape in expected:
        index = next((i for i, parameter in enumerate(left) if list(parameter.shape) == shape), None)
        if index is None:
            missing.append(shape)
        else:
            matched.append(left.pop(index))
    return matched, missing, left


def compare_shapes(trial: Trial, created: str, model: Any, expected: Sequence[list[int]]) -> list[Any]:
    """Return the trainable parameters in the order of `expected`, their shapes; anything else is a fault."""
    matched, missing, left = match_shapes(trainable(model), expected)
    if not missing and not left:
        return matched
    extra = [list(parameter.shape) for parameter in left]
    fault, hint = _fault_of_shapes(model, missing, extra)
    trial.fail(
        fault,
        tried=f"{created}.parameters()",
        expected=tr("{count:,} trainable parameters", count=sum(int(np.prod(shape)) for shape in expected))
        + (tr(", among them of shape {shapes}", shapes=_shapes(missing)) if missing else ""),
        came=f"{sum(int(np.prod(p.shape)) for p in trainable(model)):,}"
        + (tr(", among them of shape {shapes}", shapes=_shapes(extra)) if extra else ""),
        hint=hint,
    )


def _fault_of_shapes(model: Any, missing: list[list[int]], extra: list[list[int]]) -> tuple[str, str]:
    """Return the sentence that names what is wrong with the parameters, and a hint or ""."""
    if not trainable(model):
        return (
            tr("it has no parameters that a Layer can find."),
            tr("create each layer in __init__ and keep it as an attribute of self; a plain list hides layers."),
        )
    if not extra and all(len(shape) == 1 for shape in missing):
        return tr("something with one number per channel or unit is missing, such as a bias."), ""
    if not missing and all(len(shape) == 1 for shape in extra):
        return tr("there is something with one number per channel or unit too many, such as a bias."), ""
    return tr("its parameters are not those of the layers asked for."), ""


def _shapes(shapes: Sequence[list[int]]) -> str:
    shown = ", ".join(map(str, shapes[:6]))
    return shown if len(shapes) <= 6 else tr("{list} and {count} more", list=shown, count=len(shapes) - 6)


def need_shape(trial: Trial, tried: str, came: Any, shape: list[int], fault: str) -> None:
    """Refuse an output that is not a tensor of `shape`."""
    if not is_tensor(came) or list(came.shape) != shape:
        trial.fail(fault, tried=tried, expected=tr("a tensor of shape {shape}", shape=shape), came=describe(came))


def randomise(parameters: Sequence[Any], rng: np.random.Generator) -> None:
    """Give parameters values with which every step of a network shows in its output."""
    for parameter in parameters:
        shape = list(parameter.shape)
        if len(shape) == 1:
            # Around neither 0 nor 1, and of both signs: scales and shifts are told apart from none.
            values = rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)
        else:
            fan_in = int(np.prod(shape[1:])) if len(shape) == 4 else shape[0]
            values = rng.standard_normal(shape) * 2 / np.sqrt(fan_in)
        parameter.set_value(values.astype(np.float32))


def need_gradients(trial: Trial, tried: str, model: Any, output: Any) -> None:
    """Refuse a layer with a trainable parameter that no gradient reaches."""
    if not output.stop_gradient:
        (output * output).sum().backward()
    for name, parameter in model.named_parameters():
        if not parameter.stop_gradient and (parameter.grad is None or not parameter.grad.numpy().any()):
            trial.fail(
                tr("the gradient does not reach {name}, so training would never change it.", name=name),
                tried=tr("{tried}, then backward() from a loss", tried=tried),
                expected=tr("a gradient for every parameter"),
                hint=tr("a value that leaves PaddlePaddle (numpy, detach, no_grad) takes no gradient back."),
            )
