"""Starting the processes of `python -m palm_utils train … --nproc 2`, and ending them together."""

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from multiprocessing import connection
from typing import Any

from palm_utils import distributed, threads
from palm_utils.messages import CourseError, tr

# How often is looked for a process that has failed, and how long an interrupted one may take to end, in seconds.
_LOOK = 0.2
_GRACE = 10.0
_INTERRUPTED = 130


def refuse(processes: int, batch_size: int, device: str | None) -> None:
    """Raise CourseError for a number of processes that cannot train here, before any of them is started."""
    if processes < 1:
        raise CourseError(tr("{processes} processes cannot train; it takes 1 or more", processes=processes))
    if processes == 1:
        return
    if distributed.world()[1] > 1:
        raise CourseError(
            tr(
                "This is one of {processes} processes that train together already; --nproc is for a command that is "
                "started once.",
                processes=distributed.world()[1],
            )
        )
    distributed.refuse_platform()
    distributed.refuse_uneven(batch_size, processes)
    gpus = _gpus(device)
    if 0 < gpus < processes:
        raise CourseError(
            tr(
                "{processes} processes need as many GPUs, and there are {gpus}; or train with --device cpu",
                processes=processes,
                gpus=gpus,
            )
        )


def start(function: Callable[[Any], None], argument: Any, processes: int, *, device: str | None = None) -> None:
    """Call function(argument) in each of several new processes that train together, and wait for them.

    function: of a module's top level; argument: something that can be pickled. Where the environment says nothing
    about threads, the processes share the cores.

    Raises CourseError when one of them fails, KeyboardInterrupt when one is interrupted. None is left running.
    """
    import paddle

    method, on_gpus = multiprocessing.get_context("forkserver"), _gpus(device) > 0
    # palm_utils before PaddlePaddle, as everywhere; CUDA does not survive a fork.
    computing = [] if on_gpus else ["numpy", "cv2", "paddle", "nbformat"]
    method.set_forkserver_preload(["palm_utils", *computing])
    errors = method.SimpleQueue()
    options = {"backend": "nccl" if on_gpus else "gloo", "start_method": "forkserver"}
    with _made_for_processes(processes) as environment:
        arguments = (function, argument, environment, errors)
        # Held until the end: there is more in it that the processes need in order to start.
        context = paddle.distributed.spawn(_work, arguments, processes, join=False, daemon=True, **options)
    started = context.processes
    try:
        _wait(started, errors)
    except KeyboardInterrupt:
        # Each has heard of it, or does now; they stop together at the end of a batch, or at once the second time.
        for process in started:
            if process.is_alive():
                os.kill(process.pid, signal.SIGINT)
        connection.wait([process.sentinel for process in started])
        for process in started:
            process.join(_GRACE)
        raise
    finally:
        # At once: a save that is cut off does no harm (palm_utils.checkpoints).
        for process in started:
            process.kill()
            process.join()


def _wait(processes: list, errors) -> None:
    running = {process.sentinel: process for process in processes}
    while running:
        for sentinel in connection.wait([*running], _LOOK):
            process = running.pop(sentinel)
            process.join()
            if process.exitcode == _INTERRUPTED:
                raise KeyboardInterrupt
            if process.exitcode and errors.empty():
                number = processes.index(process)
                raise CourseError(
                    tr(
                        "Process {number} of {processes} {end}, and the others were ended with it. What was saved "
                        "before can be gone on with (--resume).",
                        number=number,
                        processes=len(processes),
                        end=_end(process.exitcode),
                    )
                )
        if not errors.empty():
            raise CourseError(errors.get())


def _end(code: int) -> str:
    if code >= 0:
        return tr("ended with exit code {code}", code=code)
    name = signal.Signals(-code).name
    if name == "SIGKILL":
        return tr("was ended by {signal} (was there enough memory?)", signal=name)
    return tr("was ended by {signal}", signal=name)


def _work(function: Callable[[Any], None], argument: Any, environment: dict[str, str], errors) -> None:
    """Call function(argument) in one of the processes; whoever fails says why, and waits to be ended."""
    import paddle

    threading.Thread(target=_end_with_parent, daemon=True).start()
    paddle.disable_signal_handler()
    for name in [name for name in os.environ if name.startswith("PALM_") and name not in environment]:
        del os.environ[name]  # which the fork server was started with, and this process's parent no longer has
    os.environ.update(environment)
    threads.use(threads.count())
    try:
        function(argument)
        distributed.leave()
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    except (CourseError, OSError) as error:
        _fail(errors, str(error))
    except BaseException:
        rank, processes = distributed.world()
        _fail(errors, f"Process {rank} of {processes} failed, and the others were ended with it.\n{_last_lines()}")


def _fail(errors, message: str) -> None:
    errors.put(message)
    # Gone, it would make the others fail too, each with a report of its own.
    _end_with_parent()


def _end_with_parent() -> None:
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _last_lines() -> str:
    return traceback.format_exc()[-3000:]  # a pipe takes that much at once


def _gpus(device: str | None) -> int:
    import paddle

    return paddle.device.cuda.device_count() if paddle.device.is_compiled_with_cuda() and device != "cpu" else 0


@contextlib.contextmanager
def _made_for_processes(number: int) -> Iterator[dict[str, str]]:
    """Yield the environment of the processes to be started; keep quiet what PaddlePaddle says when it starts them."""
    own = ("PADDLE_", "FLAGS_")  # what PaddlePaddle sets differently for each
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    if not any(environment.get(name, "").strip() for name in ("PALM_THREADS", "OMP_NUM_THREADS")):
        environment["PALM_THREADS"] = str(max(1, threads.count() // number))
    # Ctrl-C waits until they have something to stop (distributed.interrupted_together).
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    disabled = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Your model will be trained under CPUONLY mode")
            yield environment
    finally:
        logging.disable(disabled)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
