"""What makes two training runs the same run: everything that their figures follow from."""

import hashlib
import json
from types import CodeType, FunctionType

import numpy as np

from palm_utils.readers import Reader

# Attributes of a layer that depend on what was made, or done with it, before.
_CHANGING = {"training", "_full_name", "_built"}


def identity(model, optimizer, train_loader, seed: int, **unusual) -> str:
    """Return a digest of how a run starts: weights, settings and code of the layers, optimizer, photographs, seed.

    Two runs with the same digest on the same machine train to the same figures, and one may go on
    where the other stopped. `train_loader` is told apart by what a Reader knows: names and labels of
    its files, batch size, augmentation; `unusual` is what else tells the run from others, such as processes=2.
    PaddlePaddle's own code and the pixels are taken for granted.
    """
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value.numpy()).tobytes())
    for name, layer in model.named_sublayers(include_self=True):
        digest.update(f"{name}: {_settings(layer)}".encode())
    for layer_class in sorted({type(layer) for layer in model.sublayers(include_self=True)}, key=str):
        digest.update(_of_class(layer_class).encode())
    parts = [_of_optimizer(optimizer), _of_loader(train_loader), seed, *([unusual] if unusual else [])]
    digest.update(json.dumps(parts).encode())
    return digest.hexdigest()


def _settings(layer) -> list:
    """Describe what a layer was made with besides weights: strides, the share of units dropped, and the like."""
    kinds = int | float | str | list | tuple
    return sorted((k, repr(v)) for k, v in vars(layer).items() if isinstance(v, kinds) and k not in _CHANGING)


def _of_class(layer_class: type) -> str:
    """Describe the methods that a layer's class and its ancestors outside PaddlePaddle define."""
    own = [c for c in layer_class.__mro__ if c is not object and not c.__module__.startswith("paddle.")]
    methods = [vars(c)[name] for c in own for name in sorted(vars(c))]
    return repr([_of_function(method) for method in methods if isinstance(method, FunctionType)])


def _of_function(function) -> list:
    """Describe what a function computes; comments, line numbers and annotations make no difference."""
    if not isinstance(function, FunctionType):
        return [getattr(function, "__qualname__", repr(type(function)))]
    closure = [cell.cell_contents for cell in function.__closure__ or ()]
    inside = [_of_function(f) for value in closure for f in (value if isinstance(value, tuple) else [value])]
    return [*_of_code(function.__code__), repr(function.__defaults__), repr(function.__kwdefaults__), *inside]


def _of_code(code: CodeType) -> list:
    consts = [_of_code(const) if isinstance(const, CodeType) else repr(const) for const in code.co_consts]
    return [code.co_code.hex(), code.co_names, code.co_varnames, consts]


def _of_optimizer(optimizer) -> dict:
    return {"class": type(optimizer).__name__, **_plain(optimizer), "rate": _plain(optimizer._learning_rate)}


def _plain(part) -> dict | str:
    """Return the settings among an object's attributes: numbers and words, of a schedule within it too."""
    from paddle.optimizer.lr import LRScheduler

    if not hasattr(part, "__dict__"):
        return repr(part)
    settings = {k: v for k, v in vars(part).items() if isinstance(v, int | float | str)}
    settings |= {k: _plain(v) for k, v in vars(part).items() if isinstance(v, LRScheduler) and k != "_learning_rate"}
    decay = getattr(part, "regularization", None)
    return settings | ({"decay": str(decay)} if decay is not None else {})


def _of_loader(loader) -> list:
    if not isinstance(loader, Reader):
        return [type(loader).__name__]
    names = [file.name for file in loader.files]
    return [names, [int(label) for label in loader.labels], loader.batch_size, loader.shuffle, _of_augment(loader)]


def _of_augment(loader: Reader) -> list:
    return [] if loader.augment is None else _of_function(loader.augment)
