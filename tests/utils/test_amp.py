"""What training does otherwise on a GPU, as far as a CPU can show it: mixed precision, transfer, no waiting.

PaddlePaddle is made to take the CPU for a GPU in its checks. Its automatic casts then leave tensors on the CPU in
float32, and its GradScaler works as it does on a GPU.
"""

import functools
import json
import sys
import threading

import numpy as np
import paddle
import pytest
from networks import Tiny, adam_with_schedule, assert_same, momentum, momentum_that_breaks, weights

from palm_course.command import main
from palm_utils import distributed, prefetch
from palm_utils.augment import flip
from palm_utils.messages import CourseError, DataError
from palm_utils.readers import data_loader
from palm_utils.seeds import seed_everything
from palm_utils.training import TrainingDiverged


class GpuPlace:
    def __getattr__(self, name):
        return lambda: name == "is_gpu_place"


class Tracer:
    """PaddlePaddle's tracer, on a GPU by its own account."""

    def __init__(self, tracer):
        self.__dict__["tracer"] = tracer

    def __getattr__(self, name):
        return GpuPlace() if name == "_expected_place" else getattr(self.tracer, name)

    def __setattr__(self, name, value):
        setattr(self.tracer, name, value)


real_tracer = paddle.base.framework._dygraph_tracer


@pytest.fixture
def gpu(monkeypatch):
    """The CPU is taken for a GPU."""
    monkeypatch.setattr(prefetch, "on_gpu", lambda: True)
    for name in ("paddle.amp.auto_cast", "paddle.amp.grad_scaler"):
        monkeypatch.setattr(sys.modules[name], "_dygraph_tracer", lambda: Tracer(real_tracer()))
    monkeypatch.setattr(sys.modules["paddle.amp.auto_cast"], "_is_gpu_float16_supported", lambda: True)


def fresh(make_optimizer=momentum, network=Tiny):
    seed_everything(4)
    model = network()
    return model, make_optimizer(model)


def rows(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history.epochs]


# --- mixed precision


def test_mixed_precision_is_refused_on_a_cpu(train, tmp_path):
    with pytest.raises(CourseError, match=r"Mixed precision \(amp\) needs a GPU, and this training is on the cpu"):
        train(*fresh(), amp=True, device="cpu")
    assert not (tmp_path / "palm.json").exists()


def test_the_command_refuses_it_too(small_course, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--optimizer", "Momentum", "--learning-rate", "0.01", "--device", "cpu"]
    assert main(["train", "03:Small", *options, "--amp"]) == 1
    assert "CourseError: Mixed precision (amp) needs a GPU" in capsys.readouterr().err


@pytest.mark.parametrize("make_optimizer", [momentum, adam_with_schedule])
def test_only_training_is_in_mixed_precision_and_scaling_changes_no_figure(train, gpu, make_optimizer):
    seen = []

    class Watched(Tiny):
        def forward(self, x):
            seen.append((self.training, str(real_tracer()._amp_level)))
            return super().forward(x)

    plain_model, plain_optimizer = fresh(make_optimizer)
    plain = train(plain_model, plain_optimizer, epochs=2, name="plain")
    model, optimizer = fresh(make_optimizer, Watched)
    history = train(model, optimizer, epochs=2, amp=True)
    assert seen == ([(True, "AmpLevel.O1")] * 3 + [(False, "AmpLevel.O0")] * 2) * 2
    # The scale is a power of two, and nothing was computed in float16 here.
    assert rows(history) == rows(plain)
    assert_same(weights(model), weights(plain_model))
    assert history.about["amp"] and "amp" not in plain.about
    assert history.about["identity"] != plain.about["identity"]


@pytest.mark.filterwarnings("ignore:Conversion of an array with ndim > 0")  # PaddlePaddle, telling the scale
def test_the_scale_is_resumed_with_the_run(train, gpu, tmp_path, monkeypatch, capsys):
    """It starts so high that gradients overflow: steps are left out until it has come down."""
    scaler = functools.partial(paddle.amp.GradScaler, init_loss_scaling=2.0**127, incr_every_n_steps=100)
    monkeypatch.setattr(paddle.amp, "GradScaler", scaler)

    def saved(name):
        return json.loads((tmp_path / f"{name}.json").read_text())["scaler"]

    model, optimizer = fresh()
    whole = train(model, optimizer, epochs=4, amp=True, name="whole")
    train(*fresh(), epochs=2, amp=True, name="parts")
    middle = saved("parts")
    resumed_model, resumed_optimizer = fresh()
    resumed = train(resumed_model, resumed_optimizer, epochs=4, amp=True, name="parts", resume=True)
    assert middle["scale"][0] < 2.0**127
    assert middle["incr_count"] > 0
    assert saved("parts") == saved("whole") != middle
    assert rows(resumed) == rows(whole)
    assert_same(weights(model), weights(resumed_model))


def test_a_run_goes_on_in_another_precision(train, gpu):
    train(*fresh(), epochs=1)
    assert len(train(*fresh(), epochs=2, amp=True, resume=True)) == 2
    assert len(train(*fresh(), epochs=3, resume=True)) == 3


# --- waiting for the device, at printed lines only


@pytest.fixture
def reads(monkeypatch):
    """How many losses were read each time that some were."""
    seen, means = [], distributed.means
    monkeypatch.setattr(distributed, "means", lambda losses: seen.append(len(losses)) or means(losses))
    return seen


def test_losses_are_read_where_they_are_printed_and_at_the_end_of_an_epoch(train, palm_folder, reads, gpu, capsys):
    loader = data_loader(palm_folder / "PALM-Training400", 2)
    train(*fresh(), epochs=2, log_every=4, train_loader=loader)  # 6 batches an epoch, 0 and 4 printed
    assert reads == [1, 4, 1] * 2
    assert capsys.readouterr().out.count("batch_id: 4, loss is: ") == 2
    reads.clear()
    train(*fresh(), epochs=1, log_every=0, train_loader=loader)
    assert reads == [6]


def test_on_a_cpu_each_loss_is_read_before_the_step_that_follows_from_it(train, reads):
    train(*fresh(), epochs=2, log_every=2)
    assert reads == [1] * 6


@pytest.mark.parametrize("log_every", [0, 2])
def test_a_loss_that_is_not_a_number_is_named_though_it_is_read_later(train, gpu, log_every):
    model = Tiny()
    optimizer = momentum_that_breaks(model, after=4)  # the first batch of the second epoch
    with pytest.raises(TrainingDiverged, match="The loss is nan in epoch 1, batch 1:") as caught:
        train(model, optimizer, epochs=3, log_every=log_every)
    assert len(caught.value.history) == 1


# --- transfer


def test_a_gpu_s_batches_train_to_the_same_figures(train, palm_folder, monkeypatch):
    loader = data_loader(palm_folder / "PALM-Training400", 5, augment=flip)
    here = train(*fresh(), epochs=2, train_loader=loader)
    monkeypatch.setattr(prefetch, "on_gpu", lambda: True)
    there = train(*fresh(), epochs=2, train_loader=loader)
    assert rows(here) == rows(there)


def batches(number):
    for i in range(number):
        yield np.full((2, 3), i, np.float32), np.full((2, 1), i, np.float32)


def test_every_batch_comes_once_and_in_order_as_tensors(gpu):
    values = [(images.numpy()[0, 0], labels.shape[0]) for images, labels in prefetch.on_device(batches(7))]
    assert values == [(float(i), 2) for i in range(7)]


def test_what_a_reader_raises_comes_as_it_is_and_at_its_turn(gpu):
    def broken():
        yield from batches(3)
        raise DataError("photograph 7 is damaged")

    seen = []
    with pytest.raises(DataError, match="photograph 7 is damaged"):
        for images, _ in prefetch.on_device(broken()):
            seen.append(images)
    assert len(seen) == 3


def test_a_transfer_that_is_left_leaves_no_thread_behind(gpu, palm_folder):
    before = threading.enumerate()
    for _ in prefetch.on_device(data_loader(palm_folder / "PALM-Training400", 2)()):
        break
    for thread in set(threading.enumerate()) - set(before):
        if "tqdm" in thread.name:  # watches progress bars as long as the process lives
            continue
        thread.join(30)
        assert not thread.is_alive()
