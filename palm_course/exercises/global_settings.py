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
    name: str  # "" for a random generator: a function may draw from it, and seed it
    read: Callable[[], Any]
    write: Callable[[Any], Any]


def _settings() -> list[_Setting]:
    """Return what holds for a whole process; environment variables are left out: libraries set some at import."""
    settings = [
        _Setting(tr("the working directory (os.chdir)"), os.getcwd, os.chdir),
        _Setting(tr("Python's recursion limit"), sys.getrecursionlimit, sys.setrecursionlimit),
        _Setting(tr("NumPy's floating-point error handling (np.seterr)"), np.geterr, lambda old: np.seterr(**old)),
        _Setting(tr("NumPy's print options"), np.get_printoptions, lambda old: np.set_printoptions(**old)),
        _Setting("", random.getstate, random.setstate),
        _Setting("", np.random.get_state, np.random.set_state),
    ]
    # Importing PaddlePaddle takes seconds; while nobody has, there is nothing to keep.
    if paddle := sys.modules.get("paddle"):
        static = tr("PaddlePaddle's static-graph mode (paddle.enable_static)")
        dtype = tr("PaddlePaddle's default dtype (paddle.set_default_dtype)")
        modes = {True: paddle.disable_static, False: paddle.enable_static}
        settings += [
            _Setting(static, paddle.in_dynamic_mode, lambda dynamic: modes[dynamic]()),
            _Setting(tr("PaddlePaddle's device"), paddle.get_device, paddle.set_device),
            _Setting(dtype, paddle.get_default_dtype, paddle.set_default_dtype),
            _Setting(tr("gradient recording"), paddle.is_grad_enabled, paddle.set_grad_enabled),
            _Setting("", paddle.get_rng_state, paddle.set_rng_state),
        ]
    return settings


@contextmanager
def kept() -> Iterator[list[str]]:
    """Put settings and random generators back after the block; the list then names the settings that had changed."""
    settings = [(setting, setting.read()) for setting in _settings()]
    changed: list[str] = []
    try:
        yield changed
    finally:
        for setting, before in settings:
            if not setting.name or setting.read() != before:
                setting.write(before)
                changed += [setting.name] if setting.name else []
