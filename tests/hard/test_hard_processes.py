"""Several processes that are killed or interrupted, and PaddlePaddle's own launcher."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest
from test_distributed import fail_in_one, root, run

from palm_course.results import processes
from palm_utils.history import History
from palm_utils.messages import CourseError

__all__ = ["root"]
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PaddlePaddle has gloo on Linux only")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raising", r"(?s)Process 1 of 2 failed, and the others were ended.*ZeroDivisionError: division by zero"),
        ("killed", r"Process 1 of 2 was ended by SIGKILL \(was there enough memory\?\)"),
    ],
)
def test_a_process_that_fails_ends_all_with_one_message(root, how, message):
    with pytest.raises(CourseError, match=message):
        processes.start(fail_in_one, (root, how), 2)
    assert multiprocessing.active_children() == []
    assert run(root, f"left-{how}", epochs=2, resume=True)[1].epochs[0]["epoch"] == 0


def test_the_command_stops_at_ctrl_c_and_the_launcher_goes_on(tmp_path):
    train = [sys.executable, "-m", "palm_utils", "train", "02:LeNetReLU", "--folder", "run", "--batch-size", "12"]
    environment = {**os.environ, "PALM_SAMPLE": "tiny"}
    command = subprocess.Popen(
        [*train, "--nproc", "2", "--epochs", "9"], cwd=tmp_path, env=environment, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    lines = []
    for line in command.stdout:
        lines.append(line)
        if line.startswith("[validation]"):
            os.killpg(command.pid, signal.SIGINT)  # as a terminal does
    errors = command.stderr.read()
    assert command.wait() == 130, errors
    assert errors.splitlines()[-1] == "interrupted" and "Traceback" not in errors, errors
    assert lines.count("start training ...\n") == 1
    finished = len(History.load(tmp_path / "run" / "palm.json"))
    assert 0 < finished < 9 and f"holds the run after {finished} finished epoch(s)" in lines[-1]

    launch = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2", "--log_dir", "log"]
    more = ["--epochs", str(finished + 1), "--resume"]
    assert subprocess.run([*launch, *train, *more], cwd=tmp_path, env=environment).returncode == 0
    assert len(History.load(tmp_path / "run" / "palm.json")) == finished + 1
