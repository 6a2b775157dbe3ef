"""What the course runs on: versions of Python, machines that PaddlePaddle has packages for, and NVIDIA's GPUs.

Set-up and doctor read it on any Python. As a program (`python supported.py gpu`) it prints the path of the Python
that runs it, and fails where that one cannot carry the course.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

OLDEST, NEWEST = (3, 10), (3, 13)  # versions of Python; PaddlePaddle has no package for a newer one
NEWEST_FOR_GPU = (3, 12)  # PaddlePaddle 2.6.2, the newest GPU build on PyPI
VERSIONS = "3.10 to 3.13"
# Compute capabilities that this GPU build has machine code for (6.1, 7.0, 7.5, 8.0 and 8.6, read off its
# libraries); it brings no code that a driver could compile for others.
GPU_BUILD_FROM, GPU_BUILD_BELOW = (6, 1), (9, 0)
STARTED = "palm-setup-started.txt"  # in an environment: that tools/setup_env.py made it
# Where PaddlePaddle has packages, and what to say of those that are older than elsewhere.
MACHINES = {
    ("linux", "x86_64"): "",
    ("win32", "x86_64"): "",
    ("darwin", "aarch64"): "",
    ("linux", "aarch64"): "PaddlePaddle's newest package for Linux on ARM is 3.2.2",
    ("darwin", "x86_64"): "PaddlePaddle's newest package for Macs with an Intel processor is 3.0.0",
}


def machine():
    """Return the system and the processor that this Python was built for, such as ("linux", "x86_64")."""
    name = platform.machine().lower()
    if sys.platform == "win32":  # an ARM processor can run Python for x86-64
        name = sysconfig.get_platform()[4:]
    name = {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)
    return sys.platform, name if sys.maxsize > 2**32 else "32 bit"


def why_not(build="cpu"):
    """Return why this Python cannot carry the course with PaddlePaddle's cpu or gpu build; "" where it can."""
    version, newest = tuple(sys.version_info[:2]), NEWEST_FOR_GPU if build == "gpu" else NEWEST
    found = "{} is {}.{}".format(sys.executable, *version)
    if version < OLDEST:
        return "The course needs Python {}; {}.".format(VERSIONS, found)  # noqa: UP032
    system, processor = machine()
    known = MACHINES if build == "cpu" else [("linux", "x86_64"), ("win32", "x86_64")]
    if (system, processor) not in known:
        return (
            f"PaddlePaddle has no {build.upper()} package for {system} on {processor}. It has some for Linux and "
            "Windows on x86-64 processors and, for the CPU, for Macs and for Linux on ARM, all of them for 64 bit."
        )
    if system == "linux" and platform.libc_ver()[0] != "glibc":
        return "PaddlePaddle has no package for a Linux without glibc, such as Alpine."
    if version > newest:
        return "PaddlePaddle has no {} package for a Python newer than {}.{}; {}.".format(build.upper(), *newest, found)
    if platform.python_implementation() != "CPython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return f"PaddlePaddle has packages for the usual CPython alone; {sys.executable} is another Python."
    return ""


def remedy(build="cpu"):
    """Return what to do where `why_not` has an answer: which Python of this machine to take, or where to get one."""
    if machine() not in MACHINES or (machine()[0] == "linux" and platform.libc_ver()[0] != "glibc"):
        return "Take another machine, or the course on Colab or AI Studio: see README.md."
    call = "python course.py setup --python {0}   (with make: make setup PYTHON={0})"
    other = other_python(build)
    if other:
        return "Another Python is here. Run: " + call.format(f'"{other}"' if " " in other else other)
    version = "{}.{}".format(*NEWEST_FOR_GPU)
    uv = "uv, which is here, fetches it" if shutil.which("uv") else "the program uv would fetch it"
    return f"Install Python {version}, from python.org for instance ({uv}: uv python install {version}). Then run: " + (
        call.format("python" + version)
    )


def other_python(build="cpu"):
    """Return a Python of this machine that can carry the course, or None. Each is run: a name is not enough."""
    names = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    found = [folder / name for name in [*names, "python3", "python"] for folder in folders]
    home = Path(os.environ.get("HOME") or "/nowhere")
    for pattern in (
        ".pyenv/versions/3.*/bin/python",
        ".local/share/uv/python/*/bin/python3",
        "*conda3/envs/*/bin/python",
    ):
        found += sorted(home.glob(pattern), reverse=True)
    commands = [[str(path)] for path in found if path.is_file()]
    if sys.platform == "win32":  # Python's own launcher knows them
        commands = [["py", "-" + name[6:]] for name in names] + commands
    for command in commands:
        path = _output([*command, str(Path(__file__).resolve()), build]).decode(errors="replace").strip()
        if path:
            return path
    return None


def has_nvidia_gpu():
    # nvidia-smi also exists in containers without a GPU, where it fails or lists none.
    return b"GPU 0" in _output(["nvidia-smi", "-L"])


def why_not_this_gpu():
    """Return why the GPU build cannot use this machine's GPUs; "" where it can, or the driver does not tell."""
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    for found in re.findall(r"^(\d+)\.(\d+)\s*$", _output(query).decode("ascii", "replace"), re.M):
        capability = tuple(map(int, found))
        if not GPU_BUILD_FROM <= capability < GPU_BUILD_BELOW:
            return (
                "An NVIDIA GPU of compute capability {}.{} is here, and the GPU build on PyPI has code for {}.{} to "
                "below {}.{} only".format(*capability, *GPU_BUILD_FROM, *GPU_BUILD_BELOW)
            )
    return why_not("gpu").rstrip(".")


def _output(command):
    """Return what a program prints, b"" where it fails, hangs or is not there."""
    try:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return b"" if run.returncode else run.stdout


if __name__ == "__main__":
    import ensurepip  # noqa: F401 - Debian keeps it in a package of its own, and without it nothing can be set up

    if why_not(*sys.argv[1:]):
        sys.exit(1)
    print(sys.executable)
