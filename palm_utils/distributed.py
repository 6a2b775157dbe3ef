"""Training one network in several processes, with PaddlePaddle's own collective training.

Each process takes an equal part of every batch, and paddle.DataParallel averages their gradients. Processes are
started by `python -m palm_utils train ... --nproc 2` (palm_course.results.processes), or by
`python -m paddle.distributed.launch`, on several machines too. They talk by gloo on CPUs and by NCCL on GPUs.
Where there is only one process, nothing here waits for, changes or sends anything.
"""

import atexit
import contextlib
import io
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

from palm_utils.messages import CourseError, tr

Item = TypeVar("Item")
Result = TypeVar("Result")

_meetings = itertools.count()
# Whether somebody has pressed Ctrl-C while `interrupted_together` listens.
_interrupted = False


def world() -> tuple[int, int]:
    """Return this process's number and how many there are; (0, 1) outside of distributed training."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0")), int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def join() -> None:
    """Connect to the other processes, to train on the device that is set; the second time nothing is done."""
    import paddle

    if world()[1] == 1 or paddle.distributed.is_initialized():
        return
    refuse_platform()
    if not paddle.device.get_device().startswith("gpu"):
        os.environ["PADDLE_DISTRI_BACKEND"] = "gloo"
    meet()
    with contextlib.redirect_stderr(io.StringIO()):  # PaddlePaddle lists flags that it has set itself
        paddle.distributed.init_parallel_env()
    atexit.register(leave)


def leave() -> None:
    """Part from the other processes; nothing is done where there are none."""
    import paddle

    if world()[1] > 1 and paddle.distributed.is_initialized():
        paddle.distributed.destroy_process_group()


def refuse_platform() -> None:
    """Raise CourseError where PaddlePaddle cannot train in several processes."""
    import paddle

    if not sys.platform.startswith("linux") or not paddle.distributed.is_available():
        raise CourseError(tr("PaddlePaddle trains in several processes on Linux only; here, train in one."))


def refuse_uneven(batch_size: int, processes: int) -> None:
    """Raise CourseError for a batch of which not every process gets as much."""
    if batch_size % processes:
        raise CourseError(
            tr(
                "A batch of {batch_size} cannot be shared evenly by {processes} processes: choose a batch size that is "
                "a multiple of {processes}, or another number of processes.",
                batch_size=batch_size,
                processes=processes,
            )
        )


def meet() -> None:
    """Return when every process has come here, however long that takes.

    Gloo gives up when one process is 30 s behind another, which PaddlePaddle (2.6 to 3.3) lets nobody change;
    reading photographs, or saving a large network, can take longer.
    """
    from paddle.base import core

    processes = world()[1]
    if processes == 1:
        return
    key = f"palm_utils/meeting/{next(_meetings)}"

    def wait() -> None:
        store = core.create_or_get_global_tcp_store()
        if store.add(key, 1) == processes:
            store.set(f"{key}/complete", "1")
        store.wait(f"{key}/complete")

    _together(wait)


def begun_together(items: Iterable[Item]) -> Iterator[Item]:
    """Yield items, the first of them when every process has its own."""
    for number, item in enumerate(items):
        if number == 0:
            meet()
        yield item


def by_first(function: Callable[[], Result]) -> Result:
    """Return in every process what function() returns in the first, the only one to call it.

    That must be something that can be pickled. What it raises in the first process, the others raise as a
    CourseError with the same text.
    """
    import paddle

    rank, processes = world()
    if processes == 1:
        return function()
    result = raised = None
    if rank == 0:
        try:
            result = function()
        except Exception as error:
            raised = error
    meet()
    sent = [(result, None if raised is None else f"{type(raised).__name__}: {raised}")]
    _together(paddle.distributed.broadcast_object_list, sent, src=0)
    if raised is not None:
        raise raised
    result, message = sent[0]
    if message is not None:
        raise CourseError(message)
    return result


def state_of_first(state: dict) -> dict:
    """Return the first process's `state`, an optimizer's state dict, in every process.

    Tensors travel one by one: pickled together they would need the memory of a large network several times.
    """
    import paddle

    if world()[1] == 1:
        return state
    everywhere, contents = {}, by_first(lambda: {key: _told(value) for key, value in state.items()})
    for key, told in contents.items():
        if told["kind"] == "tensor":
            value = state[key] if key in state else paddle.empty(told["shape"], told["dtype"])
            _together(paddle.distributed.broadcast, value, src=0)
        else:
            value = state_of_first(state.get(key, {})) if told["kind"] == "dict" else told["value"]
        everywhere[key] = value
    return everywhere


def _told(value) -> dict:
    import paddle

    if isinstance(value, paddle.Tensor):
        return {"kind": "tensor", "shape": list(value.shape), "dtype": str(value.dtype).removeprefix("paddle.")}
    return {"kind": "dict"} if isinstance(value, dict) else {"kind": "value", "value": value}


def part_of_batches(order: list[int], batch_size: int) -> list[list[int]]:
    """Return this process's part of an epoch's batches: of each `batch_size` numbers in a row, an equal share.

    order: the same in every process. In the last batch up to a number of processes less one come twice, so that
    each process has as many. Raises CourseError for a batch that cannot be shared evenly.
    """
    from paddle.io import DistributedBatchSampler

    rank, processes = world()
    refuse_uneven(batch_size, processes)
    sampler = DistributedBatchSampler(order, batch_size // processes, num_replicas=processes, rank=rank)
    return [[order[i] for i in batch] for batch in sampler]


def averaging(model):
    """Return a model that computes the same and averages gradients over the processes; in one process, the model.

    All processes start from the first one's parameters. Raises CourseError for a model that was trained so before
    with parameters frozen that are to change now.
    """
    import paddle

    if world()[1] == 1:
        return model
    trained = [p.name for p in model.parameters() if p.trainable]
    # Beside its layers, so that state_dict does not know it; a second one would average a second time.
    known = vars(model).get("_averaging")
    if known is None:
        known = vars(model)["_averaging"] = paddle.DataParallel(model)
        known.trained = trained
    elif set(trained) - set(known.trained):
        raise CourseError(
            tr("Several processes cannot train parameters that were frozen when they first trained a model.")
        )
    else:
        for value in model.state_dict().values():
            _together(paddle.distributed.broadcast, value, src=0)
    return known


def means(losses: list) -> list[float]:
    """Return the mean over the processes of each of the tensors [] in `losses`, the same in every process.

    Raises KeyboardInterrupt in all of them when one was interrupted (see interrupted_together).
    """
    import paddle

    processes = world()[1]
    if processes == 1:
        return [loss.item() for loss in losses]
    values = paddle.stack([*losses, paddle.full([], float(_interrupted), losses[0].dtype)])
    _together(paddle.distributed.all_reduce, values)
    *sums, interrupted = values.tolist()
    if interrupted:
        raise KeyboardInterrupt
    return [value / processes for value in sums]


def whole(part: np.ndarray, places: list[int], number: int) -> np.ndarray:
    """Return float64 [number] of which each process has `part`, the values at `places`."""
    import paddle

    values = np.zeros(number)
    values[places] = part
    meet()
    # A sum with zeros, since gathering objects hangs with gloo (PaddlePaddle 3.3).
    total = paddle.to_tensor(values)
    _together(paddle.distributed.all_reduce, total)
    return total.numpy()


def agree_on_statistics(model) -> None:
    """Give every process what the first keeps without training it: batch norm's running means, of its own images."""
    import paddle

    if world()[1] > 1:
        for value in model.state_dict().values():
            if value.stop_gradient:
                _together(paddle.distributed.broadcast, value, src=0)


def _together(collective: Callable, *args, **options) -> None:
    """Call what all processes call together; raise CourseError where one is missing."""
    try:
        collective(*args, **options)
    except (RuntimeError, OSError, ValueError) as error:
        raise CourseError(
            tr(
                "Another process has ended, or is more than 30 s behind this one; its own output says why. What was "
                "saved before can be gone on with (--resume). [{error}]",
                error=str(error).strip().splitlines()[-1],
            )
        ) from error


@contextmanager
def interrupted_together() -> Iterator[None]:
    """Let Ctrl-C stop all processes at the next loss that they read, so that none waits for one that has gone.

    In a single process Ctrl-C is left as it is.
    """
    global _interrupted

    def note(number, frame):
        global _interrupted
        _interrupted = True

    if world()[1] == 1 or threading.current_thread() is not threading.main_thread():
        yield
        return
    _interrupted = False
    before = signal.signal(signal.SIGINT, note)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # see palm_course.results.processes
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
