"""`python -m palm_utils doctor`: is this machine ready for the course?

One OK, WARN or FAIL line per question; FAIL means that a chapter cannot run, WARN that one will be
slow or use stand-in data.
"""

from __future__ import annotations  # a Python that is too old is told so

import os
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from palm_utils.errors import DataError

Line = tuple  # status ("OK", "WARN" or "FAIL"), what was looked at, what was found

_GIB = 2**30
_DISK_NEEDED = 2 * _GIB  # VGG's checkpoint is about 1 GiB, and its successor is written beside it
_SHM_NEEDED = 256 * 2**20  # a few batches of 64 x 3 x 224 x 224 float32, between worker processes


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser("doctor", help="check Python, packages, device, data and disk")
    parser.set_defaults(run=lambda args: run())


def run() -> int:
    """Print the lines; return 1 when one says FAIL."""
    failed = False
    for status, what, found in lines():
        print(f"{status:4}  {what:22}  {found}", flush=True)
        failed |= status == "FAIL"
    return int(failed)


def lines() -> Iterator[Line]:
    """Yield (status, what, found); the first lines need no import of PaddlePaddle."""
    yield check_python(sys.version_info[:3])
    yield from check_packages()
    yield from check_paddle()
    yield from check_data()
    yield check_space("free disk", Path.cwd(), _DISK_NEEDED, "checkpoints need up to 2 GiB")
    if Path("/dev/shm").is_dir():
        remedy = "loading with worker processes may fail; in Docker: --shm-size=1g"
        yield check_space("/dev/shm", Path("/dev/shm"), _SHM_NEEDED, remedy)


def check_python(version: tuple) -> Line:
    shown = ".".join(map(str, version))
    if version[:2] < (3, 10):
        return "FAIL", "Python", f"{shown}; the course needs 3.10, 3.11 or 3.12"
    if version[:2] > (3, 12):
        return "WARN", "Python", f"{shown}; the course is tested with 3.10 to 3.12"
    return "OK", "Python", shown


def check_packages() -> Iterator[Line]:
    """Compare what is installed with the bounds that palm_utils was installed with."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        yield "FAIL", "packages", "not installed; run `make setup`, or pip install -r requirements.txt"
        return
    try:
        declared = metadata.requires("palm-utils") or []
    except metadata.PackageNotFoundError:
        yield "FAIL", "palm_utils", "not installed; run `make setup`, or pip install --no-deps -e ."
        return
    for requirement in map(Requirement, declared):
        if requirement.marker and not requirement.marker.evaluate():
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield "FAIL", requirement.name, "not installed; run `make setup`"
            continue
        if requirement.specifier.contains(version, prereleases=True):
            yield "OK", requirement.name, version
        else:
            yield "WARN", requirement.name, f"{version}; the course is tested with {requirement.specifier}"


def check_paddle() -> Iterator[Line]:
    """PaddlePaddle's version, the device it will compute on, and its threads."""
    from palm_utils import threads

    try:
        import paddle
    except Exception as error:  # a broken native library raises more than ImportError
        yield "FAIL", "paddle", f"cannot be imported ({error}); run `make setup`"
        return
    version = tuple(int(part) for part in paddle.__version__.split(".")[:3] if part.isdigit())
    status = "OK" if version >= (2, 6, 2) else "FAIL"
    yield (
        status,
        "paddle",
        paddle.__version__ + ("" if status == "OK" else "; the course needs 2.6.2 or newer"),
    )
    if not paddle.device.is_compiled_with_cuda():
        yield "OK", "device", "cpu (a build for the CPU)"
    elif gpus := paddle.device.cuda.device_count():
        yield "OK", "device", f"gpu ({gpus} x {paddle.device.cuda.get_device_name(0)})"
    else:
        yield "WARN", "device", "cpu: a build for GPUs, but it sees none (driver or CUDA libraries missing?)"
    yield "OK", "threads", f"{threads.in_use()} of {os.cpu_count()} cores (PALM_THREADS sets it)"


def check_data() -> Iterator[Line]:
    """Which data sets are real, which will be the sample; one that is there but unusable is a FAIL."""
    try:
        from palm_utils.datasets import existing
    except ImportError as error:
        yield "FAIL", "data", f"cannot be looked for ({error}); run `make setup`"
        return
    for name in ("palm", "mnist", "cifar10"):
        try:
            found = existing(name)
        except DataError as error:
            yield "FAIL", f"data: {name}", str(error)
            continue
        if found is None:
            yield "WARN", f"data: {name}", "absent; the sample will be made when first used"
        else:
            yield "OK" if found.is_real else "WARN", f"data: {name}", str(found)


def check_space(what: str, folder: Path, needed: int, remedy: str) -> Line:
    free = shutil.disk_usage(folder).free
    shown = f"{free / _GIB:.1f} GiB free"
    return ("OK", what, shown) if free >= needed else ("WARN", what, f"{shown}; {remedy}")
