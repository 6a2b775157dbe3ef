"""Comparing recipes by cross-validation: the validation photographs stay unseen."""

import json
import shutil

import numpy as np
import pytest

from palm_course.command import main
from palm_course.results import candidates, measure, stored
from palm_course.results.candidates import CANDIDATES
from palm_course.results.recipes import STEADY, Recipe
from palm_utils.history import History
from palm_utils.messages import DataError
from palm_utils.readers import data_loader

# Two highly myopic eyes for four parts.
pytestmark = pytest.mark.filterwarnings("ignore:The least populated class")
NETWORK = "03_small:Small"


@pytest.fixture
def loader(palm_folder):
    return data_loader(palm_folder / "PALM-Training400", 4, augment=lambda image: image)


def test_every_photograph_is_held_out_once_and_trained_with_otherwise(loader):
    held_out = []
    for train, valid in candidates.folds(loader):
        assert set(train.files) | set(valid.files) == set(loader.files)
        assert not set(train.files) & set(valid.files)
        assert [file.name[0] == "P" for file in valid.files] == [bool(label) for label in valid.labels]
        assert train.shuffle and train.augment is not None and train.batch_size == 4
        assert not valid.shuffle and valid.augment is None
        held_out += valid.files
    assert sorted(held_out) == loader.files


def test_each_part_has_its_share_of_each_kind(palm_folder):
    folder = palm_folder / "PALM-Training400"
    # As many of each kind as parts, or twice as many.
    for source, copies in (("P0001", ("P0107", "P0108")), ("H0011", ("H0101", "H0102"))):
        for copy in copies:
            shutil.copy(folder / f"{source}.jpg", folder / f"{copy}.jpg")
    for _, valid in candidates.folds(data_loader(folder, 4)):
        assert sorted(file.name[0] for file in valid.files) == ["H", "N", "P", "P"]


@pytest.fixture
def course(small_course, tmp_path, monkeypatch):
    """The small course, with two candidates and a folder for its results."""
    monkeypatch.setattr(stored, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(measure, "WORK", tmp_path / "work")
    compared = {name: Recipe("Momentum", rate, epochs=2) for name, rate in (("slow", 0.0), ("fast", 0.01))}
    monkeypatch.setitem(CANDIDATES, NETWORK, compared)


@pytest.fixture
def table(capsys):
    """What is printed of a network's candidates."""

    def printed(network=NETWORK):
        capsys.readouterr()
        candidates.table(network, grouped=network.startswith("02"))  # chosen after photographs had been grouped
        return capsys.readouterr().out

    return printed


def test_candidates_are_compared_on_held_out_training_photographs(course, palm_folder, capsys):
    candidates.table(NETWORK)
    assert "slow                (0 of 4 parts measured)" in capsys.readouterr().out
    (palm_folder / "PALM-Validation400" / "V0001.jpg").write_bytes(b"not looked at")
    assert main(["choose", NETWORK]) == 0
    table = capsys.readouterr().out.splitlines()[-5:]
    names = ["candidate", "slow", "slow, mirrored", "fast", "fast, mirrored"]
    assert [line[:18].strip() for line in table] == names
    folder = stored.FOLDER / "03_small" / "choice"
    assert len(list(folder.iterdir())) == 8
    first = [History.load(folder / f"Small-slow-fold{fold}.json") for fold in range(4)]
    assert all(history["valid_loss"][0] == pytest.approx(history["valid_loss"][1]) for history in first)  # rate 0
    assert f"{sum(history.last['valid_loss'] for history in first) / 4:.4f}" in table[1]
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert main(["choose", NETWORK]) == 0
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_candidates_are_scored_by_mirror_images_and_without_averaged_weights_too(course, monkeypatch, table):
    averaged = {"mean": Recipe("Momentum", 0.01, epochs=2, average=0.9)}
    monkeypatch.setitem(CANDIDATES, NETWORK, averaged)
    assert main(["choose", NETWORK, "--only", "mean"]) == 0
    lines = [line for line in table().splitlines() if line.startswith("mean")]
    assert [line[:18].strip() for line in lines] == ["mean", "mean, mirrored", "mean, as trained"]
    folder = stored.FOLDER / "03_small" / "choice"
    contents = [json.loads((folder / f"Small-mean-fold{fold}.json").read_text("utf-8")) for fold in range(4)]
    for content in contents:
        usual, others = content["history"]["epochs"][-1], content["variants"]
        assert len({usual["valid_loss"], *(others[way]["valid_loss"] for way in ("mirrored", "as trained"))}) == 3
        assert np.isfinite([way["valid_loss"] for way in others.values()]).all()


def test_a_network_without_candidates_and_the_sample_are_refused(course, monkeypatch, capsys):
    assert main(["choose", "03_small:Large"]) == 1
    assert "'03_small:Large' has no candidates" in capsys.readouterr().err
    assert main(["choose", NETWORK, "--only", "slower"]) == 1
    assert "no candidates slower; there are slow, fast" in capsys.readouterr().err
    monkeypatch.setenv("PALM_SAMPLE", "tiny")
    assert main(["choose", NETWORK]) == 1
    assert "only the sample is here" in capsys.readouterr().err


@pytest.mark.parametrize("network", STEADY)
def test_the_steady_recipe_has_the_lowest_loss_of_its_candidates(network, table):
    rows = [line.split() for line in table(network).split("\n\n")[0].splitlines()[1:]]
    best = min(rows, key=lambda row: float(row[1]))[0]
    if best in CANDIDATES[network]:
        recipe = CANDIDATES[network][best].to_dict()
    else:
        chapter, _, name = network.partition(":")
        content = json.loads((stored.FOLDER / chapter / "choice" / f"{name}-pytorch.json").read_text("utf-8"))
        recipe = content["candidates"][best]["recipe"]
    assert recipe == STEADY[network].to_dict()


def test_a_comparison_by_another_recipe_is_refused(course, monkeypatch, capsys):
    assert main(["choose", NETWORK]) == 0
    changed = {**CANDIDATES[NETWORK], "fast": Recipe("Momentum", 0.02, epochs=2)}
    monkeypatch.setitem(CANDIDATES, NETWORK, changed)
    assert main(["choose", NETWORK]) == 1
    assert "Small-fast-fold0.json: measured by another recipe" in capsys.readouterr().err


def in_pytorch(**changes):
    """Write what the candidates of a network reached in PyTorch, two seeds each."""
    history = {"valid_loss": [9.0, 0.1234], "valid_auc": [0, 1]}
    accuracies = {0: [0, 0.9], 1: [0, 0.92]}
    runs = [history | {"fold": f, "seed": s, "valid_accuracy": accuracies[s]} for s in accuracies for f in range(4)]
    content = {
        "about": {"pytorch": "2.11.0", "device": "Abacus"},
        "candidates": {"fast": {"recipe": Recipe("Adam", 0.1, epochs=2).to_dict(), "runs": runs}},
    }
    stored.write(stored.FOLDER / "03_small" / "choice" / "Large-pytorch.json", content | changes)


def test_a_network_compared_in_pytorch_has_a_table_too(course, table):
    in_pytorch()
    assert table("03_small:Large").splitlines() == [
        "candidate             loss     AUC  accuracy, %",
        "fast                0.1234  1.0000  91.0 ± 1.1 (90.0 to 92.0)   (2 epochs)",
        "",
        "Measured with PyTorch 2.11.0 on one Abacus: 4 parts, 2 seeds.",
    ]


def test_what_was_measured_here_stands_below_it(course, table, capsys):
    in_pytorch()
    (stored.FOLDER / "03_small/choice/Large-pytorch.json").rename(stored.FOLDER / "03_small/choice/Small-pytorch.json")
    assert main(["choose", NETWORK, "--only", "slow"]) == 0
    lines = table().splitlines()
    assert [line[:18].strip() for line in lines[1:4]] == ["fast", "slow", "slow, mirrored"]
    assert lines[-1] == "Measured with PyTorch 2.11.0 on one Abacus: 4 parts, 2 seeds."


@pytest.mark.parametrize("changes", [{"about": {}}, {"candidates": []}, {"candidates": {"fast": {"recipe": {}}}}])
def test_a_damaged_comparison_in_pytorch_is_told(course, changes):
    in_pytorch(**changes)
    with pytest.raises(DataError, match=r"Large-pytorch\.json: not a stored result"):
        candidates.table("03_small:Large")


def test_differences_are_those_within_a_part_with_their_standard_error(capsys):
    candidates.paired("03_alexnet:AlexNet")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "rate-3e-4 - rate-1e-4: 0.020 ± 0.003   (0.019, 0.014, 0.017, 0.029)" and len(lines) == 2
