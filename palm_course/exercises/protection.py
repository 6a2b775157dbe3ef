"""What a student's code must not do to a notebook: run for ever, or leave global settings changed.

A time limit: on the main thread of Linux and macOS, where cells run, a timer signal interrupts the code: loops,
`time.sleep`, waiting for input. On Windows and on other threads a watchdog asks the interpreter to raise in the thread.
A long call into a library ends only when it returns; on Python 3.10, some loops with `try` do not end at all.
"""

import ctypes
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import numpy as np

from palm_utils.messages import tr

# Code with a bare `except:` swallows an interruption, so it is repeated until one gets through.
_REPEAT = 0.05


class OutOfTime(BaseException):
    """The time is up. Not an Exception, so that `except Exception` in the interrupted code lets it pass."""


def time_limit(seconds: float) -> AbstractContextManager[None]:
    """Raise `OutOfTime` in the block once it has run for `seconds`."""
    on_main_thread = threading.current_thread() is threading.main_thread()
    return _alarm(seconds) if on_main_thread and hasattr(signal, "setitimer") else _watchdog(seconds)


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    running = True

    def interrupt(signum, frame):
        if running:
            raise OutOfTime

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, _REPEAT)
    try:
        # Two levels: an alarm between the block's end and `running = False` leaves the outer one to stop the timer.
        try:
            yield
        finally:
            running = False
    finally:
        running = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        # None means that the handler was not set from Python and cannot be put back.
        signal.signal(signal.SIGALRM, signal.SIG_DFL if previous is None else previous)


@contextmanager
def _watchdog(seconds: float) -> Iterator[None]:
    raise_in_thread = ctypes.pythonapi.PyThreadState_SetAsyncExc
    thread = ctypes.c_ulong(threading.get_ident())
    finished = threading.Event()
    deciding = threading.Lock()

    def watch():
        delay = seconds
        while not finished.wait(delay):
            with deciding:
                if not finished.is_set():
                    raise_in_thread(thread, ctypes.py_object(OutOfTime))
            delay = _REPEAT

    threading.Thread(target=watch, name="time limit", daemon=True).start()
    try:
        try:
            yield
        finally:
            finished.set()
    finally:
        finished.set()
        with deciding:
            # Takes back an interruption that was asked for but has not been raised yet.
            raise_in_thread(thread, None)


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
