"""How many cores PaddlePaddle computes on: by default all that this process may use.

PaddlePaddle itself takes one unless OMP_NUM_THREADS says otherwise, and warns about that variable.
`import palm_utils` sees to it that the number is set, without a word, when `paddle` is imported. The
last digits of a loss depend on the number; runs with the same number are identical.
"""

from __future__ import annotations  # the doctor has to run on any Python

import importlib.abc
import os
import sys

from palm_utils.messages import CourseError, tr

_VARIABLES = ("PALM_THREADS", "OMP_NUM_THREADS")  # the first that is set counts
_in_use: int | None = None


def count() -> int:
    """Return the number of threads that the environment asks for, or else of the cores there are.

    Raises CourseError when a variable is set to something else than a number of at least 1.
    """
    for name in _VARIABLES:
        value = os.environ.get(name, "").strip()
        if not value:
            continue
        if not value.isdigit() or int(value) < 1:
            raise CourseError(
                tr(
                    "The environment variable {name} is {value!r}; it must be a number of threads, 1 or more.",
                    name=name,
                    value=value,
                )
            )
        return int(value)
    import joblib

    return joblib.cpu_count()  # knows the limits of containers and of this process, which os.cpu_count does not


def in_use() -> int:
    """Return the number of threads that PaddlePaddle computes on in this process, or will."""
    return count() if _in_use is None else _in_use


def use(number: int) -> None:
    """Let PaddlePaddle compute on `number` threads from now on."""
    global _in_use
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError(f"number is {number!r}; it must be a whole number of at least 1")
    import paddle

    paddle.base.core.set_num_threads(number)
    _in_use = number


def use_at_import() -> None:
    """Set the number when `paddle` is imported, or now where it has been."""
    if "paddle" in sys.modules:
        use(count())
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds `paddle` as Python would, and sets its threads once it is there."""

    def find_spec(self, fullname, path, target=None):
        if fullname != "paddle":
            return None
        found = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, found), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader):
        self._loader = loader

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        number = count()  # it may refuse, and PaddlePaddle cannot be imported twice
        module.__spec__.loader = module.__loader__ = self._loader
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
        # PaddlePaddle would warn about the variable, and leaves it set to 1 for whatever this process starts.
        asked = os.environ.pop("OMP_NUM_THREADS", None)
        try:
            self._loader.exec_module(module)
            use(number)
        finally:
            os.environ.pop("OMP_NUM_THREADS", None)
            if asked is not None:
                os.environ["OMP_NUM_THREADS"] = asked
