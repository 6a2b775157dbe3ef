"""A fresh chapter, a new version of the course: with real git, nothing of a student's is ever lost."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from student_notebooks import RIGHT, SIZE, WRONG, chapter_one, solved, write

from palm_course import chapters
from palm_course.command import main
from palm_course.students.reset import carry_answers, exercise_of

NAME, SECOND = "01_lenet_mnist.ipynb", "02_ichallenge_pm.ipynb"
COPY, MARKERS = "01_lenet_mnist.mine.ipynb", "<<<<<<< HEAD\n"
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
    chapter_one(course / SECOND)
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
    found = {exercise_of(cell): cell.source for cell in cells}
    return {**found, "text": cells[1].source}


def copies(folder):
    return sorted(path.name for path in folder.glob("*.mine*"))


@pytest.fixture
def say(capsys):
    """Run a command that ends with this status; returns what it prints, and what it complains of if it fails."""

    def run(words, *more, status=0):
        assert main([*words.split(), *map(str, more)]) == status
        said = capsys.readouterr()
        return said.err if status else said.out

    return run


def test_a_fresh_chapter_and_every_copy_of_one_s_own(clones, say):
    _, student = clones
    path = student / NAME
    fresh = path.read_bytes()
    copied, mine = [COPY, COPY.replace("mine.", "mine-2."), COPY.replace("mine.", "mine-3.")], []
    words_and_answers = ("01", RIGHT), ("01_lenet", WRONG), ("01", f"{SIZE}    return 3")
    for name, (words, answer) in zip(copied, words_and_answers, strict=True):
        mine.append(edit(path, {"1.1": answer}, ran="1\n"))
        assert say(f"reset {words}") == f"{NAME}: fresh; yours is {name}\n"
        assert path.read_bytes() == fresh
    assert [(student / name).read_bytes() for name in copied] == mine
    assert "nothing to do" in say("reset 01") and len(copies(student)) == 3
    assert run(student, "status", "--short") == ""
    assert [found.name for found in chapters.find()] == [NAME, SECOND]


def test_answers_are_carried_over(clones, say):
    _, student = clones
    path = student / NAME
    mine = edit(path, {"1.1": RIGHT, "1.3": solved()["1.3"], "x": ""}, ran="old outputs\n", note="my_note = 1")
    assert say("reset 01 --keep-answers").splitlines() == [
        f"{NAME}: fresh; yours is {COPY}",
        "  answers carried over: 1.1, 1.3",
        "  of your own, new or changed, and in your copy only: 1 cell",
    ]
    assert (student / copies(student)[0]).read_bytes() == mine
    found = sources(path)
    assert (found["1.1"], found["1.3"], found["text"]) == (RIGHT, solved()["1.3"], "text = 'old'")
    assert not any(cell.outputs for cell in nbformat.read(path, as_version=4).cells)


def test_a_chapter_that_is_gone_or_damaged(clones, say):
    _, student = clones
    path = student / NAME
    fresh = path.read_bytes()
    path.unlink()
    say("reset 01")
    assert path.read_bytes() == fresh and copies(student) == []
    path.write_text(MARKERS)
    assert "damaged" in say("reset 01 --keep-answers", status=1)
    assert path.read_text() == MARKERS and copies(student) == []
    say("reset 01")
    assert path.read_bytes() == fresh and (student / COPY).read_text() == MARKERS


def test_a_download_without_git(clones, tmp_path, say):
    course, student = clones
    shutil.rmtree(student.parent / ".git")
    mine = edit(student / NAME, {"1.1": RIGHT})
    edit(course / NAME, {"text": "new"})
    error = say("reset 01", status=1)
    assert "not a git repository" in error and "--from THAT_FOLDER" in error and "nothing has been changed" in error
    assert (student / NAME).read_bytes() == mine and copies(student) == []
    for folder in (course.parent, course):
        edit(student / NAME, {"1.1": RIGHT})
        say("reset 01 --keep-answers --from", folder)
        assert sources(student / NAME)["1.1"] == RIGHT
    assert (student / copies(student)[-1]).read_bytes() == mine
    assert "no chapters in" in say("reset 01 --from", tmp_path, status=1)


def test_what_cannot_be_reset_or_updated_is_told(clones, tmp_path, monkeypatch, say):
    _, student = clones
    assert "No single chapter starts with '0' in commit" in say("reset 0", status=1)
    run(student, "branch", "--unset-upstream")
    assert "--set-upstream-to" in say("update", status=1)
    shutil.rmtree(student.parent / ".git")
    run(student.parent, "init")
    assert "A fresh chapter comes from git, and it has none here" in say("reset 01", status=1)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not installed" in say("reset 01", status=1)
    assert copies(student) == []


def test_copies_are_no_chapters_to_nbval(tmp_path):
    shutil.copy(Path(__file__).parents[2] / "conftest.py", tmp_path)
    for name in ("01_a.ipynb", "01_a.mine.ipynb", "01_a.mine-2.ipynb"):
        chapter_one(tmp_path / "notebooks" / name)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "--collect-only"]
    listed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    assert "01_a.ipynb::" in listed and ".mine" not in listed


def test_an_answer_follows_its_function_and_not_its_number(tmp_path):
    stub = "def {}(x):\n    raise NotImplementedError"
    answer = "def area(x):\n    return x * x"
    broken = "def helper():\n    return (\n\ndef gone(x):\n    return 1"
    fresh = write(tmp_path / "fresh", (stub.format("new"), "exercise:1.1"), (stub.format("area"), "exercise:1.2"))
    answers = [answer, broken, "def dropped(x):\n    return 1"]
    mine = write(tmp_path / "mine", *((text, f"exercise:1.{number}") for number, text in enumerate(answers, 1)))
    made, lines = carry_answers(nbformat.read(mine, as_version=4), fresh.read_bytes())
    assert [cell.source for cell in nbformat.reads(made.decode(), as_version=4).cells] == [stub.format("new"), answer]
    gone = "the chapter has no exercise for your 1.2, 1.3 any more; see your copy"
    assert lines == ["answers carried over: 1.2", gone]


def test_a_chapter_of_the_chinese_edition(clones, say):
    course, student = clones
    chinese = student / "zh" / NAME
    chapter_one(course / "zh" / NAME, text="zh")
    publish(course, "in Chinese")
    say("update")
    english = edit(student / NAME, {"1.1": WRONG})
    edit(chinese, {"1.1": RIGHT})
    say("reset zh/01 --keep-answers")
    assert (sources(chinese)["1.1"], sources(chinese)["text"]) == (RIGHT, "text = 'zh'")
    assert copies(student / "zh") == [COPY]
    assert (student / NAME).read_bytes() == english
    chapter_one(course / "zh" / NAME, text="newer")
    publish(course, "newer")
    say("update")
    assert (sources(chinese)["1.1"], sources(chinese)["text"]) == (RIGHT, "text = 'newer'")
    shutil.rmtree(student / "zh")
    say("reset zh/01")
    assert sources(chinese)["text"] == "text = 'newer'"
    assert "nothing to do" in say("reset zh/01 --from", course)
    assert f"there are: {NAME}, {SECOND}, zh/{NAME}" in say("reset zh/07", status=1)


def test_update_brings_the_new_version_and_keeps_the_answers(clones, say):
    course, student = clones
    mine = edit(student / NAME, {"1.1": RIGHT}, ran="mine\n", note="my_note = 1")
    untouched_by_course = edit(student / SECOND, {"1.1": WRONG})
    # New text, new stubs, new outputs, a new chapter: in the same cells and in others.
    stub = f"{SIZE}    # output size in pixels\n    raise NotImplementedError"
    stubs = {"1.1": stub, "1.2": "def lenet_parameters(classes):\n    raise NotImplementedError"}
    chapter_one(course / NAME, stubs, text="new")
    edit(course / NAME, {}, ran="new\n")
    chapter_one(course / "03_alexnet.ipynb")
    publish(course, "second")
    refused = subprocess.run(["git", "pull"], cwd=student, capture_output=True)
    assert refused.returncode != 0  # what the command is for
    assert say("update").splitlines()[1:] == [
        f"{NAME}: new; yours is {COPY}",
        "  answers carried over: 1.1",
        "  of your own, new or changed, and in your copy only: 1 cell",
    ]
    found = sources(student / NAME)
    assert (found["1.1"], found["text"]) == (RIGHT, "text = 'new'")
    assert found["1.2"].startswith("def lenet_parameters(classes)")  # untouched: the new stub
    assert (student / COPY).read_bytes() == mine
    assert (student / SECOND).read_bytes() == untouched_by_course
    assert (student / "03_alexnet.ipynb").exists()
    assert run(student, "status", "--short").split() == ["M", NAME, "M", SECOND]
    assert "newest version" in say("update") and len(copies(student)) == 1


def test_an_update_in_which_a_chapter_has_another_name(clones, say):
    course, student = clones
    mine = edit(student / NAME, {"1.1": RIGHT})
    run(course, "mv", NAME, "01_other.ipynb")
    publish(course, "second")
    assert f"{NAME}: the course no longer has it; yours is {COPY}" in say("update")
    assert (student / COPY).read_bytes() == mine and (student / "01_other.ipynb").exists()


def test_an_update_that_git_refuses_changes_nothing(clones, say):
    course, student = clones
    mine = edit(student / NAME, {"1.1": RIGHT})
    (student / "03_alexnet.ipynb").write_text("not the course's")
    edit(course / NAME, {"1.2": "new"})
    chapter_one(course / "03_alexnet.ipynb")
    publish(course, "second")
    assert "03_alexnet.ipynb" in say("update", status=1)
    assert (student / NAME).read_bytes() == mine and copies(student) == []
    assert (student / "03_alexnet.ipynb").read_text() == "not the course's"


def test_an_update_of_a_chapter_with_conflict_markers_of_a_chapter_staged_and_of_one_deleted(clones, say):
    course, student = clones
    (student / NAME).write_text(MARKERS)
    (student / SECOND).unlink()
    run(student, "add", "--all")
    for name in (NAME, SECOND):
        edit(course / name, {"1.2": "new"})
    publish(course, "second")
    assert "cannot be read" in say("update")
    for name in (NAME, SECOND):
        assert (student / name).read_bytes() == (course / name).read_bytes()
    assert (student / COPY).read_text() == MARKERS


def test_with_commits_of_one_s_own_a_chapter_is_reset_and_an_update_says_what_to_do(clones, say):
    course, student = clones
    path = student / NAME
    mine = edit(path, {"1.1": RIGHT})
    run(student, "commit", "--all", "-m", "mine")
    say("reset 01")
    assert path.read_bytes() == (course / NAME).read_bytes()
    say("reset 01 --from HEAD")
    assert path.read_bytes() == mine
    edit(course / NAME, {"1.2": "new"})
    publish(course, "second")
    error = say("update", status=1)
    assert path.read_bytes() == mine
    for command in error.split("`")[1::2]:
        run(student, *command.removeprefix("git ").split())
    say("update")
    assert (sources(path)["1.1"], sources(path)["1.2"]) == (RIGHT, "new")
    assert "mine" in run(student, "log", "mine", "--oneline")
