"""Judging a whole notebook, in a process of its own with limits on time and memory.

The process may hang, crash or eat memory; it is ended, what was being judged gets a verdict that says so,
and another process goes on with the rest. It runs the student's code with the rights of whoever calls:
the limits keep accidents away, not attacks.
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
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

from palm_course.exercises import all_exercises, examine, find
from palm_course.exercises.limits import OutOfTime, time_limit
from palm_course.exercises.offline import leave_network
from palm_course.exercises.orphans import none_left
from palm_course.exercises.trial import Excerpt, Status, not_right, remark
from palm_course.students.answers import Answers, UnreadableNotebook, read
from palm_utils import messages as language
from palm_utils.messages import mark, tr

try:
    import resource
except ImportError:  # Windows
    resource = None

# What answers and checks import. Each process is a copy of one that has done so, where the system can copy.
_PRELOAD = ["palm_utils", "palm_course.students.judging", "numpy", "cv2", "paddle", "nbformat"]
_PRELOAD += ["palm_utils.adopting"]
_PREPARING = 20.0  # seconds for what an answer needs besides the function itself
_STARTING = 300.0  # seconds for a process to import PaddlePaddle and to read a notebook
_FILE = 2**30  # bytes that a file may have which an answer writes

MISSING, UNREADABLE, NO_EXERCISES = mark("missing"), mark("unreadable"), mark("no exercises")
TIMEOUT, CRASHED = mark("timeout"), mark("crashed")


@dataclass(frozen=True)
class Result:
    """What was found for one exercise, or, with number "", for the notebook as a whole."""

    number: str
    verdict: str
    """A value of Status, or one of the words above."""
    message: str
    summary: tuple[str, ...] = ()
    """As in a Verdict; empty where the process told nothing."""


@dataclass(frozen=True)
class Limits:
    """What judging one exercise may take."""

    seconds: float = 60.0
    """After which the process is ended; the checks' own time limits, of about 10 seconds, come first."""
    memory: int = 2 * 2**30
    """Bytes beyond what PaddlePaddle takes by being imported."""


def can_limit_memory() -> bool:
    """Tell whether this system lets a process limit its own memory and say what it uses."""
    return resource is not None and Path("/proc/self/statm").exists()


def one_core_each() -> None:
    """Let processes started from now on compute on one core: several share them, and copies start without threads."""
    for name in ("PALM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def judge(
    path: Path, numbers: list[str] | None = None, limits: Limits | None = None, stop: threading.Event | None = None
) -> list[Result]:
    """Judge the exercises `numbers` of a notebook, by default all that it has, in order.

    A file that is no notebook, or one without exercises, is one result with number "". Returns early, with
    what it has, once `stop` is set.
    """
    limits = limits or Limits()
    results: list[Result] = []
    left = numbers
    while left is None or left:
        current, so_far = "", len(results)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            work = (path.resolve(), left, limits.memory, folder, language.current())
            for message in _messages(work, limits.seconds, stop):
                match message:
                    case {"exercises": [*found]} if left is None:
                        left = [exercise.number for exercise in all_exercises() if exercise.number in found]
                    case {"begins": str(current)}:
                        pass
                    # Of the exercise that is due and no other: an answer could find the way to send as well.
                    case {"result": [str(number), str(verdict), str(text), [*lines]]} if number == current:
                        results.append(Result(number, verdict, text, tuple(map(str, lines))))
                        left, current = [other for other in left or () if other != number], ""
        if stop is not None and stop.is_set():
            return results
        # Ended between two exercises, by something that an answer left behind, it is not the next one's fault.
        if left and not current and len(results) == so_far:
            current = left[0]
        if current or left is None:
            results.append(Result(current, *_verdict_of_end(message)))
            left = [other for other in left or () if other != current]
    return results


def _verdict_of_end(message: dict) -> tuple[str, str]:
    if "timeout" in message:
        seconds = message["timeout"]
        return TIMEOUT, tr("it did not end within {seconds:g} seconds, and its process was ended.", seconds=seconds)
    code = message.get("ended")
    if code is None or code >= 0:
        return CRASHED, tr("it ended its process (exit status {status}).", status=code)
    known = -code in iter(signal.Signals)
    name = signal.Signals(-code).name if known else tr("signal {number}", number=-code)
    return CRASHED, tr("its process crashed ({signal}).", signal=name)


def _messages(work: tuple, seconds: float, stop: threading.Event | None) -> Iterator[dict]:
    """Yield what a process at `work` reports, and at the end {"ended": status} or {"timeout": seconds}."""
    with _process(work) as (process, connection):
        allowed = _STARTING
        deadline = time.monotonic() + allowed
        while stop is None or not stop.is_set():
            # Both: the connection stays open while anything that an answer has started holds it.
            wait([connection, process.sentinel], min(max(deadline - time.monotonic(), 0), 0.5))
            if connection.poll() or not process.is_alive():
                try:
                    if not connection.poll():
                        raise EOFError
                    # JSON, since unpickling what a student's process sends would run it here.
                    message = json.loads(connection.recv_bytes())
                except (EOFError, OSError, ValueError):
                    process.join(5)
                    yield {"ended": process.exitcode}
                    return
                allowed = seconds
                deadline = time.monotonic() + allowed
                yield message if isinstance(message, dict) else {}
            elif time.monotonic() >= deadline:
                yield {"timeout": allowed}
                return


@contextmanager
def _process(work: tuple) -> Iterator[tuple]:
    context = _context()
    connection, theirs = context.Pipe(duplex=False)
    # Not a daemon: one may not start processes of its own, which data loaders do.
    process = context.Process(target=_work, args=(theirs, *work), daemon=False)
    with connection, none_left(process):
        theirs.close()
        try:
            yield process, connection
        finally:
            with suppress(OSError, AttributeError):
                os.killpg(process.pid, signal.SIGKILL)  # with whatever it has started
            process.kill()
            process.join()


def _context() -> multiprocessing.context.BaseContext:
    # macOS can fork as well, but its own libraries may not work in the copy.
    if "forkserver" in multiprocessing.get_all_start_methods() and sys.platform != "darwin":
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOAD)
        return context
    return multiprocessing.get_context("spawn")


# in the process ---------------------------------------------------------------------------------


def _work(connection: Connection, path: Path, numbers: list[str] | None, memory: int, folder: str, spoken: str) -> None:
    """Judge, and send each step as JSON; `spoken` is the caller's language."""
    os.environ[language.VARIABLE] = spoken

    def send(**message: object) -> None:
        connection.send_bytes(json.dumps(message).encode())

    _confine(path, memory, folder)
    try:
        answers = read(path)
    except UnreadableNotebook as error:
        send(exercises=[])
        send(result=["", UNREADABLE, str(error), []])
    else:
        numbers = answers.numbers if numbers is None else numbers
        send(exercises=numbers)
        if not numbers:
            send(result=["", NO_EXERCISES, tr("no cell of it belongs to an exercise of the course."), []])
        for number in numbers:
            send(begins=number)
            result = judge_one(answers, number)
            send(result=[number, result.verdict, result.message, result.summary])
    connection.close()
    os._exit(0)  # threads that an answer has started do not hold it up


def _confine(path: Path, memory: int, folder: str) -> None:
    """Leave the caller's terminal and folder alone, and take no more than `memory` bytes beyond the present.

    No file that it writes gets larger than _FILE bytes, and the network is out of reach where it can be.
    """
    if hasattr(os, "setsid"):
        os.setsid()
    leave_network()
    with open(os.devnull, "r+b") as nothing:
        for descriptor in (0, 1, 2):
            os.dup2(nothing.fileno(), descriptor)
    os.environ["MPLBACKEND"] = "agg"
    os.chdir(folder)
    sys.path.append(str(path.parent))  # where a notebook finds modules of the student's own
    if can_limit_memory():
        import paddle  # noqa: F401  what it takes is not the answers'

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        room = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE, _FILE))


def judge_one(answers: Answers, number: str) -> Result:
    """Judge one exercise in this process; stubs are told without running anything."""
    exercise = find(number)
    if answers.is_missing(number):
        text = tr("{file} has neither its cell nor a {name}.", file=answers.name, name=exercise.name)
        return Result(number, MISSING, remark(number, text), (text,))
    if answers.is_untouched(number):
        text = tr("not attempted yet.")
        return Result(number, Status.NOT_ATTEMPTED.value, remark(number, text), (text,))
    if fault := answers.fault(number):
        return _wrong(number, fault)
    try:
        nothing = Excerpt(room=0)
        with redirect_stdout(nothing), redirect_stderr(nothing), time_limit(_PREPARING):
            answer = answers.run(number)
    except OutOfTime:
        return _wrong(number, tr("what it needs of the notebook takes over {seconds:g} seconds.", seconds=_PREPARING))
    except BaseException as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return _wrong(number, tr("its cell, or another that it needs, raises {error}", error=text))
    verdict = examine(number, answer)
    return Result(number, verdict.status.value, verdict.message, verdict.summary)


def _wrong(number: str, fault: str) -> Result:
    return Result(number, Status.WRONG.value, not_right(number, fault), (fault,))
