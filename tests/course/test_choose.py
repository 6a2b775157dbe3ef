"""Comparing recipes by cross-validation: the validation photographs stay unseen."""

import json

import pytest

from benchmarks.rates import rate_at
from palm_course.command import main
from palm_course.results import choose, measure
from palm_course.results import stored as results
from palm_course.results.recipes import CANDIDATES, STEADY, Recipe
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
    for train, valid in choose.folds(loader):
        assert set(train.files) | set(valid.files) == set(loader.files)
        assert not set(train.files) & set(valid.files)
        assert [file.name[0] == "P" for file in valid.files] == [bool(label) for label in valid.labels]
        assert train.shuffle and train.augment is not None and train.batch_size == 4
        assert not valid.shuffle and valid.augment is None
        held_out += valid.files
    assert sorted(held_out) == loader.files


def test_each_part_has_its_share_of_each_kind(palm_folder):
    import shutil

    for n in (7, 8):  # as many of each kind as parts, or twice as many
        shutil.copy(palm_folder / "PALM-Training400" / "P0001.jpg", palm_folder / "PALM-Training400" / f"P010{n}.jpg")
    for n in (1, 2):
        shutil.copy(palm_folder / "PALM-Training400" / "H0011.jpg", palm_folder / "PALM-Training400" / f"H010{n}.jpg")
    for _, valid in choose.folds(data_loader(palm_folder / "PALM-Training400", 4)):
        assert sorted(file.name[0] for file in valid.files) == ["H", "N", "P", "P"]


@pytest.fixture
def course(small_course, tmp_path, monkeypatch):
    """The small course, with two candidates and a folder for its results."""
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(measure, "WORK", tmp_path / "work")
    candidates = {name: Recipe("Momentum", rate, epochs=2) for name, rate in (("slow", 0.0), ("fast", 0.01))}
    monkeypatch.setitem(CANDIDATES, NETWORK, candidates)


def test_candidates_are_compared_on_held_out_training_photographs(course, palm_folder, capsys):
    (palm_folder / "PALM-Validation400" / "V0001.jpg").write_bytes(b"not looked at")
    assert main(["choose", NETWORK]) == 0
    table = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split()[0] for line in table] == ["candidate", "slow", "fast"]
    folder = results.FOLDER / "03_small" / "choice"
    assert len(list(folder.iterdir())) == 8
    first = [History.load(folder / f"Small-slow-fold{fold}.json") for fold in range(4)]
    assert all(history["valid_loss"][0] == pytest.approx(history["valid_loss"][1]) for history in first)  # rate 0
    assert f"{sum(history.last['valid_loss'] for history in first) / 4:.4f}" in table[1]
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert main(["choose", NETWORK]) == 0
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_what_is_not_measured_yet_is_said(course):
    assert "slow                (0 of 4 parts measured)" in choose.table_text(NETWORK)


def test_a_network_without_candidates_and_the_sample_are_refused(course, monkeypatch, capsys):
    assert main(["choose", "03_small:Large"]) == 1
    assert "'03_small:Large' has no candidates" in capsys.readouterr().err
    monkeypatch.setenv("PALM_SAMPLE", "tiny")
    assert main(["choose", NETWORK]) == 1
    assert "only the sample is here" in capsys.readouterr().err


@pytest.mark.parametrize("network", [network for network in CANDIDATES if network != NETWORK])
def test_the_steady_recipe_has_the_lowest_loss_of_its_candidates(network):
    rows = [line.split() for line in choose.table_text(network).split("\n\n")[0].splitlines()[1:]]
    best = min(rows, key=lambda row: float(row[1]))
    assert CANDIDATES[network][best[0]] == STEADY[network]


def test_a_comparison_by_another_recipe_is_refused(course, monkeypatch, capsys):
    assert main(["choose", NETWORK]) == 0
    changed = {**CANDIDATES[NETWORK], "fast": Recipe("Momentum", 0.02, epochs=2)}
    monkeypatch.setitem(CANDIDATES, NETWORK, changed)
    assert main(["choose", NETWORK]) == 1
    assert "Small-fast-fold0.json: measured by another recipe" in capsys.readouterr().err


@pytest.fixture
def in_pytorch(course):
    """Writes what the candidates reached in PyTorch, two seeds each."""

    def write(losses, **changes):
        runs = {
            name: [
                {"fold": fold, "seed": seed, "valid_loss": [9.0, loss], "valid_accuracy": [0, 0.9], "valid_auc": [0, 1]}
                for seed in (0, 1)
                for fold in range(4)
            ]
            for name, loss in losses.items()
        }
        candidates = {
            name: {"recipe": CANDIDATES[NETWORK][name].to_dict(), "runs": runs} for name, runs in runs.items()
        }
        about = {"pytorch": "2.11.0", "device": "Abacus"}
        content = {"network": NETWORK, "about": about, "candidates": candidates, **changes}
        path = results.FOLDER / "03_small" / "choice" / "Small-pytorch.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")

    return write


def test_a_comparison_in_pytorch_stands_in_until_there_is_one_in_paddlepaddle(in_pytorch):
    in_pytorch({"fast": 0.1234, "slow": 0.5678})
    assert choose.table_text(NETWORK).splitlines() == [
        "candidate             loss     AUC  accuracy, %",
        "slow                0.5678  1.0000  90.0 ± 0.0 (90.0 to 90.0)   (2 epochs)",
        "fast                0.1234  1.0000  90.0 ± 0.0 (90.0 to 90.0)   (2 epochs)",
        "",
        "Measured with PyTorch 2.11.0 on one Abacus: 4 parts, 2 seeds.",
    ]
    assert main(["choose", NETWORK]) == 0
    assert "PyTorch" not in choose.table_text(NETWORK) and "0.1234" not in choose.table_text(NETWORK)


def test_a_candidate_that_pytorch_has_not_seen_is_said(in_pytorch):
    in_pytorch({"fast": 0.25})
    assert "slow                (0 of 8 parts measured)" in choose.table_text(NETWORK)


@pytest.mark.parametrize("changes", [{"about": {}}, {"candidates": []}, {"candidates": {"fast": {"recipe": {}}}}])
def test_a_damaged_comparison_in_pytorch_is_told(in_pytorch, changes):
    in_pytorch({"fast": 0.25}, **changes)
    with pytest.raises(DataError, match=r"Small-pytorch\.json: not a stored comparison"):
        choose.table_text(NETWORK)


def test_a_comparison_in_pytorch_by_another_recipe_is_refused(in_pytorch, monkeypatch):
    in_pytorch({"fast": 0.25})
    monkeypatch.setitem(CANDIDATES, NETWORK, {"fast": Recipe("Adam", 0.01)})
    with pytest.raises(DataError, match=r"Small-pytorch\.json, fast: measured by another recipe.*choose_torch"):
        choose.table_text(NETWORK)


@pytest.mark.parametrize("network", [network for network in CANDIDATES if network != NETWORK])
def test_pytorch_is_given_the_same_learning_rates(network):
    for recipe in CANDIDATES[network].values():
        stored = json.loads(json.dumps(recipe.to_dict()))
        expected = recipe.learning_rates(30)
        assert [rate_at(stored, step, 30) for step in range(len(expected))] == pytest.approx(expected, abs=1e-12)
