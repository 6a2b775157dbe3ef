"""tools/all_eyes.py: every labelled eye is predicted by a network that has not seen it, nor its likely relatives."""

import importlib
import json
import sys

import numpy as np
import pytest
from editions import ROOT

from palm_course.results import measure, stored
from palm_course.results.recipes import RECIPES, Recipe
from palm_utils.metrics import score

sys.path.append(str(ROOT / "tools"))
all_eyes = importlib.import_module("all_eyes")

NETWORK = "03_small:Small"


@pytest.fixture
def course(small_course, tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(measure, "WORK", tmp_path / "work")
    monkeypatch.setattr(all_eyes, "PARTS", 3)
    monkeypatch.setitem(RECIPES["steady"], NETWORK, Recipe("Momentum", 0.01, epochs=1))


def test_each_eye_is_held_out_once_in_each_repeat(course, capsys):
    assert all_eyes.main([NETWORK, "--repeats", "2", "--draws", "20"]) == 0
    assert "\nAUC " in capsys.readouterr().out
    found = json.loads(all_eyes.path(NETWORK).read_text("utf-8"))
    assert (found["eyes"], len(found["AUC"]["repeats"])) == (19, 2)
    for repeat in range(2):
        parts = [json.loads(all_eyes.path(NETWORK, repeat, part).read_text("utf-8"))["logits"] for part in range(3)]
        assert sum(map(len, parts)) == 19 == len({name for part in parts for name in part})
    files = {path: path.read_bytes() for path in (stored.FOLDER / "all_eyes").iterdir()}
    assert all_eyes.main([NETWORK, "--repeats", "2", "--draws", "20"]) == 0  # nothing is trained again
    assert "to train with" not in capsys.readouterr().out
    assert {path: path.read_bytes() for path in files} == files


def test_the_mean_and_an_interval_that_resamples_groups():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 100)
    logits = rng.normal(labels * 2.0 - 1.0, 1.0, (2, 200))
    alone, in_tens = np.arange(200), np.arange(200) // 10
    found = all_eyes.summary(logits, labels, alone, draws=150)
    accuracies = [score(its, labels).accuracy for its in logits]
    assert found["accuracy"]["repeats"] == accuracies and found["accuracy"]["mean"] == np.mean(accuracies)
    assert found["AUC"]["repeats"][0] == score(logits[0], labels).auc
    assert (found["eyes"], found["groups"]) == (200, 200)

    def width(groups):
        same = np.repeat(logits[:, ::10], 10, axis=1)  # ten eyes of a group that are alike
        low, high = all_eyes.summary(same, labels, groups, draws=150)["accuracy"]["interval"]
        return high - low

    assert width(in_tens) > 2 * width(alone)
