"""A fresh chapter, a new version of the course: with real git, nothing of a student's is ever lost."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from student_notebooks import RIGHT, SIZE, WRONG, chapter_one, solved

from palm_course import chapters
from palm_course.command import main
from palm_course.students import carry

NAME = "01_lenet_mnist.ipynb"
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


@pytest.fixture
def clones(tmp_path, monkeypatch):
    """The course's clone and the student's, of one repository; returns their folders of notebooks."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (tmp_path / "gitconfig").write_text("[user]\nname = x\nemail = x@example.org\n[init]\ndefaultBranch = main\n")
    run(tmp_path, "init", "--bare", "repository")
    run(tmp_path, "clone", "repository", "course")
    course = tmp_path / "course" / "notebooks"
    chapter_one(course / NAME, text="old")
    chapter_one(course / "02_ichallenge_pm.ipynb")
    (course.parent / ".gitignore").write_text("*.mine*.ipynb\n")
    publish(course, "first")
    run(tmp_path, "clone", "repository", "student")
    student = tmp_path / "student" / "notebooks"
    monkeypatch.setattr(chapters, "FOLDER", student)
    return course, student


def run(folder, *arguments):
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def publish(course, message):
    run(course.parent, "add", "--all")
    run(course.parent, "commit", "-m", message)
    run(course.parent, "push", "origin", "HEAD")


def edit(path, answers, *, ran="", note=""):
    """Work on a notebook as a student does: answers, outputs, a note in a cell of its own."""
    book = nbformat.read(path, as_version=4)
    for cell in book.cells:
        for tag in cell.metadata.tags:
            cell.source = answers.get(tag.removeprefix("exercise:"), cell.source)
        cell.outputs = [nbformat.v4.new_output("stream", text=ran)] if ran else cell.outputs
    if note:
        book.cells.insert(1, nbformat.v4.new_code_cell(note, metadata={"tags": []}))
    nbformat.write(book, path)
    return path.read_bytes()


def sources(path):
    """Return the cells of a notebook by exercise tag, and the course's own text cell as "text"."""
    cells = nbformat.read(path, as_version=4).cells
    found = {carry.exercise_of(cell).removeprefix("exercise:"): cell.source for cell in cells}
    return {**found, "text": cells[1].source}


def copies(folder):
    return sorted(path.name for path in folder.glob("*.mine*"))


# reset --------------------------------------------------------------------------------------------


def test_a_fresh_chapter_and_every_copy_of_one_s_own(clones, capsys):
    _, student = clones
    path = student / NAME
    fresh = path.read_bytes()
    mine = [edit(path, {"1.1": RIGHT}, ran="1\n")]
    assert main(["reset", "01"]) == 0
    assert path.read_bytes() == fresh
    for answer in (WRONG, f"{SIZE}    return 3"):
        mine.append(edit(path, {"1.1": answer}))
        assert main(["reset", "01_lenet"]) == 0
    names = ["01_lenet_mnist.mine.ipynb", "01_lenet_mnist.mine-2.ipynb", "01_lenet_mnist.mine-3.ipynb"]
    assert [(student / name).read_bytes() for name in names] == mine
    assert capsys.readouterr().out.splitlines() == [f"{NAME}: fresh; yours is {name}" for name in names]
    assert main(["reset", "01"]) == 0
    assert "nothing to do" in capsys.readouterr().out and len(copies(student)) == 3
    assert run(student, "status", "--short") == ""
    assert [found.name for found in chapters.find()] == [NAME, "02_ichallenge_pm.ipynb"]


def test_answers_are_carried_over(clones, capsys):
    _, student = clones
    path = student / NAME
    mine = edit(path, {"1.1": RIGHT, "1.3": solved()["1.3"], "x": ""}, ran="old outputs\n", note="my_note = 1")
    assert main(["reset", "01", "--keep-answers"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{NAME}: fresh; yours is 01_lenet_mnist.mine.ipynb",
        "  answers carried over: 1.1, 1.3",
        "  of your own, new or changed, and in your copy only: 1 cell",
    ]
    assert (student / copies(student)[0]).read_bytes() == mine
    found = sources(path)
    assert (found["1.1"], found["1.3"], found["text"]) == (RIGHT, solved()["1.3"], "text = 'old'")
    assert not any(cell.outputs for cell in nbformat.read(path, as_version=4).cells)


def test_a_chapter_that_is_gone_or_damaged(clones, capsys):
    _, student = clones
    path = student / NAME
    fresh = path.read_bytes()
    path.unlink()
    assert main(["reset", "01"]) == 0
    assert path.read_bytes() == fresh and copies(student) == []
    path.write_text("<<<<<<< HEAD\n")
    assert main(["reset", "01", "--keep-answers"]) == 1
    assert path.read_text() == "<<<<<<< HEAD\n" and copies(student) == []
    assert "damaged" in capsys.readouterr().err
    assert main(["reset", "01"]) == 0
    assert path.read_bytes() == fresh
    assert (student / "01_lenet_mnist.mine.ipynb").read_text() == "<<<<<<< HEAD\n"


def test_a_student_who_commits_gets_the_course_s_chapter(clones):
    course, student = clones
    edit(student / NAME, {"1.1": RIGHT})
    run(student, "commit", "--all", "-m", "my answers")
    assert main(["reset", "01"]) == 0
    assert (student / NAME).read_bytes() == (course / NAME).read_bytes()
    assert main(["reset", "01", "--from", "HEAD"]) == 0
    assert sources(student / NAME)["1.1"] == RIGHT


def test_a_download_without_git(clones, tmp_path, capsys):
    course, student = clones
    shutil.rmtree(student.parent / ".git")
    mine = edit(student / NAME, {"1.1": RIGHT})
    edit(course / NAME, {"text": "new"})
    assert main(["reset", "01"]) == 1
    error = capsys.readouterr().err
    assert "not a git repository" in error and "--from THAT_FOLDER" in error and "nothing has been changed" in error
    assert (student / NAME).read_bytes() == mine and copies(student) == []
    for folder in (course.parent, course):
        edit(student / NAME, {"1.1": RIGHT})
        assert main(["reset", "01", "--from", str(folder), "--keep-answers"]) == 0
        assert sources(student / NAME)["1.1"] == RIGHT
    assert (student / copies(student)[-1]).read_bytes() == mine
    assert main(["reset", "01", "--from", str(tmp_path)]) == 1
    assert "no chapters in" in capsys.readouterr().err


def test_without_a_history_or_without_git_at_all(clones, tmp_path, monkeypatch, capsys):
    _, student = clones
    shutil.rmtree(student.parent / ".git")
    run(student.parent, "init")
    for said in ("A fresh chapter comes from git, and it has none here", "git is not installed"):
        assert main(["reset", "01"]) == 1
        assert said in capsys.readouterr().err
        monkeypatch.setenv("PATH", str(tmp_path))


def test_one_chapter_at_a_time(clones, capsys):
    assert main(["reset", "0"]) == 1
    assert "No single chapter starts with '0' in commit" in capsys.readouterr().err
    assert copies(clones[1]) == []


def test_copies_are_no_chapters_to_nbval(tmp_path):
    shutil.copy(Path(__file__).parents[2] / "conftest.py", tmp_path)
    for name in ("01_a.ipynb", "01_a.mine.ipynb", "01_a.mine-2.ipynb"):
        chapter_one(tmp_path / "notebooks" / name)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "--collect-only"]
    listed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    assert "01_a.ipynb::" in listed and ".mine" not in listed


# answers that move --------------------------------------------------------------------------------


def book_of(*cells):
    made = [nbformat.v4.new_code_cell(source, metadata={"tags": [tag]}) for tag, source in cells]
    return nbformat.v4.new_notebook(cells=made)


def test_an_answer_follows_its_function_and_not_its_number():
    stub = "def {}(x):\n    raise NotImplementedError"
    fresh = book_of(("exercise:1.1", stub.format("new")), ("exercise:1.2", stub.format("area")))
    mine = book_of(
        ("exercise:1.1", "def area(x):\n    return x * x"),
        ("exercise:1.2", "def helper():\n    return (\n\ndef gone(x):\n    return 1"),
        ("exercise:1.3", "def dropped(x):\n    return 1"),
    )
    made, lines = carry.carry_answers(mine, nbformat.writes(fresh).encode())
    cells = nbformat.reads(made.decode(), as_version=4).cells
    assert [cell.source for cell in cells] == [stub.format("new"), mine.cells[0].source]
    assert lines == [
        "answers carried over: 1.2",
        "the chapter has no exercise for your 1.2, 1.3 any more; see your copy",
    ]


def test_a_chapter_of_the_chinese_edition(clones, capsys):
    course, student = clones
    chapter_one(course / "zh" / NAME, text="zh")
    publish(course, "in Chinese")
    assert main(["update"]) == 0
    english = edit(student / NAME, {"1.1": WRONG})
    edit(student / "zh" / NAME, {"1.1": RIGHT})
    assert main(["reset", "zh/01", "--keep-answers"]) == 0
    found = sources(student / "zh" / NAME)
    assert (found["1.1"], found["text"]) == (RIGHT, "text = 'zh'")
    assert copies(student / "zh") == ["01_lenet_mnist.mine.ipynb"]
    assert (student / NAME).read_bytes() == english
    chapter_one(course / "zh" / NAME, text="newer")
    publish(course, "newer")
    assert main(["update"]) == 0
    found = sources(student / "zh" / NAME)
    assert (found["1.1"], found["text"]) == (RIGHT, "text = 'newer'")
    shutil.rmtree(student / "zh")
    assert main(["reset", "zh/01"]) == 0
    assert sources(student / "zh" / NAME)["text"] == "text = 'newer'"
    assert main(["reset", "zh/01", "--from", str(course)]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main(["reset", "zh/07"]) == 1
    assert "there are: 01_lenet_mnist.ipynb, 02_ichallenge_pm.ipynb, zh/01_lenet_mnist.ipynb" in capsys.readouterr().err


# update -------------------------------------------------------------------------------------------


def test_update_brings_the_new_version_and_keeps_the_answers(clones, capsys):
    course, student = clones
    mine = edit(student / NAME, {"1.1": RIGHT}, ran="mine\n", note="my_note = 1")
    untouched_by_course = edit(student / "02_ichallenge_pm.ipynb", {"1.1": WRONG})
    # New text, new stubs, new outputs, a new chapter: in the same cells and in others.
    stub = f"{SIZE}    # output size in pixels\n    raise NotImplementedError"
    stubs = {"1.1": stub, "1.2": "def lenet_parameters(classes):\n    raise NotImplementedError"}
    chapter_one(course / NAME, stubs, text="new")
    edit(course / NAME, {}, ran="new\n")
    chapter_one(course / "03_alexnet.ipynb")
    publish(course, "second")
    refused = subprocess.run(["git", "pull"], cwd=student, capture_output=True)
    assert refused.returncode != 0  # what the command is for
    assert main(["update"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"{NAME}: new; yours is 01_lenet_mnist.mine.ipynb",
        "  answers carried over: 1.1",
        "  of your own, new or changed, and in your copy only: 1 cell",
    ]
    found = sources(student / NAME)
    assert (found["1.1"], found["text"]) == (RIGHT, "text = 'new'")
    assert found["1.2"].startswith("def lenet_parameters(classes)")  # untouched: the new stub
    assert (student / "01_lenet_mnist.mine.ipynb").read_bytes() == mine
    assert (student / "02_ichallenge_pm.ipynb").read_bytes() == untouched_by_course
    assert (student / "03_alexnet.ipynb").exists()
    assert run(student, "status", "--short").split() == ["M", NAME, "M", "02_ichallenge_pm.ipynb"]
    assert main(["update"]) == 0
    assert "newest version" in capsys.readouterr().out and len(copies(student)) == 1


def test_an_update_that_git_refuses_changes_nothing(clones, capsys):
    course, student = clones
    mine = edit(student / NAME, {"1.1": RIGHT})
    (student / "03_alexnet.ipynb").write_text("not the course's")
    edit(course / NAME, {"1.2": "new"})
    chapter_one(course / "03_alexnet.ipynb")
    publish(course, "second")
    assert main(["update"]) == 1
    assert "03_alexnet.ipynb" in capsys.readouterr().err
    assert (student / NAME).read_bytes() == mine and copies(student) == []
    assert (student / "03_alexnet.ipynb").read_text() == "not the course's"


def test_an_update_of_a_chapter_with_conflict_markers_of_a_chapter_staged_and_of_one_deleted(clones, capsys):
    course, student = clones
    (student / NAME).write_text("<<<<<<< HEAD\n")
    (student / "02_ichallenge_pm.ipynb").unlink()
    run(student, "add", "--all")
    for name in (NAME, "02_ichallenge_pm.ipynb"):
        edit(course / name, {"1.2": "new"})
    publish(course, "second")
    assert main(["update"]) == 0
    assert "cannot be read" in capsys.readouterr().out
    for name in (NAME, "02_ichallenge_pm.ipynb"):
        assert (student / name).read_bytes() == (course / name).read_bytes()
    assert (student / "01_lenet_mnist.mine.ipynb").read_text() == "<<<<<<< HEAD\n"


def test_an_update_with_commits_of_one_s_own_says_what_to_do_and_that_works(clones, capsys):
    course, student = clones
    mine = edit(student / NAME, {"1.1": RIGHT})
    run(student, "commit", "--all", "-m", "mine")
    edit(course / NAME, {"1.2": "new"})
    publish(course, "second")
    assert main(["update"]) == 1
    error = capsys.readouterr().err
    assert (student / NAME).read_bytes() == mine
    for command in error.split("`")[1::2]:
        run(student, *command.removeprefix("git ").split())
    assert main(["update"]) == 0
    assert (sources(student / NAME)["1.1"], sources(student / NAME)["1.2"]) == (RIGHT, "new")
    assert "mine" in run(student, "log", "mine", "--oneline")


def test_an_update_without_a_branch_to_follow(clones, capsys):
    run(clones[1], "branch", "--unset-upstream")
    assert main(["update"]) == 1
    assert "--set-upstream-to" in capsys.readouterr().err
