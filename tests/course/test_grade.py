"""`python -m palm_utils grade`: a class of good, bad and broken notebooks becomes one table."""

import contextlib
import csv
import io
import multiprocessing
import os
import select
import subprocess
import sys
import threading

import pytest
from student_notebooks import NUMBERS, RIGHT, SIZE, WRONG, chapter_one, solved, write

from palm_course.command import main
from palm_course.students import grade, judging

on_linux = pytest.mark.skipif(not judging.can_limit_memory(), reason="this system cannot limit a process's memory")

CRASH = "def lenet_parameters(num_classes, in_channels=1):\n    import ctypes\n    ctypes.string_at(0)"
QUIT = "def lenet_parameters(num_classes, in_channels=1):\n    import os\n    os._exit(3)"
GREEDY = f"{SIZE}    return [0] * 10**10"
# Switches the check's own time limit off, and leaves a process behind.
ENDLESS = f"""{SIZE}    import signal, subprocess, sys, time
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    write = "import sys, time; f = open(sys.argv[1], 'w'); f.write('up'); f.flush(); time.sleep(1000)"
    subprocess.Popen([sys.executable, "-c", write, PIPE])
    open(PIPE, "w").write("up")
    time.sleep(1000)
"""
# Leaves a thread behind, which an interpreter would wait for.
LATE = """def lenet_parameters(num_classes, in_channels=1):
    import threading
    threading.Timer(3600, print).start()
"""
LOUD = f"""import os
X = os.write(1, b'a student') + os.write(2, b'a student')
{RIGHT.replace("return", "print(X); return")}
"""


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A class, graded once: the rows of the table, what was printed, its bytes, and the folder."""
    root = tmp_path_factory.mktemp("class")
    folder = root / "hand-ins"
    chapter_one(folder / "ada.ipynb", solved())
    chapter_one(folder / "bob.ipynb", {"1.1": WRONG})
    chapter_one(folder / "crash.ipynb", {**solved(), "1.2": CRASH})
    chapter_one(folder / "killed.ipynb", {"1.1": f"{SIZE}    import os\n    os.kill(os.getpid(), 9)"})
    chapter_one(folder / "quit.ipynb", {**solved(), "1.2": QUIT})
    chapter_one(folder / "late.ipynb", {**solved(), "1.2": LATE})
    chapter_one(folder / "loud.ipynb", {"1.1": LOUD})
    chapter_one(folder / "=SUM(A1:A9) 王小明" / "deep" / "Any Name.IPYNB", {"1.1": RIGHT})
    chapter_one(folder / "two" / "01-Copy1.ipynb", {"1.1": RIGHT, "1.2": QUIT})
    chapter_one(folder / "two" / "01.ipynb", {"1.1": WRONG})
    chapter_one(folder / "two" / ".ipynb_checkpoints" / "01.ipynb", {**solved(), "1.3": CRASH})
    write(folder / "part.ipynb", ('exercises.check("1.1", conv_output_size)', "check:1.1"))
    write(folder / "other.ipynb", "print('an essay')")
    (folder / "broken.ipynb").write_text('{"cells": [')
    (folder / "empty").mkdir()
    (folder / "list.txt").write_text("not a notebook")
    if judging.can_limit_memory():
        chapter_one(folder / "greedy.ipynb", {"1.1": GREEDY})
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = main(["grade", str(folder), "--output", str(root / "g.csv"), "--jobs", "2"])
    assert status == 0
    content = (root / "g.csv").read_bytes()
    rows = list(csv.reader(content.decode("utf-8-sig").splitlines()))
    return {tuple(row[:2]): tuple(row[2:]) for row in rows}, printed.getvalue(), content, folder


def test_the_first_line_says_what_it_does_and_where_to_do_it(graded, capsys):
    assert graded[1].splitlines()[0] == grade.WARNING
    for words in ("runs the students' code with your rights", "container or virtual machine", "thrown away"):
        assert words in grade.WARNING
    with pytest.raises(SystemExit):
        main(["grade", "--help"])
    assert grade.WARNING in " ".join(capsys.readouterr().out.split())


def test_a_row_for_each_student_and_exercise_in_order(graded):
    table, printed, content = graded[:3]
    assert content.startswith("\ufeffstudent,exercise,verdict,message\r\n".encode())  # the mark is for Excel
    keys = list(table)[1:]
    assert keys[:3] == [("'=SUM(A1:A9) 王小明", number) for number in ("1.1", "1.2", "1.3")]
    assert [key for key in keys if key[0] == "ada"] == [("ada", number) for number in NUMBERS]
    students = list(dict.fromkeys(student.removeprefix("'") for student, _ in keys))
    assert students == sorted(students)
    assert f"{len(students)} students, {len(keys)} rows (" in printed


@pytest.mark.parametrize(
    ("student", "number", "verdict", "words"),
    [
        ("ada", "1.1", "right", "you can follow an image's size"),
        ("ada", "1.3", "right", "you built a network"),
        ("bob", "1.1", "wrong", "counts as well. | tried: conv_output_size(28, 5) | expected: 24 | came: 23"),
        ("bob", "1.2", "not attempted", "not attempted yet."),
        ("crash", "1.2", "crashed", "its process crashed ("),
        ("killed", "1.1", "crashed", "ended from outside (SIGKILL), probably for want of memory"),
        ("crash", "1.3", "right", "you built a network"),
        ("quit", "1.1", "right", "you can"),
        ("quit", "1.2", "crashed", "it ended its process (exit status 3)."),
        ("quit", "1.3", "right", "you built"),
        ("late", "1.3", "right", "you built"),
        ("loud", "1.1", "right", "you can"),
        ("'=SUM(A1:A9) 王小明", "1.1", "right", "you can"),
        ("two", "1.1", "right", "convolutions and poolings. (01-Copy1.ipynb)"),
        ("two", "1.2", "crashed", "(exit status 3). (01-Copy1.ipynb)"),
        ("two", "1.3", "not attempted", "not attempted yet."),
        ("part", "1.1", "missing", "part.ipynb has neither its cell nor a conv_output_size."),
        ("other", "", "no exercises", "no cell of it belongs to an exercise"),
        ("broken", "", "unreadable", "broken.ipynb is not a notebook"),
        ("empty", "", "no notebook", "the folder holds no notebook."),
        pytest.param("greedy", "1.1", "wrong", "it raises MemoryError in line 2", marks=on_linux),
    ],
)  # fmt: skip
def test_verdicts(graded, student, number, verdict, words):
    found, message = graded[0][student, number]
    assert found == verdict and words in message, message
    assert "\n" not in message and "Hint" not in message and "Still stuck" not in message
    assert not message.startswith(("✓", "✗", "Exercise"))


def test_students_cannot_write_to_the_terminal_or_beside_the_notebooks(graded, tmp_path, capfd):
    answer = f"FILE = open('mine.txt', 'w')\n{LOUD}".replace("print(X)", "print(X, file=FILE)")
    path = chapter_one(tmp_path / "hand-ins" / "x.ipynb", {"1.1": answer})
    assert judging.judge(path)[0].verdict == "right"
    assert "student" not in "".join(capfd.readouterr())
    assert [p.name for p in path.parent.iterdir()] == ["x.ipynb"]


def test_another_order_of_work_gives_the_same_table(graded, tmp_path):
    folder = graded[3]
    smaller = tmp_path / "smaller"
    for name in ("bob.ipynb", "ada.ipynb", "broken.ipynb", "quit.ipynb"):
        (smaller / name).parent.mkdir(exist_ok=True)
        (smaller / name).write_bytes((folder / name).read_bytes())
    for jobs in ("1", "3"):
        assert main(["grade", str(smaller), "--output", str(tmp_path / f"{jobs}.csv"), "--jobs", jobs]) == 0
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "3.csv").read_bytes()


def test_modules_beside_a_notebook_can_be_imported(tmp_path):
    (tmp_path / "my_sizes.py").write_text(RIGHT)
    path = chapter_one(tmp_path / "x.ipynb", {"1.1": "from my_sizes import conv_output_size"})
    assert judging.judge(path)[0].verdict == "right"


@on_linux
def test_an_answer_that_cannot_be_interrupted_is_ended_with_all_that_it_has_started(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    pipe, read = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK), b""
    answer = f"PIPE = {str(tmp_path / 'pipe')!r}\n{ENDLESS}"
    chapter_one(tmp_path / "class" / "eve.ipynb", {"1.1": answer, "1.2": solved()["1.2"]})
    table = tmp_path / "g.csv"
    assert main(["grade", str(tmp_path / "class"), "--output", str(table), "--seconds", "3"]) == 0
    rows = list(csv.reader(table.read_text("utf-8-sig").splitlines()))[1:]
    assert [row[2] for row in rows][:3] == ["timeout", "right", "not attempted"]
    assert rows[0][3] == "it did not end within 3 seconds, and its process was ended."
    # Empty, but readable: at its end, for nobody is left who could write into it.
    while select.select([pipe], [], [], 30)[0] and (got := os.read(pipe, 100)):
        read += got
    assert b"up" in read and select.select([pipe], [], [], 0)[0]
    os.close(pipe)


@on_linux
def test_under_a_limit_of_the_system(tmp_path):
    path = chapter_one(tmp_path / "x.ipynb", {"1.1": RIGHT})
    code = f"""
import resource
from pathlib import Path
from palm_course.students import judging
resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))
print(judging.judge(Path({str(path)!r}))[0].verdict)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "right\n"


def test_without_fork(tmp_path, monkeypatch):
    used, get_context = [], multiprocessing.get_context
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    monkeypatch.setattr(multiprocessing, "get_context", lambda method: used.append(method) or get_context(method))
    path = chapter_one(tmp_path / "x.ipynb", {"1.1": RIGHT, "1.2": QUIT})
    assert [r.verdict for r in judging.judge(path)][:3] == ["right", "crashed", "not attempted"]
    assert set(used) == {"spawn"}


def test_a_run_that_is_interrupted_starts_nothing_more(tmp_path):
    stop = threading.Event()
    stop.set()
    assert judging.judge(chapter_one(tmp_path / "x.ipynb", {"1.1": RIGHT}), stop=stop) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'=1"), ("  =1", "'=1"),
        ("\r=1", "'=1"), ("＝1", "'＝1"), ("a=1", "a=1"), ("王小明", "王小明"), ("a\x00b\x1b[0m", "a b [0m"), ("", ""),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula(text, expected):
    assert grade.harmless(text) == expected


def test_folders_that_cannot_be_graded(tmp_path, capsys):
    (tmp_path / "empty" / "nobody").mkdir(parents=True)
    for folder, words in ((tmp_path / "none", "is not a folder"), (tmp_path / "empty", "holds no notebooks")):
        assert main(["grade", str(folder), "--output", str(tmp_path / "g.csv")]) == 1
        assert words in capsys.readouterr().err
    assert not (tmp_path / "g.csv").exists()


def test_where_memory_cannot_be_limited_it_says_so(tmp_path, monkeypatch, capsys):
    can_limit = judging.can_limit_memory()
    monkeypatch.setattr(judging, "can_limit_memory", lambda: False)
    main(["grade", str(tmp_path / "none")])
    assert "Memory is not limited" in capsys.readouterr().out
    assert sys.platform != "linux" or can_limit
