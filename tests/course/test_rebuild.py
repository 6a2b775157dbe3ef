"""`python -m palm_utils course`: which chapters are run, and what they know while they run."""

import ast
import contextlib
import io
import json
import os
import threading
from pathlib import Path
from unittest import mock

import nbformat
import palm_archives
import pytest
from nbclient.exceptions import CellExecutionError

from palm_course import chapters, rebuild
from palm_course.command import main
from palm_course.results import stored
from palm_utils import datasets
from palm_utils.datasets import CifarData


class HereAndNow:
    """Stands in for nbclient's NotebookClient and runs a notebook in this process: a kernel takes a second to start."""

    one_at_a_time = threading.Lock()  # the folder and the environment are the process's

    def __init__(self, book, resources, on_cell_execute, **options):
        self.book, self.folder, self.begins = book, resources["metadata"]["path"], on_cell_execute

    def execute(self, env=os.environ):
        with self.one_at_a_time, mock.patch.dict(os.environ, env, clear=True):
            space, home = {}, Path.cwd()
            os.chdir(self.folder)
            try:
                for number, cell in enumerate(self.book.cells):
                    if cell.cell_type == "code":
                        self.begins(cell=cell, cell_index=number)
                        self.run(cell, space)
            finally:
                os.chdir(home)
        self.book.metadata.language_info = {"name": "python"}

    def run(self, cell, space):
        code = ast.parse(cell.source).body
        last = code.pop().value if code and isinstance(code[-1], ast.Expr) else None
        cell.execution_count = space["number"] = space.get("number", 0) + 1
        try:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(ast.Module(code, []), "cell", "exec"), space)
                value = last and eval(compile(ast.Expression(last), "cell", "eval"), space)
        except Exception as error:
            raise CellExecutionError("", type(error).__name__, str(error)) from None
        new = nbformat.v4.new_output
        cell.outputs = [new("stream", text=printed.getvalue())] if printed.getvalue() else []
        if value is not None:
            shown = {"text/plain": repr(value)}
            cell.outputs.append(new("execute_result", shown, execution_count=cell.execution_count))


@pytest.fixture
def course(real_data, tmp_path, monkeypatch):
    """A course and a folder of real data; returns a function that writes a chapter."""
    monkeypatch.setattr("nbclient.NotebookClient", HereAndNow)
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(chapters, "FOLDER", folder)
    monkeypatch.setattr(stored, "FOLDER", tmp_path / "results")
    palm_archives.write(tmp_path, {f"mnist/{name}-ubyte.gz": b"" for name in palm_archives.MNIST})

    def write(name, source):
        exercise = nbformat.v4.new_code_cell("1", metadata={"tags": ["exercise:1.1"]})
        cells = [nbformat.v4.new_code_cell(source), exercise, nbformat.v4.new_markdown_cell("text")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")
        return folder / f"{name}.ipynb"

    return write


COUNT = "with open('runs.txt', 'a') as f:\n    f.write('{}')"


def edit(path, cell, source):
    book = nbformat.read(path, as_version=4)
    book.cells[cell].source = source
    nbformat.write(book, path)


def add(path, place, source, tag):
    book = nbformat.read(path, as_version=4)
    book.cells.insert(place, nbformat.v4.new_code_cell(source, metadata={"tags": [tag]}))
    nbformat.write(book, path)


def test_a_chapter_that_is_done_is_not_run_again_unless_asked(course, capsys):
    first, second = course("01_a", COUNT.format("a")), course("02_b", COUNT.format("b"))
    runs = first.parent / "runs.txt"
    assert main(["course", "01"]) == 0
    assert main(["course"]) == 0
    assert runs.read_text() == "ab"
    assert "01_a: done already" in capsys.readouterr().out
    assert rebuild.is_done(first) and rebuild.is_done(second)
    assert main(["course", "02", "--again"]) == 0
    assert runs.read_text() == "abb"


def test_new_code_makes_a_chapter_undone_and_new_text_or_an_answer_do_not(course):
    path = course("01_a", "print(1)")
    assert main(["course"]) == 0
    edit(path, 1, "print('my answer')")
    edit(path, 2, "other text")
    assert rebuild.is_done(path)
    edit(path, 0, "print(2)")
    assert not rebuild.is_done(path)
    assert main(["course"]) == 0
    assert nbformat.read(path, as_version=4).cells[0].outputs[0].text == "2\n"


@pytest.fixture
def chapter(course):
    """A chapter that notes each run and has a last cell that shows its folder of results, and that folder."""
    folder = stored.FOLDER / "01_a"
    folder.mkdir(parents=True)
    (folder / "A-tutorial-seed0.json").write_text("{}")
    path = course("01_a", "from pathlib import Path\nx = 2\nwith Path('runs.txt').open('a') as f:\n    f.write('a')")
    add(path, 3, "import math", "measured")
    add(path, 4, f"print(math.floor(1.5), x, sorted(f.name for f in Path({str(folder)!r}).iterdir()))", "results")
    return path, folder


TRAINS = "with Path('trained.txt').open('a') as f:\n    f.write('t')\nPath('trained.txt').read_text()"


def test_a_result_measured_apart_is_shown_without_training_again(course, chapter, capsys):
    (path, folder), other = chapter, course("02_b", "print(1)")
    add(path, 1, TRAINS, "measured")
    assert main(["course"]) == 0
    before = nbformat.read(path, as_version=4)
    (folder / "choice").mkdir()
    for number, name in enumerate(("A-steady-seed0.json", "A-tutorial-seed1.json", "choice/A-x-fold0.json"), 2):
        (folder / name).write_text("{}")
        assert not rebuild.is_done(path) and rebuild.is_done(other)
        assert main(["course"]) == 0
        assert "stored results alone" in capsys.readouterr().out
        after = nbformat.read(path, as_version=4)
        assert rebuild.is_done(path)
        assert [(path.parent / name).read_text() for name in ("trained.txt", "runs.txt")] == ["t", "a" * number]
        shown = after.cells[-1].outputs[0].text
        assert shown.startswith("1 2 ['A-") and name.split("/")[0] in shown
        assert after.cells[:-1] == before.cells[:-1]
        assert after.cells[-1].execution_count == before.cells[-1].execution_count
        assert after.metadata.language_info == before.metadata.language_info


def test_a_cell_of_results_that_is_new_takes_its_number_among_the_others(chapter):
    path, _ = chapter
    assert main(["course"]) == 0
    add(path, 2, "x + 1", "results")
    assert rebuild.is_trained(path) and not rebuild.is_done(path)
    assert main(["course"]) == 0
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    assert code[2].source == "x + 1"
    assert [(o.data["text/plain"], o.execution_count) for o in code[2].outputs] == [("3", 3)]


def test_a_new_result_of_the_chapter_s_own_training_trains_it_again(chapter):
    path, folder = chapter
    add(path, 1, TRAINS, "measured")
    assert main(["course"]) == 0
    (folder / "A-tutorial-seed0.json").write_text('{"other": 1}')
    assert not rebuild.is_trained(path)
    assert main(["course"]) == 0
    assert (path.parent / "trained.txt").read_text() == "tt"


def test_a_cell_of_results_that_needs_more_than_the_first_cell_is_named_and_the_chapter_stays(chapter, capsys):
    path, folder = chapter
    edit(path, 3, "import math\ny = 3")
    assert main(["course"]) == 0
    edit(path, -1, "print(y)")
    before = path.read_bytes()
    (folder / "A-steady-seed0.json").write_text("{}")
    assert main(["course"]) == 1
    assert "NameError: name 'y' is not defined" in capsys.readouterr().out
    assert path.read_bytes() == before and not rebuild.is_done(path)


def test_what_a_chapter_stores_while_it_runs_belongs_to_it(course, tmp_path):
    folder = tmp_path / "results" / "01_a"
    store = "from pathlib import Path\n{0}.mkdir(parents=True)\n({0} / 'x.json').touch()"
    path = course("01_a", store.format(f"Path({str(folder)!r})"))
    assert main(["course"]) == 0
    assert (folder / "x.json").exists() and rebuild.is_done(path)


def test_the_summary_is_run_last_and_again_when_any_result_is_new(course, capsys):
    summary = course("01_the_summary", COUNT.format("s"))
    first = course("02_b", COUNT.format("b"))
    runs = first.parent / "runs.txt"
    assert main(["course", "--jobs", "2"]) == 0
    assert runs.read_text() == "bs"
    (stored.FOLDER / "02_b").mkdir(parents=True)
    (stored.FOLDER / "02_b" / "B-tutorial-seed0.json").write_text("{}")
    assert not rebuild.is_done(summary)
    assert main(["course"]) == 0
    assert runs.read_text() == "bsbs"
    (stored.FOLDER / "labels.json").write_text("[]")
    assert not rebuild.is_done(summary) and rebuild.is_done(first)


SHOW = "import json, os\nprint(json.dumps({n: v for n, v in os.environ.items() if n.startswith('PALM_')}))"


def known_to(path):
    """The course's variables when a chapter of SHOW was run."""
    return json.loads(nbformat.read(path, as_version=4).cells[0].outputs[0].text)


def test_a_chapter_trains_in_full_and_keeps_its_results(course, monkeypatch):
    for name in ("EPOCHS", "IMAGES", "RESUME"):
        monkeypatch.setenv(f"PALM_{name}", "1")
    path = course("01_a", SHOW)
    assert main(["course", "--again"]) == 0
    wanted = {"PALM_KEEP_RESULTS": "1", "PALM_REQUIRE_REAL": "1", "PALM_THREADS": "1"}
    assert known_to(path).items() >= wanted.items()
    assert not {"PALM_EPOCHS", "PALM_IMAGES", "PALM_RESUME"} & set(known_to(path))


def test_a_chapter_resumes_the_trainings_of_its_own_code(course):
    path = course("01_a", SHOW)
    assert main(["course"]) == 0
    key = known_to(path)["PALM_RESUME"]
    assert len(key) == 16
    edit(path, 1, "2  # my answer")
    edit(path, 2, "other text")
    assert main(["run", "--to", str(path.parent)]) == 0
    assert not rebuild.is_done(path)  # it was run in another way
    assert main(["course"]) == 0
    assert known_to(path)["PALM_RESUME"] == key
    edit(path, 0, f"1\n{SHOW}")
    assert main(["course"]) == 0
    assert known_to(path)["PALM_RESUME"] != key


def test_a_chapter_that_fails_keeps_its_outputs_and_is_not_done(course, capsys):
    path = course("01_a", "print(1)")
    assert main(["course"]) == 0
    edit(path, 0, "1 / 0")
    before = path.read_bytes()
    assert main(["course"]) == 1
    assert path.read_bytes() == before and not rebuild.is_done(path)
    assert "cell 0 raised ZeroDivisionError" in capsys.readouterr().out


def test_the_sample_is_refused(course, monkeypatch, capsys):
    course("01_a", "print(1)")
    monkeypatch.setenv("PALM_SAMPLE", "tiny")
    assert main(["course"]) == 1
    assert "iChallenge-PM: only the sample is here" in capsys.readouterr().err


def test_a_chapter_on_cifar10_needs_it(course, monkeypatch, capsys):
    course("01_a", "print(1)")
    second = course("02_on_cifar10", "print(2)")
    sample = CifarData(chapters.FOLDER, "sample")
    monkeypatch.setattr(datasets, "cifar10", lambda: sample)
    assert main(["course", "01"]) == 0
    assert main(["course"]) == 1
    assert "CIFAR-10: only the sample is here" in capsys.readouterr().err
    monkeypatch.setattr(rebuild, "is_done", lambda path: path == second)  # done, it needs nothing
    assert main(["course"]) == 0
