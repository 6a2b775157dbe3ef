"""Which exercises are done: read from notebook files, and asked of a running kernel."""

import json
import re

import nbformat
import pytest
from student_notebooks import RIGHT, SIZE, WRONG, chapter_one, solved, write

from palm_course import chapters
from palm_course.command import main
from palm_course.exercises import registry
from palm_course.students import answers, judging, progress
from palm_utils.messages import CourseError

SPLIT = re.compile(r"^# %% ?(.*)\n", re.MULTILINE)
FIRST = "# %% exercise:1.1\n"
CHECK = '\n# %% check:1.1\nexercises.check("1.1", conv_output_size)\n'


def judged(tmp_path, script):
    """Return verdict and message for 1.1 in a notebook of these cells, each after `# %% TAG`, in this process."""
    _, *parts = SPLIT.split(script)
    found = answers.read(write(tmp_path / "01_x.ipynb", *zip(parts[1::2], parts[::2], strict=True)))
    assert found.numbers[:3] == ["1.1", "1.2", "1.3"]
    result = judging.judge_one(found, "1.1")
    return result.verdict, result.message


MINE = RIGHT.replace("conv_output_size", "mine")
USES_BOTH = RIGHT.replace("return", "xml.dom, xml.sax; return")
OWN_MODEL = RIGHT.replace("return", "model = size; size = model; return")
GOOD = {
    "the answer alone": f"{FIRST}{RIGHT}",
    "a helper, its constant and its import": f"""# %%
from operator import add
# %%
ONE = add(0, 1)
# %%
def positions(room, stride):
    return room // stride + ONE
{FIRST}{SIZE}    return positions(size + 2 * padding - kernel, stride)
{CHECK}""",
    "a helper further down": f"""{FIRST}{SIZE}    return helper(size, kernel, stride, padding)
{CHECK}# %%
{RIGHT.replace("conv_output_size", "helper")}""",
    "nothing else is run, above all not what trains or fails": f"""# %%
1 / 0
# %%
model = open("no such file")
{FIRST}{RIGHT}

model = conv_output_size(1 / 0)
""",
    "names of its own that the notebook has too": f"# %%\nmodel = 1 / 0\n{FIRST}{OWN_MODEL}",
    "mended in a cell between answer and check": f"{FIRST}{WRONG}\n# %%\n{RIGHT}{CHECK}",
    "spoilt below the check": f"{FIRST}{RIGHT}{CHECK}# %%\n{WRONG}",
    "under another name": f"{FIRST}{MINE}\n# %% check:1.1\nexercises.check('1.1', mine)\n",
    "a name that is changed in steps": f"# %%\nONE = 0\n# %%\nONE += 1\n{FIRST}{RIGHT.replace('+ 1', '+ ONE')}",
    "a class that is given its method later": f"""{FIRST}class Size:
    pass

{SIZE}    return Size.of(size, kernel, stride, padding)
# %%
{RIGHT.replace("conv_output_size", "of")}

Size.of = of
{CHECK}""",
    "two parts of one package": f"# %%\nimport xml.dom\n# %%\nimport xml.sax\n{FIRST}{USES_BOTH}",
    "the check that counts is not a comment": f"""{FIRST}{MINE}
{WRONG}
# %% check:1.1
exercises.check('1.1', mine)
# exercises.check("1.1", conv_output_size)
""",
    "everything of a module": f"# %%\nfrom operator import *\n{FIRST}{RIGHT.replace('+ 1', '+ add(0, 1)')}",
    "an import that is tried": f"""# %%
try:
    from nowhere import add
except ImportError:
    from operator import add
{FIRST}{RIGHT.replace("+ 1", "+ add(0, 1)")}
""",
    "Jupyter's own commands, and cells that are not Python": f"""# %%
%%bash
ls -l
# %%
x = = 1
{FIRST}%matplotlib inline
!ls
{RIGHT}
%timeit conv_output_size(28, 5)
""",
    "Jupyter's commands in other places": f"""{FIRST}{RIGHT}
files = !ls
taken = %timeit -o conv_output_size(28, 5)
conv_output_size?
conv_output_size??
""",
    "display": f"{FIRST}{RIGHT.replace('return', 'display(size); return')}",
    "without tags": f"# %%\n{RIGHT}{CHECK.replace('check:1.1', '')}",
    "without tags and check": f"# %%\n{RIGHT}",
}


@pytest.mark.parametrize("script", GOOD.values(), ids=GOOD)
def test_right_with_what_it_needs(tmp_path, script):
    verdict, message = judged(tmp_path, script)
    assert verdict == "right", message


STUB = f"{SIZE}    raise NotImplementedError"
SYNTAX = r"not Python: '\(' was never closed in line 2: `return \(size`"


@pytest.mark.parametrize(
    ("script", "verdict", "words"),
    [
        (f"{FIRST}{WRONG}{CHECK}", "wrong", "one too small"),
        (f"{FIRST}{STUB}{CHECK}", "not attempted", "not attempted yet"),
        (f"{FIRST}# later\n\n{STUB}  # to do{CHECK}", "not attempted", "not attempted yet"),
        (f"{FIRST}{SIZE}    size = 1\n    raise NotImplementedError", "not attempted", "not attempted yet"),
        ("# %% exercise:1.2\n2", "missing", "neither its cell nor a conv_output_size"),
        (f"{FIRST}{SIZE}    return (size", "wrong", SYNTAX),
        (f"{FIRST}def f(:\n# %%\n{RIGHT}{CHECK}", "wrong", "not Python: .* in line 1"),
        (f"{FIRST}import nowhere\n{SIZE}    return nowhere.f()", "wrong", "raises ModuleNotFoundError: No module"),
        (f"{FIRST}import sys\nX = sys.exit(3)\n{SIZE}    return X", "wrong", "raises SystemExit: 3"),
        (f"{FIRST}{SIZE}    return size.x", "wrong", r"in line 2 of conv_output_size: `return size\.x`"),
        (f"{FIRST}x = {'-' * 3000}1\n{RIGHT}", "wrong", "not Python: it is nested too deeply"),
        (f"{FIRST}conv_output_size = 24", "wrong", "needs the function or class itself"),
    ],
)
def test_other_verdicts(tmp_path, script, verdict, words):
    found, message = judged(tmp_path, script)
    assert found == verdict and re.search(words, message), message


def test_a_cell_that_an_answer_needs_and_that_never_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(judging, "_PREPARING", 0.2)
    verdict, message = judged(tmp_path, f"# %%\nx = 0\nwhile x < 1:\n    x -= 1\n{FIRST}{SIZE}    return x")
    assert (verdict, "takes over 0.2 seconds" in message) == ("wrong", True)


def test_a_file_that_is_no_notebook(tmp_path):
    path = tmp_path / "x.ipynb"
    without_source = b'{"cells": [{"cell_type": "code"}], "nbformat": 4, "nbformat_minor": 5}'
    merged = b'{"cells": [\n<<<<<<< HEAD\n{}\n=======\n[]\n>>>>>>> main\n]}'
    for content in (b"", b"{broken", b"[]", b"{}", b"\xff\xfe", without_source, merged):
        path.write_bytes(content)
        with pytest.raises(chapters.UnreadableNotebook, match=r"x\.ipynb is not a notebook, or a damaged one \(") as e:
            answers.read(path)
        assert ("git's conflict markers" in str(e.value)) == (content == merged)
    with pytest.raises(chapters.UnreadableNotebook, match="not there, or is not a file"):
        answers.read(tmp_path / "none.ipynb")


def test_notebooks_of_older_editors(tmp_path):
    cell = {"cell_type": "code", "input": RIGHT.splitlines(keepends=True), "language": "python", "outputs": []}
    book = {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": [cell]}]}
    (tmp_path / "x.ipynb").write_text("\ufeff" + json.dumps(book), encoding="utf-8")
    assert judging.judge_one(answers.read(tmp_path / "x.ipynb"), "1.1").verdict == "right"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder that the command takes for the course's notebooks."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(chapters, "FOLDER", folder)
    return folder


def test_the_table_is_made_from_the_answers_and_not_from_stored_outputs(course, capsys):
    constant = "def lenet_parameters(num_classes, in_channels=1):\n    return 1"
    path = chapter_one(course / "01_a.ipynb", {"1.1": RIGHT, "1.2": constant})
    book = nbformat.read(path, as_version=4)
    for cell in book.cells:
        cell.outputs = [nbformat.v4.new_output("stream", text="✓ Exercise 1.2: stale\n")]
    nbformat.write(book, path)
    chapter_one(course / "01_a.mine.ipynb", solved())
    write(course / "08_summary.ipynb", "print('no exercises')")
    (course / "09_broken.ipynb").write_text("<<<<<<< HEAD")
    assert main(["progress"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "",
        "01_a: 1 of 6 exercises done",
        "✓ 1.1  how large is the output?               right",
        "✗ 1.2  counting LeNet's parameters            wrong: it gives the same answer whatever it is given.",
        "· 1.3  a LeNet for small colour photographs   not attempted",
        "· 1.4  softmax and cross-entropy, stable      not attempted",
        "· 1.5  convolution and pooling by hand        not attempted",
        "· 1.6  a kernel for vertical strokes          not attempted",
        "",
        "09_broken.ipynb is not a notebook, or a damaged one (with git's conflict markers in it); "
        "`python course.py reset --chapter 09` puts a fresh one in place",
        "",
        "1 of 6 exercises done, in the notebooks as they were last saved",
    ]
    assert main(["progress", "08"]) == 1
    assert "08_summary.ipynb has no exercises" in capsys.readouterr().err


def test_nothing_is_run_where_nothing_was_attempted(course, monkeypatch, capsys):
    monkeypatch.setattr(judging, "judge", None)
    path = chapter_one(course / "01_a.ipynb")
    assert [r.verdict for r in progress.judge(path, answers.read(path))] == ["not attempted"] * 6
    assert main(["progress", "01"]) == 0
    assert "0 of 6 exercises done" in capsys.readouterr().out


def test_a_kernel_s_own_answers(capsys):
    names = {}
    exec(RIGHT + "\ndef lenet_parameters(num_classes, in_channels=1):\n    raise NotImplementedError", names)
    registry.progress(1, names)
    assert capsys.readouterr().out.splitlines()[:4] == [
        "1 of 6 exercises done",
        "✓ 1.1  how large is the output?               right",
        "· 1.2  counting LeNet's parameters            not attempted",
        "· 1.3  a LeNet for small colour photographs   not run yet",
    ]
    with pytest.raises(CourseError, match="no exercises of a chapter 99"):
        registry.progress(99, names)
