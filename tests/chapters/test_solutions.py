"""Each reference solution, put into its chapter in the place of the stub, is right."""

import ast

import pytest
from editions import FOLDER, read
from exercise_verdicts import assert_right

from palm_course import exercises


@pytest.mark.parametrize("exercise", exercises.all_exercises(), ids=lambda exercise: exercise.number)
def test_a_solution_needs_nothing_that_its_chapter_lacks(exercise):
    (chapter,) = FOLDER.glob(f"{int(exercise.number[0]):02d}_*.ipynb")
    (solution,) = (cell for cell in read(FOLDER / "solutions" / chapter.name).cells if has(cell, "solution", exercise))
    names = imported_above(chapter, exercise)
    exec(solution.source, names)
    assert_right(exercise.number, names[exercise.name])


def has(cell, kind, exercise):
    return f"{kind}:{exercise.number}" in cell.metadata.get("tags", [])


def imported_above(chapter, exercise):
    """Return what a chapter's cells import above the stub of an exercise."""
    names = {}
    for cell in read(chapter).cells:
        if has(cell, "exercise", exercise):
            return names
        if cell.cell_type == "code":
            imports = [node for node in ast.parse(cell.source).body if isinstance(node, (ast.Import, ast.ImportFrom))]
            exec(compile(ast.Module(imports, []), str(chapter), "exec"), names)
    raise AssertionError(f"{chapter} has no stub of exercise {exercise.number}")
