"""A time limit for code that may never come back.

On the main thread of Linux and macOS, where notebook cells run, a timer signal interrupts the
code: loops, `time.sleep`, waiting for input. On Windows and on other threads a watchdog asks the
interpreter to raise in the thread: that ends loops of Python code, but a single long call into a
library only once it returns, and so does a signal that arrives during a computation in C.

Python 3.10 looks for signals and other threads' requests at a loop's jump back, but not where that jump
leads straight to a `try`: a loop of which each round is one `try` that calls nothing goes on for ever. There,
functions with such a loop are traced line by line, which lets the interruption in; unless a debugger, which
traces as well, is at work. From Python 3.11 on none of this is needed.
"""

import ctypes
import dis
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType

# Code with a bare `except:` swallows an interruption, so it is repeated until one gets through.
_REPEAT = 0.05
# Lines that a traced function may still run after the time is up, in search of a place outside a `try`.
_GRACE = 1000


class OutOfTime(BaseException):
    """The time is up. Not an Exception, so that `except Exception` in the interrupted code lets it pass."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` in the block once it has run for `seconds`."""
    on_main_thread = threading.current_thread() is threading.main_thread()
    limit = _alarm if on_main_thread and hasattr(signal, "setitimer") else _watchdog
    with limit(seconds), _traced():
        yield


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    running = True

    def interrupt(signum, frame):
        if running:
            raise OutOfTime

    previous = signal.signal(signal.SIGALRM, interrupt)
    started = time.monotonic()
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _REPEAT)
    try:
        # Two levels: if the alarm goes off between the block's end and `running = False`, the
        # outer one still puts the timer back.
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
            elapsed = time.monotonic() - started
            signal.setitimer(signal.ITIMER_REAL, max(remaining - elapsed, 0.001), interval)


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


@contextmanager
def _traced() -> Iterator[None]:
    """Let interruptions into loops that this Python would not interrupt."""
    if sys.version_info >= (3, 11) or sys.gettrace() is not None:
        yield
        return
    try:
        try:
            sys.settrace(_tracer())
            yield
        finally:
            sys.settrace(None)
    finally:
        sys.settrace(None)


def _tracer() -> Callable:
    known: dict[CodeType, bool] = {}
    lines_left = None  # once the time is up

    # An interruption may come wherever these two call or jump, and that would raise it in the student's code, whose
    # own `try` may catch it, and end the tracing. So all that they do is inside a `try` of theirs.

    def look_at_call(frame: FrameType, event: str, arg: object) -> Callable | None:
        nonlocal lines_left
        try:
            code = frame.f_code
            if code not in known:
                known[code] = _is_deaf(code)
            return look_at_line if known[code] else None
        except OutOfTime:
            lines_left = _GRACE
            return look_at_line

    def look_at_line(frame: FrameType, event: str, arg: object) -> Callable:
        nonlocal lines_left
        try:
            _let_in()
            if lines_left is None:
                return look_at_line
            lines_left -= 1
            # Raised at the `try` itself, the interruption is outside of it and is not caught by it.
            if lines_left > 0 and frame.f_code.co_code[frame.f_lasti] != dis.opmap["SETUP_FINALLY"]:
                return look_at_line
        except OutOfTime:
            lines_left = _GRACE
            return look_at_line
        raise OutOfTime

    return look_at_call


def _let_in() -> None:
    """Do nothing: when a function is called, Python looks for signals and other threads' requests."""


def _is_deaf(code: CodeType) -> bool:
    """Tell whether there is a jump back in Python 3.10's `code` that leads straight to a `try`."""
    return any(
        instruction.opcode in dis.hasjabs
        and instruction.argval <= instruction.offset
        and code.co_code[instruction.argval] == dis.opmap["SETUP_FINALLY"]
        for instruction in dis.get_instructions(code)
    )
