"""What the checks and the progress tables of notebooks say in Chinese: python tools/zh_speech.py NOTEBOOK …

Prints a JSON list, for each notebook an object: by the id of each such cell, the text that it prints. This
is a program of its own, since a process speaks one language.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from palm_utils.messages import CourseError

LANGUAGE = {"PALM_LANG": "zh_CN", "PYTHONUTF8": "1"}
_TAGS = ("check:", "progress")


def speaks(cell: Any) -> bool:
    """Tell whether a cell prints what the package says to the student, in the notebook's language."""
    return any(tag.startswith(_TAGS) for tag in cell.get("metadata", {}).get("tags", []))


def listen(books: dict[Path, Any]) -> dict[Path, dict[str, str]]:
    """Return what the cells that speak print in Chinese, by their ids, for each of these notebooks.

    Raises CourseError where one of them cannot be run.
    """
    said: dict[Path, dict[str, str]] = {path: {} for path in books}
    speaking = [path for path, book in books.items() if any(speaks(cell) for cell in book.cells)]
    if speaking:
        command = [sys.executable, __file__, *map(str, speaking)]
        done = subprocess.run(command, env=os.environ | LANGUAGE, capture_output=True, encoding="utf-8")
        if done.returncode:
            raise CourseError(f"The cells that check exercises cannot be run:\n{done.stderr.strip()}")
        said |= zip(speaking, json.loads(done.stdout.splitlines()[-1]), strict=True)
    return said


def _said(path: Path) -> dict[str, str]:
    """Run the cells that speak, after what the notebook's exercises need and without the rest of it."""
    from palm_course import exercises
    from palm_course.students.answers import load, read

    answers = read(path)
    known = {exercises.find(number).name: answers.run(number) for number in answers.numbers}
    vars(sys.modules["__main__"]).update(known)  # where the progress table looks
    said = {}
    for cell in load(path).cells:
        if speaks(cell):
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(cell.source, {"exercises": exercises, **known})
            said[cell.id] = printed.getvalue()
    return said


if __name__ == "__main__":
    print(json.dumps([_said(Path(path)) for path in sys.argv[1:]]))
