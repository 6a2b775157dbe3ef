"""Run all tests with several versions of Python, PaddlePaddle and the other packages: make test-matrix

Each case has an environment of its own below build/matrix. What came out is kept in tests/matrix.json and shown
in tests/MATRIX.md; a case that is not run again keeps its line there.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "matrix"
RESULTS = ROOT / "tests" / "matrix.json"
TABLE = ROOT / "tests" / "MATRIX.md"
SHOWN = ("paddlepaddle", "numpy", "opencv-python-headless", "matplotlib", "scikit-learn", "jupyterlab", "pytest")


@dataclass(frozen=True)
class Case:
    """name; python: such as "3.12"; lines of its requirements file, `-r` names files of the repository."""

    name: str
    python: str
    lines: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return BUILD / re.sub(r"[^a-z0-9.]+", "-", self.name.lower())


def cases() -> list[Case]:
    newest = [
        Case(f"newest, Python {version}", version, ("-r requirements.txt",)) for version in ("3.10", "3.11", "3.12")
    ]
    common = "-r requirements-common.txt"
    return [
        *newest,
        Case("oldest", "3.10", tuple(oldest((ROOT / "requirements-common.txt").read_text(encoding="utf-8")))),
        Case("PaddlePaddle 2.6", "3.12", ("-r requirements-compat.txt",)),
        Case("PaddlePaddle 3.0", "3.11", (common, "paddlepaddle==3.0.*")),
        Case("locked", "3.11", ("-r requirements-lock.txt",)),
    ]


def oldest(requirements: str) -> list[str]:
    """Return requirements that allow only the oldest minor version that each line of a requirements file allows.

    Raises ValueError for a line that has no lower bound.
    """
    lines = []
    for line in requirements.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        found = re.match(r"([A-Za-z0-9._-]+)(>=|==)([0-9.]+)", line)
        if not found:
            raise ValueError(f"{line!r} has no lower bound")
        name, sign, version = found.groups()
        minor = version if "." in version else f"{version}.0"
        lines.append(f"{name}=={version}" if sign == "==" else f"{name}=={minor}.*")
    return [*lines, "paddlepaddle==2.6.2"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="words of the cases to run; by default all")
    parser.add_argument("--units", action="store_true", help="without the notebooks")
    args = parser.parse_args()
    chosen = [case for case in cases() if not args.names or any(word in case.name for word in args.names)]
    if not chosen:
        sys.exit(f"No case has {' or '.join(args.names)} in its name; there are: " + "; ".join(c.name for c in cases()))
    stored = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    for case in chosen:
        python = interpreter(case.python)
        if python is None:
            print(f"{case.name}: Python {case.python} is not on this machine", flush=True)
            continue
        stored[case.name] = run(case, python, "test-unit" if args.units else "test")
        known = [c.name for c in cases() if c.name in stored]
        RESULTS.write_text(json.dumps({name: stored[name] for name in known}, indent=1) + "\n", encoding="utf-8")
        TABLE.write_text(table(stored), encoding="utf-8")
    print(TABLE.read_text(encoding="utf-8") if TABLE.is_file() else "")
    return int(any(stored[case.name]["failed"] for case in chosen if case.name in stored))


def interpreter(version: str) -> str | None:
    """Return a Python of this version, from PATH or from pyenv; None where there is none."""
    for name in (f"python{version}", *sorted(map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))):
        found = shutil.which(name)
        # pyenv puts a name on PATH for every version it knows, which fails where that one is not chosen.
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    return None


def run(case: Case, python: str, target: str) -> dict:
    """Set the case's environment up and run `make target` in it; return versions and counts."""
    case.folder.mkdir(parents=True, exist_ok=True)
    requirements = case.folder / "requirements.txt"
    lines = [line.replace("-r ", f"-r {os.path.relpath(ROOT, case.folder)}/") for line in case.lines]
    requirements.write_text("\n".join(lines) + "\n", encoding="utf-8")
    venv = case.folder / "venv"
    print(f"{case.name}: setting up", flush=True)
    setup = [python, ROOT / "tools" / "setup_env.py", "--venv", venv, "--requirements", requirements]
    subprocess.run(setup, check=True, cwd=ROOT)
    print(f"{case.name}: make {target}", flush=True)
    made = subprocess.run(
        ["make", "--no-print-directory", target, f"VENV={venv}", "READY=1"], cwd=ROOT, capture_output=True, text=True
    )
    (case.folder / "output.txt").write_text(made.stdout + made.stderr, encoding="utf-8")
    last = made.stdout.strip().splitlines()[-1:]
    print(f"{case.name}: {''.join(last)}", flush=True)
    binary = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    listed = subprocess.run([binary, "-m", "pip", "list", "--format=json"], check=True, capture_output=True, text=True)
    versions = {entry["name"].lower(): entry["version"] for entry in json.loads(listed.stdout)}
    version = subprocess.run([binary, "-c", "import platform; print(platform.python_version())"], **_TEXT)
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "machine": f"{platform.system()} {platform.machine()}",
        "command": f"make {target}",
        "python": version.stdout.strip(),
        "versions": {name: versions.get(name, "-") for name in SHOWN},
        "passed": count(made.stdout, "passed"),
        "skipped": count(made.stdout, "skipped"),
        "failed": count(made.stdout, "failed") + count(made.stdout, "errors?") or int(made.returncode != 0),
    }


_TEXT = {"check": True, "capture_output": True, "text": True}


def count(output: str, word: str) -> int:
    """Return the number before a word in the last line of pytest's output, 0 where it is not there."""
    last = "".join(output.strip().splitlines()[-1:])
    found = re.search(rf"(\d+) {word}\b", last)
    return int(found[1]) if found else 0


def table(stored: dict) -> str:
    """Return MATRIX.md for the stored results."""
    head = ["case", "Python", *SHOWN, "run", "passed", "skipped", "failed", "date"]
    rows = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for name, one in stored.items():
        cells = [name, one["python"], *(one["versions"][package] for package in SHOWN), f"`{one['command']}`"]
        cells += [str(one[key]) for key in ("passed", "skipped", "failed")] + [f"{one['date']}, {one['machine']}"]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(
        [
            "# Versions the course was tested with",
            "",
            "Made by `make test-matrix`; not edited by hand. *Oldest* are the lower bounds of requirements-common.txt "
            "and requirements.txt, *newest* what they allow on the date given, *locked* requirements-lock.txt.",
            "",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
