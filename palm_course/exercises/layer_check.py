"""Exercises whose answer is a network, judged by its numbers, however it is written.

Such an exercise declares the networks to build, the parameters that each must have, and one reference. The student's
parameters get random values, and the network's output is compared with what the reference makes of the same values. A
usual mistake is another option of the reference. Exercise 5.2 is an example.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from palm_course.exercises.student_values import F, describe, is_tensor, paddle
from palm_course.exercises.trial import Case, Exercise, Trial
from palm_utils.messages import mark, tr

Shape = list[int]
Fault = dict[str, str]  # arguments of `Trial.fail`: the fault, and what is not as usual of hint, expected and came

_MODES = {None: "{call}", True: mark("{tried} in training mode"), False: mark("{call} after model.eval()")}
_LOGITS = mark("logits of image {image}: {values}")
_MAPS = mark("image {image}, pixel {pixel}, channels from {first} on: {values}")


def are_flat(shapes: Sequence[Shape]) -> bool:
    """Say whether these are shapes of biases, or of a batch norm's scales."""
    return all(len(shape) == 1 for shape in shapes)


def _usual_fault(missing: list[Shape], extra: list[Shape]) -> Fault:
    """Name what is wrong with the parameters by the shapes that are missing and those that are too many."""
    fault = tr("its parameters are not those of the layers asked for.")
    if not extra and are_flat(missing):
        fault = tr("something with one number per channel or unit is missing, such as a bias.")
    elif not missing and are_flat(extra):
        fault = tr("there is something with one number per channel or unit too many, such as a bias.")
    return {"fault": fault}


def need_layer(trial: Trial, answer: Any) -> None:
    if not (isinstance(answer, type) and issubclass(answer, paddle.nn.Layer)):
        fault = tr("{name} should be a class derived from paddle.nn.Layer.", name=trial.exercise.name)
        trial.fail(fault, came=describe(answer))


def create(trial: Trial, answer: Any, *args: Any, **kwargs: Any) -> Any:
    """Return an object of the student's class, which has to be derived from paddle.nn.Layer."""
    need_layer(trial, answer)
    model = trial.call(answer, *args, **kwargs)
    if answer.forward is paddle.nn.Layer.forward:
        trial.fail(tr("it has no method `forward`."), tried=tr("calling it with a batch"))
    return model


@dataclass(frozen=True, kw_only=True)
class LayerExercise(Exercise):
    """An exercise whose answer is a class of networks, or a function that builds them."""

    builds: Sequence[tuple[Case, Shape]]  # what a network is created with, and the shape of the batch that it gets
    # (*args, **kwargs): shapes by name; a number is a batch norm of so many channels. The shapes tell which parameter
    # is which. Where two weights have the same, values are not compared.
    parameters: Callable[..., dict[str, Shape | int]]
    # (p, x, *args, training, **kwargs, **options): the output; p has parameters and batch norms by name.
    reference: Callable[..., Any]
    unknown: str  # the fault where wrong values come from none of the mistakes
    wrong_shape: str | Callable[[Any, Shape], Fault]  # the fault where the output's shape is another; or finds it
    # (model, missing, extra, *args, **kwargs): the fault, or {} where the shapes alone tell it.
    wrong_parameters: Callable[..., Fault] = lambda *args, **kwargs: {}
    modes: Sequence[bool | None] = (None,)  # training (True), evaluation (False), or where it makes no difference, None
    tolerance: float = 1e-3
    values_hint: str = ""  # with wrong values; by default the exercise's own
    # The hint where no parameters are found.
    hidden: str = mark("create each layer in __init__ and keep it as an attribute of self; a plain list hides layers.")
    create: Callable[..., Any] = create  # (trial, answer, *args, **kwargs)
    # (trial, created, model, x) fails the trial where wrong values have a cause beyond the mistakes.
    look_closer: Callable[..., None] = lambda *args: None

    def judge(self, trial: Trial, answer: Any) -> None:
        rng = self.rng
        for case, shape in self.builds:
            created = case.written(self.name)
            model = case.apply(self.create, trial, answer)
            parts = self._find_parts(trial, created, model, case)
            x = paddle.to_tensor(rng.standard_normal(shape).astype(np.float32))
            call = f"{created}({describe(x)})"
            for training in self.modes:
                model.eval() if training is False else model.train()
                _randomise(parts, rng)
                output, tried = trial.call(model, x, name=created), tr(_MODES[training], call=call, tried=call)
                right = functools.partial(self.reference, parts, x, *case.args, training=training, **case.kwargs)
                shape, wrong = list(_values(right).shape), self.wrong_shape
                if not is_tensor(output) or list(output.shape) != shape:
                    fault = wrong(output, shape) if callable(wrong) else {"fault": tr(wrong)}
                    expected = tr("a tensor of shape {shape}", shape=shape)
                    trial.fail(**fault, tried=tried, expected=expected, came=describe(output))
                weights = [tuple(part.shape) for part in parts.values() if is_tensor(part) and part.ndim > 1]
                if len(set(weights)) == len(weights) and not self._agree(right, output):
                    self.look_closer(trial, created, model, x)
                    self._refuse_values(trial, tried, output, right)
            _need_gradients(trial, call, model, output)

    def _find_parts(self, trial: Trial, created: str, model: Any, case: Case) -> dict[str, Any]:
        """Return parameters and batch norms by name; what is missing or too many is a fault."""
        parts, missing = {}, []
        # The running mean and variance of a batch norm are among a model's parameters, but not trained.
        trained = {id(parameter): parameter for parameter in model.parameters() if not parameter.stop_gradient}
        left = {key: list(parameter.shape) for key, parameter in trained.items()}
        for name, size in case.apply(self.parameters).items():
            shapes = [[size], [size]] if isinstance(size, int) else [size]
            candidates = (*norms_of(model), *trained.values())
            part = next((c for c in candidates if [left.get(id(t)) for t in _tensors(c)] == shapes), None)
            if part is None:
                missing += shapes
            else:
                parts[name] = part
                left = {key: shape for key, shape in left.items() if key not in map(id, _tensors(part))}
        if not missing and not left:
            return parts
        extra = list(left.values())
        for shape in list(missing):  # of a batch norm of which one of two parameters is there
            if shape in extra:
                missing.remove(shape)
                extra.remove(shape)
        fault = {"fault": tr("it has no parameters that a Layer can find."), "hint": tr(self.hidden)}
        if trained:
            fault = case.apply(self.wrong_parameters, model, missing, extra) or _usual_fault(missing, extra)
        came = sum(parameter.size for parameter in trained.values())
        count = came + sum(map(math.prod, missing)) - sum(map(math.prod, extra))
        expected = tr("{count:,} trainable parameters", count=count) + _among_them(missing)
        usual = {"tried": f"{created}.parameters()", "expected": expected, "came": f"{came:,}" + _among_them(extra)}
        trial.fail(**usual | fault)

    def _agree(self, way: Callable, output: Any) -> bool:
        return np.allclose(_values(way), output.numpy(), rtol=self.tolerance, atol=self.tolerance)

    def _refuse_values(self, trial: Trial, tried: str, output: Any, right: Callable) -> NoReturn:
        """Name the mistake that the output's values come from."""
        differences = np.abs(_values(right) - output.numpy())
        image, first, *pixel = map(int, np.unravel_index(differences.argmax(), differences.shape))  # the furthest off
        shown, place = (_MAPS, (image, slice(first, first + 4), *pixel)) if pixel else (_LOGITS, image)
        trial.fail(
            self.fault(right, lambda way: self._agree(way, output), tr(self.unknown)),
            tried=tr("{tried}, with random weights", tried=tried),
            expected=tr(shown, values=describe(_values(right)[place]), image=image, first=first, pixel=pixel),
            came=describe(output.numpy()[place]),
            hint=tr(self.values_hint) if self.values_hint else "",
        )


def norms_of(model: Any) -> list[Any]:
    """Return the batch norms of a model, of whatever class."""
    return [layer for layer in model.sublayers() if hasattr(layer, "_mean") and hasattr(layer, "_variance")]


def normalise(norm: Any, x: Any, training: bool) -> Any:
    """Return what a batch norm makes of x, and leave its running mean and variance alone."""
    mean, variance = norm._mean.clone(), norm._variance.clone()
    return F.batch_norm(x, mean, variance, norm.weight, norm.bias, training, epsilon=norm._epsilon)


def _tensors(part: Any) -> list[Any]:
    return [part] if is_tensor(part) else [part.weight, part.bias]


def _randomise(parts: dict[str, Any], rng: np.random.Generator) -> None:
    """Give parameters and batch norms values with which every step of a network shows in its output."""
    for part in parts.values():
        for tensor in _tensors(part):
            shape = list(tensor.shape)
            if len(shape) == 1:
                # Around neither 0 nor 1, and of both signs: scales and shifts are told apart from none.
                values = rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)
            else:
                values = rng.standard_normal(shape) * 2 / np.sqrt(math.prod(shape[1:]) if len(shape) == 4 else shape[0])
            tensor.set_value(values.astype(np.float32))
        if not is_tensor(part):
            part._mean.set_value(rng.uniform(-1, 1, shape).astype(np.float32))
            part._variance.set_value(rng.uniform(0.5, 2, shape).astype(np.float32))


def _values(way: Callable) -> np.ndarray:
    with paddle.no_grad():
        return way().numpy()


def _among_them(shapes: Sequence[Shape]) -> str:
    shown = ", ".join(map(str, shapes[:6]))
    if len(shapes) > 6:
        shown = tr("{list} and {count} more", list=shown, count=len(shapes) - 6)
    return tr(", among them of shape {shapes}", shapes=shown) if shapes else ""


def _need_gradients(trial: Trial, tried: str, model: Any, output: Any) -> None:
    """Refuse a network with a trainable parameter that no gradient reaches."""
    if not output.stop_gradient:
        output.astype("float32").square().sum().backward()
    for name, parameter in model.named_parameters():
        if not parameter.stop_gradient and (parameter.grad is None or not parameter.grad.numpy().any()):
            trial.fail(
                tr("the gradient does not reach {name}, so training would never change it.", name=name),
                tried=tr("{tried}, then backward() from a loss", tried=tried),
                expected=tr("a gradient for every parameter"),
                hint=tr("a value that leaves PaddlePaddle (numpy, detach, no_grad) takes no gradient back."),
            )
