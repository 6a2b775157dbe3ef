"""PALM_RESUME: a run is gone on with when it is the same run, and else replaced."""

import paddle
import pytest
from networks import Tiny, momentum

from palm_course.results.recipes import Recipe
from palm_utils.augment import brightness, compose, flip, rotate
from palm_utils.history import History
from palm_utils.identity import identity
from palm_utils.readers import data_loader
from palm_utils.seeds import seed_everything


def start(palm_folder, network=Tiny, seed=0, weights=1, batch_size=4, augment=None, **recipe):
    seed_everything(weights)
    model = network()
    loader = data_loader(palm_folder / "PALM-Training400", batch_size, augment=augment)
    arguments = {"optimizer": "Momentum", "learning_rate": 0.01, "schedule": "cosine", "warmup_epochs": 1, **recipe}
    return identity(model, Recipe(**arguments).make_optimizer(model, 3), loader, seed)


class OtherDropout(Tiny):
    def __init__(self):
        super().__init__()
        self.drop = paddle.nn.Dropout(0.3)


class OtherForward(Tiny):
    def forward(self, x):
        return 2 * super().forward(x)


def test_the_same_start_is_the_same_run(palm_folder):
    assert start(palm_folder) == start(palm_folder)
    assert start(palm_folder, augment=compose(flip, rotate)) == start(palm_folder, augment=compose(flip, rotate))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"weights": 2},
        {"batch_size": 5},
        {"augment": flip},
        {"augment": compose(flip)},
        {"network": OtherForward},
        {"network": OtherDropout},
        {"learning_rate": 0.02},
        {"epochs": 6},
        {"schedule": "constant"},
        {"weight_decay": 0.1},
        {"optimizer": "Adam"},
        {"optimizer": "Adam", "weight_decay": 0.1},
    ],
    ids="-".join,
)
def test_whatever_changes_the_figures_makes_another_run(palm_folder, change):
    assert start(palm_folder, **change) != start(palm_folder)


def test_a_stride_makes_another_run_and_looking_at_a_model_does_not():
    def of(stride, look=False):
        seed_everything(0)
        model = paddle.nn.Sequential(paddle.nn.Conv2D(3, 2, 3, stride=stride))
        if look:
            model(paddle.zeros([1, 3, 8, 8]))
        return identity(model, momentum(model), None, 0)

    assert of(1) == of(1, look=True) != of(2)


def test_augmentations_differ(palm_folder):
    seen = {start(palm_folder, augment=compose(*steps)) for steps in ((flip,), (flip, brightness), (brightness, flip))}
    assert len(seen) == 3


def test_other_photographs_make_another_run(palm_folder):
    before = start(palm_folder)
    (palm_folder / "PALM-Training400" / "P0001.jpg").unlink()
    assert start(palm_folder) != before


def fresh(network=Tiny):
    seed_everything(4)
    model = network()
    return model, momentum(model)


def figures(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history.epochs]


def test_with_palm_resume_the_same_run_goes_on_and_prints_as_if_it_had_not_stopped(train, monkeypatch, capsys):
    whole = train(*fresh(), epochs=3, name="whole")
    text = capsys.readouterr().out
    train(*fresh(), epochs=2, name="parts")
    monkeypatch.setenv("PALM_RESUME", "1")
    capsys.readouterr()
    seconds = []
    for _ in range(2):  # the second time nothing is left to train
        history = train(*fresh(), epochs=3, name="parts")
        assert capsys.readouterr().out == text
        assert figures(history) == figures(whole)
        seconds.append(history["seconds"])
    assert seconds[0] == seconds[1]


def test_with_palm_resume_another_run_is_replaced(train, tmp_path, monkeypatch):
    train(*fresh(), epochs=2)
    monkeypatch.setenv("PALM_RESUME", "1")
    other = train(*fresh(OtherForward), epochs=2)
    assert History.load(tmp_path / "palm.json").about["identity"] == other.about["identity"]
    shorter = train(*fresh(OtherForward), epochs=1)
    assert len(shorter) == 1


def test_without_palm_resume_a_run_starts_again(train, tmp_path):
    before = train(*fresh(), epochs=1)["seconds"]
    assert train(*fresh(), epochs=1)["seconds"] != before


def test_a_layer_from_a_notebook_s_cell_counts_with_its_code():
    def of(body):
        namespace = {"paddle": paddle}
        exec(f"class Net(paddle.nn.Linear):\n    def forward(self, x):\n        return {body}", namespace)
        seed_everything(0)
        model = namespace["Net"](2, 1)
        return identity(model, momentum(model), None, 0)

    assert of("super().forward(x)") == of("super().forward(x)  # the same")
    assert of("super().forward(x)") != of("super().forward(x + 1)")
