"""A student's code is judged without a network, where the system lets an ordinary user take it away."""

import contextlib
import os
import socket
import subprocess
import sys
import threading

import places
import pytest
from student_notebooks import SIZE, chapter_one, solved

from palm_course.students import judging

# In a copy of a process, as notebooks are judged: it has no threads. 0 without a network, 1 with one, 3 where it
# cannot be taken away.
LEAVES = """
import os, socket, sys
from palm_course.exercises.offline import leave_network

if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
left, own = leave_network(), os.stat(sys.argv[2])
if not left:
    sys.exit(3)
assert (own.st_uid, own.st_gid) == (os.getuid(), os.getgid())
open(os.path.join(sys.argv[2], "written"), "w").close()
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
except OSError:
    sys.exit(0)
sys.exit(1)
"""


@pytest.fixture
def server():
    """The port of a server on this machine, and who has called it."""
    callers = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(120)

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    callers.append(listening.accept()[1])

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listening.getsockname()[1], callers


def leaves(port, folder, before=()):
    done = subprocess.run([*before, sys.executable, "-c", LEAVES, str(port), str(folder)], capture_output=True)
    if done.returncode == 3:
        pytest.skip("this system does not let a process leave its network")
    return done


@pytest.mark.parametrize("before", ["as it is", "as an ordinary user"])
def test_who_leaves_the_network_reaches_nobody_and_keeps_its_files(server, tmp_path, before):
    done = leaves(server[0], tmp_path, places.ordinary_user() if before == "as an ordinary user" else [])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "written").stat().st_uid == os.getuid()
    assert server[1] == []


def test_an_answer_that_calls_somebody_is_wrong_and_nobody_is_called(server, tmp_path):
    leaves(server[0], tmp_path)
    pytest.importorskip("paddle")
    call = f"{SIZE}    import socket\n    socket.create_connection(('127.0.0.1', {server[0]}), 5)\n    return 24"
    results = judging.judge(chapter_one(tmp_path / "eve.ipynb", {**solved(), "1.1": call}))
    assert [result.verdict for result in results] == ["wrong", "right", "right"]
    assert "OSError" in results[0].message and server[1] == []
