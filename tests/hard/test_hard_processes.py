"""PaddlePaddle's launcher: processes that fail or are interrupted, and two launchers that act as two machines."""

import os
import signal
import subprocess
import sys

import paddle
import pytest

from palm_course.results.train import launch
from palm_utils.history import History

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PaddlePaddle has gloo on Linux only")

TRAIN = ["train", "02:LeNetReLU", "--batch-size", "12", "--folder", "run"]
MODULE = [sys.executable, "-m", "palm_utils"]
LAUNCHER = [sys.executable, "-m", "paddle.distributed.launch"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to train in, on the tiny sample."""
    monkeypatch.setenv("PALM_SAMPLE", "tiny")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Trains; in the third step the processes do something else.
BREAKS = """
import os, signal
from pathlib import Path
import palm_utils
import paddle
from palm_utils.training import train_pm

class Breaks(paddle.nn.Linear):
    steps = 0

    def forward(self, x):
        self.steps += 1
        rank = paddle.distributed.get_rank()
        if self.steps == 3:
            BREAKING
        return super().forward(x.mean([2, 3]))

model = Breaks(3, 1)
train_pm(model, paddle.optimizer.SGD(0.01, parameters=model.parameters()), epochs=2, FOLDER)
"""


@pytest.mark.parametrize(
    ("breaking", "message"),
    [
        ("rank == 1 and 1 / 0", "ZeroDivisionError: division by zero"),
        # The first waits in vain: it would fail too, and the launcher tells one of those that it finds ended.
        ("os.kill(os.getpid(), signal.SIGKILL) if rank == 1 else signal.pause()", "code -9"),
    ],
    ids=["raises", "killed"],
)
def test_a_process_that_fails_ends_all_and_is_told(place, capfd, breaking, message):
    code = BREAKS.replace("BREAKING", breaking).replace("FOLDER", "folder='run'")
    assert launch([], 2, program=("-c", code)) != 0
    told = "".join(capfd.readouterr())
    assert message in told and "Container failed" in told
    assert not subprocess.run(["pgrep", "-f", "self.steps == 3"], capture_output=True, text=True).stdout.split()


def test_a_machine_with_another_checkpoint_is_told_to_copy_the_first_one_s(place, capfd):
    train = BREAKS.replace("BREAKING", "pass").replace("FOLDER", "folder=f'run{paddle.distributed.get_rank()}'")
    assert launch([], 1, program=("-c", train)) == 0
    resume = train.replace("epochs=2", "epochs=3, resume=True")
    assert launch([], 2, program=("-c", resume)) != 0
    assert "run1 is not the first machine's: copy that here first." in "".join(capfd.readouterr())


def test_the_command_stops_at_ctrl_c_and_goes_on(place):
    command = subprocess.Popen(
        [*MODULE, *TRAIN, "--nproc", "2", "--epochs", "9"], start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    lines = []
    for line in command.stdout:
        lines.append(line)
        if line.startswith("epoch: 1, batch_id: 0"):
            os.killpg(command.pid, signal.SIGINT)  # as a terminal does
    errors = command.stderr.read()
    assert command.wait() == 130, errors
    assert errors.splitlines()[-1] == "interrupted" and "Traceback" not in errors, errors
    assert sum(line.startswith("start training ... ") for line in lines) == 1
    assert lines[-1] == "What was saved before can be gone on with (--resume).\n"
    finished = len(History.load(place / "run" / "palm.json"))
    assert 0 < finished < 9
    more = ["--epochs", str(finished + 1), "--resume"]
    assert subprocess.run([*LAUNCHER, "--nproc_per_node", "2", *MODULE, *TRAIN, *more]).returncode == 0
    assert len(History.load(place / "run" / "palm.json")) == finished + 1


def test_two_launchers_train_together_as_on_two_machines(place):
    alone = subprocess.run([*MODULE, *TRAIN, "--epochs", "2", "--folder", "alone"], capture_output=True, text=True)
    assert alone.returncode == 0, alone.stderr
    machines = []
    for rank, address in enumerate(("127.0.0.1", "127.0.0.2")):
        where = ["--master", "127.0.0.1:6170", "--rank", str(rank), "--host", address, "--log_dir", f"log{rank}"]
        command = [*LAUNCHER, "--nnodes", "2", "--nproc_per_node", "1", *where, *MODULE, *TRAIN, "--epochs", "2"]
        options = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        folder = place / f"machine{rank}"
        folder.mkdir()
        machines.append(subprocess.Popen(command, cwd=folder, **options))
    first, second = (machine.communicate(timeout=300)[0] for machine in machines)
    assert [machine.returncode for machine in machines] == [0, 0], first + second
    assert "[validation]" in first and "[validation]" not in second
    together = History.load(place / "machine0" / "run" / "palm.json")
    assert together.about["processes"] == 2 and not (place / "machine1" / "run").exists()
    one = History.load(place / "alone" / "palm.json")
    assert together["train_loss"] == pytest.approx(one["train_loss"], abs=1e-3)
    assert paddle.load(str(place / "machine0" / "run" / "palm.pdparams")).keys()
