"""Row `suite`: how long `make test` takes once everything is installed."""

import os
import subprocess
import sys
import time

from benchmarks import ROOT
from benchmarks.bench import Bench, environment, tail
from benchmarks.measures import Bound, Measure, Row
from palm_utils.messages import CourseError

# As from a shell, although `make bench` has started this.
_OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
QUICK = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/utils/test_files.py"]


def measure(bench: Bench) -> list[Measure]:
    """Return the minutes that the tests take; raises CourseError when one fails."""
    # READY=1: the environment is there; VENV: it is this one.
    command = QUICK if bench.quick else ["make", "test", "READY=1", f"VENV={sys.prefix}"]
    log = bench.new_folder("suite") / "log.txt"
    env = {name: value for name, value in environment().items() if name not in _OF_MAKE}
    started = time.perf_counter()
    with open(log, "wb") as f:
        done = subprocess.run(command, cwd=ROOT, env=env, stdout=f, stderr=subprocess.STDOUT)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise CourseError(f"{' '.join(command)} failed after {seconds:.0f} s:\n{tail(log)}")
    last = (tail(log, 1) or "no output").strip("= ")
    return [Measure("", seconds / 60, "minutes", Bound("at most", 12), samples={os.name: [seconds]}, detail=last)]


ROW = Row(
    "suite",
    "`make test` after set-up",
    "",
    "at most 12 minutes",
    "Once, from the call to its end.",
    measure,
)
