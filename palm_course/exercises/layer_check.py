"""Judging a network that a student writes by its numbers, however it is written.

An exercise declares the networks to build, the parameters that each must have, and one reference, which computes the
right output from these parameters. A usual mistake is another option of the reference::

    def _scaled(p, x, size, *, training, bias=True):
        return x * p["weight"] + (p["bias"] if bias else 0)

    judge_scaled = LayerCheck(
        builds=[((3,), {}, [2, 3]), ((5,), {}, [4, 5])],  # Scaled(3) gets a batch of shape [2, 3], Scaled(5) of [4, 5]
        parameters=lambda size: {"weight": [size], "bias": [size]},
        reference=_scaled,
        mistakes=[Mistake("the bias is never added.", bias=False)],
        wrong_shape=mark("the output does not have the shape of x."),
        unknown=mark("the values are not those of x * weight + bias."),
    )

The judge gives the student's parameters random values, runs the network, and compares the output with what the
reference makes of the same values. So the student may use layers or functions, under any name and in any order.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from palm_course.exercises.trial import Mistake, Trial
from palm_course.exercises.values import describe, describe_call, is_tensor
from palm_utils.messages import mark, tr

Shape = list[int]
Fault = tuple[str, str]
"""What is wrong, and a hint; the exercise's own is given where it is ""."""

_MODES = {None: "{call}", True: mark("{tried} in training mode"), False: mark("{call} after model.eval()")}
_SHOWN = {
    2: mark("logits of the first image {values}"),
    4: mark("first pixel of the first image, first channels {values}"),
}


def usual_fault(model: Any, missing: list[Shape], extra: list[Shape], *args: Any, **kwargs: Any) -> Fault:
    """Name what is wrong with the parameters by the shapes that are missing and those that are too many."""
    if not extra and are_flat(missing):
        return tr("something with one number per channel or unit is missing, such as a bias."), ""
    if not missing and are_flat(extra):
        return tr("there is something with one number per channel or unit too many, such as a bias."), ""
    return tr("its parameters are not those of the layers asked for."), ""


def are_flat(shapes: Sequence[Shape]) -> bool:
    """Say whether these are shapes of biases, or of a batch norm's scales."""
    return all(len(shape) == 1 for shape in shapes)


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Find no fault."""


@dataclass(frozen=True)
class LayerCheck:
    """How a class of networks, or a function that builds them, is judged; the module's text shows an example.

    args and kwargs are always the arguments that a network is built with.
    """

    builds: Sequence[tuple[tuple, dict[str, Any], Shape]]
    """For each network that is tried: args, kwargs, and the shape of the batch that it gets."""
    parameters: Callable[..., dict[str, Shape | int]]
    """parameters(*args, **kwargs): shapes by name, all different; a number is a batch norm of so many channels.

    The shapes tell which parameter is which. Where two weights are alike, values are not compared.
    """
    reference: Callable[..., Any]
    """reference(p, x, *args, training, **kwargs, **options): the output; p has parameters and batch norms by name."""
    mistakes: Sequence[Mistake]
    unknown: str
    """What is said of wrong values that come from none of the mistakes."""
    wrong_shape: str | Callable[[Any, Shape], Fault]
    """What is said of an output that does not have the right shape; or wrong_shape(output, shape) tells."""
    wrong_parameters: Callable[..., Fault] = usual_fault
    """wrong_parameters(model, missing, extra, *args, **kwargs): what is said where shapes are missing or too many."""
    modes: Sequence[bool | None] = (None,)
    """Whether values are compared in training mode (True), in evaluation mode (False), or in any (None)."""
    hint: str = ""
    """Given with wrong values; by default the exercise's own."""
    hidden_hint: str = mark(
        "create each layer in __init__ and keep it as an attribute of self; a plain list hides layers."
    )
    """Given where no parameter is found."""
    is_function: bool = False
    """Whether the answer is a function that returns a network; otherwise it has to be a class."""
    look_first: Callable[..., None] = _nothing
    """look_first(trial, created, model, *args, **kwargs) fails the trial for what a fresh network shows."""
    look_closer: Callable[..., None] = _nothing
    """look_closer(trial, created, model, x) fails the trial for what no mistake can show."""

    def __call__(self, trial: Trial, answer: Any) -> None:
        """Judge an answer: parameters, output's shape, values in each mode, gradients."""
        import paddle

        if not self.is_function:
            need_layer_class(trial, answer)
        rng = np.random.default_rng(int(trial.exercise.number.replace(".", "")))
        for args, kwargs, shape in self.builds:
            created = describe_call(trial.exercise.name, args, kwargs)
            model = trial.call(answer, args, kwargs) if self.is_function else create(trial, answer, args, kwargs)
            self.look_first(trial, created, model, *args, **kwargs)
            parts = self._find_parts(trial, created, model, args, kwargs)
            x = paddle.to_tensor(rng.standard_normal(shape).astype(np.float32))
            call = f"{created}({describe(x)})"
            for training in self.modes:
                model.eval() if training is False else model.train()
                for part in parts.values():
                    _randomise(part, rng)
                output, tried = trial.call(model, (x,), name=created), tr(_MODES[training], call=call, tried=call)
                right = functools.partial(self.reference, parts, x, *args, training=training, **kwargs)
                self._need_shape(trial, tried, output, list(_values_of(right).shape))
                if _are_told_apart(parts) and not _agree(right, output):
                    self.look_closer(trial, created, model, x)
                    self._refuse_values(trial, tried, output, right)
            _need_gradients(trial, call, model, output)

    def _find_parts(self, trial: Trial, created: str, model: Any, args: tuple, kwargs: dict) -> dict[str, Any]:
        """Return parameters and batch norms by name; what is missing or too many is a fault."""
        parts, missing, extra = _match(model, self.parameters(*args, **kwargs))
        if not missing and not extra:
            return parts
        fault, hint = tr("it has no parameters that a Layer can find."), tr(self.hidden_hint)
        if trained := _trainable(model):
            fault, hint = self.wrong_parameters(model, missing, extra, *args, **kwargs)
        came = sum(parameter.size for parameter in trained)
        expected = came + sum(map(math.prod, missing)) - sum(map(math.prod, extra))
        trial.fail(
            fault,
            tried=f"{created}.parameters()",
            expected=tr("{count:,} trainable parameters", count=expected) + _among_them(missing),
            came=f"{came:,}" + _among_them(extra),
            hint=hint,
        )

    def _need_shape(self, trial: Trial, tried: str, output: Any, shape: Shape) -> None:
        """Refuse an output that is not a tensor of this shape."""
        if is_tensor(output) and list(output.shape) == shape:
            return
        fault, hint = self.wrong_shape(output, shape) if callable(self.wrong_shape) else (tr(self.wrong_shape), "")
        expected = tr("a tensor of shape {shape}", shape=shape)
        trial.fail(fault, tried=tried, expected=expected, came=describe(output), hint=hint)

    def _refuse_values(self, trial: Trial, tried: str, output: Any, right: Callable) -> NoReturn:
        """Name the mistake that the output's values come from."""
        named = (str(mistake) for mistake in self.mistakes if _agree(mistake.made_by(right), output))
        trial.fail(
            next(named, tr(self.unknown)),
            tried=tr("{tried}, with random weights", tried=tried),
            expected=tr(_SHOWN[output.ndim], values=_first_values(_values_of(right))),
            came=_first_values(output.numpy()),
            hint=tr(self.hint) if self.hint else "",
        )


def need_layer_class(trial: Trial, answer: Any) -> None:
    """Refuse everything but a class derived from paddle.nn.Layer."""
    import paddle

    name = trial.exercise.name
    if not (isinstance(answer, type) and issubclass(answer, paddle.nn.Layer)):
        trial.fail(tr("{name} should be a class derived from paddle.nn.Layer.", name=name), came=describe(answer))


def create(trial: Trial, answer: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
    """Return an object of the student's class, made with these arguments."""
    import paddle

    model = trial.call(answer, args, kwargs)
    if answer.forward is paddle.nn.Layer.forward:
        trial.fail(tr("it has no method `forward`."), tried=tr("calling it with a batch"))
    return model


def norms_of(model: Any) -> list[Any]:
    """Return the batch norms of a model, of whatever class."""
    return [layer for layer in model.sublayers() if hasattr(layer, "_mean") and hasattr(layer, "_variance")]


def normalise(norm: Any, x: Any, training: bool) -> Any:
    """Return what a batch norm makes of x, and leave its running mean and variance alone."""
    import paddle.nn.functional as F

    mean, variance = norm._mean.clone(), norm._variance.clone()
    return F.batch_norm(x, mean, variance, norm.weight, norm.bias, training, epsilon=norm._epsilon)


def _trainable(model: Any) -> list[Any]:
    # The running mean and variance of a batch norm are parameters too, for PaddlePaddle.
    return [parameter for parameter in model.parameters() if not parameter.stop_gradient]


def _tensors(part: Any) -> list[Any]:
    return [part] if is_tensor(part) else [part.weight, part.bias]


def _match(model: Any, wanted: dict[str, Shape | int]) -> tuple[dict[str, Any], list[Shape], list[Shape]]:
    """Return parameters and batch norms by name, the shapes that are missing, and those that are too many."""
    parts, missing, trained = {}, [], _trainable(model)
    left = {id(parameter): list(parameter.shape) for parameter in trained}
    for name, size in wanted.items():
        shapes = [[size], [size]] if isinstance(size, int) else [size]
        for part in (*norms_of(model), *trained):
            ids = [id(tensor) for tensor in _tensors(part)]
            if [left.get(key) for key in ids] == shapes:
                parts[name], left = part, {key: shape for key, shape in left.items() if key not in ids}
                break
        else:
            missing += shapes
    return parts, missing, list(left.values())


def _among_them(shapes: Sequence[Shape]) -> str:
    shown = ", ".join(map(str, shapes[:6]))
    if len(shapes) > 6:
        shown = tr("{list} and {count} more", list=shown, count=len(shapes) - 6)
    return tr(", among them of shape {shapes}", shapes=shown) if shapes else ""


def _randomise(part: Any, rng: np.random.Generator) -> None:
    """Give a parameter or batch norm values with which every step of a network shows in its output."""
    for tensor in _tensors(part):
        shape = list(tensor.shape)
        if len(shape) == 1:
            # Around neither 0 nor 1, and of both signs: scales and shifts are told apart from none.
            values = rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)
        else:
            fan_in = math.prod(shape[1:]) if len(shape) == 4 else shape[0]
            values = rng.standard_normal(shape) * 2 / np.sqrt(fan_in)
        tensor.set_value(values.astype(np.float32))
    if not is_tensor(part):
        part._mean.set_value(rng.uniform(-1, 1, shape).astype(np.float32))
        part._variance.set_value(rng.uniform(0.5, 2, shape).astype(np.float32))


def _are_told_apart(parts: dict[str, Any]) -> bool:
    weights = [tuple(part.shape) for part in parts.values() if is_tensor(part) and part.ndim > 1]
    return len(set(weights)) == len(weights)


def _values_of(way: Callable) -> np.ndarray:
    import paddle

    with paddle.no_grad():
        return way().numpy()


def _agree(way: Callable, output: Any) -> bool:
    return np.allclose(_values_of(way), output.numpy(), rtol=1e-3, atol=1e-3)


def _first_values(values: np.ndarray) -> str:
    return describe(values[0, :4, 0, 0] if values.ndim == 4 else values[0])


def _need_gradients(trial: Trial, tried: str, model: Any, output: Any) -> None:
    """Refuse a network with a trainable parameter that no gradient reaches."""
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
