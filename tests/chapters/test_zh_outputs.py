"""Lines of the package in a Chinese notebook's outputs are those that a Chinese kernel prints."""

import itertools

import paddle
import pytest
from editions import zh_outputs

from palm_course.claims import claim
from palm_course.results import candidates, comparison, stored
from palm_course.results.comparison import Cost
from palm_course.results.recipes import STEADY, TUTORIAL
from palm_utils.datasets import PalmData
from palm_utils.history import History
from palm_utils.layers import layer_table
from palm_utils.machine import machine_line
from palm_utils.metrics import score


def a_history(**columns):
    history = History()
    for epoch in range(3):
        history.add(epoch, 0.7, 12.25, 0.5, seconds=100.0 * epoch, **columns)
    return history


def machines():
    about = {"paddle": "3.3.1", "python": "3.11.7", "numpy": "2.3.5", "device": "cpu", "processor": "x86_64"}
    return [History(about=about | more) for more in ({"threads": "1"}, {"threads": 4})]


def tables(data, monkeypatch):
    yield lambda: print(data)
    yield lambda: print(PalmData(data.root, "sample"))
    yield lambda: layer_table(paddle.nn.Sequential(paddle.nn.Linear(4, 3), paddle.nn.ReLU()), [2, 4])
    yield lambda: layer_table(paddle.nn.Sequential(("a_long_name", paddle.nn.AdaptiveAvgPool2D(1))), [1, 3, 8, 8])
    yield lambda: print(a_history(), a_history(valid_auc=0.75), sep="\n")
    yield lambda: print(score([2.0, 1.0, -1.0], [1, 0, 1]), machine_line(), *map(stored.machine, machines()), sep="\n")
    for bounds in ({"at_least": 0.9}, {"at_most": -1}, {"at_least": 2e-5, "at_most": 3}):
        for value, real in ((0.95, False), (float("nan"), False), (-1.5 if bounds == {"at_most": -1} else 1, True)):
            yield lambda bounds=bounds, value=value, real=real: claim("what: (it) and that", value, real=real, **bounds)
    for network in ("03_alexnet:AlexNet", "04_vgg:VGG", "06_resnet:ResNet"):
        yield lambda network=network: stored.table(network, claim="about 94 %")
        yield lambda network=network: (candidates.table(network), candidates.paired(network))
    for recipes in (TUTORIAL, STEADY):
        yield lambda recipes=recipes: print("recipe:  ", recipes["06_resnet:ResNet"])
    yield lambda: print("recipe:", STEADY["03_alexnet:AlexNet"])
    yield lambda: comparison.table(comparison.rows(), {"04_vgg:VGG": Cost(71_916_929, 1_266_063_360)})
    for history, kind in itertools.product((a_history(), stored.load("03_alexnet:AlexNet", "tutorial")[0]), "rs"):
        its = PalmData(data.root, {"r": "real", "s": "sample"}[kind])
        yield lambda history=history, its=its: stored.keep("03_alexnet:AlexNet", history, data=its)
    yield lambda: stored.keep("03_alexnet:AlexNet", a_history(), seed=99, data=data)
    for run in (stored.CifarRun.of("WhitenedResNet", "improved"), stored.CifarRun.of("WhitenedResNet", "improved", 99)):
        yield lambda run=run: run.keep(run.load() or a_history(), data)


@pytest.fixture
def nothing_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "FOLDER", tmp_path / "none")


def in_both(show, monkeypatch, capsys):
    """What it prints in English, translated, and what it prints in Chinese."""
    printed = {}
    for language in ("en", "zh"):
        monkeypatch.setenv("PALM_LANG", language)
        show()
        printed[language] = capsys.readouterr().out
    return printed["en"], zh_outputs.translated(printed["en"]), printed["zh"]


def test_english_outputs_become_what_a_chinese_kernel_prints(palm_folder, monkeypatch, capsys):
    for show in tables(PalmData(palm_folder, "real"), monkeypatch):
        english, translated, chinese = in_both(show, monkeypatch, capsys)
        assert translated == chinese and (chinese != english or " - " in english)


def test_and_where_nothing_is_stored(nothing_stored, palm_folder, monkeypatch, capsys):
    data = PalmData(palm_folder, "real")
    (palm_folder / "PALM-Test400").mkdir()
    (palm_folder / "PALM-Test400" / "T0001.jpg").touch()
    (palm_folder / "test_labels.csv").touch()
    for show in (
        lambda: print(data),  # of three parts
        lambda: stored.table("03_alexnet:AlexNet", claim="something else"),
        lambda: candidates.table("03_alexnet:AlexNet"),
        lambda: comparison.table(comparison.rows(), {}),
        lambda: stored.keep("03_alexnet:AlexNet", a_history(), data=data),
        lambda: stored.CifarRun.of("WhitenedResNet", "improved").keep(a_history(), data),
    ):
        _, translated, chinese = in_both(show, monkeypatch, capsys)
        assert translated == chinese


def test_what_a_chapter_prints_itself_stays():
    lines = (
        "block 1: formula   6, measured   6",
        "total  71,916,929 parameters, 1,266,063,360 multiplications",
        "60000 training and 10000 validation images",
        "epoch: 0, batch_id: 0, loss is: 2.4887",
        "layer       code    text           output   weights",
        "disc on the left in 98% of the normal training photographs",
        "inputs of fc1 centred           AUC 0.9471, accuracy 0.5275",
        "",
    )
    assert zh_outputs.translated("\n".join(lines)) == "\n".join(lines)
