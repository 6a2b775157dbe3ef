"""Open exercises: the figure is computed anew, and a table keeps the tries."""

import numpy as np
import paddle
import pytest

from palm_course.exercises import open_exercise
from palm_utils.highlevel import Batches, Logbook
from palm_utils.history import History
from palm_utils.messages import CourseError
from palm_utils.readers import data_loader
from palm_utils.training import train_pm

pytestmark = pytest.mark.filterwarnings("ignore:The least populated class")


@pytest.fixture
def compete(palm_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loader = data_loader(palm_folder / "PALM-Training400", 4)
    return lambda answer, **options: open_exercise.compete("3.6", answer, loader, **options)


def trained(train_loader, held_out):
    network = paddle.nn.Sequential(paddle.nn.AdaptiveAvgPool2D(1), paddle.nn.Flatten(), paddle.nn.Linear(3, 1))
    adam = paddle.optimizer.Adam(0.01, parameters=network.parameters())
    return network, train_pm(network, adam, train_loader=train_loader, valid_loader=held_out, epochs=2)


def test_tries_are_counted_judged_and_kept(compete, capsys, monkeypatch):
    compete(lambda *loaders: [*trained(*loaders)], real=False)  # a list does as well as a tuple
    monkeypatch.setattr(open_exercise.OpenExercise, "to_beat", lambda self: {"valid_loss": 9.0, "valid_accuracy": 0.5})
    compete(trained)
    lines = capsys.readouterr().out.splitlines()[-4:]
    assert lines[0].split() == ["try", "steps", "held-out", "loss", "accuracy"]
    assert lines[1].endswith("sample") and lines[2].endswith("★") and "9.0000" in lines[3]
    assert lines[1].split()[0] == "1" and int(lines[2].split()[1]) % 2 == 0


@pytest.mark.parametrize("number", open_exercise.EXERCISES)
def test_the_figure_to_beat_is_the_stored_one_and_within_the_recipe_s_steps(number):
    exercise = open_exercise.EXERCISES[number]
    goal = exercise.to_beat()
    assert 0 < goal["valid_loss"] < 0.7 and 0.8 < goal["valid_accuracy"] < 1
    assert exercise.steps % (176 if number == "7.5" else 30) == 0  # whole epochs


def small_pictures(batches, held_out):
    network = paddle.nn.Sequential(paddle.nn.AdaptiveAvgPool2D(1), paddle.nn.Flatten(), paddle.nn.Linear(3, 10))
    model = paddle.Model(network)
    adam = paddle.optimizer.Adam(0.01, parameters=network.parameters())
    model.prepare(adam, paddle.nn.CrossEntropyLoss(), paddle.metric.Accuracy())
    logbook = Logbook("checkpoints/7.5")
    model.fit(batches, held_out, epochs=logbook.start(model, batches, epochs=2), callbacks=logbook, verbose=0)
    return network, logbook.history


def test_cifar_10_is_judged_by_the_accuracy_on_what_the_recipe_holds_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (100, 3, 32, 32), np.uint8), rng.integers(0, 10, 100)
    train_batches, held_out = open_exercise.EXERCISES["7.5"].readers(Batches(images, labels, 30))
    together = np.concatenate([train_batches.images, held_out.images])
    assert len(held_out.labels) == 10 and sorted(map(bytes, together)) == sorted(map(bytes, images))
    open_exercise.compete("7.5", small_pictures, Batches(images, labels, 30), real=False)
    row, goal = capsys.readouterr().out.splitlines()[-2:]
    assert row.split()[:2] == ["1", "6"] and row.endswith("sample") and goal.endswith("accuracy 0.8180")


def by_hand(train_loader, held_out):
    network, history = trained(train_loader, held_out)
    return network, History(history.epochs)


def test_a_history_filled_by_hand_counts_the_reader_s_batches(compete, capsys):
    compete(trained, real=False)
    compete(by_hand, real=False)
    first, second = capsys.readouterr().out.splitlines()[-3:-1]
    assert first.split()[1] == second.split()[1]


def untouched(train_loader, held_out):
    raise NotImplementedError


def typed_in(train_loader, held_out):
    network, _ = trained(train_loader, held_out)
    history = History([], {"batch_size": 4})
    history.add(0, 0.1, 0.01, 1.0, seconds=1.0)
    return network, history


def test_a_stub_is_told_and_figures_cannot_be_typed_in(compete, capsys):
    compete(untouched)
    assert "not attempted yet" in capsys.readouterr().out
    with pytest.raises(NotImplementedError):  # PaddlePaddle's own, for a network without forward
        compete(lambda *readers: paddle.nn.Layer()(paddle.zeros([1])))
    with pytest.raises(CourseError, match=r"and its history says 0\.0100"):
        compete(typed_in)
    with pytest.raises(CourseError, match="should return two things"):
        compete(lambda train_loader, held_out: 0.05)
    with pytest.raises(CourseError, match="should return two things"):  # a function that makes the network
        compete(lambda *loaders: (paddle.nn.Sequential, trained(*loaders)[1]))
    with pytest.raises(CourseError, match="should return two things"):
        compete(lambda *readers: (None, trained(*readers)[1]))
