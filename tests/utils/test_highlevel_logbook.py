"""The logbook of Model.fit: its history, its saved epochs, going on with a stopped run; saved and exported networks."""

import os
import subprocess
import sys

import numpy as np
import paddle
import pytest

from palm_course import chapters
from palm_utils import highlevel
from palm_utils.checkpoints import load_parameters
from palm_utils.highlevel import Batches, Logbook
from palm_utils.history import History
from palm_utils.machine import seed_everything
from palm_utils.messages import CourseError, DataError, DataNotFound
from palm_utils.training import TrainingDiverged

pytestmark = pytest.mark.filterwarnings("ignore:To copy construct from a tensor")  # by paddle.Model, of its own tensors


def small_network(classes=10):
    return paddle.nn.Sequential(
        paddle.nn.Conv2D(3, 4, 3, stride=2),
        paddle.nn.BatchNorm2D(4),
        paddle.nn.ReLU(),
        paddle.nn.Dropout(0.2),
        paddle.nn.AdaptiveAvgPool2D(1),
        paddle.nn.Flatten(),
        paddle.nn.Linear(4, classes),
    )


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


def train(folder, data, *callbacks, epochs=3, resume=None, model=None, **options):
    model = model or small_model(**options)
    logbook = Logbook(folder)
    left = logbook.start(model, data[0], epochs=epochs, resume=resume)
    if left:
        model.fit(*data, epochs=left, verbose=0, callbacks=[logbook, *callbacks])
    return logbook, model, left


def figures_of(logbook):
    """The rows of the history without what no two runs share."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in logbook.history.to_dict()["epochs"]]


# the logbook --------------------------------------------------------------------------------------


def test_the_history_holds_means_over_images_and_both_accuracies(tmp_path, data):
    logbook, model, _ = train(tmp_path, data, epochs=2)
    history = logbook.history
    assert len(history) == 2 and history["epoch"] == [0, 1]
    model.network.eval()
    logits = paddle.concat([model.network(x) for x, _ in data[1]])
    truth = paddle.concat([y for _, y in data[1]])
    assert history.last["valid_loss"] == pytest.approx(
        paddle.nn.functional.cross_entropy(logits, truth).item(), rel=1e-5
    )
    right = logits.numpy().argmax(1) == truth.numpy()[:, 0]
    assert history.last["valid_accuracy"] == history.last["valid_acc_top1"] == pytest.approx(right.mean())
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
    logbook, _, _ = train(tmp_path / "second", data, epochs=1, topk=(1,))
    assert "valid_acc_top5" not in logbook.history.last
    assert logbook.history.last["valid_accuracy"] * 6 == pytest.approx(
        round(logbook.history.last["valid_accuracy"] * 6)
    )


@pytest.mark.filterwarnings("error:There are some unused values in state_dict")
@pytest.mark.parametrize("warmup", [0, 2, 5])  # none; over, or under way, where the run is stopped
def test_a_stopped_run_goes_on_to_the_figures_of_an_uninterrupted_one(tmp_path, data, warmup):
    whole, model, _ = train(tmp_path / "whole", data, warmup=warmup)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", data, Stop(), warmup=warmup)
    resumed, other, left = train(tmp_path / "stopped", data, resume=True, warmup=warmup)
    assert left == 2
    assert figures_of(resumed) == figures_of(whole)
    for name, value in model.network.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), other.network.state_dict()[name].numpy())
    assert model._optimizer.get_lr() == other._optimizer.get_lr() != 0.05


def test_without_the_momentum_the_figures_would_differ(tmp_path, data):
    """The comparison above can fail: what it compares depends on each thing that is carried over."""
    whole, _, _ = train(tmp_path / "whole", data)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", data, Stop())
    model = small_model()
    logbook = Logbook(tmp_path / "stopped")
    left = logbook.start(model, data[0], epochs=3, resume=True)
    fresh = paddle.optimizer.Momentum(model._optimizer._learning_rate, parameters=model.parameters(), weight_decay=1e-4)
    model._optimizer = fresh
    model.fit(*data, epochs=left, verbose=0, callbacks=logbook)
    assert logbook.history["train_loss"][2] != whole.history["train_loss"][2]


def test_another_run_is_not_gone_on_with(tmp_path, data, images, labels):
    train(tmp_path, data, epochs=1)
    with pytest.raises(CourseError, match=r"started in another way \(epochs differ\)"):
        train(tmp_path, data, epochs=2, resume=True)
    with pytest.raises(CourseError, match=r"started in another way \(learning_rate differ\)"):
        train(tmp_path, data, epochs=1, resume=True, rate=0.01)
    with pytest.raises(CourseError, match=r"started in another way \(batch_size differ\)"):
        train(tmp_path, (Batches(images, labels, 10, shuffle=True), data[1]), epochs=1, resume=True)
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
    monkeypatch.setenv("PALM_RESUME", "digest of other code")
    assert (left(), left()) == (1, 0)
    assert (left(rate=0.01), left(rate=0.01)) == (1, 0)


def test_a_damaged_save_is_refused(tmp_path, data):
    train(tmp_path, data, epochs=1)
    (tmp_path / "model.pdopt").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"model\.pdopt is not what was saved"):
        train(tmp_path, data, epochs=1, resume=True)


def test_the_best_epoch_is_kept(tmp_path, data):
    logbook, _, _ = train(tmp_path, data, epochs=4, rate=0.3)
    best = logbook.history.best
    other = small_network()
    logbook.load_best(other)
    other.eval()
    logits = paddle.concat([other(x) for x, _ in data[1]]).numpy()
    truth = np.concatenate([y.numpy()[:, 0] for _, y in data[1]])
    assert np.mean(logits.argmax(1) == truth) == pytest.approx(best["valid_accuracy"])
    assert not list(tmp_path.glob("0.*")) and not list(tmp_path.glob("final.*"))  # fit's own files


def test_what_a_logbook_needs_is_said_at_once(tmp_path, data):
    with pytest.raises(CourseError, match=r"model\.prepare"):
        Logbook(tmp_path).start(paddle.Model(small_network()), data[0], epochs=1)
    with pytest.raises(CourseError, match="needs validation data"):
        logbook, model = Logbook(tmp_path), small_model()
        logbook.start(model, data[0], epochs=1)
        model.fit(data[0], epochs=1, verbose=0, callbacks=logbook)
    with pytest.raises(CourseError, match=r"comes before model\.fit"):
        small_model().fit(*data, epochs=1, verbose=0, callbacks=Logbook(tmp_path))


def test_a_diverged_training_ends_with_the_history_so_far(tmp_path, data):
    model = small_model()
    model.network[6].weight.set_value(np.full([4, 10], np.inf, np.float32))
    with pytest.raises(TrainingDiverged, match="epoch 1, step 1") as caught:
        train(tmp_path, data, model=model)
    assert len(caught.value.history) == 0 and not (tmp_path / "model.pdparams").exists()


# the two ways to train ----------------------------------------------------------------------------


def test_train_batch_gives_the_losses_of_a_loop_by_hand(images, labels):
    network_class = chapters.definitions(chapters.find("07")[0]).SmallResNet

    def fresh():
        seed_everything(3)
        network = network_class()
        return network, paddle.optimizer.Momentum(0.01, parameters=network.parameters(), weight_decay=1e-4)

    batches = list(Batches(images, labels, 2))
    network, optimizer = fresh()
    model = paddle.Model(network)
    model.prepare(optimizer, paddle.nn.CrossEntropyLoss())
    high = [model.train_batch([x], [y])[0].item() for x, y in batches]
    network, optimizer = fresh()
    network.train()
    low = []
    for x, y in batches:
        loss = paddle.nn.functional.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        low.append(loss.item())
    assert len(high) == 10 and high == low


IN_A_NEW_PROCESS = """
import sys
import palm_utils
import numpy as np, paddle
from paddle import inference
from palm_course import chapters
folder = sys.argv[1]
x = np.load(f"{folder}/x.npy")
network = chapters.definitions(chapters.find("07")[0]).SmallResNet(width=8)
network.set_state_dict(paddle.load(f"{folder}/model.pdparams"))
loaded = paddle.Model(network).predict_batch([x])[0]
config = inference.Config(sys.argv[2], f"{folder}/export.pdiparams")
config.disable_glog_info()
predictor = inference.create_predictor(config)
predictor.get_input_handle(predictor.get_input_names()[0]).copy_from_cpu(x)
predictor.run()
exported = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
np.savez(f"{folder}/answers.npz", loaded=loaded, exported=exported)
"""


def test_native_messages_are_hidden_and_come_back(capfd):
    with highlevel.native_warnings_hidden():
        os.write(2, b"from C++")
        print("from Python", file=sys.stdout, flush=True)
    os.write(2, b"after")
    assert tuple(capfd.readouterr()) == ("from Python\n", "after")


def test_a_trained_network_answers_alike_in_a_new_process_and_exported(tmp_path, data, images):
    network = chapters.definitions(chapters.find("07")[0]).SmallResNet(width=8)
    model = paddle.Model(network)
    optimizer = paddle.optimizer.Momentum(0.001, parameters=network.parameters())
    model.prepare(optimizer, paddle.nn.CrossEntropyLoss(), paddle.metric.Accuracy())
    train(tmp_path, data, epochs=2, model=model)
    x = highlevel.normalise(images)
    expected = model.predict_batch([x])[0]
    network.eval()
    spec = [paddle.static.InputSpec([None, 3, 32, 32], "float32", "image")]
    paddle.jit.save(network, str(tmp_path / "export"), input_spec=spec)
    (program,) = (path for path in tmp_path.glob("export.*") if "params" not in path.name)
    np.save(tmp_path / "x.npy", x)
    subprocess.run([sys.executable, "-c", IN_A_NEW_PROCESS, str(tmp_path), str(program)], check=True)
    answers = np.load(tmp_path / "answers.npz")
    np.testing.assert_array_equal(answers["loaded"], expected)
    np.testing.assert_allclose(answers["exported"], expected, rtol=1e-4, atol=1e-4)
    assert (answers["exported"].argmax(1) == expected.argmax(1)).all()
    fresh = chapters.definitions(chapters.find("07")[0]).SmallResNet(width=8)
    assert not np.allclose(paddle.Model(fresh).predict_batch([x])[0], expected, atol=1e-2)
    load_parameters(fresh, tmp_path / "model.pdparams")
