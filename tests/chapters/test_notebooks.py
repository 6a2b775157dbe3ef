"""The form of the committed chapters: what nbval cannot see, because it only compares outputs."""

import contextlib
import inspect
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import paddle
import pytest
from course_notebooks import read_committed
from editions import zh_outputs
from student_notebooks import write as write_book

from palm_course import chapters as notebooks
from palm_course import rebuild as course
from palm_course.command import main
from palm_course.results import recipes
from palm_course.results import stored as results
from palm_utils.layers import count_parameters
from palm_utils.messages import CourseError

FOLDER = Path(__file__).parents[2] / "notebooks"
CHAPTERS = notebooks.find("", FOLDER)
BOOKS = [path for part in ("", "solutions", "zh", "zh/solutions") for path in notebooks.find("", FOLDER / part)]

TAG = re.compile(
    r"nbval-(ignore-output|check-output|raises-exception|skip)|raises-exception|model|measured|results|progress"
    r"|(exercise|check|solution):\d+\.\d+"
)
# Absolute paths below a home, work or temporary folder; the second form is Windows'.
MACHINE_PATH = re.compile(r"(?<![\w.~])/(root|home|work|tmp|mnt|content|opt|srv|Users|private)/\w|[A-Z]:\\\\?Users")
HOT_LINK = re.compile(
    r"!\[[^\]]*\]\(\s*<?https?:|<img[^>]+src\s*=\s*[\"']?https?:|\bImage\([^)]*https?:"
    r"|^\s*\[[^\]]+\]:\s*https?:\S+\.(png|jpe?g|gif|svg|webp)",
    re.IGNORECASE | re.MULTILINE,
)
NO_COMPARISON = {"nbval-skip", "nbval-ignore-output", "measured", "results"}


def problems(book, committed=None) -> list[str]:
    """Everything that is wrong with the form of one notebook, as 'cell 3: what'.

    committed: what git holds, where the notebook is a student's edited copy. Whoever works through a
    chapter runs cells in any order, leaves errors behind and adds cells; none of that is bad form.
    """
    known = None if committed is None else {cell.source for cell in committed.cells}
    cleared = not any(cell.get("outputs") for cell in book.cells)
    found, last = [], 0
    for number, cell in enumerate(book.cells):
        own = known is not None and cell.source not in known
        complaints = _of_source(cell, own)
        if cell.cell_type == "code":
            complaints += _of_tags(cell, own, cleared and known is not None)
            complaints += _of_run(cell, last) if known is None else []
            last = cell.execution_count or last
        found += [f"cell {number}: {complaint}" for complaint in complaints]
    return found


def _of_source(cell, own: bool) -> list[str]:
    found = [f"unknown tag {tag!r}" for tag in cell.metadata.get("tags", []) if not TAG.fullmatch(tag)]
    if MACHINE_PATH.search(cell.source) and not own:
        found.append("a machine's path")
    if HOT_LINK.search(cell.source):
        found.append("a hot-linked image")
    if cell.cell_type == "code" and len(cell.source.splitlines()) > 40 and not own:
        found.append(f"{len(cell.source.splitlines())} lines of code")
    return found


def _of_tags(cell, own: bool, cleared: bool) -> list[str]:
    tags = set(cell.metadata.get("tags", []))
    of_exercise = {tag for tag in tags if tag.startswith(("exercise:", "check:", "solution:"))}
    found = []
    if cell.outputs and not own and not tags & {"nbval-check-output", "measured", "results"} | of_exercise:
        found.append("output, but no tag that says whether it is a fact")
    pictures = {"image/png", "text/plain"}  # nbval does not compare them
    compared = [o for o in cell.outputs if o.output_type == "stream" or set(o.get("data", {})) - pictures]
    if "nbval-check-output" in tags and not compared and not cleared:
        found.append("nbval-check-output without a stored output checks nothing")
    if "nbval-check-output" in tags and tags & NO_COMPARISON:
        found.append("nbval-check-output and a tag against comparing exclude each other")
    return found


def _of_run(cell, last: int) -> list[str]:
    found = []
    if cell.execution_count != last + 1:
        found.append(f"execution count {cell.execution_count} after {last}: not one run from top to bottom")
    for output in cell.outputs:
        if output.output_type == "error":
            found.append(f"stored error {output.ename}")
        if output.get("name") == "stderr":
            found.append(f"stderr shown to the reader: {output.text[:60]!r}")
        shown = [str(output.get("text", "")), *(str(v) for k, v in output.get("data", {}).items() if "png" not in k)]
        if any(map(MACHINE_PATH.search, shown)):
            found.append("a machine's path in the output")
        if any(map(HOT_LINK.search, shown)):
            found.append("a hot-linked image in the output")
    return found


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.relative_to(FOLDER).with_suffix("").as_posix())
def test_the_committed_notebooks_are_in_good_form(path):
    assert problems(notebooks.load(path), read_committed(path)) == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_stored_outputs_are_those_of_the_code_on_the_real_data(path):
    book = read_committed(path) or nbformat.read(path, as_version=4)
    assert notebooks.stamp_of(book) == course.digest(book, path.stem), "run `make course`"


READS = re.compile(r"(results|stored)\.(load|table|valid_logits|FOLDER)\b|(choose|candidates)\.(table|paired)\(")
# Chapters with two recipes. LeNet's steady one is chapter 8's, for its comparison.
TWO_RECIPES = [network for network in recipes.STEADY if not network.startswith("02")]
SHOWING = [path for path in CHAPTERS if any(network.startswith(path.stem) for network in TWO_RECIPES)]


@pytest.mark.parametrize("path", SHOWING, ids=lambda path: path.stem)
def test_cells_that_show_stored_results_say_what_these_are_now(path):
    """They run without the chapter's training, and print what is stored in the chapter, in each edition's language."""
    stored = read_committed(path) or nbformat.read(path, as_version=4)
    code = [c for c in stored.cells if c.cell_type == "code"]
    readers = [c for c in code if READS.search(c.source)]
    showing = [c for c in code if course.TAG in c.metadata.get("tags", [])]
    assert {c.id for c in readers} <= {c.id for c in showing}
    assert all(c in readers or "STEADY[" in c.source for c in showing)
    space = vars(notebooks.definitions(path))
    for cell in showing:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(cell.source, space)
        assert printed.getvalue() == "".join(texts(cell)), cell.id
    plt.close("all")
    chinese = path.parent / "zh" / path.name
    translated = read_committed(chinese) or nbformat.read(chinese, as_version=4)
    expected = [[zh_outputs.translated(text) for text in texts(c)] for c in showing]
    assert [texts(c) for c in translated.cells if course.TAG in c.metadata.get("tags", [])] == expected


def texts(cell) -> list[str]:
    return [output.get("text", "") for output in cell.outputs]


def summary(network, recipe):
    """The accuracies of a recipe as the README states them."""
    last = [history.last for history in results.load(network, recipe).values()]
    name = "tutorial's recipe" if recipe == "tutorial" else f"{recipe} recipe"
    return f"{name} {results.each(last)} %" if last else f"{name} not measured yet"


README_ROW = re.compile(r"^\| \d \| \[.+?\]\((notebooks/\S+)\) \|.*\|([^|]*)\|$", re.M)


@pytest.mark.parametrize(("path", "measured"), README_ROW.findall((FOLDER.parent / "README.md").read_text("utf-8")))
def test_figures_in_the_readme_are_those_stored_in_the_chapter(path, measured):
    chapter = FOLDER.parent / path
    book = read_committed(chapter) or nbformat.read(chapter, as_version=4)
    measured_networks = [network for network in TWO_RECIPES if network.startswith(chapter.stem)]
    if measured_networks:
        assert measured.strip() == "; ".join(summary(*measured_networks, recipe) for recipe in ("tutorial", "steady"))
        return
    if not list((results.FOLDER / chapter.stem).glob("*.json")):
        assert not re.search(r"\d", measured), "figures that no stored result has"
        return
    outputs = " ".join(o.get("text", "") for cell in book.cells for o in cell.get("outputs", []))
    stored = {f"{float(figure) * 100:.1f}" for figure in re.findall(r"\b0\.\d{4}\b", outputs)}
    stated = re.findall(r"(\d+\.\d) %", measured)
    assert stated and set(stated) <= stored


@pytest.mark.parametrize(
    ("chapter", "name", "options", "shape", "parameters"),
    [
        ("01", "LeNet", {"num_classes": 10}, [2, 1, 28, 28], 41_806),
        ("01", "LeNetAsDescribed", {"num_classes": 10}, [2, 1, 28, 28], 41_806),
        ("02", "LeNet", {}, [1, 3, 224, 224], 19_233_841),
        ("02", "LeNetReLU", {}, [1, 3, 224, 224], 19_233_841),
        ("03", "AlexNet", {}, [1, 3, 224, 224], 71_916_929),
        ("04", "VGG", {}, [1, 3, 224, 224], 134_264_641),
        ("05", "GoogLeNet", {}, [1, 3, 224, 224], 5_974_577),
        ("05", "GoogLeNet", {"batch_norm": True, "stride": 2}, [2, 3, 224, 224], 5_981_857),
        ("06", "ResNet", {"layers": 18}, [2, 3, 64, 64], 11_177_025),
        ("06", "ResNet", {"layers": 34}, [2, 3, 64, 64], 21_285_185),
        ("06", "ResNet", {}, [2, 3, 64, 64], 23_510_081),
        ("06", "ResNet", {"layers": 101}, [2, 3, 64, 64], 42_502_209),
        ("06", "ResNet", {"layers": 152}, [2, 3, 64, 64], 58_145_857),
        ("07", "SmallResNet", {"num_classes": 10}, [2, 3, 32, 32], 1_941_546),
        ("07", "LeNetReLU", {"num_classes": 10}, [2, 3, 32, 32], 59_386),
    ],
)
def test_networks_have_the_parameters_of_the_course_and_gradients_reach_all(chapter, name, options, shape, parameters):
    paddle.seed(0)
    model = getattr(notebooks.definitions(notebooks.find(chapter)[0]), name)(**options)
    assert count_parameters(model) == parameters
    logits = model(paddle.randn(shape))
    assert list(logits.shape) == [shape[0], options.get("num_classes", 1)]
    logits.square().sum().backward()
    for parameter_name, p in model.named_parameters():
        if not p.stop_gradient:  # as those of the running mean and variance of a batch norm do
            assert p.grad is not None and float(p.grad.abs().max()) > 0, parameter_name


def test_definitions_run_imports_and_model_cells_and_nothing_else(tmp_path):
    model = "def area(r):\n    return math.pi * r * r"
    mine = "%matplotlib inline\nimport seaborn_is_not_here", "import seaborn_is_not_here", "def unfinished("
    path = write_book(tmp_path / "01_x.ipynb", "import math\nprint(1 / 0)", (model, "model"), "x = 1", *mine)
    module = notebooks.definitions(path)
    assert module.area(2) == pytest.approx(12.566, abs=1e-3)
    assert not hasattr(module, "x")
    assert inspect.getsource(module.area).startswith("def area(r):")
    with pytest.raises(CourseError, match="no cell tagged 'model'"):
        notebooks.definitions(write_book(tmp_path / "02_y.ipynb", "x = 1"))


def test_a_failing_cell_is_named_and_the_notebook_in_place_stays(tmp_path):
    source = write_book(tmp_path / "01_x.ipynb", "x = 1", "x / 0")
    before = source.read_bytes()
    with pytest.raises(notebooks.NotebookFailed, match=r"cell 1 raised ZeroDivisionError: division by zero\n    x / 0"):
        notebooks.execute(source, source)
    assert source.read_bytes() == before
    assert (tmp_path / "01_x.ipynb.failed").is_file()
    assert notebooks.find("", tmp_path) == [source]
    with pytest.raises(notebooks.NotebookFailed):
        notebooks.execute(source, tmp_path / "out" / "01_x.ipynb")
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["01_x.failed.ipynb"]


KILL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.skipif(os.name == "nt", reason="processes end otherwise there")
def test_a_chapter_whose_kernel_is_killed_and_one_with_conflict_markers(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    book = nbformat.read(write_book(tmp_path / "01_x.ipynb", "x = 1", KILL, "x"), as_version=4)
    book.cells[2].outputs = [nbformat.v4.new_output("error", ename="NameError", evalue="of an earlier run")]
    nbformat.write(book, tmp_path / "01_x.ipynb")
    (tmp_path / "02_y.ipynb").write_text('{"cells": [\n<<<<<<< HEAD\n]}')
    merged = r"02_y\.ipynb .*git's conflict markers.*`python course\.py reset --chapter 02` puts a fresh one"
    for command in (["run", "--to", str(tmp_path / "to")], ["progress", "02"], ["train", "02_y:Small"]):
        main(command)
        assert re.search(merged, "".join(capsys.readouterr())), command
    assert main(["run", "01", "--to", str(tmp_path)]) == 1
    assert f"cell 1: {notebooks.DIED}\n    import os" in capsys.readouterr().out


def test_chapters_that_run_at_once_share_the_threads_and_one_alone_has_all(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    monkeypatch.setattr(notebooks.machine, "thread_count", lambda: 4)
    for name in ("01_x", "02_y"):
        write_book(tmp_path / f"{name}.ipynb", "import os\nprint(os.environ['PALM_THREADS'])")
    for chapters, threads in ((["01"], "4"), (["01", "02"], "2")):
        assert main(["run", *chapters, "--jobs", "4", "--to", str(tmp_path / "to")]) == 0
        assert nbformat.read(tmp_path / "to" / "01_x.ipynb", as_version=4).cells[0].outputs[0].text == f"{threads}\n"


def test_progress_widgets_are_not_stored(tmp_path):
    bar = "from tqdm.auto import tqdm\nfor _ in tqdm(range(3)):\n    pass\nprint('done')"
    source = write_book(tmp_path / "01_x.ipynb", bar)
    notebooks.execute(source, source)
    done = nbformat.read(source, as_version=4)
    assert [o.get("text") for o in done.cells[0].outputs] == ["done\n"]
    assert "widgets" not in done.metadata


def test_a_text_that_came_in_pieces_is_stored_as_one():
    cell = nbformat.v4.new_code_cell("1")
    new = nbformat.v4.new_output
    texts = [new("stream", name=name, text=text) for name, text in (("stdout", "a"), ("stdout", "\n"), ("stderr", "b"))]
    figure = new("display_data", {"image/png": ""})
    cell.outputs = [*texts, figure, new("stream", name="stderr", text="c")]
    notebooks.tidy(nbformat.v4.new_notebook(cells=[cell]))
    assert [o.get("text") for o in cell.outputs] == ["a\n", "b", None, "c"]


def test_chapters_are_found_by_the_start_of_their_name(tmp_path):
    for name in ("02_b", "01_a", "solutions", "01_a-Copy1", "01_a (1)"):
        write_book(tmp_path / f"{name}.ipynb")
    assert [p.stem for p in notebooks.find("", tmp_path)] == ["01_a", "02_b"]
    assert [p.stem for p in notebooks.find("02", tmp_path)] == ["02_b"]
    with pytest.raises(CourseError, match=r"No chapter starts with '09'.*01_a, 02_b"):
        notebooks.find("09", tmp_path)


def test_nbval_tells_a_killed_kernel_at_once_and_conflict_markers(tmp_path):
    shutil.copy(FOLDER.parent / "conftest.py", tmp_path)
    book = nbformat.read(write_book(tmp_path / "01_x.ipynb", "x = 1", KILL, "x"), as_version=4)
    book.cells[2].outputs = [nbformat.v4.new_output("error", ename="NameError", evalue="of an earlier run")]
    nbformat.write(book, tmp_path / "01_x.ipynb")
    (tmp_path / "02_y.ipynb").write_text('{"cells": [\n<<<<<<< HEAD\n]}')
    printed = nbval(tmp_path, tmp_path, "--continue-on-collection-errors").stdout
    assert f"Cell 1: {notebooks.DIED}" in printed and "os.kill(" in printed, printed
    assert "02_y.ipynb is not a notebook, or a damaged one (with git's conflict markers in it)" in printed
    assert re.search("1 failed, 1 passed, 1 xfailed, 1 error", printed) and "Traceback" not in printed


def nbval(path, cwd, *options):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env"]
    return subprocess.run([*command, *options, path], cwd=cwd, capture_output=True, text=True)


def test_nbval_leaves_alone_what_was_trained_in_the_notebooks_folder(tmp_path):
    cells = (
        "from pathlib import Path\nassert Path('mine.txt').read_text() == 'mine'",
        "Path('checkpoints/x').mkdir(parents=True)\nPath('checkpoints/x/palm.txt').write_text('of the test')",
    )
    folder = FOLDER.parent / "build" / f"test-{tmp_path.parent.name}-{tmp_path.name}"  # below the conftest.py meant
    trained = folder / "checkpoints" / "x" / "palm.txt"
    trained.parent.mkdir(parents=True)
    try:
        write_book(folder / "01_x.ipynb", *cells)
        (folder / "mine.txt").write_text("mine")
        trained.write_text("trained for hours")
        done = nbval(folder, cwd=FOLDER.parent)
        assert done.returncode == 0, done.stdout
        assert trained.read_text() == "trained for hours"
    finally:
        shutil.rmtree(folder)
