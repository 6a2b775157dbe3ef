"""What is stored in results/, how it is made, and that chapters show nothing else."""

import json

import numpy as np
import paddle
import pytest
from networks import assert_same
from networks import weights as parameters

from palm_course.command import main
from palm_course.results import features, measure, stored, train, weights
from palm_course.results.recipes import RECIPES, STEADY, TUTORIAL, Recipe
from palm_course.results.stored import Run
from palm_utils import machine
from palm_utils.datasets import LABELS as LABEL_TABLE
from palm_utils.datasets import TRAINING, VALIDATION, PalmData
from palm_utils.history import History
from palm_utils.messages import CourseError, DataError, DataNotFound
from palm_utils.metrics import score
from palm_utils.readers import valid_data_loader
from palm_utils.training import Checkpoint, predict

NETWORK = "03_small:Small"
LABELS = np.array([1, 0, 1, 0, 1, 0, 1])
ABOUT = {"paddle": "3.3.1", "python": "3.11.7", "numpy": "2.3.5", "device": "cpu", "processor": "x86_64", "threads": 1}


def history(accuracies, auc=0.9):
    made = History([], dict(ABOUT))
    for epoch, accuracy in enumerate(accuracies):
        made.add(epoch, 0.5, 0.6, accuracy, valid_auc=auc, seconds=30.0 + epoch)
    return made


@pytest.fixture
def scores():
    return score(np.linspace(-1, 1, 7), LABELS)


@pytest.fixture
def data(palm_folder):
    return PalmData(palm_folder, "real")


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Recipes of one small network, and a folder of results of its own."""
    monkeypatch.setattr(stored, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(measure, "WORK", tmp_path / "work")
    monkeypatch.setitem(TUTORIAL, NETWORK, Recipe("Momentum", 0.01, epochs=2))
    monkeypatch.setitem(STEADY, NETWORK, Recipe("Adam", 0.001, epochs=2, schedule="cosine", augment=("flip",)))


def test_a_stored_result_comes_back_as_it_was(small, scores, data):
    done = history([0.5, 0.75])
    stored.store(Run(NETWORK, "steady", 3), done, scores, data)
    assert stored.load(NETWORK, "tutorial") == {}
    assert stored.load(NETWORK, "steady") == {3: done}
    np.testing.assert_allclose(stored.valid_logits(NETWORK, "steady")[3], scores.logits, rtol=1e-7)
    content = json.loads((stored.FOLDER / "03_small" / "Small-steady-seed3.json").read_text("utf-8"))
    assert content["data"] == {"name": "iChallenge-PM", "training": 12, "validation": 7}
    assert content["recipe"]["augment"] == ["flip"]


def test_neither_the_sample_nor_half_a_run_is_stored(small, scores, data):
    whole, short = history([0.5, 0.75]), history([0.5, 0.75])
    short.about["images"] = 10
    with pytest.raises(CourseError, match="only what was measured on real data"):
        stored.store(Run(NETWORK, "steady", 0), whole, scores, PalmData(data.root, "sample"))
    for epochs, half in ((1, history([0.5])), (2, short)):
        with pytest.raises(CourseError, match=f"{epochs} epochs were trained, not 2 whole ones: not stored"):
            stored.store(Run(NETWORK, "steady", 0), half, scores, data)
    assert not stored.FOLDER.exists()


def test_a_result_of_another_recipe_is_refused(small, scores, data, monkeypatch):
    stored.store(Run(NETWORK, "steady", 0), history([0.5, 0.75]), scores, data)
    monkeypatch.setitem(STEADY, NETWORK, Recipe("Adam", 0.002, epochs=2))
    with pytest.raises(DataError, match=r"Small-steady-seed0\.json: measured by another recipe"):
        stored.load(NETWORK, "steady")


@pytest.mark.parametrize("content", ["", "{}", '{"seed": 0, "recipe": {}}', "[1]"])
def test_a_damaged_result_is_named(small, content):
    path = Run(NETWORK, "steady", 0).path
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(DataError, match=r"Small-steady-seed0\.json: not a stored result"):
        stored.load(NETWORK, "steady")


def test_a_network_without_recipe():
    with pytest.raises(CourseError, match=r"03_alexnet:Alexnet, .*no such recipe; .* 03_alexnet:AlexNet"):
        stored.load("03_alexnet:Alexnet", "steady")


def test_the_table_shows_each_seed_at_the_last_epoch(small, scores, data, capsys):
    for seed, last in enumerate((0.90, 0.92, 0.97)):
        mirrored = {"mirrored": {"valid_loss": 0.1, "valid_auc": 0.98, "valid_accuracy": last + 0.01}}
        its = history([0.99, last], auc=0.9 + seed / 100)
        stored.store(Run(NETWORK, "tutorial", seed), its, scores, data, mirrored)
    stored.table(NETWORK, claim="about 94 %")
    text = capsys.readouterr().out
    assert "The tutorial's claim: about 94 %" in text
    rows = [" ".join(line.split()) for line in text.splitlines() if line.startswith("tutorial")]
    assert rows == ["tutorial 2 0.9100 90.0, 92.0, 97.0", "tutorial, mirrored 2 0.9800 91.0, 93.0, 98.0"]
    assert "steady    (not measured yet)" in text
    assert text.count("Measured with PaddlePaddle 3.3.1, Python 3.11.7, numpy 2.3.5, cpu (x86_64), 1 thread.") == 1


def test_a_chapter_s_run_is_compared_and_stored_only_when_asked(small, scores, data, monkeypatch, capsys):
    stored.keep(NETWORK, history([0.5, 0.75]), scores, data=data)
    assert "Small: accuracy 0.7500 after epoch 2; no result with seed 0" in capsys.readouterr().out
    assert not stored.FOLDER.exists()
    monkeypatch.setenv("PALM_KEEP_RESULTS", "1")
    stored.keep(NETWORK, history([0.5, 0.75]), scores, data=data)
    monkeypatch.delenv("PALM_KEEP_RESULTS")
    stored.keep(NETWORK, history([0.25]), scores, data=data)
    assert "Small: accuracy 0.2500 after epoch 1; stored result with the same seed: 0.5000" in capsys.readouterr().out
    stored.keep(NETWORK, history([0.25]), scores, data=PalmData(data.root, "sample"))
    assert "stored result after 2 epochs on the real data: 0.7500" in capsys.readouterr().out


@pytest.fixture
def course(small, small_course):
    """The small course, with recipes and a folder for its results."""
    before = machine.threads_in_use()
    yield
    machine.start(before)  # the command computes on one


def test_missing_results_are_made_and_those_there_are_left(course, capsys):
    arguments = ["results", NETWORK, "--seeds", "0", "1"]
    assert main([*arguments, "--recipe", "steady"]) == 0
    assert list(stored.load(NETWORK, "steady")) == [0, 1]
    before = Run(NETWORK, "steady", 0).path.read_bytes()
    capsys.readouterr()
    assert main([*arguments, "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["missing"] * 2 + ["stored"] * 2
    assert main(arguments) == 0
    assert list(stored.load(NETWORK, "tutorial")) == [0, 1]
    assert Run(NETWORK, "steady", 0).path.read_bytes() == before
    assert main(arguments) == 0
    assert "All 4 results are stored already" in capsys.readouterr().out


@pytest.mark.parametrize("recipe", ["tutorial", "steady"])
def test_a_result_is_what_the_chapter_s_cells_give(course, palm_folder, tmp_path, recipe):
    assert main(["results", NETWORK, "--recipe", recipe, "--seeds", "5"]) == 0
    wanted = RECIPES[recipe][NETWORK]
    loaders = train.make_loaders(PalmData(palm_folder, "real"), wanted)
    _, expected = train.train(train.find_network(NETWORK)[1], wanted, *loaders, 5, tmp_path / recipe)
    assert stored.load(NETWORK, recipe)[5]["train_loss"] == expected["train_loss"]
    loss = score(stored.valid_logits(NETWORK, recipe)[5], LABELS).loss
    assert loss == pytest.approx(expected.last["valid_loss"], rel=1e-6)


def test_weights_of_a_release_are_downloaded_where_it_names_them(course, monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "data_folder", lambda: tmp_path)
    monkeypatch.setattr(weights, "RELEASE", tmp_path / "weights.json")
    file, made = weights.path(Run(NETWORK, "steady", 0)), train.find_network(NETWORK)[1]()
    file.parent.mkdir()
    asked = []

    def download(files):
        asked.extend(files)
        paddle.save(made.state_dict(), str(files[0].destination))

    monkeypatch.setattr(weights, "download", download)
    for url, listed in ((None, file.name), ("https://example.org/v1", "another.pdparams")):
        weights.RELEASE.write_text(json.dumps({"url": url, "sha256": {listed: "0" * 64}}))
        with pytest.raises(DataNotFound):
            weights.load(NETWORK)
    weights.RELEASE.write_text(json.dumps({"url": "https://example.org/v1", "sha256": {file.name: "0" * 64}}))
    model, history = weights.trained(NETWORK, "steady")
    assert [(one.url, one.checksum) for one in asked] == [(f"https://example.org/v1/{file.name}", "0" * 64)]
    assert len(history) == 0 and not model.training
    assert_same(parameters(model), parameters(made))


def test_trained_weights_are_kept_where_asked_and_give_the_stored_logits(course, palm_folder, monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "data_folder", lambda: tmp_path / "data")
    arguments = ["results", NETWORK, "--recipe", "steady", "--seeds", "0"]
    assert main(arguments) == 0
    with pytest.raises(DataNotFound, match="03_small:Small --recipe steady --seeds 0 --weights"):
        weights.load(NETWORK)
    assert main([*arguments, "--weights"]) == 0
    scores = predict(weights.load(NETWORK), valid_data_loader(palm_folder / VALIDATION, palm_folder / LABEL_TABLE))
    np.testing.assert_allclose(scores.logits, stored.valid_logits(NETWORK, "steady")[0], rtol=1e-6)
    with pytest.raises(DataNotFound, match="No features of 03_small:Small"):
        features.read(NETWORK)
    features.make(NETWORK)
    found = features.read(NETWORK)
    assert found.components.shape == (19, 12) and found.is_training.sum() == 12
    assert found.names[0] in {path.name for path in (palm_folder / TRAINING).iterdir()}
    assert found.labels[found.kinds == "V"].tolist() == LABELS.tolist()


def test_a_stopped_measurement_goes_on(course, monkeypatch):
    saved, save = [], Checkpoint.save

    def stop_after_the_first(self, *args, **options):
        save(self, *args, **options)
        saved.append(1)
        if len(saved) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", stop_after_the_first)
    arguments = ["results", NETWORK, "--recipe", "steady", "--seeds", "0"]
    assert main(arguments) == 130
    assert not Run(NETWORK, "steady", 0).path.exists()
    assert main(arguments) == 0
    assert len(saved) == 2  # two epochs, the first of them not again
    assert len(stored.load(NETWORK, "steady")[0]) == 2


@pytest.mark.parametrize(
    ("sample", "network", "said"),
    [("tiny", NETWORK, "only the sample is here"), ("", "03:Small", "'03:Small' is not one of the networks that")],
)
def test_what_is_not_measured(course, monkeypatch, sample, network, said, capsys):
    monkeypatch.setenv("PALM_SAMPLE", sample)
    assert main(["results", network, "--seeds", "0"]) == 1
    assert said in capsys.readouterr().err


def test_a_recipe_of_one_network_is_planned_for_it_alone():
    assert {run.network for run in measure.planned([], "no-augmentation", [0])} == {"03_alexnet:AlexNet"}
    with pytest.raises(CourseError, match="no such recipe"):
        _ = measure.planned(["04_vgg:VGG"], "no-augmentation", [0])[0].arguments
