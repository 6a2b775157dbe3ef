import subprocess
import sys
import threading

import numpy as np
import pytest

from palm_utils.readers import data_loader, loaded_ahead
from palm_utils.seeds import seed_everything


@pytest.fixture
def folder(palm_folder):
    return palm_folder / "PALM-Training400"


def workers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("palm-")]


def test_the_next_one_is_loaded_while_this_one_is_used():
    started = {i: threading.Event() for i in range(4)}

    def load(i):
        started[i].set()
        assert threading.current_thread() is not threading.main_thread()
        return i

    for i in loaded_ahead(load, range(4)):
        if i < 3:
            assert started[i + 1].wait(30)  # nobody has asked for it yet
        assert i > 1 or not started[i + 2].is_set()  # and no further


def test_the_next_two_are_loaded_side_by_side():
    both = threading.Barrier(2, timeout=30)

    def load(i):
        both.wait()  # BrokenBarrierError if no other one is loaded meanwhile
        return i

    assert list(loaded_ahead(load, range(4), ahead=2)) == [0, 1, 2, 3]


@pytest.mark.parametrize("leave", ["close", "forget", "raise"])
@pytest.mark.parametrize("cache", [True, False])
def test_a_reader_that_is_left_leaves_no_thread_behind(folder, cache, leave):
    batches = data_loader(folder, 2, cache=cache)()
    next(batches)
    assert workers()
    if leave == "close":
        batches.close()
    elif leave == "forget":
        del batches
    else:
        with pytest.raises(KeyboardInterrupt):
            batches.throw(KeyboardInterrupt)
    assert workers() == []


def test_what_a_reader_draws_does_not_depend_on_how_far_it_is_ahead(folder):
    """Augmentation and whoever else draws from numpy take turns as if nothing were prefetched."""

    def shift(image):
        return image + np.float32(np.random.rand())

    def run():
        seed_everything(6)
        return [(images.sum(), np.random.rand()) for images, _ in data_loader(folder, 5, augment=shift)()]

    seed_everything(6)
    order = list(data_loader(folder, 5, cache=False)())  # draws the order, then nothing
    plain = [(np.stack([shift(image) for image in images]).sum(), np.random.rand()) for images, _ in order]
    assert run() == plain == run()


def test_the_process_ends_although_a_reader_was_left_half_way(folder):
    code = f"from palm_utils import *\nbatches = data_loader({str(folder)!r}, 2)()\nprint(len(next(batches)[0]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")
