"""What is installed in this environment, as its files say: what is missing, damaged, or in the way of another.

Set-up runs it with the environment's own Python: python -I installed.py REQUIREMENTS [--import]. It prints
{"missing": […], "damaged": […], "rivals": […], "broken": {…}} as JSON.
"""

from __future__ import annotations  # the doctor has to run on any Python

import csv
import importlib
import json
import sys
from importlib import metadata
from pathlib import Path

try:
    from packaging.requirements import Requirement
except ImportError:
    try:
        from pip._vendor.packaging.requirements import Requirement
    except ImportError:
        Requirement = None

# Distributions that put different things into the same folder: two of them in one place damage each other.
RIVALS = (
    {"opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"},
    {"paddlepaddle", "paddlepaddle-gpu", "paddle"},  # the last has nothing to do with PaddlePaddle
)
# What a chapter cannot do without.
IMPORTED = {"numpy", "matplotlib", "scikit-learn", "jupyterlab", "opencv-python-headless", "paddlepaddle"}
_MODULES = {"opencv-python-headless": "cv2", "paddlepaddle": "paddle", "paddlepaddle-gpu": "paddle",
            "scikit-learn": "sklearn", "pytest-xdist": "xdist"}  # fmt: skip
_NATIVE = (".so", ".pyd", ".dll", ".dylib")


def read(path: str | Path) -> list[Requirement]:
    """Return the requirements of a requirements file, and of those it includes, that count on this machine."""
    found = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("-r"):
            found += read(Path(path).parent / line[2:].strip())
        elif line and not line.startswith("-"):
            found.append(Requirement(line))
    return [one for one in found if one.marker is None or one.marker.evaluate()]


def name_of(distribution: str) -> str:
    return distribution.lower().replace("_", "-")


def module_of(name: str) -> str:
    """Return what a distribution is imported as."""
    return _MODULES.get(name, name.replace("-", "_"))


def distributions() -> dict[str, metadata.Distribution]:
    """Return what is installed, by name; of two with one name the one that Python imports."""
    found: dict[str, metadata.Distribution] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]  # None where pip was stopped half way
        if name:
            found.setdefault(name_of(name), distribution)
    return found


def is_damaged(distribution: metadata.Distribution) -> bool:
    """Whether files are gone or changed: packages' __init__.py and libraries; all files would take seconds."""
    for row in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        name, size = row[0], row[-1]
        if name.endswith((*_NATIVE, "/__init__.py")) or "/" not in name:
            path = distribution.locate_file(name)
            if not path.is_file() or (size.isdigit() and path.stat().st_size != int(size)):
                return True
    return False


def rivals_of(name: str, found: dict) -> list[str]:
    """Return the distributions that are installed in the same place as `name`."""
    return sorted(other for group in RIVALS if name in group for other in group & {*found} - {name})


def faults(requirements: list[Requirement]) -> dict[str, list[str]]:
    """Return what is missing or of another version, damaged (with its version), and in the way of what is required."""
    found = distributions()
    if "paddlepaddle-gpu" in found and "paddlepaddle" not in found:
        # A build from PaddlePaddle's own index, for newer GPUs, was put there on purpose, and stays.
        build = Requirement("paddlepaddle-gpu>=2.6.2,<3.4")
        requirements = [build if name_of(one.name).startswith("paddlepaddle") else one for one in requirements]
    names = {name_of(one.name): one for one in requirements}
    missing = [
        name
        for name, one in names.items()
        if name not in found or not one.specifier.contains(found[name].version, prereleases=True)
    ]
    rivals = sorted({other for name in names for other in rivals_of(name, found)})
    # Taking a rival away takes files of the other with it.
    damaged = [n for n in found if n not in rivals and (is_damaged(found[n]) or rivals_of(n, found))]
    return {"missing": missing, "damaged": [f"{n}=={found[n].version}" for n in damaged], "rivals": rivals}


def broken(requirements: list[Requirement]) -> dict[str, str]:
    """Import what a chapter cannot do without; return the error of each that cannot be imported."""
    errors = {}
    for name in {name_of(one.name).replace("-gpu", "") for one in requirements} & IMPORTED:
        try:
            importlib.import_module(module_of(name))
        except BaseException as error:  # whatever a broken library raises
            errors[name] = f"{type(error).__name__}: {error}"
    return errors


if __name__ == "__main__":
    wanted = read(sys.argv[1])
    report = {
        **faults([*wanted, Requirement("palm-utils")]),
        "broken": broken(wanted) if "--import" in sys.argv else {},
    }
    print(json.dumps(report))
