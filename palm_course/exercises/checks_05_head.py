"""How the answers to exercise 5.3 are judged."""

from collections.abc import Sequence
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
from palm_utils.messages import tr

_DROPPED = 0.7
# in_channels, size, the other arguments, images in the batch.
_CASES = ((6, 8, {}, 3), (9, 11, {"num_classes": 3}, 2), (5, 5, {"num_classes": 2}, 4), (7, 16, {}, 1))


def _pooled(size: int) -> int:
    return (size - 5) // 3 + 1


def judge_head(trial: Trial, answer: Any) -> None:
    """Check 5.3: parameters, values in evaluation mode, dropout in training mode, gradients."""
    import paddle

    need_layer_class(trial, answer)
    rng = np.random.default_rng(53)
    for in_channels, size, kwargs, batch in _CASES:
        words = [str(in_channels), str(size), *(f"{key}={value}" for key, value in kwargs.items())]
        created = f"AuxiliaryHead({', '.join(words)})"
        model = create(trial, answer, (in_channels, size), kwargs)
        classes, features = kwargs.get("num_classes", 1), 128 * _pooled(size) ** 2
        shapes = [[128, in_channels, 1, 1], [128], [features, 1024], [1024], [1024, classes], [classes]]
        _look_at_width(trial, created, model, features)
        parameters = compare_shapes(trial, created, model, shapes)
        x = paddle.to_tensor(rng.standard_normal((batch, in_channels, size, size)).astype(np.float32))
        tried = tr("{call} after model.eval()", call=f"{created}({describe(x)})")
        model.eval()
        first = trial.call(model, (x,), name=created)
        need_shape(trial, tried, first, [batch, classes], tr("the output is not one row of logits per image."))
        randomise(parameters, rng)
        logits = trial.call(model, (x,), name=created)
        # Not by calling twice: a trial puts the random generators back after each call.
        pair = trial.call(model, (paddle.concat([x[:1], x[:1]]),), name=created).numpy()
        if not np.allclose(pair[0], pair[1], rtol=1e-4, atol=1e-4):
            trial.fail(
                tr("the same image twice gets two answers in evaluation mode: dropout does not stop there."),
                tried=tr("{created} with a batch of two equal images after model.eval()", created=created),
                expected=tr("the same logits twice"),
                came=tr("{first} and {second}", first=describe(pair[0]), second=describe(pair[1])),
                hint=tr("paddle.nn.Dropout listens to model.eval(); F.dropout has to be told training=self.training."),
            )
        _compare(trial, tried, parameters, x, logits)
        need_gradients(trial, tried, model, logits)
    _check_dropout(trial, answer)


def _look_at_width(trial: Trial, created: str, model: Any, features: int) -> None:
    """Name a first fully connected layer of the wrong width."""
    import paddle

    widths = [layer.weight.shape[0] for layer in model.sublayers() if isinstance(layer, paddle.nn.Linear)]
    if len(widths) == 2 and widths[1] == 1024 and widths[0] != features:
        trial.fail(
            tr("the first fully connected layer has the wrong number of inputs."),
            tried=created,
            expected=tr("{count}, which is 128 · s · s", count=features),
            came=str(widths[0]),
        )


def _forward(
    parameters: Sequence[Any], x: Any, pooling: str = "avg_pool2d", relus: tuple[int, int] = (1, 1), scale: float = 1.0
) -> np.ndarray:
    """Compute the head in evaluation mode; the arguments after `x` serve the mistakes."""
    import paddle
    import paddle.nn.functional as F

    conv, conv_bias, fc1, fc1_bias, fc2, fc2_bias = parameters
    with paddle.no_grad():
        x = F.conv2d(getattr(F, pooling)(x, 5, 3), conv, conv_bias)
        x = paddle.flatten(F.relu(x) if relus[0] else x, 1)
        x = F.linear(x, fc1, fc1_bias)
        return F.linear((F.relu(x) if relus[1] else x) * scale, fc2, fc2_bias).numpy()


def _compare(trial: Trial, tried: str, parameters: list[Any], x: Any, logits: Any) -> None:
    came = logits.numpy()

    def agrees(values: np.ndarray) -> bool:
        return np.allclose(values, came, rtol=2e-3, atol=2e-3)

    expected = _forward(parameters, x)
    if agrees(expected):
        return
    mistakes = (
        (tr("it pools by maxima, not averages."), _forward(parameters, x, pooling="max_pool2d")),
        (tr("no ReLU follows the convolution."), _forward(parameters, x, relus=(0, 1))),
        (tr("no ReLU follows the first fully connected layer."), _forward(parameters, x, relus=(1, 0))),
        (tr("there is no ReLU."), _forward(parameters, x, relus=(0, 0))),
        (tr("dropout scales the values in evaluation mode; it should leave them."), _forward(parameters, x, scale=0.3)),
        (tr("the output went through a sigmoid; logits are the last layer's bare values."), _sigmoid(expected)),
        (tr("a ReLU follows the last layer; logits may be negative."), np.maximum(expected, 0)),
    )
    unknown = tr("the values are not those of the table's layers.")
    fault = next((words for words, values in mistakes if agrees(values)), unknown)
    trial.fail(
        fault,
        tried=tr("{tried}, with random weights", tried=tried),
        expected=tr("logits of the first image {values}", values=describe(expected[0])),
        came=describe(came[0]),
        hint=tr("go through `forward` line by line, beside the table."),
    )


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def _check_dropout(trial: Trial, answer: Any) -> None:
    """Measure the share that is dropped: all hidden units 1, the logit their mean."""
    import paddle

    model = create(trial, answer, (5, 8))
    hidden = {(512, 1024): 0.0, (1024,): 1.0, (1024, 1): 1 / 1024, (1,): 0.0}
    for parameter in model.parameters():
        if tuple(parameter.shape) in hidden:
            parameter.set_value(np.full(parameter.shape, hidden[tuple(parameter.shape)], np.float32))
    model.train()
    x = paddle.zeros([400, 5, 8, 8])
    logits = trial.call(model, (x,), name="AuxiliaryHead(5, 8)").numpy()
    # The mean of 1024 units that are 1 / (1 - p) with probability 1 - p, else 0, varies by p / (1 - p) / 1024.
    variance = float(logits.var()) * 1024
    dropped = variance / (1 + variance)
    fault = tr("about {share} of the hidden units should be dropped in training mode.", share="70 %")
    if variance < 1e-6:
        fault = tr("in training mode nothing is dropped, or not between the two fully connected layers.")
    elif abs(dropped - (1 - _DROPPED)) < 0.06:
        fault = tr(
            "it keeps {kept} and drops {dropped}; it should be the other way round.", kept="70 %", dropped="30 %"
        )
    if abs(dropped - _DROPPED) > 0.06:
        trial.fail(
            fault,
            tried=tr("AuxiliaryHead(5, 8) on 400 images in training mode, with weights that make the share visible"),
            expected=tr("{share:.0%} dropped", share=_DROPPED),
            came=tr("{share:.0%} dropped", share=dropped),
        )
