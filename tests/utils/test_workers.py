"""Worker processes do not outlive a kernel that is killed. With PaddlePaddle's DataLoader: tests/hard."""

import multiprocessing
import subprocess
import sys

import pytest

KILLED = """
import multiprocessing, os, signal, time
from palm_utils import workers
workers.end_with_this_process()
workers.end_with_this_process()
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
