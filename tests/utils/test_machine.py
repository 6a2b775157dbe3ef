"""What `start` does to a process and the import of the package does not; threads, kernels, seeds, device, workers."""

import json
import multiprocessing
import os
import random
import subprocess
import sys

import joblib
import numpy as np
import paddle
import pytest
from networks import Tiny, momentum

from palm_utils import cpu, machine, training
from palm_utils.messages import CourseError, WrongArgument

# Prints what PaddlePaddle was told, what a chapter says of it, and what is left to processes started later.
PROBE = """
import json, os
{code}
import paddle
from palm_utils import cpu, machine
said = machine.machine_line()  # starts where nothing has
print(json.dumps({{
    "threads": machine.threads_in_use(),
    "said": said.split(", ")[-1],
    "left": os.environ.get("OMP_NUM_THREADS"),
    "kernels": os.environ.get("MKL_DEBUG_CPU_TYPE"),
    "sum": float(paddle.ones([600, 600]).matmul(paddle.ones([600, 600])).sum()),
}}))
"""
VARIABLES = ("PALM_THREADS", "OMP_NUM_THREADS", "MKL_DEBUG_CPU_TYPE", "GLOG_minloglevel", "OPENCV_LOG_LEVEL")
CHAPTER = "from palm_utils.seeds import seed_everything\nimport paddle\nseed_everything(0)"
CORES = joblib.cpu_count()


def python(code, **variables):
    """Run code in a fresh process in which only these variables are set; return its stdout and stderr."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES} | variables
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    return done.stdout, done.stderr


def probe(code, **variables):
    out, err = python(PROBE.format(code=code), **variables)
    return json.loads(out), err


def test_importing_the_package_leaves_the_process_as_it_was():
    code = """
import os, sys, warnings
before = dict(os.environ), list(sys.meta_path), list(warnings.filters)
import palm_utils
print((dict(os.environ), list(sys.meta_path), list(warnings.filters)) == before)
import palm_utils.machine
print(sys.meta_path == before[1], "paddle" in sys.modules)
"""
    assert python(code) == ("True\nTrue False\n", "")


CODES = [CHAPTER, "from palm_utils import train_pm", "import paddle\nfrom palm_utils import train_pm"]


@pytest.mark.parametrize(
    ("code", "variables", "number"),
    [
        *((code, {}, CORES) for code in CODES[::2]),
        (CODES[2], {"PALM_THREADS": "3"}, 3),
        (CODES[0], {"OMP_NUM_THREADS": "1"}, 1),  # after PaddlePaddle it may be its own
        (CODES[1], {"OMP_NUM_THREADS": "1", "PALM_THREADS": "2"}, 2),
        (CODES[2], {"OMP_NUM_THREADS": "1", "PADDLE_TRAINER_ID": "0"}, 1),  # of its launcher
    ],
)
def test_the_number_is_what_the_environment_asks_for_and_nothing_is_printed(code, variables, number):
    found, err = probe(code, **variables)
    assert (found["threads"], found["said"]) == (number, f"{number} thread(s)")
    assert found["left"] == variables.get("OMP_NUM_THREADS")  # not PaddlePaddle's own 1, for what is started next
    assert found["kernels"] == cpu.kernels_for(cpu.cpuinfo())
    assert found["sum"] == 600**3 and (err == "" or code == CODES[2])


@pytest.mark.parametrize("value", ["two", "0", "-1", "1.5"])
def test_what_is_no_number_of_threads_is_refused_and_an_empty_variable_is_none(monkeypatch, value):
    monkeypatch.setenv("PALM_THREADS", value)
    with pytest.raises(CourseError, match=f"variable PALM_THREADS is '{value}'; it must be a number of threads"):
        machine.thread_count()
    monkeypatch.setenv("PALM_THREADS", " ")
    monkeypatch.setattr(machine, "_omp_threads", "5")
    assert machine.thread_count() == 5


@pytest.fixture
def told(monkeypatch):
    """The numbers of threads that PaddlePaddle is told, in a process that has not started."""
    numbers = []
    monkeypatch.setattr(paddle.base.core, "set_num_threads", numbers.append)
    monkeypatch.setattr(machine, "_threads", None)
    monkeypatch.setenv("PALM_THREADS", "3")
    return numbers


def test_starting_twice_changes_nothing_and_another_number_stays(told):
    for _ in range(2):
        machine.start()
        machine.seed_everything(0)
    assert told == [3] and machine.threads_in_use() == 3
    machine.start(4)
    machine.seed_everything(0)
    assert told == [3, 4] and machine.threads_in_use() == 4
    machine.start(2)
    for number in (0, True, "2", 1.0):
        with pytest.raises(WrongArgument, match="threads is"):
            machine.start(number)
    assert told == [3, 4, 2] and machine.describe_machine()["threads"] == "2"


@pytest.mark.parametrize("what", [lambda: machine.seed_everything(1), lambda: machine.use_device("cpu"), machine.start])
def test_what_starts(told, what):
    what()
    assert told == [3]


def test_train_pm_and_evaluation_start(told, train, readers, tmp_path):
    model = Tiny()
    train(model, momentum(model), epochs=1)
    machine._threads = None
    training.evaluation(model, tmp_path / "palm.pdparams", loader=readers["valid_loader"])
    assert told == [3, 1, 3] * 2  # three batches are predicted at a time, one thread each


def test_a_chapter_is_not_told_of_compilers_executors_and_batch_norms(tmp_path):
    code = f"""{CHAPTER}
net = paddle.nn.Sequential(paddle.nn.Conv2D(1, 2, 3), paddle.nn.BatchNorm2D(2))
net(paddle.ones([2, 1, 8, 8]))
shape = paddle.static.InputSpec([None, 1, 8, 8])
paddle.jit.save(paddle.jit.to_static(net, input_spec=[shape]), {str(tmp_path / "net")!r})
paddle.jit.load({str(tmp_path / "net")!r})(paddle.ones([1, 1, 8, 8]))
"""
    said = python(code)[1]
    assert not any(word in said for word in ("ccache", "global mean", "interpreter")), said


def test_a_seed_fixes_what_all_three_generators_draw():
    def drawn(seed):
        machine.seed_everything(seed)
        return random.random(), np.random.rand(), paddle.rand([1]).item()

    assert drawn(5) == drawn(5) and not set(drawn(5)) & set(drawn(6))
    assert drawn(2**32 + 5)[1] == drawn(5)[1]


def test_each_epoch_of_each_run_has_a_seed_of_its_own():
    seeds = [machine.epoch_seed(seed, epoch) for seed in range(3) for epoch in range(4)]
    assert len(set(seeds)) == 12 and seeds[0] == machine.epoch_seed(0, 0) == 2968811710


@pytest.mark.parametrize(
    ("gpus", "asked", "found"), [(0, None, "cpu"), (2, None, "gpu"), (2, "cpu", "cpu"), (2, "gpu:1", "gpu:1")]
)
def test_a_gpu_is_taken_where_there_is_one(monkeypatch, gpus, asked, found):
    monkeypatch.setattr(paddle.device, "is_compiled_with_cuda", lambda: gpus > 0)
    monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: gpus)
    assert machine.find_device(asked) == found


def test_a_gpu_that_is_not_there_is_an_error_before_paddlepaddle_ends_the_process(monkeypatch):
    monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: 0)
    for device in ("gpu", "gpu:0"):
        with pytest.raises(CourseError, match=f"device='{device}', but PaddlePaddle .* sees no GPU here"):
            machine.use_device(device)


def test_what_the_machine_is():
    about = machine.describe_machine()
    assert list(about) == ["python", "paddle", "numpy", "device", "threads", "processor"]
    assert machine.machine_line().startswith(f"Python {about['python']}, PaddlePaddle {about['paddle']}, numpy ")
    assert machine.on_gpu() is about["device"].startswith("gpu")


KILLED = """
import multiprocessing, os, signal, time
from palm_course import native
native.end_workers_with_this_process()
native.end_workers_with_this_process()
for _ in range(2):
    multiprocessing.get_context("fork").Process(target=time.sleep, args=[3600]).start()
print("started", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="workers are forked")
def test_forked_processes_end_with_the_one_that_was_killed():
    # They hold the pipe open: its end comes when all of them have gone.
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, timeout=120)
    assert done.stdout == "started\n" and done.returncode == -9, done.stderr
