"""Replicas: the gradients of the whole batch, repeatable, with dropout and batch norm too."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from benchmarks.replicas import Replicas
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
    return rng.normal(size=(size, 3, 8, 8)).astype("float32"), rng.integers(0, 2, (size, 1)).astype("float32")


def steps(number, *, size=10, **options):
    """Losses of five steps, and the state at the end."""
    paddle.seed(0)
    model = Net(**options)
    optimizer = paddle.optimizer.Momentum(0.05, parameters=model.parameters())
    images, labels = batch(size)
    replicas = Replicas(model, number, seed=3)
    losses = []
    for _ in range(5):
        losses.append(replicas.backward(F.binary_cross_entropy_with_logits, images, labels))
        optimizer.step()
        optimizer.clear_grad()
    replicas.gather()
    return losses, [value.numpy() for value in model.state_dict().values()]


@pytest.mark.parametrize("size", [10, 9, 1])
def test_two_replicas_train_as_one(size):
    one, two = steps(1, size=size), steps(2, size=size)
    np.testing.assert_allclose(one[0], two[0], rtol=1e-5)
    for own, other in zip(one[1], two[1], strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-6)


def test_a_run_with_dropout_and_batch_norm_can_be_repeated():
    first, second = (steps(2, norm=True, dropout=0.5) for _ in range(2))
    assert first[0] == second[0]
    for own, other in zip(first[1], second[1], strict=True):
        np.testing.assert_array_equal(own, other)


def test_dropout_differs_between_replicas_and_steps():
    losses, _ = steps(2, dropout=0.5)
    assert len(set(losses)) == 5
    images, labels = (np.repeat(part[:1], 2, axis=0) for part in batch())
    paddle.seed(0)
    seen = []
    Replicas(Net(dropout=0.5), 2, seed=0).backward(
        lambda logits, _: seen.append(logits.item()) or logits.sum(), images, labels
    )
    assert seen[0] != seen[1]


def test_running_statistics_are_the_replicas_mean():
    images, labels = batch()
    images[1::2] += 4.0
    paddle.seed(0)
    model = Net(norm=True)
    replicas = Replicas(model, 2, seed=0)
    replicas.backward(F.binary_cross_entropy_with_logits, images, labels)
    seen = [copied.norm._mean.numpy().copy() for copied in replicas.models]
    assert not np.allclose(*seen)
    replicas.gather()
    for copied in replicas.models:
        np.testing.assert_allclose(copied.norm._mean.numpy(), sum(seen) / 2, rtol=1e-6)


def test_layers_whose_randomness_cannot_be_kept_apart_are_refused():
    with pytest.raises(CourseError, match="Dropout2D draws from one generator"):
        Replicas(paddle.nn.Sequential(paddle.nn.Dropout2D(0.5)), 2, seed=0)


def test_outside_of_replicas_dropout_is_paddlepaddles():
    Replicas(Net(), 2, seed=0)
    paddle.seed(5)
    first = F.dropout(paddle.ones([100]), 0.5).numpy()
    paddle.seed(5)
    np.testing.assert_array_equal(first, F.dropout(paddle.ones([100]), 0.5).numpy())
