"""Global settings and random generators of the notebook, put back as they were before a student's code ran."""

import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from palm_utils.messages import tr


class _Setting(NamedTuple):
    name: str
    read: Callable[[], Any]
    write: Callable[[Any], Any]


def _settings() -> list[_Setting]:
    """Return what holds for a whole process and what a function has no business to change.

    The environment variables are left out: libraries set some when they are imported.
    """
    settings = [
        _Setting(tr("the working directory (os.chdir)"), os.getcwd, os.chdir),
        _Setting(tr("Python's recursion limit"), sys.getrecursionlimit, sys.setrecursionlimit),
        _Setting(tr("NumPy's floating-point error handling (np.seterr)"), np.geterr, lambda old: np.seterr(**old)),
        _Setting(tr("NumPy's print options"), np.get_printoptions, lambda old: np.set_printoptions(**old)),
    ]
    # Importing PaddlePaddle takes seconds; while nobody has, there is nothing to keep.
    if paddle := sys.modules.get("paddle"):
        static = tr("PaddlePaddle's static-graph mode (paddle.enable_static)")
        dtype = tr("PaddlePaddle's default dtype (paddle.set_default_dtype)")

        def set_mode(dynamic: bool) -> None:
            paddle.disable_static() if dynamic else paddle.enable_static()

        settings += [
            _Setting(static, paddle.in_dynamic_mode, set_mode),
            _Setting(tr("PaddlePaddle's device"), paddle.get_device, paddle.set_device),
            _Setting(dtype, paddle.get_default_dtype, paddle.set_default_dtype),
            _Setting(tr("gradient recording"), paddle.is_grad_enabled, paddle.set_grad_enabled),
        ]
    return settings


def _random_generators() -> list[_Setting]:
    generators = [
        _Setting("random", random.getstate, random.setstate),
        _Setting("numpy.random", np.random.get_state, np.random.set_state),
    ]
    if paddle := sys.modules.get("paddle"):
        generators.append(_Setting("paddle", paddle.get_rng_state, paddle.set_rng_state))
    return generators


@contextmanager
def kept() -> Iterator[list[str]]:
    """Put global settings and random generators back as they were before the block.

    The list that is yielded holds, after the block, the names of the settings that had been
    changed. Random generators are put back silently: drawing from them, or seeding, is no fault.
    """
    settings = [(setting, setting.read()) for setting in _settings()]
    generators = [(generator, generator.read()) for generator in _random_generators()]
    changed: list[str] = []
    try:
        yield changed
    finally:
        for setting, before in settings:
            if setting.read() != before:
                setting.write(before)
                changed.append(setting.name)
        for generator, before in generators:
            generator.write(before)
