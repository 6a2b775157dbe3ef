"""The layers of a network in a table: output shape, number of parameters and of multiplications of each.

Chapter 1 follows an image through LeNet layer by layer and counts the parameters by hand; chapters 5 and 6 compare the
cost of whole blocks.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from palm_utils import old_name
from palm_utils.messages import tr


@dataclass(frozen=True)
class LayerRow:
    """One layer: its name in the model, its class, the shape of its output, its number of trainable parameters.

    multiply_adds: the number of multiplications, each with an addition, in its convolutions and linear layers for the
    whole input. Biases, norms and poolings are not counted.
    """

    name: str
    kind: str
    output_shape: list[int]
    parameters: int
    multiply_adds: int


@contextmanager
def evaluating(model) -> Iterator[None]:
    """Put a model into evaluation mode for a `with` block; afterwards each layer has its old mode again."""
    modes = [(layer, layer.training) for layer in model.sublayers(include_self=True)]
    model.eval()
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training


def layer_rows(model, input_shape: list[int], whole: tuple[type, ...] = ()) -> list[LayerRow]:
    """Return a row for each layer without sublayers, in the order in which a batch of zeros passes them.

    input_shape: with the batch, such as [1, 3, 224, 224]. whole: classes of layers that get one row for all their
    sublayers, such as a residual block. The model's mode and gradients do not change. A layer that is called twice has
    two rows; only the first one counts its parameters.
    """
    import paddle

    rows: list[LayerRow] = []
    counted: set[str] = set()
    multiply_adds = Counter()  # by row, until the row is complete

    def after_layer(name, row, layer, inputs, output):
        multiply_adds[row] += _multiply_adds(layer, output)
        if name == row:
            parameters = 0 if name in counted else count_parameters(layer)
            counted.add(name)
            rows.append(LayerRow(name, type(layer).__name__, list(output.shape), parameters, multiply_adds.pop(name)))

    found = _with_row(model, whole)
    hooks = [layer.register_forward_post_hook(partial(after_layer, name, row)) for name, layer, row in found]
    try:
        with evaluating(model), paddle.no_grad():
            model(paddle.zeros(input_shape))
    finally:
        for hook in hooks:
            hook.remove()
    return rows


def _with_row(model, whole: tuple[type, ...]) -> Iterator[tuple]:
    """Yield each layer that has a row, or is part of one: its name, the layer, the name of the row."""
    row: str | None = None
    for name, layer in model.named_sublayers(include_self=not list(model.children())):
        if row is not None and name.startswith(f"{row}."):
            yield name, layer, row
        elif isinstance(layer, whole) or not list(layer.children()):
            row = name
            yield name, layer, row


def _multiply_adds(layer, output) -> int:
    """Return the multiplications of the layer itself, without its sublayers."""
    import paddle

    if isinstance(layer, paddle.nn.Conv2D):
        # Each output value is a sum over the kernel and the input channels: all weights of its output channel.
        return int(np.prod(output.shape)) * int(np.prod(layer.weight.shape[1:]))
    if isinstance(layer, paddle.nn.Linear):
        return int(np.prod(output.shape)) * int(layer.weight.shape[0])
    return 0


def count_parameters(model) -> int:
    """Return the number of trainable parameters of a model or layer.

    The running mean and variance of a batch norm are not counted. PaddlePaddle lists them among the parameters, but
    they are measured, not trained.
    """
    return sum(int(np.prod(p.shape)) for p in model.parameters() if not p.stop_gradient)


def layer_table(model, input_shape: list[int], whole: tuple[type, ...] = ()) -> None:
    """Print the rows of `layer_rows` (same arguments) with output shape and parameters, and the total."""
    rows = layer_rows(model, input_shape, whole)
    width = max([len("layer"), *(len(row.name) for row in rows)])
    kinds = max([len("class"), *(len(row.kind) for row in rows)])
    # Texts of five letters in columns that may be wider; translations have spaces where they are shorter.
    gap, gap2 = (" " * (column - 5) for column in (width, kinds))
    print(tr("layer{gap}  class{gap2}  output shape            parameters", gap=gap, gap2=gap2))
    print(tr("input{gap}{shape:20}", gap=gap + gap2 + " " * 9, shape=str(input_shape)))
    for row in rows:
        print(f"{row.name:{width}}  {row.kind:{kinds}}  {row.output_shape!s:20}  {row.parameters:12,}")
    print(tr("total{gap}{parameters:12,}", gap=gap + gap2 + " " * 31, parameters=count_parameters(model)))


__getattr__ = partial(old_name, __name__)
