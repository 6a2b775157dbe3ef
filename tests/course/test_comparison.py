"""The networks side by side: equal to the stored histories, with gaps where nothing is stored."""

import math

import numpy as np
import paddle
import pytest

from palm_course import chapters
from palm_course.results import comparison, stored
from palm_course.results.comparison import Cost
from palm_course.results.recipes import LEFT_OUT, STEADY, TUTORIAL, Recipe
from palm_course.results.stored import Run
from palm_utils.datasets import PalmData
from palm_utils.history import History
from palm_utils.messages import CourseError, DataError
from palm_utils.metrics import score

NETWORK, OTHER = "03_small:Small", "03_small:Other"
LABELS = np.array([1, 0, 1, 0, 1, 0, 1])


@pytest.fixture
def small(monkeypatch, tmp_path, palm_folder):
    """Two networks that can be compared, a folder of results, and a function that stores one."""
    monkeypatch.setattr(stored, "FOLDER", tmp_path / "results")
    for recipes in (TUTORIAL, STEADY):
        for network in (NETWORK, OTHER):
            monkeypatch.setitem(recipes, network, Recipe("Momentum", 0.01, epochs=2))
    monkeypatch.setattr(comparison, "NETWORKS", {NETWORK: ("Small", 94.0), OTHER: ("Other", None)})

    def store(network, recipe, seed, logits, seconds=(30.0, 20.0)):
        scores = score(np.array(logits), LABELS)
        history = History([], {})
        for epoch, accuracy in enumerate((0.5, scores.accuracy)):
            history.add(epoch, 0.5, 0.6, accuracy, valid_auc=scores.auc, seconds=seconds[epoch])
        stored.store(Run(network, recipe, seed), history, scores, PalmData(palm_folder, "real"))
        return history, scores

    return store


ALL_RIGHT, ONE_WRONG = [1, -1, 1, -1, 1, -1, 1], [1, -1, 1, -1, 1, -1, -1]


def test_a_row_holds_the_figures_of_the_stored_histories(small):
    first, _ = small(NETWORK, "tutorial", 0, ALL_RIGHT, seconds=(30.0, 25.0))
    second, _ = small(NETWORK, "tutorial", 2, ONE_WRONG, seconds=(90.0, 21.5))
    row = comparison.rows([NETWORK])[0]
    assert (row.title, row.recipe, row.epochs, row.claim) == ("Small", "tutorial", 2, 94.0)
    assert row.accuracies == (100.0, 100 * second.last["valid_accuracy"])
    assert row.auc == pytest.approx((first.last["valid_auc"] + second.last["valid_auc"]) / 2)


def test_what_is_not_stored_is_a_gap_and_no_error(small, capsys):
    small(NETWORK, "tutorial", 0, ALL_RIGHT)
    rows = comparison.rows([NETWORK, OTHER])
    assert [len(row.accuracies) for row in rows] == [1, 0, 0, 0]
    assert math.isnan(rows[1].auc)
    comparison.table(rows, {NETWORK: Cost(71_916_929, 1_266_063_360)})
    lines = capsys.readouterr().out.splitlines()[2:]
    assert ["not measured" in line for line in lines] == [False, True, True, True]
    assert lines[0].split() == ["Small", "tutorial", "71.9", "1.27", "2", "94", "%", "1.0000", "100.0"]
    assert lines[2].split()[-4:-2] == ["-", "-"], "the tutorial claims nothing of it"


def test_answers_are_of_the_steady_recipe_where_it_is_stored(small):
    assert comparison.answers([NETWORK]) == {}
    small(NETWORK, "tutorial", 0, ONE_WRONG)
    _, of_lowest = small(NETWORK, "steady", 1, ALL_RIGHT)
    small(NETWORK, "steady", 2, ONE_WRONG)
    _, of_other = small(OTHER, "tutorial", 0, ONE_WRONG)
    answers = comparison.answers([NETWORK, OTHER])
    assert list(answers) == ["Small, steady", "Other, tutorial"]
    for answered, expected in zip(answers.values(), (of_lowest, of_other), strict=True):
        np.testing.assert_array_equal(answered.logits, expected.logits)
        np.testing.assert_array_equal(answered.labels, LABELS)
    (runs,) = comparison.steady().values()
    assert [(seed, scores.accuracy) for seed, scores in runs.items()] == [(1, 1.0), (2, of_other.accuracy)]


def test_labels_are_kept_once_and_those_of_other_photographs_refused(small, palm_folder):
    assert stored.valid_labels() is None
    history, _ = small(NETWORK, "tutorial", 0, ALL_RIGHT)
    np.testing.assert_array_equal(stored.valid_labels(), LABELS)
    others = score(np.array(ALL_RIGHT), 1 - LABELS)
    with pytest.raises(CourseError, match="other labels than the validation photographs of this run"):
        stored.store(Run(NETWORK, "tutorial", 1), history, others, PalmData(palm_folder, "real"))
    assert not Run(NETWORK, "tutorial", 1).path.exists()


@pytest.mark.parametrize("content", ["", "[1]", '{"labels": ["x"]}', '{"label": [1]}'])
def test_damaged_labels_are_named(small, content):
    stored.FOLDER.mkdir()
    (stored.FOLDER / stored.LABELS).write_text(content, "utf-8")
    with pytest.raises(DataError, match=r"validation_labels\.json: not a stored result"):
        stored.valid_labels()


def test_the_stored_accuracies_follow_from_the_stored_answers():
    """Of the results that this repository keeps: anyone can check them."""
    checked, labels = 0, stored.valid_labels()
    assert len(labels) == 400 and sum(labels) == 211
    recipes = [("tutorial", network) for network in TUTORIAL] + [("steady", network) for network in STEADY]
    recipes += [(name, network) for name, of in LEFT_OUT.items() for network in of]
    for recipe, network in recipes:
        if network not in comparison.NETWORKS:
            continue
        logits = stored.valid_logits(network, recipe)
        for seed, history in stored.load(network, recipe).items():
            scores = score(logits[seed], labels)
            assert scores.accuracy == pytest.approx(history.last["valid_accuracy"], abs=1e-9), (network, seed)
            assert scores.auc == pytest.approx(history.last["valid_auc"], abs=1e-6), (network, seed)
            checked += 1
    assert checked == sum(1 for path in stored.FOLDER.rglob("0[2-6]*/*seed*.json")) >= 6


def test_costs_are_those_of_the_chapter():
    model = chapters.definitions(chapters.find("02")[0]).LeNet()
    its = comparison.cost("02_ichallenge_pm:LeNet")
    assert its.parameters == 19_233_841 == sum(p.size for p in model.parameters())
    by_hand = 220 * 220 * 6 * 75 + 106 * 106 * 16 * 150 + 50 * 50 * 120 * 256 + 300_000 * 64 + 64
    assert its.multiply_adds == by_hand


def test_scores_on_the_test_photographs(palm_folder, tmp_path):
    """The open release has photographs that no chapter uses; here the validation ones stand in for them."""
    data = PalmData(palm_folder, "real")
    (palm_folder / "PALM-Validation400").rename(palm_folder / "PALM-Test400")
    (palm_folder / "labels.csv").rename(palm_folder / "test_labels.csv")
    paddle.seed(0)
    network = chapters.definitions(chapters.find("02")[0]).LeNet()
    paddle.save(network.state_dict(), str(tmp_path / "palm.pdparams"))
    scores = comparison.on_test_photographs("02_ichallenge_pm:LeNet", tmp_path / "palm.pdparams", data)
    truth = [line.split(",")[2] for line in (palm_folder / "test_labels.csv").read_text("utf-8-sig").split()[1:]]
    assert scores.labels.tolist() == [int(label) for label in truth]
    assert len(set(scores.logits)) == len(truth), "an answer for each photograph"
