"""How the answers to exercise 3.3 are judged."""

import random
from typing import Any

import numpy as np

from palm_course.exercises.global_settings import kept
from palm_course.exercises.trial import Trial
from palm_course.exercises.values import as_array, describe, describe_shape, is_tensor
from palm_utils.messages import tr

# Each of the shapes below has at least 20,000 values, so the share of zeros is within 0.0036 of p in two
# draws of three, and hardly ever further away than this.
_SHARE_TOLERANCE = 0.025


def judge_dropout(trial: Trial, answer: Any) -> None:
    """Check 3.3 in training and evaluation: shares, values, independence, fresh draws, gradients."""
    import paddle

    if not (isinstance(answer, type) and issubclass(answer, paddle.nn.Layer)):
        trial.fail(
            tr("{name} should be a class derived from paddle.nn.Layer.", name="MyDropout"), came=describe(answer)
        )
    # Drawing is no fault, but what the check seeds must not stay seeded.
    with kept():
        for p, shape in ((0.5, [50, 400]), (0.2, [25, 8, 10, 10]), (0.75, [20000]), (0.0, [20, 30])):
            created = f"MyDropout(p={p})"
            layer = trial.call(answer, kwargs={"p": p})
            if answer.forward is paddle.nn.Layer.forward:
                trial.fail(tr("it has no method `forward`."), tried=f"{created}(x)")
            x = _values(shape)
            layer.train()
            first = _call(trial, created, layer, x, seed=1)
            second = _call(trial, created, layer, x, seed=2)
            _check_training(trial, created, p, x, first, second)
            _check_gradient(trial, created, layer, x, p)
            layer.eval()
            _check_evaluation(trial, created, p, x, _call(trial, f"{created}.eval()", layer, x, seed=3))
            layer.train()
            again = _call(trial, created, layer, x, seed=4)
            if p and np.array_equal(again, x):
                trial.fail(
                    tr("after .eval() and then .train() it drops nothing."),
                    tried=tr("{created}: eval, train, call", created=created),
                )


def _values(shape: list[int]) -> np.ndarray:
    """Return float32 values clear of 0, so that every zero in the result was dropped."""
    rng = np.random.default_rng(33)
    return (rng.uniform(0.5, 2.0, shape) * rng.choice([-1, 1], shape)).astype(np.float32)


def _seed(number: int) -> None:
    import paddle

    random.seed(number)
    np.random.seed(number)
    paddle.seed(number)


def _call(trial: Trial, created: str, layer: Any, x: np.ndarray, seed: int) -> np.ndarray:
    import paddle

    # The trial puts the random generators back after each call, so each call gets a seed of its own.
    _seed(seed)
    tensor = paddle.to_tensor(x)
    value = trial.call(layer, (tensor,), name=created)
    fault = ""
    if not is_tensor(value):
        fault = tr("it does not return a tensor.")
    elif list(value.shape) != list(x.shape):
        fault = tr("the shape has changed.")
    elif as_array(value) is None or as_array(value).dtype != np.float32:
        fault = tr("the dtype has changed; float32 should stay float32.")
    elif not np.isfinite(value.numpy()).all():
        fault = tr("some values are not finite.")
    if fault:
        expected = describe_shape("tensor", x.shape, "float32")
        trial.fail(fault, tried=f"{created}({describe(tensor)})", expected=expected, came=describe(value))
    return value.numpy()


def _check_training(trial: Trial, created: str, p: float, x: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
    tried = tr("{call} in training, x of shape {shape}", call=f"{created}(x)", shape=list(x.shape))
    dropped = first == 0
    share = float(dropped.mean())
    _check_values(trial, tried, p, x, first, dropped)
    if abs(share - p) > _SHARE_TOLERANCE:
        fault = tr("the share of zeros is not p.")
        if not dropped.any():
            fault = tr("nothing is dropped in training.")
        elif abs(share - (1 - p)) < _SHARE_TOLERANCE:
            fault = tr("p is the share that is dropped, not the share that stays.")
        elif whole := _whole_parts(dropped):
            fault = whole
        trial.fail(fault, tried=tried, expected=tr("a share of zeros of about {share}", share=p), came=f"{share:.3f}")
    if not p:
        return
    if whole := _whole_parts(dropped):
        trial.fail(whole, tried=tried, expected=tr("zeros at places that have nothing to do with each other"))
    if np.array_equal(dropped, second == 0):
        trial.fail(
            tr("two calls drop the same values; each call needs a new draw."), tried=tr("{tried}, twice", tried=tried)
        )


def _check_values(trial: Trial, tried: str, p: float, x: np.ndarray, result: np.ndarray, dropped: np.ndarray) -> None:
    factors = result[~dropped] / x[~dropped]
    if np.allclose(factors, 1 / (1 - p), rtol=1e-4):
        return
    came = np.unique(np.round(factors, 3))
    fault = tr("the values that stay are not the old ones divided by 1 - p.")
    if np.allclose(factors, 1, rtol=1e-4):
        fault = tr("the values that stay are as they were: divide them by 1 - p.")
    elif np.allclose(factors, 1 - p, rtol=1e-4):
        fault = tr("the values that stay are multiplied by 1 - p; they should be divided by it.")
    elif p and np.allclose(factors, 1 / p, rtol=1e-4):
        fault = tr("the values that stay are divided by p; they should be divided by 1 - p.")
    elif factors.std() > 1e-3:
        fault = tr("the values that stay are not all multiplied by the same number.")
    shown = ", ".join(f"{factor:g}" for factor in came[:4]) + (", …" if len(came) > 4 else "")
    trial.fail(
        fault,
        tried=tried,
        expected=tr("kept values {factor:g} times the old ones", factor=1 / (1 - p)),
        came=tr("factors {factors}", factors=shown),
    )


def _whole_parts(dropped: np.ndarray) -> str:
    """Say which parts of the tensor are dropped or kept as a whole; empty where none are."""
    if dropped.ndim < 2:
        return ""
    rows = dropped.reshape(len(dropped), -1)
    if (rows == rows[:, :1]).all():
        return tr("it drops whole images (rows of the batch); each value should be drawn by itself.")
    if (rows == rows[:1]).all():
        return tr("it drops the same places in all images of the batch; each value should be drawn by itself.")
    if dropped.ndim == 4 and (dropped == dropped[:, :, :1, :1]).all():
        return tr("it drops whole channels; each value should be drawn by itself.")
    return ""


def _check_gradient(trial: Trial, created: str, layer: Any, x: np.ndarray, p: float) -> None:
    import paddle

    def forward_and_back(tensor):
        tensor.stop_gradient = False
        result = layer(tensor)
        if result.stop_gradient:
            return result, paddle.full(result.shape, float("nan"))
        result.sum().backward()
        gradient = tensor.grad
        return result, paddle.full(result.shape, float("nan")) if gradient is None else gradient

    _seed(5)
    result, gradient = trial.call(forward_and_back, (paddle.to_tensor(x),), name=created)
    result, gradient = result.numpy(), gradient.numpy()
    tried = tr("{call} in training, then backward()", call=f"{created}(x)")
    if np.isnan(gradient).any():
        trial.fail(
            tr("the gradient does not find its way back to x."),
            tried=tried,
            hint=tr(
                "values that leave PaddlePaddle (numpy, detach, no_grad) take no gradient back; only the mask may."
            ),
        )
    if not np.allclose(gradient, np.where(result == 0, 0, 1 / (1 - p)), rtol=1e-4, atol=1e-6):
        trial.fail(
            tr("the gradient is not that of the values that stayed."),
            tried=tried,
            expected=tr("{factor:g} where a value stayed, 0 where it was dropped", factor=1 / (1 - p)),
        )


def _check_evaluation(trial: Trial, created: str, p: float, x: np.ndarray, result: np.ndarray) -> None:
    if np.allclose(result, x, rtol=1e-5):
        return
    fault = tr("in evaluation the values should come back as they were.")
    if p and (result == 0).any():
        fault = tr("it drops values in evaluation too; self.training tells the two apart.")
    elif np.allclose(result, x * (1 - p), rtol=1e-4):
        fault = tr("in evaluation it multiplies by 1 - p: training has already made up for that, by dividing.")
    trial.fail(
        fault,
        tried=f"{created}.eval()(x)",
        expected=tr("x itself, beginning {values}", values=describe(x.ravel()[:3])),
        came=tr("beginning {values}", values=describe(result.ravel()[:3])),
    )
