"""The logbook of Model.fit: its history, its saved epochs, and going on with a stopped run."""

import os
import sys

import numpy as np
import paddle
import pytest
from networks import assert_same, figures, weights

from palm_utils import highlevel
from palm_utils.highlevel import Batches, Logbook
from palm_utils.history import History
from palm_utils.machine import seed_everything
from palm_utils.messages import CourseError, DataError, DataNotFound
from palm_utils.training import TrainingDiverged

pytestmark = pytest.mark.filterwarnings("ignore:To copy construct from a tensor")  # by paddle.Model, of its own tensors


def small_network():
    nn = paddle.nn
    layers = [nn.Conv2D(3, 4, 3, stride=2), nn.BatchNorm2D(4), nn.ReLU(), nn.Dropout(0.2), nn.AdaptiveAvgPool2D(1)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 10))


def answers(network, batches):
    """The logits and the labels of a network in evaluation mode, as arrays."""
    network.eval()
    return [paddle.concat(parts).numpy() for parts in zip(*((network(x), y[:, 0]) for x, y in batches), strict=True)]


def small_model(rate=0.05, seed=0, topk=(1, 5), warmup=0):
    seed_everything(seed)
    model = paddle.Model(small_network())
    schedule = paddle.optimizer.lr.CosineAnnealingDecay(rate, T_max=9 - warmup)
    if warmup:
        schedule = paddle.optimizer.lr.LinearWarmup(schedule, warmup, rate / 25, rate)
    optimizer = paddle.optimizer.Momentum(schedule, parameters=model.parameters(), weight_decay=1e-4)
    model.prepare(optimizer, paddle.nn.CrossEntropyLoss(), paddle.metric.Accuracy(topk=topk))
    return model


@pytest.fixture
def data(images, labels):
    train = Batches(images, labels, 8, shuffle=True, augment=highlevel.crop_and_flip)
    return train, Batches(images[:6], labels[:6], 4)


class Stop(paddle.callbacks.Callback):
    """Ctrl-C in the second step of the second epoch of a fit."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, step, logs=None):
        if (self.epoch, step) == (1, 1):
            raise KeyboardInterrupt


def tear(path):
    path.write_bytes(path.read_bytes()[:-10])


def train(folder, data, *callbacks, epochs=3, resume=None, model=None, **options):
    model = model or small_model(**options)
    logbook = Logbook(folder)
    left = logbook.start(model, data[0], epochs=epochs, resume=resume)
    if left:
        model.fit(*data, epochs=left, verbose=0, callbacks=[logbook, *callbacks])
    return logbook, model, left


def test_the_history_holds_means_over_images_and_both_accuracies(tmp_path, data):
    logbook, model, _ = train(tmp_path, data, epochs=2)
    history = logbook.history
    assert len(history) == 2 and history["epoch"] == [0, 1]
    logits, truth = answers(model.network, data[1])
    loss = paddle.nn.functional.cross_entropy(*map(paddle.to_tensor, (logits, truth))).item()
    assert history.last["valid_loss"] == pytest.approx(loss, rel=1e-5)
    right = np.mean(logits.argmax(1) == truth)
    assert history.last["valid_accuracy"] == history.last["valid_acc_top1"] == pytest.approx(right)
    assert 0 <= history.last["train_acc_top1"] <= history.last["train_acc_top5"] <= 1
    about = history.about
    assert about["parameters"] == 4 * 27 + 4 + 8 + 50 and about["batch_size"] == 8 and about["epochs"] == 2
    assert about["multiply_adds"] == 4 * 15 * 15 * 27 + 40 and about["optimizer"] == "Momentum"
    assert History.load(tmp_path / "model.json").to_dict() == history.to_dict()


def test_the_training_loss_is_weighed_by_the_size_of_the_batches(tmp_path, images, labels):
    class Losses(paddle.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            seen.append((logs["loss"][0], logs["batch_size"]))

    seen, record = [], Losses()
    logbook, _, _ = train(tmp_path, (Batches(images, labels, 16), Batches(images, labels, 16)), record, epochs=1)
    losses, sizes = zip(*seen, strict=True)
    assert sizes == (16, 4)
    assert logbook.history.last["train_loss"] == pytest.approx(np.average(losses, weights=sizes))


def test_figures_of_an_earlier_model_with_other_metrics_are_not_taken(tmp_path, data):
    train(tmp_path / "first", data, epochs=1, topk=(1, 5))
    last = train(tmp_path / "second", data, epochs=1, topk=(1,))[0].history.last
    assert "valid_acc_top5" not in last
    assert last["valid_accuracy"] * 6 == pytest.approx(round(last["valid_accuracy"] * 6))


@pytest.mark.filterwarnings("error:There are some unused values in state_dict")
@pytest.mark.parametrize("warmup", [0, 2, 5])  # none; over, or under way, where the run is stopped
def test_a_stopped_run_goes_on_to_the_figures_of_an_uninterrupted_one(tmp_path, data, warmup):
    whole, model, _ = train(tmp_path / "whole", data, warmup=warmup)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", data, Stop(), warmup=warmup)
    resumed, other, left = train(tmp_path / "stopped", data, resume=True, warmup=warmup)
    assert left == 2
    assert figures(resumed.history) == figures(whole.history)
    assert_same(weights(model.network), weights(other.network))
    assert model._optimizer.get_lr() == other._optimizer.get_lr() != 0.05


def test_another_run_is_not_gone_on_with(tmp_path, data, images, labels):
    train(tmp_path, data, epochs=1)
    for what, options in (
        ("epochs", {"epochs": 2}),
        ("learning_rate", {"rate": 0.01}),
        ("batch_size", {"data": (Batches(images, labels, 10, shuffle=True), data[1])}),
    ):
        with pytest.raises(CourseError, match=rf"started in another way \({what} differ\)"):
            train(tmp_path, **{"data": data, "epochs": 1, "resume": True, **options})
    with pytest.raises(CourseError, match=r"started in another way \(how differ\)"):
        Logbook(tmp_path).start(small_model(), data[0], epochs=1, resume=True, how="another callback changes the data")
    assert Logbook(tmp_path).start(small_model(), data[0], epochs=1, resume=True) == 0
    with pytest.raises(DataNotFound, match="no run is saved there"):
        train(tmp_path / "empty", data, epochs=1, resume=True)


def test_make_course_goes_on_with_the_same_run_and_replaces_any_other(tmp_path, data, monkeypatch):
    def left(**options):
        return train(tmp_path, data, epochs=1, **options)[2]

    assert (left(), left()) == (1, 1)  # a student's second run starts anew
    monkeypatch.setenv("PALM_RESUME", "digest of the chapter")
    assert left() == 1  # saved by unknown code
    logbook, model, none = train(tmp_path, data, epochs=1)
    assert none == 0 and len(logbook.history) == 1
    saved = paddle.load(str(tmp_path / "model.pdparams"))
    np.testing.assert_array_equal(model.network[0].weight.numpy(), np.asarray(saved["0.weight"]))
    assert left(resume=False) == 1
    for resume in (False, None):  # a file that is damaged is replaced, too
        tear(tmp_path / "model.json")
        assert left(resume=resume) == 1
    tear(tmp_path / "model.json")
    with pytest.raises(DataError, match=r"model\.json"):
        left(resume=True)
    monkeypatch.setenv("PALM_RESUME", "digest of other code")
    assert (left(), left()) == (1, 0)
    assert (left(rate=0.01), left(rate=0.01)) == (1, 0)


def test_the_best_epoch_is_kept(tmp_path, data):
    logbook, _, _ = train(tmp_path, data, epochs=4, rate=0.3)
    other = small_network()
    logbook.load_best(other)
    logits, truth = answers(other, data[1])
    assert np.mean(logits.argmax(1) == truth) == pytest.approx(logbook.history.best["valid_accuracy"])
    assert not list(tmp_path.glob("0.*")) and not list(tmp_path.glob("final.*"))  # fit's own files


def test_what_a_logbook_needs_is_said_at_once(tmp_path, data):
    logbook, model = Logbook(tmp_path), small_model()
    with pytest.raises(CourseError, match=r"model\.prepare"):
        logbook.start(paddle.Model(small_network()), data[0], epochs=1)
    with pytest.raises(CourseError, match=r"comes before model\.fit"):
        model.fit(*data, epochs=1, verbose=0, callbacks=Logbook(tmp_path))
    logbook.start(model, data[0], epochs=1)
    with pytest.raises(CourseError, match="needs validation data"):
        model.fit(data[0], epochs=1, verbose=0, callbacks=logbook)


def test_a_diverged_training_ends_with_the_history_so_far(tmp_path, data):
    model = small_model()
    model.network[6].weight.set_value(np.full([4, 10], np.inf, np.float32))
    with pytest.raises(TrainingDiverged, match="epoch 1, step 1") as caught:
        train(tmp_path, data, model=model)
    assert len(caught.value.history) == 0 and not (tmp_path / "model.pdparams").exists()


def test_native_messages_are_hidden_and_come_back(capfd):
    with highlevel.native_warnings_hidden():
        os.write(2, b"from C++")
        print("from Python", file=sys.stdout, flush=True)
    os.write(2, b"after")
    assert tuple(capfd.readouterr()) == ("from Python\n", "after")
