"""How the answers to exercise 6.2 are judged."""

from typing import Any

import numpy as np

from palm_course.exercises.student_layers import need_gradients
from palm_course.exercises.trial import Trial
from palm_course.exercises.values import describe, is_tensor
from palm_utils.messages import mark, tr, trn


def judge_pre_activation(trial: Trial, answer: Any) -> None:
    """Check 6.2: parameters, values in both modes (by numbers, however it is written), gradients."""
    import paddle

    if not (isinstance(answer, type) and issubclass(answer, paddle.nn.Layer)):
        trial.fail(
            tr("{name} should be a class derived from paddle.nn.Layer.", name="PreActBlock"), came=describe(answer)
        )
    rng = np.random.default_rng(62)
    # The two numbers differ, so that layers are told apart by their shapes.
    for channels, middle, (height, width) in ((16, 4, (6, 6)), (3, 8, (5, 7))):
        created = f"PreActBlock({channels}, {middle})"
        block = trial.call(answer, (channels, middle))
        if answer.forward is paddle.nn.Layer.forward:
            trial.fail(tr("it has no method `forward`."), tried=f"{created}(x)")
        parts = _find_parts(trial, created, block, channels, middle)
        _randomise(parts, rng)
        x = paddle.to_tensor(rng.standard_normal((4, channels, height, width)).astype(np.float32))
        for training in (False, True):
            block.train() if training else block.eval()
            expected = _forward(parts, x, training)
            came = trial.call(block, (x,), name=created)
            _check_block(trial, created, parts, x, training, expected, came)
        need_gradients(trial, f"{created}(x)", block, came)


def _find_parts(trial: Trial, created: str, block: Any, channels: int, middle: int) -> dict[str, Any]:
    """Return both weights and both batch norms, by what goes into them ("channels", "middle")."""
    shapes = {"channels": [middle, channels, 3, 3], "middle": [channels, middle, 3, 3]}
    sizes = {"channels": channels, "middle": middle}
    trained = [p for p in block.parameters() if not p.stop_gradient]
    weights = {key: [p for p in trained if list(p.shape) == shape] for key, shape in shapes.items()}
    norms = [layer for layer in block.sublayers() if hasattr(layer, "_mean") and hasattr(layer, "_variance")]
    fitting = {key: [norm for norm in norms if list(norm._mean.shape) == [size]] for key, size in sizes.items()}
    expected = 2 * (channels + middle) + 2 * channels * middle * 9
    came = sum(int(np.prod(p.shape)) for p in trained)
    one_each = all(len(found) == 1 for part in (weights, fitting) for found in part.values())
    if came == expected and one_each and len(norms) == 2:
        found = {f"weight of {key}": weights[key][0] for key in shapes}
        return found | {f"norm of {key}": fitting[key][0] for key in sizes}
    hint, fault = "", tr("its parameters are not those of two convolutions and two batch norms.")
    convolutions = [p for p in trained if len(p.shape) == 4]
    if not trained:
        fault = tr("it has no parameters that a Layer can find.")
        hint = tr("create each layer in __init__ and keep it as an attribute of self; a plain list hides layers.")
    elif len(norms) < 2:
        fault = trn(
            "it has {count} batch norm instead of two.", "it has {count} batch norms instead of two.", len(norms)
        )
    elif came == expected + channels + middle and one_each:
        fault = tr("its convolutions have biases.")
        hint = tr("bias_attr=False leaves the bias away; the batch norm has one.")
    elif any(list(p.shape)[2:] != [3, 3] for p in convolutions):
        fault = tr("a convolution's kernel is not 3 × 3.")
    elif [list(norm._mean.shape) for norm in norms] in ([[channels]] * 2, [[middle]] * 2):
        fault = tr("both batch norms have the same size; each has to fit what comes out of the layer in front of it.")
    trial.fail(
        fault,
        tried=f"{created}.parameters()",
        expected=tr(
            "{count:,} trainable parameters, of shapes {shapes}",
            count=expected,
            shapes=_shapes([*shapes.values(), [channels], [middle]]),
        ),
        came=tr("{count:,}, of shapes {shapes}", count=came, shapes=_shapes(list(p.shape) for p in trained)),
        hint=hint,
    )


def _shapes(shapes: Any) -> str:
    unique = dict.fromkeys(str(list(shape)) for shape in shapes)
    return ", ".join(unique) or tr("none")


def _randomise(parts: dict[str, Any], rng: np.random.Generator) -> None:
    # Fresh batch norms do next to nothing in evaluation mode; these show.
    for name, part in parts.items():
        if name.startswith("weight"):
            shape = list(part.shape)
            part.set_value((rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32))
            continue
        size = list(part._mean.shape)
        for tensor, values in (
            (part.weight, rng.uniform(0.5, 2, size)),
            (part.bias, rng.standard_normal(size)),
            (part._mean, rng.standard_normal(size)),
            (part._variance, rng.uniform(0.5, 2, size)),
        ):
            tensor.set_value(values.astype(np.float32))


def _normalise(norm: Any, x: Any, training: bool) -> Any:
    mean, variance = norm._mean, norm._variance
    if training:
        mean = x.mean(axis=[0, 2, 3])
        variance = ((x - mean.reshape([1, -1, 1, 1])) ** 2).mean(axis=[0, 2, 3])
    factor = norm.weight / (variance + norm._epsilon).sqrt()
    return (x - mean.reshape([1, -1, 1, 1])) * factor.reshape([1, -1, 1, 1]) + norm.bias.reshape([1, -1, 1, 1])


def _forward(
    parts: dict[str, Any],
    x: Any,
    training: bool,
    *,
    activate_first: bool = True,
    activations: tuple[str, str] = ("norm relu", "norm relu"),
    shortcut: str = "input",
    last_relu: bool = False,
) -> np.ndarray:
    """Compute the block with the given layers; all but the first three arguments serve the mistakes."""
    import paddle
    import paddle.nn.functional as F

    def activate(y, key, steps):
        for step in steps.split():
            y = F.relu(y) if step == "relu" else _normalise(parts[f"norm of {key}"], y, training)
        return y

    def convolve(y, key):
        return F.conv2d(y, parts[f"weight of {key}"], padding=1)

    with paddle.no_grad():
        if activate_first:
            first = activate(x, "channels", activations[0])
            y = convolve(activate(convolve(first, "channels"), "middle", activations[1]), "middle")
        else:
            first = x
            y = activate(convolve(x, "channels"), "middle", "norm relu")
            y = activate(convolve(y, "middle"), "channels", "norm")
        y = {"input": y + x, "activated": y + first, "none": y}[shortcut]
        return (F.relu(y) if last_relu else y).numpy()


_BLOCK_MISTAKES: list[tuple[str, dict[str, Any]]] = [
    (mark("a ReLU follows the addition; nothing should."), {"last_relu": True}),
    (
        mark("the shortcut starts behind the first ReLU; it should start at the block's own input."),
        {"shortcut": "activated"},
    ),
    (mark("the input is not added: there is no shortcut."), {"shortcut": "none"}),
    (
        mark(
            "this is the chapter's order, convolution first; batch norm and ReLU belong in front of each convolution."
        ),
        {"activate_first": False, "last_relu": True},
    ),
    (
        mark("each convolution comes before its batch norm; batch norm and ReLU belong in front of it."),
        {"activate_first": False},
    ),
    (mark("the ReLU in front of the first convolution is missing."), {"activations": ("norm", "norm relu")}),
    (mark("the ReLU in front of the second convolution is missing."), {"activations": ("norm relu", "norm")}),
    (mark("both ReLUs are missing."), {"activations": ("norm", "norm")}),
    (
        mark("ReLU comes before batch norm; it is the other way round."),
        {"activations": ("relu norm", "relu norm")},
    ),
    (mark("the first batch norm is never used."), {"activations": ("relu", "norm relu")}),
    (mark("the second batch norm is never used."), {"activations": ("norm relu", "relu")}),
]


def _check_block(
    trial: Trial, created: str, parts: dict[str, Any], x: Any, training: bool, expected: np.ndarray, came: Any
) -> None:
    mode = mark("{created}, in training mode, of {x}") if training else mark("{created}, in evaluation mode, of {x}")
    tried = tr(mode, created=created, x=describe(x))
    if not is_tensor(came) or list(came.shape) != list(x.shape):
        trial.fail(
            tr("the output is not a tensor of the input's shape."),
            tried=tried,
            expected=tr("a tensor of shape {shape}", shape=list(x.shape)),
            came=describe(came),
        )
    values = came.numpy()

    def agrees(other: np.ndarray) -> bool:
        return np.allclose(other, values, rtol=1e-3, atol=1e-3)

    if agrees(expected):
        return
    fault = tr("the values are not those of the block described.")
    for words, changes in _BLOCK_MISTAKES:
        if agrees(_forward(parts, x, training, **changes)):
            fault = tr(words)
            break
    else:
        if agrees(_forward(parts, x, not training)):
            fault = tr("it normalises in both modes alike; in evaluation mode the running statistics count.")
    trial.fail(
        fault,
        tried=tried,
        expected=tr("first values (with random weights) {values}", values=describe(expected.reshape(-1)[:4])),
        came=describe(values.reshape(-1)[:4]),
    )
