"""Reading pickles that come from elsewhere without running what is in them.

A pickle is a small program: `pickle.load` calls whatever it names, `os.system` included. The data files of
the course (CIFAR-10's batches, PaddlePaddle's parameters) need no more than plain values and arrays of
numbers, and nothing else is built here. What passes can be given to PaddlePaddle, which loads everything.

Source of the way: the Python manual, https://docs.python.org/3/library/pickle.html, "Restricting Globals".
NumPy's own constructors are stood in for, because they trust what they are given.
"""

import math
import pickle
import pickletools
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from palm_utils.messages import DataError


class UnsafePickle(DataError):
    """A pickle holds something else than plain values and arrays of numbers."""


def load(file: BinaryIO, *, encoding: str = "ASCII") -> object:
    """Return what the pickle in `file` holds: None, numbers, texts, lists, tuples, dicts, and arrays of numbers.

    file: a binary file that can be read twice. encoding: as for `pickle.load`; "bytes" for pickles of Python 2.

    Raises:
        UnsafePickle: it names anything else, an array of objects included. Nothing of it has been called.
        DataError: it is damaged or no pickle.
    """
    try:
        start = file.tell()
        _check_numbers(file)
        file.seek(start)
        return _Unpickler(file, encoding=encoding).load()
    except UnsafePickle:
        raise
    except Exception as error:  # a damaged pickle can lead to any of them
        raise DataError(f"not a whole pickle: {type(error).__name__}: {error}") from None


def _check_numbers(file: BinaryIO) -> None:
    """Raise UnsafePickle for a value that is numbered higher than there are values.

    Python makes room for as many, and one damaged byte can ask for 30 GB.
    """
    for position, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT"):
            _require(int(argument) <= position, f"it numbers a value {argument}, and has {position} before it")


class _Array(np.ndarray):
    """An array that takes exactly as many bytes as its shape and type need."""

    def __setstate__(self, state):
        version, shape, dtype, column_major, content = state
        _require(version == 1 and isinstance(dtype, _Dtype))
        _require(isinstance(content, bytes) and len(content) == _size(shape, dtype))
        super().__setstate__((version, shape, dtype.dtype, bool(column_major), content))


class _Dtype:
    """Stands in for numpy.dtype: of numbers and truth values only, which can have any bits."""

    def __init__(self, name: str):
        _require(re.fullmatch(r"[biufc]\d{1,2}", name), f"it holds an array of {name!r}, not of numbers")
        self.dtype = np.dtype(name)

    def __setstate__(self, state):
        version, order, *fields = state
        _require(version == 3 and _text(order) in "|<>=" and fields == [None, None, None, -1, -1, 0])
        self.dtype = self.dtype.newbyteorder(_text(order))


class _StandIn:
    """Is called in the place of what a pickle names. Unlike a function or a class, a pickle cannot change it."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable):
        self._call = call

    def __call__(self, *args):
        return self._call(*args)

    def __setstate__(self, state):
        _require(False)


def _ndarray(*args):
    _require(False)


_NDARRAY = _StandIn(_ndarray)


def _dtype(name, *align_and_copy):
    _require(len(align_and_copy) <= 2 and all(flag in (0, 1) for flag in align_and_copy))
    return _Dtype(_text(name))


def _reconstruct(kind, shape, dtype):
    _require(kind is _NDARRAY and shape == (0,) and dtype in ("b", b"b"))
    return _Array(0, np.int8)


def _scalar(dtype, content):
    return _frombuffer(content, dtype, (), "C")[()]


def _frombuffer(content, dtype, shape, order):
    _require(isinstance(dtype, _Dtype) and isinstance(content, bytes | bytearray) and order in ("C", "F"))
    _require(len(content) == _size(shape, dtype))
    return np.frombuffer(content, dtype.dtype).reshape(shape, order=order)


def _encode(text, encoding):
    # How Python 3 writes bytes into a pickle that Python 2 can read.
    _require(encoding == "latin1", f"it would encode as {encoding!r}")
    return text.encode("latin1")


_STAND_INS = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _StandIn(_dtype),
    ("_codecs", "encode"): _StandIn(_encode),
    ("collections", "OrderedDict"): _StandIn(OrderedDict),
    ("builtins", "bytes"): _StandIn(lambda: b""),
    ("__builtin__", "bytes"): _StandIn(lambda: b""),
}
for _core in ("numpy.core", "numpy._core"):  # before NumPy 2, and since
    _STAND_INS[f"{_core}.multiarray", "_reconstruct"] = _StandIn(_reconstruct)
    _STAND_INS[f"{_core}.multiarray", "scalar"] = _StandIn(_scalar)
    _STAND_INS[f"{_core}.numeric", "_frombuffer"] = _StandIn(_frombuffer)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> _StandIn:
        _require((module, name) in _STAND_INS, f"it would call {module}.{name}")
        return _STAND_INS[module, name]


def _size(shape: tuple[int, ...], dtype: _Dtype) -> int:
    """Return how many bytes an array has."""
    _require(all(type(length) is int and length >= 0 for length in shape))
    return math.prod(shape) * dtype.dtype.itemsize


def _text(value: str | bytes) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else value


def _require(true: object, otherwise: str = "it builds an array in a way in which NumPy does not") -> None:
    if not true:
        raise UnsafePickle(otherwise)
