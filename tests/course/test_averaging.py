"""palm_course.averaging: a network is trained, its running mean evaluated."""

import numpy as np
import paddle
import pytest
from networks import assert_same, weights

from palm_course.averaging import Averaged
from palm_utils.machine import seed_everything
from palm_utils.training import predict, train_pm


def network():
    seed_everything(0)
    layers = paddle.nn.Conv2D(3, 4, 3, stride=2), paddle.nn.BatchNorm2D(4), paddle.nn.ReLU()
    return paddle.nn.Sequential(*layers, paddle.nn.AdaptiveAvgPool2D(1), paddle.nn.Flatten(), paddle.nn.Linear(4, 1))


@pytest.fixture
def batches():
    rng = np.random.default_rng(0)
    made = [(rng.normal(size=(6, 3, 16, 16)).astype("float32"), rng.random(6) < 0.5) for _ in range(5)]
    return lambda: iter([(images, labels.astype("float32")) for images, labels in made])


def trained(model, batches, folder, epochs=2, **options):
    optimizer = paddle.optimizer.Momentum(0.1, parameters=model.parameters())
    options |= {"train_loader": batches, "valid_loader": batches, "seed": 3, "progress": False, "device": "cpu"}
    return train_pm(model, optimizer, epochs=epochs, folder=folder, **options)


def test_the_mean_follows_by_the_decay_and_the_network_trains_as_it_does_alone(batches, tmp_path):
    alone, model = network(), Averaged(network(), decay=0.6)
    expected = weights(model.mean)
    trained(alone, batches, tmp_path / "alone", epochs=1)
    trained(model, batches, tmp_path / "averaged", epochs=1)
    assert_same(weights(model.network), weights(alone))
    # The same steps by hand.
    again = network()
    optimizer = paddle.optimizer.Momentum(0.1, parameters=again.parameters())
    for step, (images, labels) in enumerate(batches(), 1):
        logits = again(paddle.to_tensor(images))
        paddle.nn.functional.binary_cross_entropy_with_logits(logits, paddle.to_tensor(labels[:, None])).backward()
        optimizer.step()
        optimizer.clear_grad()
        now, pace = weights(again), 1 - min(0.6, step / (step + 9))
        expected = {name: expected[name] + pace * (now[name] - expected[name]) for name in expected}
    for name, value in expected.items():
        assert np.allclose(weights(model.mean)[name], value, atol=1e-5), name


def test_it_is_evaluated_with_the_mean(batches, tmp_path):
    model = Averaged(network(), decay=0.9)
    history = trained(model, batches, tmp_path)
    assert predict(model, batches).loss == predict(model.mean, batches).loss == history.last["valid_loss"]
    assert predict(model, batches).loss != predict(model.network, batches).loss


def test_a_resumed_training_has_the_same_mean(batches, tmp_path):
    whole, first, second = (Averaged(network(), decay=0.9) for _ in range(3))
    trained(whole, batches, tmp_path / "whole")
    trained(first, batches, tmp_path / "parts", epochs=1)
    trained(second, batches, tmp_path / "parts", resume=True)
    assert_same(weights(second), weights(whole))
