"""All tests with other versions of Python, PaddlePaddle and the rest: make test-matrix (CASES="oldest locked")

Each case has an environment of its own below build/nox and runs `make test` in it. Its last result is a line of
tests/MATRIX.md; a case that is not run again keeps its line there.
"""

import os
import re
from datetime import date
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
TABLE = ROOT / "tests" / "MATRIX.md"
SHOWN = ("paddlepaddle", "numpy", "opencv-python-headless", "matplotlib", "scikit-learn", "jupyterlab", "pytest")
VERSIONS = """
import platform, sys
from importlib.metadata import version
print(platform.python_version(), *map(version, sys.argv[1:]))
"""

nox.options.envdir = "build/nox"
nox.options.reuse_existing_virtualenvs = True
# Where pyenv keeps its Pythons; on PATH it has a name even for those that are not chosen.
pythons = map(str, Path.home().glob(".pyenv/versions/*/bin"))
os.environ["PATH"] = os.pathsep.join([*pythons, os.environ["PATH"]])


def oldest() -> list[str]:
    """Return requirements that allow only the oldest minor version of each package, and of PaddlePaddle.

    Raises ValueError for a line of requirements-common.txt that has no lower bound.
    """
    lines = ["paddlepaddle==2.6.2"]
    for line in (ROOT / "requirements-common.txt").read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        found = re.match(r"([\w.-]+)(>=|==)([0-9.]+)", line)
        if not found:
            raise ValueError(f"{line!r} has no lower bound")
        name, sign, version = found.groups()
        lines.append(
            f"{name}=={version}" if sign == "==" else f"{name}=={version if '.' in version else version + '.0'}.*"
        )
    return lines


@nox.session
@nox.parametrize(
    ("python", "case"),
    [
        nox.param("3.10", ["-r", "requirements.txt"], id="newest-3.10"),
        nox.param("3.11", ["-r", "requirements.txt"], id="newest-3.11"),
        nox.param("3.12", ["-r", "requirements.txt"], id="newest-3.12"),
        nox.param("3.13", ["-r", "requirements.txt"], id="newest-3.13"),
        nox.param("3.10", oldest(), id="oldest"),
        nox.param("3.12", ["-r", "requirements-compat.txt"], id="paddle-2.6"),
        nox.param("3.11", ["-r", "requirements-common.txt", "paddlepaddle==3.0.*"], id="paddle-3.0"),
        nox.param("3.11", ["-r", "requirements-lock.txt"], id="locked"),
    ],
)
def tests(session: nox.Session, case: list[str]) -> None:
    """Install a case, run `make test` in its environment, and write down what came out."""
    session.install(*case)
    session.install("--no-deps", "-e", ".")
    arguments = ["test", f"VENV={session.virtualenv.location}", "READY=1"]
    printed = session.run("make", *arguments, external=True, silent=True, success_codes=[0, 2])
    counts = re.findall(r"(\d+) (passed|skipped|failed|error)", printed.strip().splitlines()[-1])
    count = {word: int(number) for number, word in counts}
    failed = count.get("failed", 0) + count.get("error", 0)
    versions = session.run("python", "-c", VERSIONS, *SHOWN, silent=True).split()
    name = session.name.partition("(")[2].rstrip(")")
    record([name, *versions, count.get("passed", 0), count.get("skipped", 0), failed, date.today()])
    if failed or not count.get("passed"):
        session.error(printed)


def record(cells: list[object]) -> None:
    """Put a case's line into the table, in the place of the one that it had."""
    line = f"| {' | '.join(map(str, cells))} |"
    kept = TABLE.read_text(encoding="utf-8").splitlines()
    old = [number for number, row in enumerate(kept) if row.startswith(f"| {cells[0]} |")]
    kept[old[0] if old else len(kept) :] = [line, *kept[old[0] + 1 :]] if old else [line]
    TABLE.write_text("\n".join([*kept, ""]), encoding="utf-8")
