"""Judging the answers of a notebook in a fresh process, with limits on time, memory and the size of files.

A process that hangs, crashes or eats memory is ended, with a verdict that says so, and another goes on with the rest.
It has the rights of whoever calls: the limits keep accidents away, not attacks (README.md shows a container).
"""

import json
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

from palm_course.chapters import UnreadableNotebook
from palm_course.exercises.protection import OutOfTime, time_limit
from palm_course.exercises.registry import find
from palm_course.exercises.trial import Excerpt, Status, not_right, remark
from palm_course.students.answers import Answers, read
from palm_utils import machine, messages
from palm_utils.messages import mark, tr

# What answers and checks import. Each process is a copy of one that has done so, where the system can copy.
_PRELOAD = ["palm_utils", "palm_course.students.judging", "numpy", "cv2", "paddle", "nbformat"]
_PREPARING = 20.0  # seconds for what an answer needs besides the function itself
_STARTING = 300.0  # seconds for a process to import PaddlePaddle and to read a notebook
_FILE = 2**30  # bytes that a file may have which an answer writes
_MEMORY = Path("/proc/self/statm")  # begins with how many pages of memory this process has

MISSING, UNREADABLE, NO_EXERCISES = mark("missing"), mark("unreadable"), mark("no exercises")
TIMEOUT, CRASHED = mark("timeout"), mark("crashed")


class Result(NamedTuple):
    number: str  # of the exercise; "" for the notebook as a whole
    verdict: str  # a value of Status, or one of the words above
    message: str
    summary: tuple[str, ...] = ()  # as in a Verdict; empty where the process told nothing


def can_limit_memory() -> bool:
    return _MEMORY.exists()  # on Linux


def one_core_each() -> None:
    """Let processes started from now on compute on one core: several share them, and copies start without threads."""
    os.environ["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS") or "1"


def judge(path: Path, seconds: float = 60, memory: int = 2**31, stop: threading.Event | None = None) -> list[Result]:
    """Judge the exercises of a notebook, in order; of a file that has none, return one result with number "".

    seconds: for one exercise; the checks' own limits, of 10 to 60 seconds, come first. memory: bytes beyond what
    PaddlePaddle takes by being imported. Returns early, with what it has, once `stop` is set.
    """
    try:
        left = read(path).numbers
    except UnreadableNotebook as error:
        return [Result("", UNREADABLE, str(error))]
    if not left:
        return [Result("", NO_EXERCISES, tr("no cell of it belongs to an exercise of the course."))]
    results: list[Result] = []
    stop = stop or threading.Event()
    while left and not stop.is_set():
        with _process(path.resolve(), left, memory, messages.current()) as (process, connection):
            for number in left:
                result = _wait_for(process, connection, number, seconds, stop)
                results += [result] if result else []
                if result is None or result.verdict in (TIMEOUT, CRASHED):
                    break
        left = left[left.index(number) + 1 :]
    return results


def _wait_for(process, connection: Connection, number: str, seconds: float, stop: threading.Event) -> Result | None:
    """Return what the process reports on an exercise, or that it has ended; None once `stop` is set."""
    end = time.monotonic() + seconds
    # Both: the connection stays open while anything that an answer has started holds it.
    while not (ready := wait([connection, process.sentinel], 0.1)) and time.monotonic() < end:
        if stop.is_set():
            return None
    if not ready:
        text = tr("it did not end within {seconds:g} seconds, and its process was ended.", seconds=seconds)
        return Result(number, TIMEOUT, text)
    with suppress(EOFError, OSError, ValueError):
        # JSON, since unpickling what a student's process sends would run it here.
        match json.loads(connection.recv_bytes()) if connection.poll() else None:
            case [str(told), str(verdict), str(text), [*lines]] if told == number:
                return Result(number, verdict, text, tuple(map(str, lines)))
    process.join(5)
    code, names = process.exitcode, {one.value: one.name for one in signal.Signals}
    text = tr("it ended its process (exit status {status}).", status=code)
    if code is not None and code < 0:
        killed = tr("its process was ended from outside (SIGKILL), probably for want of memory.")
        text = tr("its process crashed ({signal}).", signal=names.get(-code, -code)) if code != -9 else killed
    return Result(number, CRASHED, text)


@contextmanager
def _process(*work: object) -> Iterator[tuple]:
    """Start a process that judges, and end it after the block."""
    # By copying one that has imported everything. macOS can copy as well, but its libraries may not work in the copy.
    can_copy = "forkserver" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    context = multiprocessing.get_context("forkserver" if can_copy else "spawn")
    if can_copy:
        context.set_forkserver_preload(_PRELOAD)
    connection, theirs = context.Pipe(duplex=False)
    with connection, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # Not a daemon: one may not start processes of its own, which data loaders do.
        process = context.Process(target=_work, args=(theirs, folder, *work), daemon=False)
        process.start()
        theirs.close()
        try:
            with suppress(EOFError):  # that it has ended is told for the first exercise
                if connection.poll(_STARTING):
                    connection.recv_bytes()
            yield process, connection
        finally:
            with suppress(OSError, AttributeError):
                os.killpg(process.pid, signal.SIGKILL)  # with what it has started
            process.kill()
            process.join()


# in the process ---------------------------------------------------------------------------------


def _work(connection: Connection, folder: str, path: Path, numbers: list[str], memory: int, spoken: str) -> None:
    """Judge in `folder`, and send each result; `spoken` is the caller's language."""
    os.environ |= {messages.VARIABLE: spoken, "MPLBACKEND": "agg"}
    if hasattr(os, "setsid"):
        os.setsid()  # a group of its own, which is ended with it
    with open(os.devnull, "r+b") as nothing:
        for descriptor in (0, 1, 2):  # the caller's terminal
            os.dup2(nothing.fileno(), descriptor)
    os.chdir(folder)
    sys.path.append(str(path.parent))  # where a notebook finds modules of the student's own
    machine.start(threads=1)  # what that takes is not the answers'
    _limit(memory)
    answers = read(path)
    connection.send_bytes(b"started")
    for number in numbers:
        connection.send_bytes(json.dumps(judge_one(answers, number)).encode())
    connection.close()
    os._exit(0)  # threads that an answer has started do not hold it up


def _limit(memory: int) -> None:
    """Let this process take no more than `memory` bytes beyond the present, and write no file above _FILE bytes."""
    if can_limit_memory():
        import resource

        room = int(_MEMORY.read_text().split()[0]) * resource.getpagesize() + memory
        for kind, most in ((resource.RLIMIT_AS, room), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, _FILE)):
            hard = resource.getrlimit(kind)[1]  # the system's own limit may be lower
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (most, most))


def judge_one(answers: Answers, number: str) -> Result:
    """Judge one exercise in this process; stubs are told without running anything."""
    exercise = find(number)
    verdict, fault = Status.WRONG.value, answers.fault(number)
    if answers.is_missing(number):
        verdict, fault = MISSING, tr("{file} has neither its cell nor a {name}.", file=answers.name, name=exercise.name)
    elif answers.is_untouched(number):
        verdict, fault = Status.NOT_ATTEMPTED.value, tr("not attempted yet.")
    elif not fault:
        try:
            nothing = Excerpt(room=0)
            with redirect_stdout(nothing), redirect_stderr(nothing), time_limit(_PREPARING):
                answer = answers.run(number)
        except OutOfTime:
            fault = tr("what it needs of the notebook takes over {seconds:g} seconds.", seconds=_PREPARING)
        except BaseException as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            fault = tr("its cell, or another that it needs, raises {error}", error=text)
        else:
            found = exercise.examine(answer)
            return Result(number, found.status.value, found.message, found.summary)
    told = not_right if verdict == Status.WRONG.value else remark
    return Result(number, verdict, told(number, fault), (fault,))
