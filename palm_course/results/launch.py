"""One training in several processes: PaddlePaddle's launcher starts them, and ends all when one fails."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from palm_utils.machine import find_device, start, thread_count
from palm_utils.messages import CourseError, tr

TRACEBACK = "Traceback (most recent call last)"


def refuse_processes(nproc: int, device: str | None) -> None:
    """Raise CourseError for a number of processes that cannot train here, before any of them is started."""
    import paddle

    there = paddle.distributed.get_world_size()
    if nproc < 1:
        raise CourseError("{processes} processes cannot train; it takes 1 or more", processes=nproc)
    if nproc > 1 and there > 1:
        raise CourseError(
            "This is one of {processes} processes that train together already; --nproc is for a command that is "
            "started once.",
            processes=there,
        )
    if nproc > 1 and not sys.platform.startswith("linux"):
        raise CourseError("PaddlePaddle trains in several processes on Linux only; here, train in one.")
    gpus = paddle.device.cuda.device_count() if find_device(device).startswith("gpu") else nproc
    if gpus < nproc:
        told = {"processes": nproc, "gpus": gpus}
        raise CourseError(
            "{processes} processes need as many GPUs, and there are {gpus}; or train with --device cpu", **told
        )


def launch(
    arguments: list[str], nproc: int, *, device: str | None = None, program: tuple[str, ...] = ("-m", "palm_utils")
) -> int:
    """Run `python -m palm_utils ARGUMENTS` in several processes that train together; return the exit code.

    What the first process prints is printed. When one fails, the launcher prints the end of what it has said and ends
    the others. Where the environment says nothing about threads, the processes share the cores.
    """
    start()  # what PaddlePaddle itself sets OMP_NUM_THREADS to is not asked for
    asked = any(os.environ.get(name, "").strip() for name in ("PALM_THREADS", "OMP_NUM_THREADS"))
    environment = {**os.environ, **({} if asked else {"PALM_THREADS": str(max(1, thread_count() // nproc))})}
    if find_device(device) == "cpu":
        # The launcher gives each process a GPU of those that this variable lists, even of an empty list. It knows the
        # word "all", by which CUDA finds no GPU.
        environment |= {"PADDLE_DISTRI_BACKEND": "gloo", "CUDA_VISIBLE_DEVICES": "all"}
    python = [sys.executable, "-W", "ignore"]
    with tempfile.TemporaryDirectory() as logs:
        options = {"nproc_per_node": nproc, "log_dir": logs, "log_level": "ERROR", "enable_gpu_log": False}
        told = [f"--{name}={value}" for name, value in options.items()]
        command = [*python, "-m", "paddle.distributed.launch", *told, *python, *program, *arguments]
        launcher = subprocess.Popen(command, env=environment)
        try:
            status = launcher.wait()
        except KeyboardInterrupt:
            launcher.wait()  # it has been interrupted too, and ends the processes
            print(tr("What was saved before can be gone on with (--resume)."), flush=True)
            raise
        if status:
            _tell_others(Path(logs))
    return status


def _tell_others(logs: Path) -> None:
    """Print what the processes have raised, but for the first of them.

    The launcher looks once a second and tells the first process that has failed then, perhaps because another had.
    """
    said = [log.read_text(encoding="utf-8", errors="replace") for log in sorted(logs.glob("workerlog.*"))]
    raised = [text[text.rindex(TRACEBACK) :] for text in said if TRACEBACK in text]
    print("".join(raised[1:]), end="", file=sys.stderr)
