"""Make the virtual environment of the course: python tools/setup_env.py [--venv .venv] [--paddle auto|cpu|gpu]

What `make setup` calls; needs nothing but Python and PyPI. A second call with nothing changed returns
at once. The chosen requirements file (CPU or GPU) is printed.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST_TESTED = (3, 10), (3, 12)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--paddle", choices=["auto", "cpu", "gpu"], default="auto")
    parser.add_argument("--requirements", type=Path, help="another requirements file than the two of the course")
    args = parser.parse_args()
    check_python()
    requirements = args.requirements or ROOT / choose_requirements(args.paddle)
    wanted = fingerprint(requirements)
    stamp = args.venv / "palm-setup.txt"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted and venv_python(args.venv).exists():
        return 0
    print(
        f"Setting up {args.venv.name} with Python {sys.version.split()[0]} and {requirements.name}",
        flush=True,
    )
    stamp.unlink(missing_ok=True)
    make_venv(args.venv)
    for packages in (["-r", str(requirements)], ["--no-deps", "-e", str(ROOT)]):
        pip_install(args.venv, packages)
    stamp.write_text(wanted, encoding="utf-8")
    print("Set up. `make lab` opens the course, `make test` checks it.", flush=True)
    return 0


def check_python() -> None:
    version = sys.version_info[:2]
    if version < OLDEST:
        others = [name for minor in (12, 11, 10) if shutil.which(name := f"python3.{minor}")]
        remedy = f"make setup PYTHON={others[0]}" if others else "install Python 3.10, 3.11 or 3.12"
        sys.exit(f"The course needs Python 3.10 to 3.12; {sys.executable} is {version[0]}.{version[1]}. Try: {remedy}")
    if version > NEWEST_TESTED:
        print(f"Note: the course is tested with Python 3.10 to 3.12; this is {version[0]}.{version[1]}.")


def choose_requirements(paddle: str) -> str:
    if paddle == "auto":
        paddle = "gpu" if has_nvidia_gpu() else "cpu"
        if paddle == "gpu":
            print("An NVIDIA GPU is here: taking requirements-gpu.txt (PADDLE=cpu for the CPU build).")
    return {"cpu": "requirements.txt", "gpu": "requirements-gpu.txt"}[paddle]


def has_nvidia_gpu() -> bool:
    # nvidia-smi also exists in containers without a GPU, where it fails or lists none.
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and "GPU 0" in listed.stdout


def fingerprint(requirements: Path) -> str:
    """Text that changes when the interpreter, the place or anything to install changes."""
    digest = hashlib.sha256()
    for path in (requirements, ROOT / "requirements-common.txt", ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return f"{sys.base_prefix} {sys.version}\n{ROOT}\n{requirements.name} {digest.hexdigest()}\n"


def make_venv(folder: Path) -> None:
    # --clear: packages of another PaddlePaddle build or another Python must not stay behind.
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], capture_output=True, text=True)
    if made.returncode:
        sys.exit(
            f"{sys.executable} could not make a virtual environment in {folder}:\n{made.stdout}{made.stderr}\n"
            "On Debian and Ubuntu, install the package python3-venv."
        )


def venv_python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pip_install(venv: Path, packages: list[str]) -> None:
    # Compiling every module of a hundred packages takes longer than installing them; Python compiles
    # those that are used when they are first imported.
    options = ["--quiet", "--disable-pip-version-check", "--no-compile"]
    command = [str(venv_python(venv)), "-m", "pip", "install", *options, *packages]
    if subprocess.run(command).returncode:
        sys.exit(
            "pip could not install the packages (its message is above). Behind a proxy or far from PyPI, set "
            "a mirror: pip config set global.index-url ADDRESS; then run this again."
        )


if __name__ == "__main__":
    sys.exit(main())
