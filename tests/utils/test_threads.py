"""PaddlePaddle computes on the machine's cores from `import palm_utils` on, unless the user says otherwise."""

import json
import os
import subprocess
import sys

import joblib
import paddle
import pytest

from palm_utils import threads
from palm_utils.history import describe_machine, machine_line
from palm_utils.messages import CourseError

# Prints what PaddlePaddle was told, by the very call that tells it, and what the process leaves behind.
PROBE = """
import importlib, json, os, sys
{first}
told = []
if "paddle" not in sys.modules:
    class Watch(importlib.import_module("importlib.abc").MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name == "paddle.tensor":  # base.core is there, the threads are not yet set
                core = sys.modules["paddle.base.core"]
                real = core.set_num_threads
                core.set_num_threads = lambda n: (told.append(n), real(n))
    sys.meta_path.insert(1, Watch())
import paddle
from palm_utils import threads
from palm_utils.history import describe_machine
print(json.dumps({{
    "told": told,
    "recorded": describe_machine()["threads"],
    "left": os.environ.get("OMP_NUM_THREADS"),
    "sum": float(paddle.ones([600, 600]).matmul(paddle.ones([600, 600])).sum()),
}}))
"""


def probe(environment, first="import palm_utils"):
    env = {k: v for k, v in os.environ.items() if k not in ("PALM_THREADS", "OMP_NUM_THREADS", "PALM_KEEP_RESULTS")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore:No ccache", "-c", PROBE.format(first=first)],
        env={**env, **environment}, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr.splitlines()[-1], done.stderr


@pytest.mark.parametrize(
    ("environment", "number"),
    [
        ({}, joblib.cpu_count()),
        ({"PALM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "2", "PALM_THREADS": "1"}, 1),
    ],
    ids=["default", "PALM_THREADS", "OMP_NUM_THREADS", "both"],
)
def test_the_number_is_set_when_paddle_is_imported_and_nothing_is_printed(environment, number):
    found, err = probe(environment)
    assert found["told"] == [number]
    assert found["recorded"] == str(number)
    assert found["left"] == environment.get("OMP_NUM_THREADS")  # not PaddlePaddle's own 1, for what is started next
    assert found["sum"] == 600**3
    assert err == ""


def test_it_is_set_as_well_where_paddle_was_imported_before():
    found, _ = probe({"PALM_THREADS": "2"}, first="import zlib, paddle; import palm_utils")
    assert found["recorded"] == "2"


def test_what_is_no_number_is_refused_each_time():
    twice = "import palm_utils\ntry:\n    import paddle\nexcept palm_utils.threads.CourseError:\n    import paddle"
    for first in ("import palm_utils", twice):
        error, _ = probe({"PALM_THREADS": "two"}, first)
        assert "CourseError: The environment variable PALM_THREADS is 'two'; it must be a number of threads" in error


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "all"])
def test_a_number_of_threads_is_at_least_one(monkeypatch, value):
    monkeypatch.setenv("PALM_THREADS", value)
    with pytest.raises(CourseError, match="PALM_THREADS is"):
        threads.count()


def test_an_empty_variable_counts_as_none(monkeypatch):
    monkeypatch.setenv("PALM_THREADS", " ")
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert threads.count() == 5


def test_another_number_in_a_cell(monkeypatch):
    told = []
    monkeypatch.setattr(paddle.base.core, "set_num_threads", told.append)
    monkeypatch.setattr(threads, "_in_use", None)
    threads.use(4)
    assert told == [4] and threads.in_use() == 4
    assert describe_machine()["threads"] == "4" and "4 thread(s)" in machine_line()
    for number in (0, True, "2", 1.0):
        with pytest.raises(ValueError, match="number is"):
            threads.use(number)
    assert told == [4]


def test_a_module_that_is_not_there_is_reported_as_usual():
    code = (
        "import sys, palm_utils\n"
        "sys.path[:] = [p for p in sys.path if 'site-packages' not in p]\n"
        "sys.path_importer_cache.clear()\n"
        "import paddle"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'paddle'"
