"""What rows share: a temporary folder, the sizes to measure at, processes of their own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from benchmarks import ROOT
from palm_utils import cpu
from palm_utils.messages import CourseError

Plan = TypeVar("Plan")


@dataclass
class Bench:
    """One call of the benchmarks.

    folder: a temporary one, for photographs, caches and checkpoints; quick: sizes that show nothing but
    that everything runs; rounds: instead of each row's own number; torch_python: of the environment that
    PyTorch is installed in; about: what rows tell of what they ran on, for the record.
    """

    folder: Path
    quick: bool = False
    rounds: int | None = None
    torch_python: Path = ROOT / ".venv-bench" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    about: dict = field(default_factory=dict)

    def plan(self, full: Plan, quick: Plan) -> Plan:
        """Return the sizes of a row, dataclasses with a field `rounds`, as they were asked for."""
        chosen = quick if self.quick else full
        return replace(chosen, rounds=self.rounds) if self.rounds else chosen

    def new_folder(self, name: str) -> Path:
        """Return an empty folder that nothing has used yet."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))

    @contextmanager
    def fresh_cache(self) -> Iterator[Path]:
        """Let this process, and those started in the block, keep decoded photographs in a new folder."""
        before, cache = os.environ.get("PALM_CACHE"), self.new_folder("cache")
        os.environ["PALM_CACHE"] = str(cache)
        try:
            yield cache
        finally:
            del os.environ["PALM_CACHE"]
            if before is not None:
                os.environ["PALM_CACHE"] = before
            shutil.rmtree(cache, ignore_errors=True)

    def call(self, function: str, *, python: str | Path = sys.executable, env: dict | None = None, **arguments):
        """Return what "MODULE:FUNCTION" returns for the arguments (both what JSON can hold) in a new process.

        env: variables to set besides. Raises CourseError with the end of the output when the process fails.
        """
        work = self.new_folder("call")
        result, log = work / "result.json", work / "log.txt"
        command = [str(python), "-m", "benchmarks.call", function, json.dumps(arguments), str(result)]
        with open(log, "wb") as f:
            done = subprocess.run(command, cwd=ROOT, env=environment(**env or {}), stdout=f, stderr=subprocess.STDOUT)
        if done.returncode or not result.is_file():
            raise CourseError(f"{function} failed ({done.returncode}):\n{tail(log)}")
        return json.loads(result.read_text(encoding="utf-8"))

    def need_room(self, gigabytes: float) -> None:
        """Raise CourseError where the temporary folder has less room."""
        free = shutil.disk_usage(self.folder).free / 1e9
        if free < gigabytes:
            raise CourseError(
                f"This needs {gigabytes:g} GB in {self.folder.parent}, where {free:.1f} GB are free; the environment "
                "variable TMPDIR names another folder."
            )


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a measured process: this one's, without what would change the course's data or run.

    No GPU is seen: everything is measured on the CPU.
    """
    kept = {"PALM_THREADS", "PALM_CACHE"}
    env = {k: v for k, v in os.environ.items() if k in kept or not k.startswith(("PALM_", "PADDLE_", cpu.MKL_VARIABLE))}
    return env | {"CUDA_VISIBLE_DEVICES": ""} | changes


def tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
