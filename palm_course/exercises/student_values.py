"""The values that a student's function takes and returns: read generously, put in a few words, copied, compared."""

import copy
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from palm_utils.messages import mark, tr

_LARGE = {"array": mark("<array of shape {shape}, {dtype}>"), "tensor": mark("<tensor of shape {shape}, {dtype}>")}


class _Later:
    """PaddlePaddle, imported when it is first used: that takes seconds."""

    def __init__(self, inside: str = "") -> None:
        self._inside = inside

    def __getattr__(self, name: str) -> Any:
        import paddle

        return operator.attrgetter(self._inside + name)(paddle)


paddle, F = _Later(), _Later("nn.functional.")


def shorten(text: str, limit: int) -> str:
    """Return `text` on one line, cut to at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def is_tensor(value: Any) -> bool:
    """Say whether `value` is a PaddlePaddle tensor, without importing PaddlePaddle."""
    return type(value).__module__.startswith("paddle") and hasattr(value, "numpy")


def describe(value: Any, limit: int = 160) -> str:
    """Return a short, readable text for any value: small arrays in full, large ones by dtype and shape."""
    if isinstance(value, np.generic):
        return repr(value.item())
    if is_tensor(value) or isinstance(value, np.ndarray):
        kind, array = ("tensor", value.numpy()) if is_tensor(value) else ("array", value)
        if array.size > 12:
            return describe_shape(kind, array.shape, array.dtype)
        text = np.array2string(array, separator=", ", precision=4, max_line_width=1000)
        return f"{kind}({' '.join(text.split())}, {array.dtype})"
    if isinstance(value, tuple):
        items = ", ".join(describe(item, limit) for item in value)
        return shorten(f"({items},)" if len(value) == 1 else f"({items})", limit)
    try:
        return shorten(repr(value), limit)
    except Exception:
        return tr("an object of type {kind}", kind=type(value).__name__)


def describe_shape(kind: str, shape: Sequence[int], dtype: Any) -> str:
    """Return what `describe` says of a large "array" or "tensor"."""
    return tr(_LARGE[kind], shape=list(shape), dtype=dtype)


def describe_call(name: str, /, *args: Any, **kwargs: Any) -> str:
    """Return a call as one would write it, such as "f(28, stride=2)"."""
    words = [describe(arg) for arg in args] + [f"{key}={describe(arg)}" for key, arg in kwargs.items()]
    return f"{name}({', '.join(words)})"


def as_array(value: Any) -> np.ndarray | None:
    """Return numbers in any wrapping (array, tensor, list, scalar) as an array, or None for anything else."""
    try:
        array = value.numpy() if is_tensor(value) else np.asarray(value)
    except Exception:
        return None
    return array if array.dtype.kind in "biuf" else None


def as_numbers(value: Any, count: int) -> np.ndarray | None:
    """Return `count` numbers (scalars, or arrays of one element) as float64 [count], or None for anything else."""
    several = isinstance(value, (list, tuple))
    parts = [as_array(item) for item in (value if several else [value])]
    size = 1 if several else count
    if any(part is None or part.size != size for part in parts) or size * len(parts) != count:
        return None
    return np.concatenate([part.reshape(-1) for part in parts]).astype(np.float64)


def duplicate(value: Any) -> Any:
    """Return a copy that shares no memory with `value`."""
    return value.detach().clone() if is_tensor(value) else copy.deepcopy(value)


def same(value: Any, other: Any) -> bool:
    """Say whether two arguments, one of them a duplicate made earlier, still hold the same."""
    if is_tensor(value):
        value, other = value.numpy(), other.numpy()
    if isinstance(value, np.ndarray):
        return value.dtype == other.dtype and np.array_equal(value, other, equal_nan=value.dtype.kind == "f")
    return value == other
