"""Notebooks as students hand them in, for the tests of what reads them."""

from pathlib import Path

import nbformat
from course_notebooks import exercise_cells

from palm_course.exercises.registry import all_exercises, reference_source

NUMBERS = [exercise.number for exercise in all_exercises() if exercise.chapter == "1"]
SIZE = "def conv_output_size(size, kernel, stride=1, padding=0):\n"
RIGHT = f"{SIZE}    return (size + 2 * padding - kernel) // stride + 1"
WRONG = f"{SIZE}    return (size + 2 * padding - kernel) // stride"


def write(path: Path, *cells: str | tuple[str, str]) -> Path:
    """Write a notebook of code cells: a source, or a source and a tag."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs = [(cell, "") if isinstance(cell, str) else cell for cell in cells]
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source, metadata={"tags": [tag] if tag else []}) for source, tag in pairs]
    )
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number}"  # the same file each time
    nbformat.write(book, path)
    return path


def chapter_one(path: Path, answers: dict[str, str] | None = None, text: str = "") -> Path:
    """Write a short chapter 1 with these answers, by number; the others are untouched."""
    imports = "import numpy as np\nimport paddle\nimport paddle.nn.functional as F"
    cells: list[str | tuple[str, str]] = [imports, f"text = {text!r}"]
    for number in NUMBERS:
        _, stub, check = exercise_cells(number)
        cells.append(((answers or {}).get(number, stub.source), f"exercise:{number}"))
        cells.append((check.source, f"check:{number}"))
    return write(path, *cells)


def solved() -> dict[str, str]:
    """Return the reference solutions of chapter 1, by number."""
    return {number: reference_source(number) for number in NUMBERS}
