"""Replicas: the gradients of the whole batch, repeatable, with dropout and batch norm too."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from networks import Tiny, assert_same, fresh, weights

from palm_utils import cpu, machine
from palm_utils.cpu import Replicas
from palm_utils.messages import CourseError


class Net(paddle.nn.Layer):
    def __init__(self, norm=False, dropout=0.0):
        super().__init__()
        self.conv = paddle.nn.Conv2D(3, 4, 3)
        self.norm = paddle.nn.BatchNorm2D(4) if norm else paddle.nn.Identity()
        self.dropout = paddle.nn.Dropout(dropout)
        self.fc = paddle.nn.Linear(4 * 36, 1)

    def forward(self, x):
        return self.fc(self.dropout(self.norm(self.conv(x)).flatten(1)))


def batch(size=10):
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(size, 3, 8, 8)).astype("float32"), rng.integers(0, 2, (size, 1))
    return paddle.to_tensor(images), paddle.to_tensor(labels.astype("float32"))


def steps(number, *, size=10, **options):
    """Losses of five steps, and the state at the end."""
    paddle.seed(0)
    model = Net(**options)
    optimizer = paddle.optimizer.Momentum(0.05, parameters=model.parameters())
    images, labels = batch(size)
    replicas, losses = Replicas(model, number, threads=1), []
    replicas.start_epoch(seed=3)
    for _ in range(5):
        loss = F.binary_cross_entropy_with_logits(replicas(images), labels)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
        optimizer.clear_grad()
    replicas.end_epoch()
    return losses, [value.numpy() for value in model.state_dict().values()]


@pytest.mark.parametrize(("number", "size"), [(2, 10), (2, 9), (3, 10), (2, 1)])
def test_replicas_train_as_one_network(number, size):
    one, several = steps(1, size=size), steps(number, size=size)
    np.testing.assert_allclose(one[0], several[0], rtol=1e-5)
    for own, other in zip(one[1], several[1], strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-6)


def test_a_run_with_dropout_and_batch_norm_can_be_repeated():
    first, second = (steps(2, norm=True, dropout=0.5) for _ in range(2))
    assert first[0] == second[0] and len(set(first[0])) == 5
    for own, other in zip(first[1], second[1], strict=True):
        np.testing.assert_array_equal(own, other)


def test_dropout_differs_between_replicas():
    images = paddle.ones([2, 3, 8, 8])
    replicas = Replicas(Net(dropout=0.5), 2, threads=1)
    replicas.start_epoch(seed=0)
    assert len(set(replicas(images).numpy().ravel())) == 2


def test_running_statistics_are_the_replicas_mean():
    images, _ = batch()
    images[5:] += 4.0
    model = Net(norm=True)
    replicas = Replicas(model, 2, threads=1)
    replicas.start_epoch(seed=0)
    replicas(images)
    seen = [copied.norm._mean.numpy().copy() for copied in replicas.models]
    assert not np.allclose(*seen)
    replicas.end_epoch()
    np.testing.assert_allclose(model.norm._mean.numpy(), sum(seen) / 2, rtol=1e-6)


def test_layers_whose_randomness_cannot_be_kept_apart_are_refused():
    with pytest.raises(CourseError, match="could not be repeated: Dropout2D"):
        Replicas(paddle.nn.Sequential(paddle.nn.Dropout2D(0.5)), 2, threads=1)


def test_outside_of_replicas_dropout_is_paddlepaddles():
    Replicas(Net(), 2, threads=1)
    paddle.seed(5)
    first = F.dropout(paddle.ones([100]), 0.5).numpy()
    paddle.seed(5)
    np.testing.assert_array_equal(first, F.dropout(paddle.ones([100]), 0.5).numpy())


def test_train_pm_trains_with_replicas_and_a_run_is_resumed_to_the_same_bits(train):
    whole, parts = fresh(), fresh()
    history = train(*whole, epochs=3, seed=1, replicas=2, name="whole")
    train(*parts, epochs=2, seed=1, replicas=2, name="parts")
    resumed = train(*(parts := fresh(seed=9)), epochs=3, seed=1, replicas=2, name="parts", resume=True)
    assert resumed["train_loss"] == history["train_loss"] and history.about["replicas"] == 2
    with pytest.raises(ValueError, match=r"replicas is 1, but the run saved in .*parts\.json has 2"):
        train(*fresh(), epochs=4, name="parts", resume=True)
    assert history["train_loss"] != train(*fresh(), epochs=3, seed=1)["train_loss"]  # batch norm saw other parts
    assert_same(weights(whole[0]), weights(parts[0]))


@pytest.mark.parametrize(("replicas", "processes", "device"), [(2, 2, "cpu"), (2, 1, "gpu:0"), (0, 1, "cpu")])
def test_where_replicas_cannot_be_it_says_so(replicas, processes, device):
    with pytest.raises(CourseError, match="replicas"):
        machine.refuse(10, processes, False, device, replicas)


def test_several_batches_are_predicted_at_a_time_but_not_by_a_static_network_or_with_the_plain_ways(monkeypatch):
    model = Tiny()
    assert [cpu.batches_at_once(model, threads) for threads in (1, 2, 16)] == [1, 2, 4]
    monkeypatch.setitem(cpu._in_use, "validation", "off")
    assert cpu.batches_at_once(model, 2) == 1
    monkeypatch.setitem(cpu._in_use, "validation", "on")
    model.forward = paddle.jit.to_static(model.forward)
    assert cpu.batches_at_once(model, 2) == 1


def test_what_does_not_change_in_training_stays_as_it_is_to_the_bit():
    model = Net(norm=True)
    model.conv.weight.stop_gradient = True
    model.register_buffer("count", paddle.to_tensor([7, 8]))
    before = model.conv.weight.numpy()
    replicas = Replicas(model, 3, threads=1)
    replicas.start_epoch(seed=0)
    replicas(batch()[0])
    replicas.end_epoch()
    np.testing.assert_array_equal(model.conv.weight.numpy(), before)
    assert model.count.tolist() == [7, 8] and model.norm._mean.abs().sum() > 0
