"""Open exercises: the figure is computed anew, and a table keeps the tries."""

import paddle
import pytest

from palm_course.exercises import open_exercise
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
    compete(trained, real=False)
    monkeypatch.setattr(open_exercise.OpenExercise, "to_beat", lambda self: {"valid_loss": 9.0, "valid_accuracy": 0.5})
    compete(trained)
    lines = capsys.readouterr().out.splitlines()[-4:]
    assert lines[0].split() == ["try", "steps", "held-out", "loss", "accuracy"]
    assert lines[1].endswith("sample") and lines[2].endswith("★") and "9.0000" in lines[3]
    assert lines[1].split()[0] == "1" and int(lines[2].split()[1]) % 2 == 0


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
    with pytest.raises(CourseError, match=r"and its history says 0\.0100"):
        compete(typed_in)
    with pytest.raises(CourseError, match="should return two things"):
        compete(lambda train_loader, held_out: 0.05)
    with pytest.raises(CourseError, match=r"no open exercise 1\.1"):
        open_exercise.compete("1.1", trained, None)
