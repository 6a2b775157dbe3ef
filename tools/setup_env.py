"""Make the virtual environment of the course: python tools/setup_env.py

What `make setup` calls; needs nothing but Python and PyPI. A call with nothing to do returns at once.
Which Python and which PaddlePaddle (CPU or GPU) were chosen is remembered: a later call without those
arguments keeps them.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST_TESTED = (3, 10), (3, 12)
# Compute capabilities that PaddlePaddle 2.6.2's GPU build has machine code for (6.1, 7.0, 7.5, 8.0 and 8.6, read
# off its libraries); it brings no code that a driver could compile for others. palm_course.doctor knows them too.
GPU_BUILD_FROM, GPU_BUILD_BELOW = (6, 1), (9, 0)
STAMP = "palm-setup.txt"  # in the environment: what it was made with, once it is whole
STARTED = "palm-setup-started.txt"  # in the environment: that this program made it


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--paddle", default="", help="cpu or gpu; by default as before, or by what is here")
    parser.add_argument("--requirements", type=Path, help="another requirements file than the two of the course")
    parser.add_argument("--any-python", action="store_true", help="keep the environment's Python, whichever it is")
    args = parser.parse_args()
    before = read_stamp(args.venv)
    if is_current(args, before):
        return 0
    check_python()
    requirements = args.requirements or ROOT / choose_requirements(args.paddle, before)
    print("Setting up", args.venv.name, "with Python", sys.version.split()[0], "and", requirements.name, flush=True)
    make_venv(args.venv)
    for packages in (["-r", str(requirements)], ["--no-deps", "-e", str(ROOT)]):
        pip_install(args.venv, packages)
    compile_packages(args.venv)
    text = "\n".join([python_id(), requirements.name, fingerprint(requirements)])
    (args.venv / STAMP).write_text(text + "\n", encoding="utf-8", errors="surrogateescape")
    print("Set up. `make lab` opens the course, `make test` checks it.", flush=True)
    return 0


def is_current(args, before):
    """Whether the environment is whole, of the wanted Python and build, and nothing to install has changed."""
    if before is None or not venv_python(args.venv).exists():
        return False
    python, name, digest = before
    wanted = args.requirements.name if args.requirements else REQUIREMENTS.get(args.paddle, name)
    if name != wanted or not (args.any_python or python == python_id()):
        return False
    requirements = args.requirements or ROOT / name
    return requirements.is_file() and fingerprint(requirements) == digest


REQUIREMENTS = {"cpu": "requirements.txt", "gpu": "requirements-gpu.txt"}
LOCKED = "requirements-lock.txt"


def read_stamp(venv):
    """Return [Python, requirements file, fingerprint] of a finished set-up, None where there is none."""
    try:
        lines = (venv / STAMP).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    return lines if len(lines) == 3 else None


def check_python():
    version = tuple(sys.version_info[:2])
    if version < OLDEST:
        others = [name for name in ("python3.12", "python3.11", "python3.10") if shutil.which(name)]
        remedy = "make setup PYTHON=" + others[0] if others else "install Python 3.10, 3.11 or 3.12"
        found = "{} is {}.{}".format(sys.executable, *version)
        sys.exit("The course needs Python 3.10 to 3.12; " + found + ". Try: " + remedy)
    if version > NEWEST_TESTED:
        print("Note: the course is tested with Python 3.10 to 3.12; this is {}.{}.".format(*version))


def choose_requirements(paddle, before=None):
    """Return the requirements file: the one asked for, else the one chosen before, else by the GPU."""
    if paddle in REQUIREMENTS:
        return REQUIREMENTS[paddle]
    if paddle not in ("", "auto"):
        sys.exit("PADDLE is {!r}; it can be cpu or gpu".format(paddle))  # noqa: UP032
    if before is not None and before[1] in (*REQUIREMENTS.values(), LOCKED):
        return before[1]
    if not has_nvidia_gpu():
        return REQUIREMENTS["cpu"]
    for capability in gpu_capabilities():
        if not GPU_BUILD_FROM <= capability < GPU_BUILD_BELOW:
            print(
                "An NVIDIA GPU of compute capability {}.{} is here, and the GPU build on PyPI has code for {}.{} to "
                "below {}.{} only: taking the CPU build. README.md says where another comes from.".format(
                    *capability, *GPU_BUILD_FROM, *GPU_BUILD_BELOW
                )
            )
            return REQUIREMENTS["cpu"]
    print("An NVIDIA GPU is here: taking requirements-gpu.txt (PADDLE=cpu for the CPU build).")
    return REQUIREMENTS["gpu"]


def has_nvidia_gpu():
    # nvidia-smi also exists in containers without a GPU, where it fails or lists none.
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and b"GPU 0" in listed.stdout


def gpu_capabilities():
    """Return the compute capability of each GPU, such as (8, 6); nothing where the driver is too old to tell."""
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        told = subprocess.run(query, capture_output=True, timeout=20).stdout.decode("ascii", "replace")
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [(int(major), int(minor)) for major, minor in re.findall(r"^(\d+)\.(\d+)\s*$", told, re.M)]


def python_id():
    return sys.base_prefix + " " + sys.version.split()[0]


def fingerprint(requirements):
    """Text that changes when the place or anything to install changes."""
    digest = hashlib.sha256(os.fsencode(str(ROOT)))  # a folder's name need not be text in any encoding
    for path in (requirements, ROOT / "requirements-common.txt", ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def make_venv(folder):
    """Make a fresh environment; one that this program made before is replaced, nothing else ever is."""
    if folder.is_dir() and any(folder.iterdir()) and not ((folder / STARTED).exists() or (folder / STAMP).exists()):
        sys.exit(
            f"{folder} is there, and not made by this program: it is left alone. Move it away, or choose another "
            "place: make setup VENV=.venv-course"
        )
    # Packages of another PaddlePaddle build or another Python must not stay behind.
    shutil.rmtree(str(folder), ignore_errors=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / STARTED).write_text("made by tools/setup_env.py\n", encoding="utf-8")
    except OSError as error:  # a clone that is read-only, a full disk
        sys.exit(f"{folder} cannot be written ({error}). Choose another place: make setup VENV=FOLDER")
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True)
    if made.returncode:
        output = (made.stdout + made.stderr).decode(errors="replace")  # in whatever encoding the system speaks
        sys.exit(
            sys.executable + " could not make a virtual environment:\n" + output
            + "\nOn Debian and Ubuntu, install the package python3-venv."
        )  # fmt: skip


def venv_python(folder):
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pip_install(venv, packages):
    # What it would compile on one core, compile_packages compiles on all.
    options = ["--quiet", "--disable-pip-version-check", "--no-compile"]
    command = [str(venv_python(venv)), "-m", "pip", "install", *options, *packages]
    if subprocess.run(command).returncode:
        sys.exit(
            "pip could not install the packages (its message is above). Behind a proxy or far from PyPI, set "
            "a mirror: pip config set global.index-url ADDRESS; then run this again."
        )


def compile_packages(venv):
    """Compile every module now.

    Python would do that when one is first imported, but not keep it where PYTHONDONTWRITEBYTECODE is set, as in
    many containers: there each kernel and each test would compile PaddlePaddle again, for some ten seconds.
    """
    command = [str(venv_python(venv)), "-m", "compileall", "-qq", "-j", "0", str(venv / "lib")]
    # Packages hold files that no Python compiles, templates for instance; nobody imports those.
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
