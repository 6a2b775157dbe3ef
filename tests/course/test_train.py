import nbformat
import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from palm_course import chapters as notebooks
from palm_course.command import main
from palm_course.results.recipes import Recipe
from palm_course.results.train import find_network, train
from palm_utils.history import History
from palm_utils.readers import data_loader, valid_data_loader
from palm_utils.seeds import seed_everything
from palm_utils.training import predict, train_pm


@pytest.fixture
def course(small_course, tmp_path, monkeypatch):
    """The small course; the working directory is apart."""
    nbformat.write(nbformat.v4.new_notebook(), small_course / "01_digits.ipynb")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return small_course


OPTIONS = ["--optimizer", "Momentum", "--learning-rate", "0.01"]


def test_it_trains_the_chapter_s_network_as_cells_would(course, palm_folder, tmp_path, capsys):
    assert main(["train", "03:Small", *OPTIONS, "--epochs", "2"]) == 0
    history = History.load("checkpoints/03_small_Small/palm.json")
    assert "real data" in capsys.readouterr().out

    network = notebooks.definitions(course / "03_small.ipynb").Small
    seed_everything(0)
    model = network()
    optimizer = paddle.optimizer.Momentum(0.01, 0.9, parameters=model.parameters())
    expected = train_pm(
        model, optimizer, epochs=2, folder=tmp_path / "cells", progress=False,
        train_loader=data_loader(palm_folder / "PALM-Training400"),
        valid_loader=valid_data_loader(palm_folder / "PALM-Validation400", palm_folder / "labels.csv"),
    )  # fmt: skip
    assert history["train_loss"] == expected["train_loss"]
    saved = paddle.load("checkpoints/03_small_Small/palm.pdparams")
    np.testing.assert_array_equal(saved["fc.weight"].numpy(), model.fc.weight.numpy())


def test_the_chinese_edition_s_network_is_its_own(course, small_network):
    (course / "zh").mkdir()
    cells = [
        nbformat.v4.new_code_cell("import paddle"),
        nbformat.v4.new_code_cell(small_network.replace("Small", "Own")),
    ]
    cells[1].metadata.tags = ["model"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), course / "zh" / "03_small.ipynb")
    chapter, network = find_network("zh/03:Own")
    assert (chapter, network.__name__) == ("03_small", "Own")
    assert find_network("03:Small")[1].__name__ == "Small"


def test_it_goes_on_where_it_stopped(course):
    assert main(["train", "03:Small", *OPTIONS, "--epochs", "1", "--folder", "a"]) == 0
    assert main(["train", "03:Small", *OPTIONS, "--epochs", "3", "--folder", "a", "--resume"]) == 0
    assert main(["train", "03:Small", *OPTIONS, "--epochs", "3", "--folder", "b"]) == 0
    assert History.load("a/palm.json")["train_loss"] == History.load("b/palm.json")["train_loss"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["03"], "name a chapter and a network"),
        (["09:Small"], "No chapter starts with '09'"),
        (["03:Large"], "defines no network 'Large'; it has Small"),
        (["01:LeNet"], "The networks of chapter 1 read digits"),
        (["03:Small"], "give another --recipe, or --optimizer and"),
    ],
)
def test_what_cannot_be_trained_is_said_in_one_line(course, arguments, message, capsys):
    assert main(["train", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_labels_are_smoothed_in_training_alone(course, palm_folder, tmp_path):
    validation = valid_data_loader(palm_folder / "PALM-Validation400", palm_folder / "labels.csv")
    loaders = data_loader(palm_folder / "PALM-Training400"), validation
    network = notebooks.definitions(course / "03_small.ipynb").Small

    def trained(smoothing):
        recipe = Recipe("Momentum", 0.0, epochs=1, smoothing=smoothing)  # the weights stay
        return train(network, recipe, *loaders, 0, tmp_path / str(smoothing), progress=False)

    (model, plain), (_, smoothed) = trained(0.0), trained(0.2)
    assert smoothed["valid_loss"] == plain["valid_loss"]
    scores = predict(model, loaders[0])
    logits, labels = paddle.to_tensor(scores.logits), paddle.to_tensor(scores.labels * 0.8 + 0.1)
    expected = F.binary_cross_entropy_with_logits(logits, labels).item()
    assert smoothed["train_loss"][0] == pytest.approx(expected, rel=1e-5) != pytest.approx(plain["train_loss"][0])
    assert loaders[0].labels.count(1) + loaders[0].labels.count(0) == len(loaders[0].labels)
