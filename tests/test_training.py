import json
import math
import os
import subprocess
import sys
import textwrap

import numpy as np
import paddle
import pytest

from palm_utils import training
from palm_utils.checkpoints import Checkpoint, load_parameters
from palm_utils.errors import CourseError, DataError, DataNotFound
from palm_utils.history import History
from palm_utils.readers import data_loader, valid_data_loader
from palm_utils.seeds import seed_everything
from palm_utils.training import TrainingDiverged, evaluation, predict, train_pm


class Tiny(paddle.nn.Layer):
    """A network small enough for a test, with what makes runs differ: dropout and batch norm."""

    def __init__(self, num_classes=1):
        super().__init__()
        self.pool = paddle.nn.AdaptiveAvgPool2D(4)
        self.norm = paddle.nn.BatchNorm2D(3)
        self.drop = paddle.nn.Dropout(0.2)
        self.fc = paddle.nn.Linear(48, num_classes)

    def forward(self, x):
        return self.fc(self.drop(paddle.flatten(self.norm(self.pool(x)), 1)))


class Constant(paddle.nn.Layer):
    """Answers the same logit whatever it sees."""

    def __init__(self, logit):
        super().__init__()
        self.logit = self.create_parameter([1], default_initializer=paddle.nn.initializer.Constant(logit))

    def forward(self, x):
        return paddle.ones([x.shape[0], 1]) * self.logit


def momentum(model, learning_rate=0.01):
    return paddle.optimizer.Momentum(learning_rate, 0.9, parameters=model.parameters())


def adam_with_schedule(model):
    schedule = paddle.optimizer.lr.CosineAnnealingDecay(0.01, T_max=12)
    return paddle.optimizer.Adam(schedule, parameters=model.parameters())


@pytest.fixture
def readers(palm_folder):
    return {
        "train_loader": data_loader(palm_folder / "PALM-Training400", 4),
        "valid_loader": valid_data_loader(palm_folder / "PALM-Validation400", palm_folder / "labels.csv", 4),
    }


@pytest.fixture
def train(readers, tmp_path):
    """train_pm on the tiny data, checkpoints in tmp_path, without a progress bar."""

    def run(model, optimizer, **options):
        return train_pm(model, optimizer, **{"folder": tmp_path, "progress": False, **readers, **options})

    return run


def weights(model):
    return {key: value.numpy() for key, value in model.state_dict().items()}


def assert_same(a, b):
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)


# --- train_pm


def test_it_learns_and_returns_a_history(train, capsys):
    seed_everything(0)
    model = Tiny()
    history = train(model, momentum(model), epochs=6)
    assert history["epoch"] == list(range(6))
    assert history["train_loss"][-1] < history["train_loss"][0]
    assert history.last["valid_accuracy"] == 1.0 and history.last["valid_auc"] == 1.0
    assert all(row["seconds"] > 0 for row in history.epochs)
    assert history.about["model"] == "Tiny" and history.about["batch_size"] == 4
    out = capsys.readouterr().out
    assert out.count("[validation] accuracy/loss: ") == 6
    assert "epoch: 0, batch_id: 0, loss is: " in out


def test_the_default_number_of_epochs_is_five_and_can_be_set_from_outside(train, monkeypatch):
    model = Tiny()
    assert len(train(model, momentum(model))) == 5
    monkeypatch.setenv("PALM_EPOCHS", "2")
    assert len(train(model, momentum(model))) == 2
    monkeypatch.setenv("PALM_EPOCHS", "0")
    with pytest.raises(CourseError, match="PALM_EPOCHS is '0'"):
        train(model, momentum(model))


def test_without_readers_it_trains_on_the_data_set_that_is_found(palm_folder, monkeypatch, tmp_path):
    monkeypatch.delenv("PALM_SAMPLE", raising=False)
    monkeypatch.setenv("PALM_DATA", str(palm_folder.parent))
    monkeypatch.chdir(tmp_path)
    model = Tiny()
    history = train_pm(model, momentum(model), epochs=1)
    assert len(history) == 1
    assert {f.name for f in tmp_path.glob("palm.*")} == {
        "palm.pdparams", "palm.pdopt", "palm.json", "palm.best.pdparams",
    }  # fmt: skip


def test_losses_are_means_over_images_not_over_batches(palm_folder, readers, tmp_path):
    model = Constant(0.5)
    still = paddle.optimizer.SGD(0.0, parameters=model.parameters())
    # 7 validation images in batches of 4: 4 of 7 positive; 12 training images in batches of 5, 5, 2.
    readers["train_loader"] = data_loader(palm_folder / "PALM-Training400", 5)
    history = train_pm(model, still, epochs=1, folder=tmp_path, progress=False, **readers)
    positive, negative = math.log1p(math.exp(-0.5)), math.log1p(math.exp(0.5))
    assert history.last["train_loss"] == pytest.approx((6 * positive + 6 * negative) / 12, abs=1e-6)
    assert history.last["valid_loss"] == pytest.approx((4 * positive + 3 * negative) / 7, abs=1e-6)
    assert history.last["valid_accuracy"] == pytest.approx(4 / 7)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(train):
    def run(seed):
        seed_everything(seed)
        model = Tiny()
        history = train(model, momentum(model), epochs=2)
        return history["train_loss"], weights(model)

    (losses, first), (again, second), (other, _) = run(1), run(1), run(2)
    assert losses == again != other
    assert_same(first, second)


def test_a_scheduler_steps_after_every_batch(train):
    model = Tiny()
    optimizer = adam_with_schedule(model)
    train(model, optimizer, epochs=2)  # 3 batches an epoch
    assert optimizer.get_lr() == pytest.approx(0.01 * (1 + math.cos(math.pi * 6 / 12)) / 2)


def test_training_mode_while_training_and_evaluation_mode_without_gradients_while_validating(train):
    seen = []

    class Watched(Tiny):
        def forward(self, x):
            out = super().forward(x)
            seen.append((self.training, out.stop_gradient))
            return out

    model = Watched()
    train(model, momentum(model), epochs=1)
    assert seen == [(True, False)] * 3 + [(False, True)] * 2
    assert model.training


@pytest.mark.parametrize("shape", ["two logits", "no column"])
def test_a_model_with_another_output_is_refused_in_words(train, shape):
    class Flat(Tiny):
        def forward(self, x):
            return super().forward(x).flatten()

    model = Tiny(num_classes=2) if shape == "two logits" else Flat()
    with pytest.raises(ValueError, match=r"one logit an image, \[4, 1\].*num_classes"):
        train(model, momentum(model), epochs=1)


def test_it_stops_at_the_first_loss_that_is_not_a_number(train):
    model = Tiny()
    seen = []

    class Breaks(paddle.optimizer.Momentum):
        def step(self):
            super().step()
            seen.append(1)
            if len(seen) == 4:  # first batch of the second epoch
                model.fc.weight.set_value(paddle.full([48, 1], float("nan")))

    with pytest.raises(TrainingDiverged, match=r"The loss is nan in epoch 1, batch 1.*smaller learning rate") as caught:
        train(model, Breaks(0.01, parameters=model.parameters()), epochs=3)
    assert len(seen) == 4
    assert len(caught.value.history) == 1


def test_augmentation_reaches_the_training_reader(palm_folder, monkeypatch, tmp_path):
    monkeypatch.delenv("PALM_SAMPLE", raising=False)
    monkeypatch.setenv("PALM_DATA", str(palm_folder.parent))
    calls = []

    def count(image):
        calls.append(image.shape)
        return image

    model = Tiny()
    train_pm(model, momentum(model), epochs=1, augment=count, folder=tmp_path, progress=False)
    assert calls == [(3, 224, 224)] * 12
    loader = data_loader(palm_folder / "PALM-Training400")
    with pytest.raises(ValueError, match="augment belongs to the reader"):
        train_pm(model, momentum(model), epochs=1, train_loader=loader, augment=count)


def test_a_gpu_that_is_not_there_is_refused_in_words(train):
    if paddle.device.is_compiled_with_cuda() and paddle.device.cuda.device_count():
        pytest.skip("there is a GPU")
    model = Tiny()
    with pytest.raises(CourseError, match="sees no GPU here"):
        train(model, momentum(model), device="gpu")


# --- checkpoints


@pytest.mark.parametrize("make_optimizer", [momentum, adam_with_schedule])
@pytest.mark.parametrize("same_model", [True, False])
def test_a_resumed_run_reaches_the_numbers_of_an_uninterrupted_one(train, tmp_path, make_optimizer, same_model):
    def fresh():
        seed_everything(4)
        model = Tiny()
        return model, make_optimizer(model)

    model, optimizer = fresh()
    whole = train(model, optimizer, epochs=4, name="whole")
    resumed_model, first_optimizer = fresh()
    train(resumed_model, first_optimizer, epochs=2, name="parts")
    # A second optimizer, and another model, have other generated names in the same process.
    seed_everything(99)
    if not same_model:
        resumed_model = Tiny()
    resumed_optimizer = make_optimizer(resumed_model)
    resumed = train(resumed_model, resumed_optimizer, epochs=4, name="parts", resume=True)

    assert_same(weights(model), weights(resumed_model))
    columns = ("epoch", "train_loss", "valid_loss", "valid_accuracy", "valid_auc")
    assert [whole[c] for c in columns] == [resumed[c] for c in columns]
    assert optimizer.get_lr() == resumed_optimizer.get_lr()
    last = [paddle.load(str(tmp_path / f"{name}.pdopt")).values() for name in ("whole", "parts")]
    tensors = [[np.asarray(value) for value in values if not isinstance(value, dict)] for values in last]
    assert len(tensors[0]) > 0
    for a, b in zip(*tensors, strict=True):
        np.testing.assert_array_equal(a, b)


def test_resuming_with_nothing_saved_starts_from_the_beginning(train, capsys):
    model = Tiny()
    assert len(train(model, momentum(model), epochs=1, resume=True)) == 1
    assert "nothing to resume" in capsys.readouterr().out


def test_parameters_without_their_history_cannot_be_resumed(train, tmp_path):
    model = Tiny()
    train(model, momentum(model), epochs=1)
    (tmp_path / "palm.json").unlink()
    with pytest.raises(DataError, match=r"palm\.pdparams has no palm\.json beside it"):
        train(model, momentum(model), epochs=2, resume=True)


def test_the_best_epoch_is_kept_beside_the_last(readers, tmp_path):
    class Ladder(Constant):
        """Accuracy goes up and down with the epochs, as the logit is set by hand."""

    model = Ladder(1.0)  # answers positive: 4 of 7
    history = History([])
    checkpoint = Checkpoint(tmp_path, "palm")
    checkpoint.open()
    still = paddle.optimizer.SGD(0.0, parameters=model.parameters())
    for epoch, logit in enumerate((-1.0, 1.0, -2.0)):
        model.logit.set_value(paddle.to_tensor([logit]))
        scores = predict(model, readers["valid_loader"])
        history.epochs.append({"epoch": epoch, "valid_accuracy": scores.accuracy, "valid_loss": scores.loss})
        best = history.best["epoch"] == epoch
        checkpoint.save(model, still, {"history": history.to_dict()}, best=best)
    assert paddle.load(str(tmp_path / "palm.best.pdparams"))["logit"].item() == 1.0
    assert paddle.load(str(tmp_path / "palm.pdparams"))["logit"].item() == -2.0


# Saves once in full, then is killed at the n-th step of the second save.
KILLED = """
import os, signal, sys
import paddle
from palm_utils import checkpoints, files
folder, steps = sys.argv[1], int(sys.argv[2])
model = paddle.nn.Linear(3, 1)
optimizer = paddle.optimizer.Momentum(0.1, parameters=model.parameters())
checkpoint = checkpoints.Checkpoint(folder, "palm")

def save(value):
    model.weight.set_value(paddle.full([3, 1], float(value)))
    model(paddle.ones([1, 3])).backward()
    optimizer.step()
    model.weight.set_value(paddle.full([3, 1], float(value)))
    checkpoint.save(model, optimizer, {"value": value}, best=True)

checkpoint.open()
save(1)

def counted(function):
    def wrapper(*args, **kwargs):
        global steps
        if steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        steps -= 1
        return function(*args, **kwargs)
    return wrapper

os.replace = counted(os.replace)
os.fsync = counted(os.fsync)
os.link = counted(os.link)
paddle.save = counted(paddle.save)
save(2)
print("finished")
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a Unix thing")
def test_a_save_that_is_killed_at_any_step_leaves_a_whole_checkpoint(tmp_path):
    values, finished = [], False
    for steps in range(20):
        folder = tmp_path / str(steps)
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", textwrap.dedent(KILLED), str(folder), str(steps)],
            capture_output=True, text=True,
        )  # fmt: skip
        finished = "finished" in run.stdout
        assert finished or run.returncode == -9, run.stderr
        # What lies there loads at once, as the tutorial would load it …
        lying = paddle.load(str(folder / "palm.pdparams"))["weight"].numpy()
        assert lying.min() == lying.max() in (1.0, 2.0)
        # … and resuming finds parameters, optimizer, best epoch and state of one and the same save.
        model = paddle.nn.Linear(3, 1)
        optimizer = paddle.optimizer.Momentum(0.1, parameters=model.parameters())
        state = Checkpoint(folder, "palm").load(model, optimizer)
        values.append(state["value"])
        assert model.weight.numpy().tolist() == [[state["value"]]] * 3
        assert paddle.load(str(folder / "palm.best.pdparams"))["weight"].numpy().tolist() == [[state["value"]]] * 3
        assert {f.name for f in folder.iterdir()} == {
            "palm.pdparams", "palm.pdopt", "palm.json", "palm.best.pdparams",
        }  # fmt: skip
        if finished:
            break
    assert finished
    assert values == sorted(values) and values[0] == 1 and values[-1] == 2
    assert 1 in values and len(values) > 6


def test_an_interrupted_run_keeps_history_and_checkpoint(train, readers, tmp_path, capsys):
    def stop_in_second_epoch():
        stop_in_second_epoch.epoch += 1
        for batch in readers["train_loader"]():
            if stop_in_second_epoch.epoch == 2:
                raise KeyboardInterrupt
            yield batch

    stop_in_second_epoch.epoch = 0
    seed_everything(0)
    model = Tiny()
    with pytest.raises(KeyboardInterrupt):
        train(model, momentum(model), epochs=3, train_loader=stop_in_second_epoch)
    assert "Interrupted after 1 finished epochs" in capsys.readouterr().out
    assert len(History.load(tmp_path / "palm.json")) == 1
    assert len(train(model, momentum(model), epochs=3, resume=True)) == 3


# --- evaluation


def test_evaluation_of_constant_answers(palm_folder, readers, tmp_path, capsys):
    model = Constant(2.0)
    paddle.save(model.state_dict(), str(tmp_path / "always.pdparams"))
    other = Constant(-5.0)
    scores = evaluation(other, tmp_path / "always.pdparams", loader=readers["valid_loader"])
    assert scores.accuracy == pytest.approx(4 / 7)
    assert scores.sensitivity == 1.0 and scores.specificity == 0.0
    assert scores.auc == 0.5
    assert scores.confusion.tolist() == [[0, 3], [0, 4]]
    assert "acc=0.5714" in capsys.readouterr().out
    training_folder = data_loader(palm_folder / "PALM-Training400", mode="eval")
    assert evaluation(other, tmp_path / "always.pdparams", loader=training_folder).accuracy == 0.5


def test_evaluation_scores_the_validation_set_by_default(palm_folder, monkeypatch, tmp_path):
    monkeypatch.delenv("PALM_SAMPLE", raising=False)
    monkeypatch.setenv("PALM_DATA", str(palm_folder.parent))
    model = Constant(2.0)
    paddle.save(model.state_dict(), str(tmp_path / "x.pdparams"))
    assert len(evaluation(model, str(tmp_path / "x.pdparams")).labels) == 7


def test_evaluation_says_what_is_wrong_with_a_file(tmp_path, readers):
    with pytest.raises(DataNotFound, match=r"absent\.pdparams: no such parameter file"):
        evaluation(Tiny(), tmp_path / "absent.pdparams", loader=readers["valid_loader"])
    (tmp_path / "torn.pdparams").write_bytes(b"\x80\x04torn")
    with pytest.raises(DataError, match=r"torn\.pdparams: not a readable parameter file"):
        evaluation(Tiny(), tmp_path / "torn.pdparams", loader=readers["valid_loader"])


@pytest.mark.parametrize("other", [Tiny(num_classes=2), Constant(0.0)])
def test_parameters_of_another_network_are_refused(tmp_path, other):
    paddle.save(other.state_dict(), str(tmp_path / "other.pdparams"))
    model = Tiny()
    before = weights(model)
    with pytest.raises(DataError, match="belongs to another network than Tiny"):
        load_parameters(model, tmp_path / "other.pdparams")
    assert_same(before, weights(model))


# --- history


def test_a_history_survives_its_file(tmp_path):
    row = {
        "epoch": 0,
        "train_loss": 0.5,
        "valid_loss": 0.25,
        "valid_accuracy": 0.75,
        "valid_auc": float("nan"),
    }
    history = History([{**row, "seconds": 1.5}], {"model": "LeNet"})
    history.save(tmp_path / "h.json")
    json.loads((tmp_path / "h.json").read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    again = History.load(tmp_path / "h.json")
    assert again.about == history.about and again["train_loss"] == [0.5]
    assert math.isnan(again["valid_auc"][0])
    with pytest.raises(KeyError, match="valid_accuracy"):
        again["accuracy"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"epochs": 3}'])
def test_what_is_no_history(tmp_path, text):
    (tmp_path / "h.json").write_text(text)
    with pytest.raises(DataError, match=r"h\.json: not a training history"):
        History.load(tmp_path / "h.json")


def test_the_constants_of_the_course_are_there():
    assert training.EPOCH_NUM == 5
