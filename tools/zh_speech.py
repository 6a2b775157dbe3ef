"""What the checks, progress tables and diagrams of notebooks say in Chinese: python tools/zh_speech.py NOTEBOOK …

Prints a JSON list, for each notebook a pair of objects: by the ids of its cells, the texts that checks and
progress tables print, and the diagrams of words as PNG, where the machine has a font for them. This is a
program of its own, since a process speaks one language.
"""

import ast
import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from palm_utils.messages import CourseError

LANGUAGE = {"PALM_LANG": "zh_CN", "PYTHONUTF8": "1", "MPLBACKEND": "Agg"}
_TAGS = ("check:", "progress")
# What draws words, and needs no data and no training.
_DIAGRAMS = r"\b(timeline\.draw|dropout_drawing\.draw|inception_drawings\.(both|whole)|shortcuts\.(blocks|network)"
_DIAGRAMS += r"|diagrams\.flow|drawings\.(convolution|channels))\("


def speaks(cell: Any) -> bool:
    """Tell whether a cell prints what the package says to the student, in the notebook's language."""
    return any(tag.startswith(_TAGS) for tag in cell.get("metadata", {}).get("tags", []))


def draws(cell: Any) -> bool:
    """Tell whether a cell shows a diagram of words."""
    shows = any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    return shows and re.search(_DIAGRAMS, cell.source) is not None


def listen(books: dict[Path, Any]) -> dict[Path, tuple[dict[str, str], dict[str, str]]]:
    """Return what the cells that speak print in Chinese, and the diagrams, by cells' ids, for each of these notebooks.

    Raises CourseError where one of them cannot be run.
    """
    said: dict[Path, tuple[dict[str, str], dict[str, str]]] = {path: ({}, {}) for path in books}
    speaking = [path for path, book in books.items() if any(speaks(cell) or draws(cell) for cell in book.cells)]
    if speaking:
        command = [sys.executable, __file__, *map(str, speaking)]
        done = subprocess.run(command, env=os.environ | LANGUAGE, capture_output=True, encoding="utf-8")
        if done.returncode:
            raise CourseError(f"The cells that check exercises or draw diagrams cannot be run:\n{done.stderr.strip()}")
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


def _drawn(path: Path) -> dict[str, str]:
    """Draw the diagrams, each after the imports and those cells before it that define what it needs."""
    import matplotlib.pyplot as plt
    from IPython.core.pylabtools import print_figure

    from palm_course import chapters, words
    from palm_utils.figures import use_style

    drawn, code = {}, [cell for cell in chapters.load(path).cells if cell.cell_type == "code"]
    for number, cell in enumerate(code):
        if draws(cell) and words._fonts():
            use_style()
            space: dict[str, Any] = {}
            with contextlib.redirect_stdout(io.StringIO()):
                exec("\n".join(chapters._imports(code[: number + 1])), space)
                for source in _needed([earlier.source for earlier in code[:number]], cell.source):
                    exec(source, space)
            drawn[cell.id] = print_figure(plt.gcf(), base64=True)
            plt.close("all")
    return drawn


def _needed(earlier: list[str], source: str) -> list[str]:
    """Return the source of a cell after those that define its names, and theirs."""
    found, wanted = [source], _names(source, ast.Load) - _names(source, ast.Store)
    for other in reversed(earlier):
        if wanted & (made := _names(other, ast.Store)):
            found.insert(0, other)
            wanted = (wanted | _names(other, ast.Load)) - made
    return found


def _names(source: str, context: type) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    found = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, context)}
    made = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return found | made if context is ast.Store else found


if __name__ == "__main__":
    print(json.dumps([(_said(Path(path)), _drawn(Path(path))) for path in sys.argv[1:]]))
