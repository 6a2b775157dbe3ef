"""A time limit for code that may never come back.

On the main thread of Linux and macOS, where notebook cells run, a timer signal interrupts the code: loops,
`time.sleep`, waiting for input. On Windows and on other threads a watchdog asks the interpreter to raise in the thread.
A long call into a library ends only when it returns; on Python 3.10, some loops with `try` do not end at all.
"""

import ctypes
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

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

    previous, started = signal.signal(signal.SIGALRM, interrupt), time.monotonic()
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _REPEAT)
    try:
        # Two levels: an alarm between the block's end and `running = False` leaves the outer one to put the timer back.
        try:
            yield
        finally:
            running = False
    finally:
        running = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        # None means that the handler was not set from Python and cannot be put back.
        signal.signal(signal.SIGALRM, signal.SIG_DFL if previous is None else previous)
        if remaining:
            left = remaining - (time.monotonic() - started)
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001), interval)


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
