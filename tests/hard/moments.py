"""Ending a process at a chosen moment of its work: at a line of the course's code, or half way through a write."""

import builtins
import faulthandler
import io
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

import palm_course
import palm_utils

PACKAGES = [Path(package.__file__).parent for package in (palm_utils, palm_course)]


class Moment:
    """Counts what a process does, and kills or interrupts it at the event with the number `at` (from 1).

    parts: paths of modules of the packages, each of whose lines is an event, in all threads; and "write": each write
    to a file, half of which is done.
    """

    def __init__(self, parts, at=None, signum=signal.SIGKILL):
        self.files = {str(package / part) for package in PACKAGES for part in parts}
        self.writes, self.at, self.signum, self.events = "write" in parts, at, signum, 0

    def __enter__(self):
        sys.settrace(self._call)
        threading.settrace(self._call)
        if self.writes:
            builtins.open = io.open = self._opened
        return self

    def __exit__(self, *error):
        sys.settrace(None)
        threading.settrace(None)
        builtins.open = io.open = _open

    def _call(self, frame, event, arg):
        return self._line if frame.f_code.co_filename in self.files else None

    def _line(self, frame, event, arg):
        if event == "line" and self.due():
            os.kill(os.getpid(), self.signum)
        return self._line

    def due(self):
        self.events += 1
        return self.events == self.at

    def _opened(self, file, mode="r", *args, **options):
        if "+" in mode or not set(mode) & set("wax") or not isinstance(file, str | Path):
            return _open(file, mode, *args, **options)
        buffered = io.BufferedWriter(_Torn(self, str(file), mode.replace("t", "").replace("b", "")))
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, options.get("encoding"), options.get("errors"), options.get("newline"))


class _Torn(io.FileIO):
    """A file whose writing can be cut off half way."""

    def __init__(self, moment, file, mode):
        self.moment = moment
        super().__init__(file, mode)

    def write(self, data):
        if self.moment.due():
            super().write(bytes(data)[: len(data) // 2])
            os.kill(os.getpid(), self.moment.signum)
        return super().write(data)


_open = builtins.open


def forked(work, before=lambda: None):
    """Call before() and work() in a copy of this process; return the signal that ended it, 0 for none, and its output.

    `work` returns what JSON can hold. Raises where it raised.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            before()
            result = work()
            os.write(write, json.dumps(result).encode())
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(write)
    with _open(read, "rb") as pipe:
        result = pipe.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status), None
    assert os.WEXITSTATUS(status) == 0, "see the traceback above"
    return 0, json.loads(result)


def counted(work, parts, at=None, signum=signal.SIGKILL):
    """Return a function that does `work` and returns how many events that took; or ends at one of them."""

    def run():
        with Moment(parts, at, signum) as moment:
            work()
        return moment.events

    return run


def ended_after(delay):
    """Let the system end this process after `delay` seconds, wherever it is: nobody handles the signal."""
    faulthandler.disable()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, max(delay, 1e-6))
