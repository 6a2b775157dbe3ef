"""`python -m palm_utils doctor`: is this machine ready for the course?

One OK, WARN or FAIL line per question; FAIL means that a chapter cannot run, WARN that one will be slow or use stand-in
data. Those three words are the same in every language. It runs on any Python from 3.8 on.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from palm_course import installed, supported
from palm_course.terminal import pad
from palm_utils.messages import CourseError, mark, tr

Line = tuple  # status ("OK", "WARN" or "FAIL"), what was looked at, what was found

_ROOT = Path(__file__).resolve().parents[1]
_GIB = 2**30
_DISK_NEEDED = 4 * _GIB  # VGG with Adam, while one generation of checkpoints takes the other's place
_MEMORY_NEEDED = 5.5 * _GIB  # VGG with Adam: 5.0
_SHM_NEEDED = 256 * 2**20  # a few batches of 64 x 3 x 224 x 224 float32, between worker processes
_FOREIGN = mark("{version} from {folder}, not from this environment; unset PYTHONPATH")
# Run in a process of its own, which a broken library may end.
_IMPORT = """
import importlib, json, sys
for name in sys.argv[1:]:
    try:
        told = name, getattr(importlib.import_module(name), "__file__", None) or "", ""
    except BaseException as error:
        told = name, "", f"{type(error).__name__}: {error}"
    print("\\n#told", json.dumps(told), flush=True)
"""


def run() -> int:
    """Print the lines; return 1 when one says FAIL."""
    failed = False
    for status, what, found in lines():
        print(f"{status:4}  {pad(what, 22)}  {found}", flush=True)
        failed |= status == "FAIL"
    return int(failed)


def lines() -> Iterator[Line]:
    """Yield (status, what, found); the first lines need no import of PaddlePaddle."""
    data = [(tr("data: {name}", name=name), partial(check_data, name)) for name in ("palm", "mnist", "cifar10")]
    checks = [("Python", check_python), (tr("packages"), check_packages), ("paddle", check_paddle), *data]
    checks += [(tr("memory"), check_memory), (tr("free disk"), check_disk)]
    for what, check in checks:
        try:
            yield from check()
        except (Exception, SystemExit) as error:
            told = tr("cannot be looked at ({error})", error=f"{type(error).__name__}: {error}")
            yield "FAIL", what, str(error) if isinstance(error, CourseError) else told


def check_python(version: tuple = sys.version_info[:3]) -> Iterator[Line]:
    shown = ".".join(map(str, version))
    if supported.OLDEST <= version[:2] <= supported.NEWEST:
        yield "OK", "Python", shown
    else:
        yield "FAIL", "Python", tr("{found}; the course needs {versions}", found=shown, versions=supported.VERSIONS)


def check_packages() -> Iterator[Line]:
    """Import what the course asks for, and compare the versions with its bounds."""
    if installed.Requirement is None:
        yield "FAIL", tr("packages"), tr("not installed; {remedy}", remedy=_remedy("-r requirements.txt"))
        return
    found = installed.distributions()
    wanted = {installed.name_of(one.name): one for one in installed.read(_ROOT / "requirements-common.txt")}
    missing = [name for name in wanted if name not in found and not installed.rivals_of(name, found)]
    if len(missing) > 5:  # nothing was set up here
        mend = _remedy("-r requirements.txt")
        yield "FAIL", tr("packages"), tr("{count} are not installed; {remedy}", count=len(missing), remedy=mend)
        wanted = {name: wanted[name] for name in wanted if name not in missing}
    imports = imported([installed.module_of(name) for name in wanted if name not in missing] + ["palm_utils"])
    for name, requirement in wanted.items():
        yield _check_package(name, requirement, found, imports)
    if imports["palm_utils"][1]:
        yield "FAIL", "palm_utils", tr("not installed; {remedy}", remedy=_remedy(f'--no-deps -e "{_ROOT}"'))


def _check_package(name: str, requirement, found: dict, imports: dict) -> Line:
    rivals = installed.rivals_of(name, found)
    distribution = found.get(name) or (found[rivals[0]] if rivals else None)
    if distribution is None:
        return "FAIL", name, tr("not installed; {remedy}", remedy=_remedy(f'"{requirement}"'))
    version, (file, error) = distribution.version, imports[installed.module_of(name)]
    mend = _remedy(f'--force-reinstall --no-deps "{requirement}"', rivals)
    if error:
        return "FAIL", name, tr("cannot be imported ({error}); {remedy}", error=error, remedy=mend)
    if name in found and rivals:
        return "WARN", name, tr("{other} is in the same place; {remedy}", other=", ".join(rivals), remedy=mend)
    if _is_foreign(file):
        return "WARN", name, tr(_FOREIGN, version=version, folder=file)
    if not requirement.specifier.contains(version, prereleases=True):
        shown = tr("{found}; the course is tested with {bounds}", found=version, bounds=requirement.specifier)
        return "WARN", name, shown
    return "OK", name, version


def imported(modules: list[str]) -> dict[str, tuple[str, str]]:
    """Import modules as a notebook would; return the file of each, or else its error."""
    found, left = {}, list(modules)
    while left:
        command = [sys.executable, "-W", "ignore", "-c", _IMPORT, *left]
        run = subprocess.run(command, cwd=_ROOT / "notebooks", capture_output=True)
        lines = [line[6:] for line in run.stdout.decode(errors="replace").splitlines() if line.startswith("#told ")]
        for name, file, error in map(json.loads, lines):
            found[name] = file, error
            left.remove(name)
        if left:  # the import that ended the process
            found[left.pop(0)] = "", tr("Python ended with status {status}", status=run.returncode)
    return found


def _is_foreign(file: str) -> bool:
    """Whether a module comes from outside of the environment, which is then one with nothing of the system's in it."""
    return sys.prefix != sys.base_prefix and bool(file) and not {Path(sys.prefix), _ROOT} & {*Path(file).parents}


def _remedy(packages: str, rivals: list[str] | tuple = ()) -> str:
    """Say what installs `packages` in this Python, after `rivals` were taken away."""
    ours = Path(sys.prefix, supported.STARTED).exists()
    if ours or supported.why_not():
        place = f' --venv "{sys.prefix}"' if ours and Path(sys.prefix) != _ROOT / ".venv" else ""
        return tr("run `{command}`", command="python course.py setup" + place)
    pip = subprocess.list2cmdline([sys.executable, "-m", "pip"])
    commands = f"`{pip} uninstall -y {' '.join(rivals)}`, " if rivals else ""
    commands += f"`{pip} install {packages}`"
    return tr("run `python course.py setup`, or to mend this Python: {commands}", commands=commands)


def check_paddle() -> Iterator[Line]:
    """PaddlePaddle's version, the device it will compute on, and its threads."""
    builds = [name for name in ("paddlepaddle", "paddlepaddle-gpu") if name in installed.distributions()]
    rivals = ["paddle"] if "paddle" in installed.distributions() else builds[1:]
    mend = _remedy(f"--force-reinstall --no-deps {builds[0]}" if builds else "-r requirements.txt", rivals)
    error = imported(["paddle"])["paddle"][1]
    if "paddle" in rivals:
        error = tr("the package `paddle` has nothing to do with PaddlePaddle")
    if error:
        yield "FAIL", "paddle", tr("cannot be imported ({error}); {remedy}", error=error, remedy=mend)
        return
    if rivals:
        yield "WARN", "paddle", tr("{other} is in the same place; {remedy}", other=rivals[0], remedy=mend)
    from palm_utils import cpu, machine  # before PaddlePaddle, which has something to say when it is imported

    import paddle  # isort: skip

    version = tuple(int(part) for part in paddle.__version__.split(".")[:3] if part.isdigit())
    if _is_foreign(paddle.__file__):
        yield "WARN", "paddle", tr(_FOREIGN, version=paddle.__version__, folder=paddle.__file__)
    elif version >= (2, 6, 2):
        yield "OK", "paddle", paddle.__version__
    else:
        yield "FAIL", "paddle", tr("{found}; the course needs 2.6.2 or newer", found=paddle.__version__)
    yield _device(paddle, version)
    number, cores = machine.threads_in_use(), os.cpu_count()
    yield "OK", tr("threads"), tr("{threads} of {cores} cores (PALM_THREADS sets it)", threads=number, cores=cores)
    yield "OK", tr("faster on a CPU"), ", ".join(f"{measure}: {state}" for measure, state in cpu.use().items())


def _device(paddle, version: tuple) -> Line:
    if not paddle.device.is_compiled_with_cuda():
        return "OK", tr("device"), tr("cpu (a build for the CPU)")
    if not (gpus := paddle.device.cuda.device_count()):
        return "WARN", tr("device"), tr("cpu: a build for GPUs, but it sees none (driver or CUDA libraries missing?)")
    name, capability = paddle.device.cuda.get_device_name(0), paddle.device.cuda.get_device_capability(0)
    if version >= (3,) or supported.GPU_BUILD_FROM <= capability < supported.GPU_BUILD_BELOW:
        return "OK", tr("device"), f"gpu ({gpus} x {name})"
    text = mark(
        "gpu: PaddlePaddle {version} from PyPI has no code for {name} (compute capability {capability}); "
        "README.md says where another build comes from, `python course.py setup --paddle cpu` does without the GPU"
    )
    values = {"version": paddle.__version__, "name": name, "capability": ".".join(map(str, capability))}
    return "FAIL", tr("device"), tr(text, **values)


def check_data(name: str) -> list[Line]:
    """Whether a data set is real, or will be the sample; one that is there but unusable is a FAIL."""
    from palm_utils.datasets import existing

    what, found = tr("data: {name}", name=name), existing(name)
    if found is None:
        return [("WARN", what, tr("absent; the sample will be made when first used"))]
    if name == "palm":
        from palm_utils.readers import valid_data_loader

        valid_data_loader(found.DATADIR2, found.CSVFILE)  # reads the label table
    return [("OK" if found.is_real else "WARN", what, str(found))]


def check_memory() -> Iterator[Line]:
    import psutil  # comes with Jupyter's kernel

    free, total = psutil.virtual_memory().available, psutil.virtual_memory().total
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and limit.read_text().strip().isdigit():
        total = min(total, int(limit.read_text()))
        free = min(free, total - int(limit.with_name("memory.current").read_text()))
    shown = tr("{free:.1f} of {total:.1f} GiB free", free=free / _GIB, total=total / _GIB)
    few = tr("{found}; VGG needs up to 5.0 GiB, the other networks up to 2.6", found=shown)
    yield ("OK", tr("memory"), shown) if free >= _MEMORY_NEEDED else ("WARN", tr("memory"), few)


def check_disk() -> Iterator[Line]:
    yield check_space(tr("free disk"), Path.cwd(), _DISK_NEEDED, tr("VGG's checkpoints need up to 4 GiB"))
    if Path("/dev/shm").is_dir():
        remedy = tr("loading with worker processes may fail; in Docker: --shm-size=1g")
        yield check_space("/dev/shm", Path("/dev/shm"), _SHM_NEEDED, remedy)


def check_space(what: str, folder: Path, needed: int, remedy: str) -> Line:
    free = shutil.disk_usage(folder).free
    shown = tr("{size:.1f} GiB free", size=free / _GIB)
    few = tr("{found}; {remedy}", found=shown, remedy=remedy)
    return ("OK", what, shown) if free >= needed else ("WARN", what, few)
