"""What figures depend on: processor, cores, versions, and what else is running."""

import os
import platform
from importlib import metadata
from pathlib import Path

import joblib
import psutil  # comes with ipykernel

from palm_utils.machine import thread_count

_PACKAGES = ("paddlepaddle", "paddlepaddle-gpu", "numpy", "opencv-python-headless")


def describe() -> dict:
    """Return processor, cores, memory (GiB), system, and the versions of what is measured."""
    found = {
        "processor": _processor(),
        "cores": joblib.cpu_count(),
        "threads": thread_count(),
        "memory": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def busy(seconds: float) -> float:
    """Return the share of all cores, in per cent, that other work uses during the next seconds."""
    return psutil.cpu_percent(interval=seconds)


def line(about: dict) -> str:
    """Return a description as one line."""
    versions = ", ".join(f"{name} {about[name]}" for name in ("python", *_PACKAGES, "torch") if name in about)
    cores = f"{about['cores']} core(s), {about['threads']} thread(s), {about['memory']:g} GiB"
    return f"{about['processor']}, {cores}, {about['system']}; {versions}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():  # platform.processor() is empty or "x86_64" on Linux
        for row in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if row.startswith("model name"):
                return row.partition(":")[2].strip()
    return platform.processor() or platform.machine() or f"{os.cpu_count()} cores"
