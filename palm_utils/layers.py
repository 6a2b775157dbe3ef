"""What a network is made of: one row per layer, with output shape, parameters and multiplications.

Chapter 1 follows an image through LeNet layer by layer and counts the parameters by hand; chapters 5 and 6 compare
what whole blocks cost.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LayerRow:
    """One layer: its name in the model, its class, the shape of its output, its number of trainable parameters.

    multiply_adds: how many multiplications, each with an addition, the layer's convolutions and linear layers need
    for the whole input. Biases, norms and poolings are not counted.
    """

    name: str
    kind: str
    output_shape: list[int]
    parameters: int
    multiply_adds: int


@contextmanager
def evaluating(model) -> Iterator[None]:
    """Put a model into evaluation mode for a `with` block; after it each layer has the mode that it had before."""
    modes = [(layer, layer.training) for layer in model.sublayers(include_self=True)]
    model.eval()
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training


def layer_rows(model, input_shape: list[int], whole: tuple[type, ...] = ()) -> list[LayerRow]:
    """Return a row for each layer without sublayers, in the order in which a batch of zeros passes them.

    input_shape: with the batch, such as [1, 3, 224, 224]. whole: classes of layers that get one row as a whole, such
    as a residual block. The model's mode and gradients stay as they were. A layer that is called twice appears
    twice; its parameters are counted the first time.
    """
    import paddle

    rows: list[LayerRow] = []
    counted: set[str] = set()
    multiply_adds: dict[str, int] = {}  # of the layers in a row, until the row is complete

    def add_up(name):
        def hook(layer, inputs, output):
            multiply_adds[name] = multiply_adds.get(name, 0) + _multiply_adds(layer, output)

        return hook

    def note(name):
        def hook(layer, inputs, output):
            own = 0 if name in counted else count_parameters(layer)
            counted.add(name)
            cost = multiply_adds.pop(name, 0)
            rows.append(LayerRow(name, type(layer).__name__, list(output.shape), own, cost))

        return hook

    hooks = []
    for name, layer, row in _with_row(model, whole):
        if not list(layer.children()):
            hooks.append(layer.register_forward_post_hook(add_up(row)))
        if name == row:
            hooks.append(layer.register_forward_post_hook(note(name)))
    try:
        with evaluating(model), paddle.no_grad():
            model(paddle.zeros(input_shape))
    finally:
        for hook in hooks:
            hook.remove()
    return rows


def _with_row(model, whole: tuple[type, ...]) -> Iterator[tuple]:
    """Yield the name of each layer that counts, the layer, and the name of the row that it belongs to."""
    within: str | None = None
    for name, layer in model.named_sublayers():
        if within is not None and name.startswith(f"{within}."):
            yield name, layer, within
        elif isinstance(layer, whole) or not list(layer.children()):
            within = name
            yield name, layer, name


def _multiply_adds(layer, output) -> int:
    import paddle

    if isinstance(layer, paddle.nn.Conv2D):
        # Each output value is a sum over the kernel and the input channels: all weights of its output channel.
        return int(np.prod(output.shape)) * int(np.prod(layer.weight.shape[1:]))
    if isinstance(layer, paddle.nn.Linear):
        return int(np.prod(output.shape)) * int(layer.weight.shape[0])
    return 0


def count_parameters(model) -> int:
    """Return the number of trainable parameters of a model or layer.

    PaddlePaddle lists the running mean and variance of a batch norm among the parameters. They are measured, not
    trained, and are not counted here.
    """
    return sum(int(np.prod(p.shape)) for p in model.parameters() if not p.stop_gradient)


def layer_table(model, input_shape: list[int], whole: tuple[type, ...] = ()) -> None:
    """Print the rows of `layer_rows` (same arguments) with output shape and parameters, and the total."""
    rows = layer_rows(model, input_shape, whole)
    width = max(len("layer"), *(len(row.name) for row in rows))
    kinds = max(len("class"), *(len(row.kind) for row in rows))
    print(f"{'layer':{width}}  {'class':{kinds}}  {'output shape':20}  {'parameters':>12}")
    print(f"{'input':{width}}  {'':{kinds}}  {input_shape!s:20}")
    for row in rows:
        print(f"{row.name:{width}}  {row.kind:{kinds}}  {row.output_shape!s:20}  {row.parameters:12,}")
    print(f"{'total':{width}}  {'':{kinds}}  {'':20}  {count_parameters(model):12,}")


def gradient_norms(model) -> dict[str, float]:
    """Return the size of each layer's weight gradient after a backward pass, by the layer's name, first layer first.

    The size is the root mean square over the weights, so that layers with more and with fewer weights compare.
    """
    return {
        name.removesuffix(".weight"): float(np.sqrt(np.mean(np.square(p.grad.numpy().astype(np.float64)))))
        for name, p in model.named_parameters()
        if name.endswith(".weight") and p.grad is not None
    }
