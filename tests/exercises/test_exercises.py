"""What all exercises share: verdicts, hints, solutions, and their cells in the notebooks."""

import re

import nbclient
import nbformat
import paddle
import pytest
from course_notebooks import FOLDER, exercise_cells
from exercise_verdicts import right_size, wrong_size
from student_notebooks import RIGHT, SIZE

from palm_course import chapters as notebooks
from palm_course import exercises
from palm_course.exercises import Status, Wrong, registry
from palm_course.students import answers
from palm_utils.messages import CourseError, tr


def untouched(size, kernel, stride=1, padding=0):
    raise NotImplementedError


def test_what_is_printed_of_right_and_untouched_answers_and_of_a_hint(capsys):
    assert exercises.check("1.1", right_size) is None
    exercises.check("1.1", untouched)
    exercises.hint("2.2")
    lines = [
        f"✓ Exercise 1.1: {exercises.find('1.1').success}",
        "Exercise 1.1: not attempted yet.",
        f"Exercise 2.2: {exercises.find('2.2').stronger_hint}",
    ]
    assert capsys.readouterr() == ("\n".join([*lines, ""]), "")


def test_untouched_fails_where_answers_are_required(monkeypatch):
    monkeypatch.setenv("PALM_EXERCISES", "required")
    with pytest.raises(Wrong, match=r"1\.1: not attempted yet.*PALM_EXERCISES"):
        exercises.check("1.1", untouched)
    exercises.check("1.1", right_size)


def test_wrong_raises_one_message_for_scripts_and_notebooks():
    with pytest.raises(Wrong) as caught:
        exercises.check("1.1", wrong_size)
    lines = str(caught.value).splitlines()
    assert lines == caught.value._render_traceback_()
    assert lines[0].startswith("✗ Exercise 1.1 is not right yet: it is one too small")
    assert lines[1:4] == ["  tried:    conv_output_size(28, 5)", "  expected: 24", "  came:     23"]
    assert lines[4] == f"  Hint: {exercises.find('1.1').hint}"
    assert 'exercises.hint("1.1")' in lines[5] and 'exercises.solution("1.1")' in lines[5]
    assert isinstance(caught.value, CourseError)


def test_unknown_number_names_the_known_ones():
    for function in (exercises.hint, exercises.solution, lambda number: exercises.check(number, len)):
        with pytest.raises(CourseError, match=r"no exercise 9\.9.*1\.1, 1\.2, 1\.3, .*2\.1"):
            function("9.9")


def test_solution_is_the_tagged_cell(tmp_path, monkeypatch, capsys):
    cells = [
        nbformat.v4.new_code_cell("def other(): ...", metadata={"tags": ["solution:1.2"]}),
        nbformat.v4.new_code_cell("def conv_output_size(): ...", metadata={"tags": ["x", "solution:1.1"]}),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "01_any_name.ipynb")
    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    exercises.solution("1.1")
    assert capsys.readouterr().out == "def conv_output_size(): ...\n"
    with pytest.raises(CourseError, match=r"01_any_name\.ipynb has no cell tagged solution:1\.3"):
        exercises.solution("1.3")
    with pytest.raises(CourseError, match="No solutions of chapter 2 in"):
        exercises.solution("2.1")


each_exercise = pytest.mark.parametrize("exercise", exercises.all_exercises(), ids=lambda exercise: exercise.number)


@each_exercise
def test_every_exercise_is_complete(exercise):
    text, stub, _ = exercise_cells(exercise.number)
    assert f"`{exercise.name}" in text.source and "Example:" in text.source
    assert exercise.success.endswith(".") and exercise.hint != exercise.stronger_hint
    names = {"paddle": paddle}  # which stubs of layers inherit from
    exec(stub.source, names)
    verdict = exercises.examine(exercise.number, names[exercise.name])
    assert verdict == exercises.Verdict(Status.NOT_ATTEMPTED, f"Exercise {exercise.number}: not attempted yet.")


@pytest.mark.parametrize(("edition", "heading"), [("", "### Exercise {}: {}"), ("zh", "### 练习 {}：{}")])
@each_exercise
def test_both_editions_have_the_cells_of_every_exercise(exercise, edition, heading, monkeypatch):
    monkeypatch.setenv("PALM_LANG", edition or "en")
    number = exercise.number
    text, stub, check = exercise_cells(number, edition)
    first, _, rest = text.source.partition("\n")
    assert re.fullmatch(re.escape(heading.format(number, tr(exercise.title))) + "( ?★{1,3})?", first) and rest
    assert stub.metadata.tags == [f"exercise:{number}", "nbval-ignore-output"]
    assert answers.Answers([(stub.source, stub.metadata.tags)], "x").is_untouched(number)
    assert check.metadata.tags == [f"check:{number}", "nbval-ignore-output"]
    assert check.source == f'from palm_utils import exercises\n\nexercises.check("{number}", {exercise.name})'
    (path,) = notebooks.find(f"0{exercise.chapter}", FOLDER / edition / "solutions")
    cells = nbformat.read(path, as_version=4).cells
    assert text.source in [cell.source for cell in cells]
    assert sum(f"solution:{number}" in cell.metadata.get("tags", []) for cell in cells) == 1


def test_in_a_notebook(tmp_path):
    check = 'from palm_utils import exercises\nexercises.check("1.1", conv_output_size)'
    answers = [f"{SIZE}    {body}" for body in ("raise NotImplementedError", "return size.half", "exit(1)")]
    answers.append(RIGHT)
    cells = [nbformat.v4.new_code_cell(source) for answer in answers for source in (answer, check)]
    cells.append(nbformat.v4.new_code_cell("exercises.progress(1)"))
    notebook = nbformat.v4.new_notebook(cells=cells)
    options = {"timeout": 120, "allow_errors": True, "kernel_name": "python3"}
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": tmp_path}}, **options).execute()
    ((untouched_output,), (wrong_output,), (exit_output,), (right_output,), (table,)) = (
        # A busy kernel sends what is printed in several pieces.
        cell.outputs
        for cell in [*notebooks.tidy(notebook).cells[1::2], notebook.cells[-1]]
    )
    assert untouched_output.text == "Exercise 1.1: not attempted yet.\n"
    assert (wrong_output.output_type, wrong_output.ename) == ("error", "Wrong")
    assert wrong_output.traceback == wrong_output.evalue.splitlines()
    assert wrong_output.traceback[0] == (
        "✗ Exercise 1.1 is not right yet: it raises AttributeError in line 2 of conv_output_size: `return size.half`."
    )
    assert exit_output.ename == "Wrong"
    assert right_output.text.startswith("✓ Exercise 1.1: ")
    assert table.text.startswith("1 of 6 exercises done\n✓ 1.1  ")  # of a kernel that does not know its notebook's name
