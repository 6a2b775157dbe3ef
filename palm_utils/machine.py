"""Set a process up for training: number of threads, faster ways on a CPU, random seeds, CPU or GPU.

Chapter 1 introduces seeds. `seed_everything` and `train_pm` call `start()`; a script that trains without them must call
it before it computes anything.

Import this module before PaddlePaddle: it silences messages that tell a student nothing. The import loads no
PaddlePaddle.
"""

from __future__ import annotations  # `python -m palm_utils doctor` runs on any Python

import os
import platform
import random
import sys
import warnings

import numpy as np

from palm_utils import cpu
from palm_utils.messages import CourseError, WrongArgument, mark, tr

os.environ.setdefault("GLOG_minloglevel", "1")  # PaddlePaddle logs that its executor runs
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # the readers report a photograph that cannot be read
warnings.filterwarnings("ignore", message="No ccache found")  # a compiler cache, not needed here
# PaddlePaddle sets OMP_NUM_THREADS to 1 where it is unset, so it is read here. If PaddlePaddle is loaded already, a 1
# is taken to be its own, except in the processes of its launcher, which share the cores.
_omp_threads = os.environ.get("OMP_NUM_THREADS", "").strip()
if "paddle" in sys.modules and _omp_threads == "1" and "PADDLE_TRAINER_ID" not in os.environ:
    _omp_threads = ""
EPOCH_NUM = 5  # the tutorial's
_threads: int | None = None  # the number that PaddlePaddle has been set to


def start(threads: int | None = None) -> None:
    """Set this process up: number of threads, the faster ways on a CPU (palm_utils.cpu), no needless warnings.

    threads: by default the number set before, so that a second call changes nothing, or else `thread_count()`. Raises
    WrongArgument unless it is a whole number of at least 1.
    """
    global _threads
    for name in [name for name, value in os.environ.items() if name.startswith("PALM_") and not value.strip()]:
        del os.environ[name]  # an empty variable means unset; chapter 3 asks whether PALM_EPOCHS is there
    if threads is None and _threads is not None:
        return
    number = thread_count() if threads is None else threads
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise WrongArgument("threads is {number!r}; it must be a whole number of at least 1", number=number)
    # Warnings without news: of a batch norm in training mode, and of paddle.Model, which makes tensors of tensors.
    for message in ("When training, we now always track global mean and variance", "To copy construct from a tensor"):
        warnings.filterwarnings("ignore", message=message)
    import paddle

    cpu.use()
    paddle.base.core.set_num_threads(number)
    _threads = number
    os.environ.pop("OMP_NUM_THREADS", None)  # so that child processes do not inherit PaddlePaddle's 1
    if _omp_threads:
        os.environ["OMP_NUM_THREADS"] = _omp_threads


def thread_count() -> int:
    """Return the number of threads that PALM_THREADS or OMP_NUM_THREADS asks for, or else the number of cores.

    The last digits of a loss depend on it. Raises CourseError when a variable is not a number of at least 1.
    """
    asked = {"PALM_THREADS": os.environ.get("PALM_THREADS", "").strip(), "OMP_NUM_THREADS": _omp_threads}
    name, value = next(((name, value) for name, value in asked.items() if value), (None, None))
    if name is None:
        import joblib

        return joblib.cpu_count()  # unlike os.cpu_count, it knows the limits of containers and of this process
    if not value.isdigit() or int(value) < 1:
        raise CourseError(
            "The environment variable {name} is {value!r}; it must be a number of threads, 1 or more.",
            name=name,
            value=value,
        )
    return int(value)


def threads_in_use() -> int:
    """Return the number of threads that PaddlePaddle uses in this process, or will use after `start()`."""
    return thread_count() if _threads is None else _threads


def seed_everything(seed: int) -> None:
    """Call `start()`; seed `random` (file order), numpy (shuffling, augmentation), PaddlePaddle (weights, dropout)."""
    import paddle

    start()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    paddle.seed(seed)


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of one epoch of a run, so that a resumed run equals an uninterrupted one."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


def use_device(device: str | None) -> str:
    """Call `start()`, let PaddlePaddle compute on `find_device(device)`, and return PaddlePaddle's name for it."""
    import paddle

    start()
    return str(paddle.device.set_device(find_device(device)))


def find_device(device: str | None) -> str:
    """Return `device` ("cpu", "gpu", "gpu:0"); for None, "gpu" where there is one, else "cpu".

    Raises CourseError when a GPU is asked for and there is none: PaddlePaddle would end the process silently.
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
    """Return versions, device and threads, which a reader needs to judge or repeat a measurement."""
    import paddle

    start()
    versions = {"python": platform.python_version(), "paddle": paddle.__version__, "numpy": np.__version__}
    where = {"device": paddle.device.get_device(), "threads": str(threads_in_use())}
    return {**versions, **where, "processor": platform.processor() or platform.machine()}


def machine_line() -> str:
    """Return `describe_machine` as one line for the top of a chapter."""
    line = mark("Python {python}, PaddlePaddle {paddle}, numpy {numpy}, {device}, {threads} thread(s)")
    return tr(line, **describe_machine())


def from_environment(epochs: int | None, resume: bool | str | None) -> tuple[int, int | None, bool | str | None]:
    """Return (epochs, photographs to train on or None for all, resume) of a training.

    epochs: as passed, else PALM_EPOCHS, else the notebook's EPOCH_NUM, else 5. Photographs: PALM_IMAGES. resume: as
    passed, else PALM_RESUME. Raises CourseError when one of these numbers is not a whole number of at least 1.
    """
    asked = {name: os.environ.get(name, "").strip() for name in ("PALM_EPOCHS", "PALM_IMAGES")}
    asked["epochs"] = "" if epochs is None else str(epochs)
    if epochs is None and not asked["PALM_EPOCHS"]:
        asked["EPOCH_NUM"] = str(getattr(sys.modules["__main__"], "EPOCH_NUM", EPOCH_NUM))
    for name, value in asked.items():
        if value and (not value.isdecimal() or int(value) < 1):
            raise CourseError("{name} is {value!r}; it must be a whole number of at least 1", name=name, value=value)
    resume = (os.environ.get("PALM_RESUME", "").strip() or None) if resume is None else resume
    epochs = int(asked["epochs"] or asked["PALM_EPOCHS"] or asked["EPOCH_NUM"])
    return epochs, int(asked["PALM_IMAGES"] or 0) or None, resume


def refuse(size: int, n: int, amp: bool, device: str, replicas: int = 1) -> None:
    """Raise CourseError if n processes cannot share a batch of `size` evenly, and for what needs another device."""
    if size % n:
        template = mark("A batch of {size} cannot be shared evenly by {n} processes: choose a multiple of {n}.")
        raise CourseError(template, size=size, n=n)
    if amp and not device.startswith("gpu"):
        template = mark("Mixed precision (amp) needs a GPU, and this training is on the {device}: train without amp.")
        raise CourseError(template, device=device)
    if replicas != 1 and (not isinstance(replicas, int) or replicas not in range(2, 65) or n > 1 or device != "cpu"):
        template = mark(
            "replicas={replicas}: 2 or more share the cores of a CPU in one process, not a GPU or with --nproc"
        )
        raise CourseError(template, replicas=replicas)
