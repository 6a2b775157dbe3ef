"""`python -m palm_utils doctor`: is this machine ready for the course?

One OK, WARN or FAIL line per question; FAIL means that a chapter cannot run, WARN that one will be
slow or use stand-in data. Those three words are the same in every language, like the names of packages.
"""

from __future__ import annotations  # a Python that is too old is told so

import os
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from palm_utils.messages import DataError, pad, tr

Line = tuple  # status ("OK", "WARN" or "FAIL"), what was looked at, what was found

# Compute capabilities that the GPU build on PyPI, PaddlePaddle 2.6.2, has machine code for; as tools/setup_env.py.
GPU_BUILD_FROM, GPU_BUILD_BELOW = (6, 1), (9, 0)
_GIB = 2**30
_DISK_NEEDED = 2 * _GIB  # VGG's checkpoint is about 1 GiB, and its successor is written beside it
_SHM_NEEDED = 256 * 2**20  # a few batches of 64 x 3 x 224 x 224 float32, between worker processes


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser("doctor", help=tr("check Python, packages, device, data and disk"))
    parser.set_defaults(run=lambda args: run())


def run() -> int:
    """Print the lines; return 1 when one says FAIL."""
    failed = False
    for status, what, found in lines():
        print(f"{status:4}  {pad(what, 22)}  {found}", flush=True)
        failed |= status == "FAIL"
    return int(failed)


def lines() -> Iterator[Line]:
    """Yield (status, what, found); the first lines need no import of PaddlePaddle."""
    yield check_python(sys.version_info[:3])
    yield from check_packages()
    yield from check_paddle()
    yield from check_data()
    yield check_space(tr("free disk"), Path.cwd(), _DISK_NEEDED, tr("checkpoints need up to 2 GiB"))
    if Path("/dev/shm").is_dir():
        remedy = tr("loading with worker processes may fail; in Docker: --shm-size=1g")
        yield check_space("/dev/shm", Path("/dev/shm"), _SHM_NEEDED, remedy)


def check_python(version: tuple) -> Line:
    shown = ".".join(map(str, version))
    if version[:2] < (3, 10):
        return "FAIL", "Python", tr("{found}; the course needs 3.10, 3.11 or 3.12", found=shown)
    if version[:2] > (3, 12):
        return "WARN", "Python", tr("{found}; the course is tested with 3.10 to 3.12", found=shown)
    return "OK", "Python", shown


def check_packages() -> Iterator[Line]:
    """Compare what is installed with the bounds that palm_utils was installed with."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        yield "FAIL", tr("packages"), tr("not installed; run `make setup`, or pip install -r requirements.txt")
        return
    try:
        declared = metadata.requires("palm-utils") or []
    except metadata.PackageNotFoundError:
        yield "FAIL", "palm_utils", tr("not installed; run `make setup`, or pip install --no-deps -e .")
        return
    for requirement in map(Requirement, declared):
        if requirement.marker and not requirement.marker.evaluate():
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield "FAIL", requirement.name, tr("not installed; run `make setup`")
            continue
        if requirement.specifier.contains(version, prereleases=True):
            yield "OK", requirement.name, version
        else:
            found = tr("{found}; the course is tested with {bounds}", found=version, bounds=requirement.specifier)
            yield "WARN", requirement.name, found


def check_paddle() -> Iterator[Line]:
    """PaddlePaddle's version, the device it will compute on, and its threads."""
    try:
        from palm_utils import machine  # before PaddlePaddle, which has something to say when it is imported

        import paddle  # isort: skip
    except Exception as error:  # a broken native library raises more than ImportError
        yield "FAIL", "paddle", tr("cannot be imported ({error}); run `make setup`", error=error)
        return
    version = tuple(int(part) for part in paddle.__version__.split(".")[:3] if part.isdigit())
    if version >= (2, 6, 2):
        yield "OK", "paddle", paddle.__version__
    else:
        yield "FAIL", "paddle", tr("{found}; the course needs 2.6.2 or newer", found=paddle.__version__)
    if not paddle.device.is_compiled_with_cuda():
        yield "OK", tr("device"), tr("cpu (a build for the CPU)")
    elif gpus := paddle.device.cuda.device_count():
        name, capability = paddle.device.cuda.get_device_name(0), paddle.device.cuda.get_device_capability(0)
        if version >= (3,) or GPU_BUILD_FROM <= capability < GPU_BUILD_BELOW:
            yield "OK", tr("device"), f"gpu ({gpus} x {name})"
        else:
            found = tr(
                "gpu: PaddlePaddle {version} from PyPI has no code for {name} (compute capability {capability}); "
                "README.md says where another build comes from, `make setup PADDLE=cpu` does without the GPU",
                version=paddle.__version__,
                name=name,
                capability=".".join(map(str, capability)),
            )
            yield "FAIL", tr("device"), found
    else:
        found = tr("cpu: a build for GPUs, but it sees none (driver or CUDA libraries missing?)")
        yield "WARN", tr("device"), found
    number = machine.threads_in_use()
    found = tr("{threads} of {cores} cores (PALM_THREADS sets it)", threads=number, cores=os.cpu_count())
    yield "OK", tr("threads"), found


def check_data() -> Iterator[Line]:
    """Which data sets are real, which will be the sample; one that is there but unusable is a FAIL."""
    try:
        from palm_utils.datasets import existing
    except ImportError as error:
        yield "FAIL", tr("data"), tr("cannot be looked for ({error}); run `make setup`", error=error)
        return
    for name in ("palm", "mnist", "cifar10"):
        try:
            found = existing(name)
        except DataError as error:
            yield "FAIL", tr("data: {name}", name=name), str(error)
            continue
        if found is None:
            found = tr("absent; the sample will be made when first used")
            yield "WARN", tr("data: {name}", name=name), found
        else:
            yield "OK" if found.is_real else "WARN", tr("data: {name}", name=name), found.describe()


def check_space(what: str, folder: Path, needed: int, remedy: str) -> Line:
    free = shutil.disk_usage(folder).free
    shown = tr("{size:.1f} GiB free", size=free / _GIB)
    return (
        ("OK", what, shown) if free >= needed else ("WARN", what, tr("{found}; {remedy}", found=shown, remedy=remedy))
    )
