"""What may be reached from outside, where files are written, and what an answer can do to whoever grades it."""

import csv
import os
import select

import places
import psutil
import pytest
from lab import lab
from student_notebooks import SIZE, chapter_one, solved
from test_hard_places import TINY, clone  # noqa: F401 (a fixture)

from palm_course.command import main
from palm_course.students import judging

pytestmark = pytest.mark.skipif(not judging.can_limit_memory(), reason="this system cannot limit a process's memory")


# --- JupyterLab


def test_make_lab_listens_on_this_machine_only_and_asks_for_a_token(clone, tmp_path):  # noqa: F811
    with lab(clone, tmp_path) as server:
        assert len(server.token) >= 32
        listening = [
            connection.laddr.ip
            for process in server.processes()
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening and set(listening) <= {"127.0.0.1", "::1"}
        for path in ("/api/contents", "/api/kernels", "/api/sessions", "/lab/api/settings", "/api/terminals"):
            assert server.ask("GET", path)[0] == 403, path
            assert server.ask("GET", f"{path}?token=wrong")[0] == 403, path
        assert server.ask("GET", f"/api/contents?token={server.token}")[0] == 200
        # A page elsewhere that guesses the address is refused although the browser sends what it has.
        assert server.ask("GET", "/api/contents", Host="evil.example")[0] in (403, 404)


# --- where files are written


def test_nothing_is_written_but_in_the_clone_the_cache_and_the_named_place(clone, tmp_path, tmp_path_factory):  # noqa: F811
    """Every command, with a home and a temporary folder of its own; no more is left in these than belongs there."""
    for name in ("home", "elsewhere", "cwd"):
        (tmp_path / name).mkdir()
    temporary = tmp_path_factory.mktemp("tmp")  # a short path: a socket's has 107 characters at most
    chapter_one(tmp_path / "elsewhere" / "hand-ins" / "ada.ipynb", solved())
    before = {*tmp_path.rglob("*")}
    options = TINY | {
        "PYTHONPATH": clone,
        "TMPDIR": temporary,
        "home": tmp_path / "home",
        "cwd": tmp_path / "cwd",
    }
    options |= {"IPYTHONDIR": None, "JUPYTER_CONFIG_DIR": None, "XDG_CONFIG_HOME": None, "XDG_DATA_HOME": None}
    elsewhere = tmp_path / "elsewhere"
    for command in (
        ["data", "sample"],
        ["data"],
        ["doctor"],
        ["progress", "01"],
        ["run", "02"],
        ["train", "02:LeNetReLU", "--epochs", "1", "--folder", elsewhere / "run"],
        ["grade", elsewhere / "hand-ins", "--output", elsewhere / "grades.csv", "--jobs", "1"],
        ["reset", "01", "--from", clone],
    ):
        places.run("-m", "palm_utils", *command, **options)
    new = {path for path in {*tmp_path.rglob("*"), *temporary.rglob("*")} - before if not path.is_dir()}
    named = {path for path in new if path.is_relative_to(elsewhere)}
    assert named >= {elsewhere / "grades.csv", elsewhere / "run" / "palm.pdparams"}
    rest = [path for path in new - named if not path.is_relative_to(clone)]
    # Decoded photographs; and what Jupyter, matplotlib and PaddlePaddle keep for every program that uses them.
    allowed = [
        ".cache/palm_utils",
        ".cache/matplotlib",
        ".cache/paddle",
        ".ipython",
        ".local/share/jupyter",
        ".jupyter",
    ]
    home = tmp_path / "home"
    assert [path for path in rest if not any(path.is_relative_to(home / name) for name in allowed)] == []


# --- the grader


def graded(tmp_path, answer_to_1_1, **options):
    """Grade a notebook with this answer and a right one to 1.2; return the verdicts and the first message."""
    chapter_one(tmp_path / "class" / "eve.ipynb", {"1.1": answer_to_1_1, "1.2": solved()["1.2"]})
    table = tmp_path / "g.csv"
    arguments = [item for name, value in options.items() for item in (f"--{name}", str(value))]
    assert main(["grade", str(tmp_path / "class"), "--output", str(table), *arguments]) == 0
    rows = list(csv.reader(table.read_text("utf-8-sig").splitlines()))[1:]
    return [row[2] for row in rows], rows[0][3]


def body(text):
    return SIZE + "".join(f"    {line}\n" for line in text.strip().splitlines())


FORKS = """
import os, time
held = open(PIPE, "w")
for _ in range(50):
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)
time.sleep(600)
"""
MEMORY = """
held = []
while True:
    held.append(bytearray(2**26))
"""
ONE_FILE = """
with open("junk", "wb") as file:
    file.truncate(2**40)
"""
STUBBORN = """
import signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
    signal.signal(number, signal.SIG_IGN)
while True:
    try:
        time.sleep(600)
    except BaseException:
        pass
"""


def test_an_answer_that_forks(tmp_path):
    """It opens PIPE; whoever has inherited that is gone afterwards, and 1.2 is judged."""
    os.mkfifo(tmp_path / "pipe")
    pipe = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    verdicts, _ = graded(tmp_path, f"PIPE = {str(tmp_path / 'pipe')!r}\n{body(FORKS)}", seconds=8)
    assert verdicts[:2] == ["timeout", "right"] and set(verdicts[2:]) == {"not attempted"}
    # At its end, for nobody is left who could write into it.
    assert select.select([pipe], [], [], 20)[0] and os.read(pipe, 1) == b""
    os.close(pipe)


@pytest.mark.parametrize(
    ("source", "words", "options"), [(MEMORY, "MemoryError", {"memory": 0.5}), (ONE_FILE, "File too large", {})]
)
def test_an_answer_that_takes_all_memory_or_writes_one_endless_file(tmp_path, source, words, options):
    verdicts, message = graded(tmp_path, body(source), **options)
    assert verdicts[:2] == ["wrong", "right"] and words in message


def test_what_an_answer_writes_is_gone_afterwards(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    graded(tmp_path, body("open('junk', 'wb').write(bytes(2**20))\nreturn 24"))
    assert list((tmp_path / "tmp").iterdir()) == []
    assert [path.name for path in (tmp_path / "class").iterdir()] == ["eve.ipynb"]


def test_an_answer_that_ignores_signals(tmp_path):
    verdicts, message = graded(tmp_path, body(STUBBORN), seconds=3)
    assert verdicts[:2] == ["timeout", "right"] and "its process was ended" in message
