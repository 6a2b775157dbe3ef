"""Mixed precision, as far as a CPU can show it.

PaddlePaddle is made to take the CPU for a GPU in its checks. Its automatic casts then leave tensors on the CPU in
float32, and its GradScaler works as it does on a GPU.
"""

import functools
import json
import sys

import paddle
import pytest
from networks import Tiny, adam_with_schedule, assert_same, figures, fresh, momentum, weights

from palm_utils import machine
from palm_utils.messages import CourseError


class Gpu:
    def __getattr__(self, name):
        return lambda: name == "is_gpu_place"


class Tracer:
    """PaddlePaddle's tracer, on a GPU by its own account."""

    def __init__(self, tracer):
        self.__dict__ |= {"tracer": tracer, "_expected_place": Gpu()}

    def __getattr__(self, name):
        return getattr(self.tracer, name)

    def __setattr__(self, name, value):
        setattr(self.tracer, name, value)


real_tracer = paddle.base.framework._dygraph_tracer


@pytest.fixture
def gpu(monkeypatch):
    """The CPU is taken for a GPU."""
    monkeypatch.setattr(machine, "refuse", lambda *told: None)
    for name in ("auto_cast", "grad_scaler"):
        monkeypatch.setattr(sys.modules[f"paddle.amp.{name}"], "_dygraph_tracer", lambda: Tracer(real_tracer()))
    monkeypatch.setattr(sys.modules["paddle.amp.auto_cast"], "_is_gpu_float16_supported", lambda: True)


def test_mixed_precision_is_refused_on_a_cpu(train, tmp_path):
    with pytest.raises(CourseError, match=r"Mixed precision \(amp\) needs a GPU, and this training is on the cpu"):
        train(*fresh(), amp=True, device="cpu")
    assert not (tmp_path / "palm.json").exists()


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
    assert figures(history) == figures(plain)
    assert_same(weights(model), weights(plain_model))
    assert history.about["amp"] and "amp" not in plain.about


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
    assert middle["scale"][0] < 2.0**127 and middle["incr_count"] > 0
    assert saved("parts") == saved("whole") != middle
    assert figures(resumed) == figures(whole)
    assert_same(weights(model), weights(resumed_model))


def test_a_run_goes_on_in_another_precision(train, gpu):
    train(*fresh(), epochs=1)
    assert len(train(*fresh(), epochs=2, amp=True, resume=True)) == 2
    assert len(train(*fresh(), epochs=3, resume=True)) == 3
