"""How the answers to exercise 5.2 are judged."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palm_course.exercises.student_layers import (
    compare_shapes,
    create,
    need_gradients,
    need_layer_class,
    need_shape,
    randomise,
)
from palm_course.exercises.trial import Trial
from palm_course.exercises.values import describe
from palm_utils.messages import mark, tr

# In every case all channel numbers differ, so that parameters are told apart by their shapes.
_CASES = (
    ((9, 4, (5, 6), (2, 3), 7), (3, 8, 10)),
    ((4, 3, (8, 10), (6, 5), 2), (4, 7, 7)),
    ((11, 8, (2, 5), (3, 13), 6), (2, 9, 6)),
)
_BRANCHES = ("1 × 1", "3 × 3", "5 × 5", mark("pooling"))


@dataclass(frozen=True)
class _Unit:
    """One convolution with its batch norm: paddle parameters, and the running figures."""

    weight: Any
    norm: Any

    def apply(self, x: Any, way: "_Way", training: bool, last: bool) -> Any:
        import paddle.nn.functional as F

        rectify = way.relu_at_ends if last else way.relu_after_reductions
        x = F.conv2d(x, self.weight, padding=(self.weight.shape[2] - 1) // 2)
        if way.relu_first and rectify:
            x = F.relu(x)
        if way.norms:
            axes = [0, 2, 3]
            mean = x.mean(axes) if training else self.norm._mean
            variance = ((x - x.mean(axes, keepdim=True)) ** 2).mean(axes) if training else self.norm._variance
            shape = [1, -1, 1, 1]
            x = (x - mean.reshape(shape)) / (variance.reshape(shape) + 1e-5).sqrt()
            x = x * self.norm.weight.reshape(shape) + self.norm.bias.reshape(shape)
        return F.relu(x) if rectify and not way.relu_first else x


@dataclass(frozen=True)
class _Way:
    """One way to compute the module; the defaults are the right one."""

    order: tuple[int, ...] = (0, 1, 2, 3)
    pooling: str = "max_pool2d"
    pool_last: bool = False
    relu_first: bool = False
    relu_after_reductions: bool = True
    relu_at_ends: bool = True
    norms: bool = True

    def apply(self, units: Sequence[_Unit], x: Any, training: bool) -> np.ndarray:
        """Compute the module for a batch; units: 1x1, reduction, 3x3, reduction, 5x5, 1x1 after pooling."""
        import paddle
        import paddle.nn.functional as F

        def run(unit: int, x: Any, last: bool = True) -> Any:
            return units[unit].apply(x, self, training, last)

        def pool(x: Any) -> Any:
            return getattr(F, self.pooling)(x, 3, 1, 1)

        with paddle.no_grad():
            branches = [run(0, x), run(2, run(1, x, False)), run(4, run(3, x, False))]
            branches.append(pool(run(5, x)) if self.pool_last else run(5, pool(x)))
            return paddle.concat([branches[i] for i in self.order], axis=1).numpy()


_RIGHT = _Way()
_MISTAKES = [
    (mark("no ReLU follows the two reductions."), _Way(relu_after_reductions=False)),
    (mark("no ReLU follows the ends of the branches."), _Way(relu_at_ends=False)),
    (mark("there is no ReLU."), _Way(relu_after_reductions=False, relu_at_ends=False)),
    (mark("the ReLU stands before the batch norm; it belongs after it."), _Way(relu_first=True)),
    (mark("the batch norms are there but `forward` does not use them."), _Way(norms=False)),
    (mark("it pools by averages, not maxima."), _Way(pooling="avg_pool2d")),
    (mark("the last branch pools after its convolution; it should pool first."), _Way(pool_last=True)),
]


def judge_inception_bn(trial: Trial, answer: Any) -> None:
    """Check 5.2: parameters, values in both modes (by numbers, however it is written), gradients."""
    import paddle

    need_layer_class(trial, answer)
    rng = np.random.default_rng(52)
    for args, (batch, height, width) in _CASES:
        created = f"InceptionBN({', '.join(map(str, args))})"
        model = create(trial, answer, args)
        units = _units(trial, created, model, args)
        x = paddle.to_tensor(rng.standard_normal((batch, args[0], height, width)).astype(np.float32))
        tried = f"{created}({describe(x)})"
        shape = [batch, args[1] + args[2][1] + args[3][1] + args[4], height, width]
        need_shape(trial, tried, trial.call(model, (x,), name=created), shape, tr("the shape of the output is wrong."))
        randomise([parameter for unit in units for parameter in (unit.weight, unit.norm.weight, unit.norm.bias)], rng)
        model.train()
        output = trial.call(model, (x,), name=created)
        _compare(trial, tr("{tried} in training mode", tried=tried), units, x, output, training=True)
        need_gradients(trial, tried, model, output)
        for unit in units:
            channels = unit.weight.shape[0]
            unit.norm._mean.set_value(rng.uniform(-1, 1, channels).astype(np.float32))
            unit.norm._variance.set_value(rng.uniform(0.5, 2, channels).astype(np.float32))
        model.eval()
        output = trial.call(model, (x,), name=created)
        _compare(trial, tr("{call} after model.eval()", call=tried), units, x, output, training=False)


def _units(trial: Trial, created: str, model: Any, args: tuple) -> list[_Unit]:
    """Return the six convolutions with their batch norms, in the order of `_Way.apply`."""
    import paddle

    c0, c1, c2, c3, c4 = args
    weights = [[c1, c0, 1, 1], [c2[0], c0, 1, 1], [c2[1], c2[0], 3, 3]]
    weights += [[c3[0], c0, 1, 1], [c3[1], c3[0], 5, 5], [c4, c0, 1, 1]]
    _look_for_common_faults(trial, created, model, c2, c3)
    matched = compare_shapes(trial, created, model, weights + [[w[0]] for w in weights for _ in "ab"])
    norms = {}
    for layer in model.sublayers():
        if isinstance(layer, (paddle.nn.BatchNorm, paddle.nn.BatchNorm2D, paddle.nn.SyncBatchNorm)):
            norms[layer.weight.shape[0]] = layer
    lacking = [weight[0] for weight in weights if weight[0] not in norms]
    if lacking:
        trial.fail(
            tr("not every convolution is followed by a paddle.nn.BatchNorm2D."),
            tried=f"{created}.sublayers()",
            expected=tr("six batch norms"),
            came=tr("none for {count} channels", count=lacking[0]),
        )
    return [_Unit(weight, norms[weight.shape[0]]) for weight in matched[:6]]


def _look_for_common_faults(trial: Trial, created: str, model: Any, c2: tuple, c3: tuple) -> None:
    """Name what the shapes of the parameters alone would tell too dryly."""
    import paddle

    layers = model.sublayers()
    convolutions = [layer for layer in layers if isinstance(layer, paddle.nn.Conv2D)]
    norms = (paddle.nn.BatchNorm, paddle.nn.BatchNorm2D, paddle.nn.SyncBatchNorm)
    count = sum(isinstance(layer, norms) for layer in layers)
    fault = ""
    if any(list(layer.weight.shape) == [c3[1], c3[0], 3, 3] for layer in convolutions):
        fault = tr("the third branch's convolution is 3 × 3; it should be 5 × 5 (the tutorial's docstring errs here).")
    elif any(layer.bias is not None for layer in convolutions):
        fault = tr("a convolution has a bias; the batch norm after it makes that superfluous.")
    elif len(convolutions) == 6 and count == 0:
        fault = tr("there is no batch norm that a Layer can find.")
    elif len(convolutions) == 6 and count != 6:
        fault = tr("each of the six convolutions should have a batch norm of its own.")
    if fault:
        trial.fail(
            fault,
            tried=f"{created}.sublayers()",
            expected=tr("6 convolutions without bias, 6 batch norms"),
            came=tr(
                "{convolutions} convolutions, kernels {kernels}, {biases} biases, {norms} batch norms",
                convolutions=len(convolutions),
                kernels=[layer.weight.shape[2] for layer in convolutions],
                biases=sum(layer.bias is not None for layer in convolutions),
                norms=count,
            ),
        )


def _compare(trial: Trial, tried: str, units: list[_Unit], x: Any, output: Any, training: bool) -> None:
    expected = _RIGHT.apply(units, x, training)
    came = output.numpy()

    def agrees(values: np.ndarray) -> bool:
        return np.allclose(values, came, rtol=1e-3, atol=1e-3)

    if agrees(expected):
        return
    fault = tr("the values are not those of the four branches.")
    if agrees(_RIGHT.apply(units, x, not training)):
        if training:
            fault = tr("in training mode it uses the running mean and variance; it should use the batch's.")
        else:
            fault = tr("in evaluation mode it uses the batch's mean and variance; it should use the running.")
    else:
        fault = next((tr(words) for words, way in _MISTAKES if agrees(way.apply(units, x, training))), fault)
        for order in itertools.permutations(range(4)):
            if agrees(_Way(order=order).apply(units, x, training)):
                branches = ", ".join(tr(_BRANCHES[i]) for i in order)
                fault = tr("the branches come in the order {branches}.", branches=branches)
    trial.fail(
        fault,
        tried=tr("{tried}, with random weights", tried=tried),
        expected=tr("first pixel of the first image, first channels {values}", values=describe(expected[0, :4, 0, 0])),
        came=describe(came[0, :4, 0, 0]),
        hint=tr("go through one branch: convolution, its batch norm, ReLU, and the same once more; then the next."),
    )
