"""`python -m palm_utils grade FOLDER`: a folder of students' notebooks scored into a table.

Messages are in the language of whoever grades; columns and verdicts are the same everywhere, for programs to read.
"""

import argparse
import csv
import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import joblib

from palm_course.exercises.trial import Status
from palm_course.students import judging
from palm_utils.files import replacing
from palm_utils.messages import CourseError, mark, tr

WARNING = mark(
    "This runs the students' code with your rights: it can read, change and send whatever you can. "
    "Grade in a container or virtual machine that holds nothing else and is thrown away afterwards."
)
NO_NOTEBOOK = mark("no notebook")
# The better verdict first: of several notebooks of one student the best counts.
_ORDER = (Status.RIGHT.value, Status.WRONG.value, judging.TIMEOUT, judging.CRASHED)
_ORDER += (Status.NOT_ATTEMPTED.value, judging.MISSING)


class Row(NamedTuple):
    student: str
    exercise: str  # "" where the line is about a whole notebook
    verdict: str
    message: str


def add_options(parser: argparse.ArgumentParser) -> None:
    description = tr(
        "Score the notebooks in FOLDER, one file for each student or one folder for each, into a CSV file with the "
        "columns student, exercise, verdict, message. Where a folder holds several notebooks, the best answer to an "
        "exercise counts. Verdicts: right, wrong, not attempted, missing (the cell was deleted), timeout, crashed; and "
        "for a whole notebook unreadable, no exercises, no notebook."
    )
    parser.description = f"{description} {tr(WARNING)}"
    parser.add_argument("folder", type=Path, metavar=tr("FOLDER"))
    parser.add_argument("--output", type=Path, default=Path("grades.csv"), help=tr("the table (default grades.csv)"))
    at_a_time = tr("notebooks at a time (default: the number of cores)")
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help=at_a_time)
    parser.add_argument("--seconds", type=float, default=60, help=tr("for one exercise, then it is ended (default 60)"))
    parser.add_argument("--memory", type=float, default=2, help=tr("GiB for one notebook's answers (default 2)"))


def run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    print(tr(WARNING), flush=True)
    if not judging.can_limit_memory():
        print(tr("Memory is not limited: this system offers no way to do so. Time is."), flush=True)
    students = find_students(args.folder)
    judging.one_core_each()
    jobs = [(student, path) for student, paths in students.items() for path in paths]
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=max(1, args.jobs)) as pool:
        try:
            work = pool.map(lambda job: judging.judge(job[1], args.seconds, int(args.memory * 2**30), stop), jobs)
            results = list(tqdm(work, total=len(jobs), unit="notebook", desc=tr("grading"), disable=None))
        finally:  # Ctrl-C: those that have begun end early, the others with nothing
            stop.set()
    rows = list(make_rows(students, dict(zip(jobs, results, strict=True))))
    write(rows, args.output)
    counts = Counter(row.verdict for row in rows).most_common()
    values = {"counts": ", ".join(f"{count} {tr(verdict)}" for verdict, count in counts), "file": args.output}
    print(tr("{students} students, {rows} rows ({counts}): {file}", students=len(students), rows=len(rows), **values))
    return 0


def find_students(folder: Path) -> dict[str, list[Path]]:
    """Return each student's notebooks, sorted: those of a folder, at any depth, or the one file.

    Hidden files and folders are left out. Raises CourseError where the folder is none or holds nothing.
    """
    if not folder.is_dir():
        raise CourseError("{folder} is not a folder", folder=folder)
    students: dict[str, list[Path]] = {}
    hidden = re.compile(r"(^|/)(\.|__MACOSX)")  # what systems and Jupyter put there
    for path in sorted(path for path in folder.rglob("*") if not hidden.search(path.relative_to(folder).as_posix())):
        student = path.relative_to(folder).parts[0]
        if path.parent == folder and path.is_dir():
            students.setdefault(student, [])
        elif path.suffix.lower() == ".ipynb" and not path.is_dir():
            students.setdefault(path.stem if path.parent == folder else student, []).append(path)
    if not any(students.values()):
        raise CourseError("{folder} holds no notebooks: neither NAME.ipynb nor NAME/….ipynb", folder=folder)
    return students


def make_rows(students: dict[str, list[Path]], results: dict[tuple[str, Path], list[judging.Result]]) -> Iterator[Row]:
    """Yield the rows of the table: student by student, exercise by exercise, the best verdict of each."""
    for student, paths in students.items():
        if not paths:
            yield Row(student, "", NO_NOTEBOOK, tr("the folder holds no notebook."))
        rows = []
        for path in paths:
            where = f" ({path.name})" if len(paths) > 1 else ""
            for one in results[student, path]:
                parts = (" ".join(part.split()) for part in one.summary or (one.message,))
                rows.append(Row(student, one.number, one.verdict, " | ".join(filter(None, parts)) + where))
        yield from (row for row in rows if not row.exercise)
        for number in sorted({row.exercise for row in rows if row.exercise}, key=lambda n: [*map(int, n.split("."))]):
            found = (row for row in rows if row.exercise == number)
            yield min(found, key=lambda row: (*_ORDER, row.verdict).index(row.verdict))


def write(rows: list[Row], target: Path) -> None:
    """Write the table as CSV that spreadsheets read right as well."""
    # Excel takes a file for UTF-8 by the mark at its start alone.
    how = {"encoding": "utf-8-sig", "errors": "backslashreplace", "newline": ""}
    with replacing(target) as temporary, open(temporary, "w", **how) as file:
        writer = csv.writer(file)
        writer.writerow(Row._fields)
        writer.writerows([harmless(value) for value in row] for row in rows)


def harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula, and without control characters."""
    text = "".join(character if character.isprintable() else " " for character in text).strip()
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")) else text
