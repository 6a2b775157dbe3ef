"""A real kernel: the stop button, and what is left when a kernel is killed."""

import os
import queue
import re
import signal
import textwrap
from pathlib import Path

import places
import psutil
import pytest
from jupyter_client.manager import KernelManager

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals as Unix has them")

SET_UP = f"""
import sys
sys.path.insert(0, {str(places.ROOT / "tests")!r})
from pathlib import Path
from networks import Tiny, adam_with_schedule
from palm_utils.history import History
from palm_utils.readers import data_loader, valid_data_loader
from palm_utils.seeds import seed_everything
from palm_utils.training import predict, train_pm
import hashlib

palm = Path("palm")
loaders = dict(train_loader=data_loader(palm / "PALM-Training400", 4),
               valid_loader=valid_data_loader(palm / "PALM-Validation400", palm / "labels.csv", 4))

def fresh():
    seed_everything(4)
    model = Tiny()
    return model, adam_with_schedule(model)

def digest(model):
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in model.state_dict().values())).hexdigest()

model, optimizer = fresh()
"""


class Kernel:
    """A kernel in a folder, and what its cells print."""

    def __init__(self, folder, **variables):
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(cwd=str(folder), env=os.environ | {"PALM_THREADS": "1"} | variables)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)
        self.process = psutil.Process(self.manager.provisioner.process.pid)

    def run(self, source, *, until=None, then=lambda: None, timeout=240):
        """Execute a cell; once it has printed `until`, call then(); return its output and the error's name."""
        asked = self.client.execute(textwrap.dedent(source))
        printed, error = "", None
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=timeout)
            except queue.Empty:
                raise AssertionError(f"the kernel is silent after {printed!r}") from None
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream" and content["name"] == "stdout":
                printed += content["text"]
                if until and until in printed:
                    until = None
                    then()
            elif kind == "error":
                error = content["ename"]
            elif kind == "status" and content["execution_state"] == "idle":
                return printed, error

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(palm_folder, tmp_path):
    kernel = Kernel(tmp_path, PALM_CACHE=str(tmp_path / "cache"))
    yield kernel
    kernel.close()


TRAIN = "history = train_pm(model, optimizer, epochs=EPOCHS, progress=False, log_every=1, resume=True, **loaders)"


def test_the_stop_button_leaves_kernel_history_and_checkpoint(kernel):
    stop = kernel.manager.interrupt_kernel
    assert kernel.run(SET_UP) == ("", None)
    out, error = kernel.run(TRAIN.replace("EPOCHS", "3"), until="batch_id: 1", then=stop)
    assert error == "KeyboardInterrupt" and "Interrupted before the first epoch was finished and saved." in out
    assert kernel.run("model, optimizer = fresh()")[1] is None  # nothing was saved, and the model is half trained
    for epochs in (1, 2):
        # Whatever has changed in the model meanwhile is replaced by what was saved.
        out, error = kernel.run(TRAIN.replace("EPOCHS", "1000"), until=f"epoch: {epochs}, batch_id: 1", then=stop)
        finished = int(re.search(r"holds the run after (\d+) finished epoch", out)[1])
        assert error == "KeyboardInterrupt" and finished >= epochs  # epochs are short, and the signal takes a while
        out, error = kernel.run(
            "print(len(History.load('palm.json')), predict(model, loaders['valid_loader']).accuracy)"
        )
        assert error is None and out.startswith(f"{finished} "), (out, error)
    resumed, error = kernel.run(f"{TRAIN.replace('EPOCHS', str(finished + 1))}; print(digest(model))")
    assert error is None
    whole = f"train_pm(model, optimizer, epochs={finished + 1}, name='whole', progress=False, **loaders)"
    out, error = kernel.run(f"model, optimizer = fresh(); {whole}; print(digest(model))")
    assert error is None and out.splitlines()[-1] == resumed.splitlines()[-1]


def test_the_stop_button_while_the_sample_is_made(kernel, tmp_path):
    stop = kernel.manager.interrupt_kernel
    assert kernel.run(f"import os; os.environ['PALM_SAMPLE'] = 'tiny'; {SET_UP}")[1] is None
    make = "from palm_utils import sample; sample.sample_root('data', 'tiny')"
    assert kernel.run(make, until="Making the sample data", then=stop)[1] == "KeyboardInterrupt"
    folder = tmp_path / "data" / "sample"
    assert [path.name for path in folder.iterdir()] == ["tiny.lock"]
    assert kernel.run(make)[1] is None and {path.name for path in folder.iterdir()} == {"tiny", "tiny.lock"}


# --- DataLoader's worker processes


WORKERS = """
import numpy as np, paddle
from palm_utils import highlevel
class Pictures(paddle.io.Dataset):
    def __len__(self): return 100000
    def __getitem__(self, i): return np.zeros([3, 32, 32], "float32"), np.array([i % 10])
highlevel.loader_workers(batch_bytes=1)  # as chapter 7 asks
batches = iter(paddle.io.DataLoader(Pictures(), batch_size=64, num_workers=2, use_shared_memory=SHARED))
next(batches); print("reading")
"""


@pytest.mark.parametrize("shared", ["True", "False"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
def test_a_killed_kernel_leaves_no_worker_processes(kernel, shared, number):
    assert kernel.run(WORKERS.replace("SHARED", shared)) == ("reading\n", None)
    workers = kernel.process.children(recursive=True)
    assert len(workers) >= 2
    kernel.process.send_signal(number)
    _, alive = psutil.wait_procs(workers, timeout=20)
    for process in alive:
        process.kill()
    assert not alive
    left = [path.name for worker in workers for path in Path("/dev/shm").glob(f"paddle_{worker.pid}_*")]
    assert not left
