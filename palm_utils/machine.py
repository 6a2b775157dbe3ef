"""What happens where: threads, faster ways on a CPU, seeds, and the device that PaddlePaddle computes on.

`start()` sets a process up for training. `seed_everything`, with which the chapters begin, and `train_pm` call it; a
script that trains without them calls it itself, before it computes anything.

Importing this module does what has to come before `import paddle`, and no more: it keeps back messages that
are no news to a student. It does not import PaddlePaddle.
"""

from __future__ import annotations  # the doctor has to run on any Python

import multiprocessing
import os
import platform
import random
import sys
import threading
import warnings
from contextlib import suppress
from functools import lru_cache
from multiprocessing import connection, util

import numpy as np

from palm_utils import cpu
from palm_utils.messages import CourseError, WrongArgument

os.environ.setdefault("GLOG_minloglevel", "1")  # PaddlePaddle's executor says that it runs
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # the readers name a photograph that cannot be read
warnings.filterwarnings("ignore", message="No ccache found")  # a cache for compilers that nobody here needs
# PaddlePaddle sets the variable to 1 where it is unset, so it is looked up here. Where PaddlePaddle came first, a 1 is
# taken for its own, except in the processes of its launcher, which share the cores.
_omp_threads = os.environ.get("OMP_NUM_THREADS", "").strip()
if "paddle" in sys.modules and _omp_threads == "1" and "PADDLE_TRAINER_ID" not in os.environ:
    _omp_threads = ""
_threads: int | None = None  # what PaddlePaddle was told


def start(threads: int | None = None) -> None:
    """Set this process up: `threads` threads, the faster ways on a CPU (palm_utils.cpu), no needless warnings.

    A second call changes nothing.

    threads: by default what PaddlePaddle was told before, or else `thread_count()`.
    """
    if threads is not None or _threads is None:
        use_threads(thread_count() if threads is None else threads)


def thread_count() -> int:
    """Return the number of threads that PALM_THREADS or OMP_NUM_THREADS asks for, or else of the cores there are.

    Losses depend on it in their last digits. Raises CourseError when a variable is not a number of at least 1.
    """
    asked = {"PALM_THREADS": os.environ.get("PALM_THREADS", "").strip(), "OMP_NUM_THREADS": _omp_threads}
    name, value = next(((name, value) for name, value in asked.items() if value), (None, None))
    if name is None:
        import joblib

        return joblib.cpu_count()  # knows the limits of containers and of this process, which os.cpu_count does not
    if not value.isdigit() or int(value) < 1:
        raise CourseError(
            "The environment variable {name} is {value!r}; it must be a number of threads, 1 or more.",
            name=name,
            value=value,
        )
    return int(value)


def threads_in_use() -> int:
    """Return the number of threads that PaddlePaddle computes on in this process, or will after `start()`."""
    return thread_count() if _threads is None else _threads


def use_threads(number: int) -> None:
    """Start with `number` threads, or change their number. Raises WrongArgument unless it is a number of at least 1."""
    global _threads
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise WrongArgument("number is {number!r}; it must be a whole number of at least 1", number=number)
    # A batch norm in training mode says that it does what it is meant to do; paddle.Model makes tensors of tensors.
    for message in ("When training, we now always track global mean and variance", "To copy construct from a tensor"):
        warnings.filterwarnings("ignore", message=message)
    import paddle

    cpu.use()
    paddle.base.core.set_num_threads(number)
    _threads = number
    os.environ.pop("OMP_NUM_THREADS", None)  # PaddlePaddle's own 1 is not meant for what this process starts
    if _omp_threads:
        os.environ["OMP_NUM_THREADS"] = _omp_threads


def seed_everything(seed: int) -> None:
    """Start, and seed `random` (order of files), numpy (shuffling, augmentation), PaddlePaddle (weights, dropout)."""
    import paddle

    start()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    paddle.seed(seed)


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of one epoch of a run. A resumed run thus goes on as an uninterrupted one would."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


def use_device(device: str | None) -> str:
    """Start, let PaddlePaddle compute on what find_device returns, and return the name that PaddlePaddle gives it."""
    import paddle

    start()
    return str(paddle.device.set_device(find_device(device)))


def find_device(device: str | None) -> str:
    """Return `device` ("cpu", "gpu", "gpu:0"), or for None "gpu" where there is one, else "cpu".

    Raises CourseError when a GPU is asked for and there is none: PaddlePaddle would end the process without a word.
    """
    import paddle

    gpus = paddle.device.cuda.device_count() if paddle.device.is_compiled_with_cuda() else 0
    if device is not None and device.startswith("gpu") and not gpus:
        raise CourseError(
            "device={device!r}, but PaddlePaddle {version} sees no GPU here. Leave `device` out to use the "
            "CPU; `python -m palm_utils doctor` shows what PaddlePaddle sees.",
            device=device,
            version=paddle.__version__,
        )
    return device or ("gpu" if gpus else "cpu")


def on_gpu() -> bool:
    """Tell whether PaddlePaddle computes on a GPU."""
    import paddle

    return paddle.device.get_device().startswith("gpu")


def describe_machine() -> dict[str, str]:
    """Return versions, device and threads: what a reader needs to judge or repeat a measured figure."""
    import paddle

    start()
    versions = {"python": platform.python_version(), "paddle": paddle.__version__, "numpy": np.__version__}
    where = {"device": paddle.device.get_device(), "threads": str(threads_in_use())}
    return {**versions, **where, "processor": platform.processor() or platform.machine()}


def machine_line() -> str:
    """Return `describe_machine` as one line for the top of a chapter."""
    line = "Python {python}, PaddlePaddle {paddle}, numpy {numpy}, {device}, {threads} thread(s)"
    return line.format(**describe_machine())


@lru_cache
def end_workers_with_this_process() -> None:
    """Let the processes that multiprocessing forks from now on end when this one has ended, however that came.

    A worker of PaddlePaddle's DataLoader waits for its next batch without end (2.6 to 3.3). The workers of a kernel
    that was killed, by hand or because the memory ran out, would stay with all that they hold.
    """
    util.register_after_fork(_wait_for_parent, lambda wait: threading.Thread(target=wait, daemon=True).start())


def _wait_for_parent() -> None:
    connection.wait([multiprocessing.parent_process().sentinel])
    with suppress(Exception):
        sys.modules["paddle.base.core"]._cleanup_mmap_fds()  # shared memory, which would outlive all processes
    os._exit(1)
