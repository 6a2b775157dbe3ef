"""What chapters 3 to 6, and 8, tell of the stored runs, in both languages, is what is stored."""

import math
import re

import numpy as np
import pytest
from editions import course, read

from palm_course.results import stored

__all__ = ["course"]  # a fixture


@pytest.fixture(params=[".", "zh"], ids=["en", "zh"])
def edition(request, course):
    """The folder of the chapters in one language."""
    return course / request.param


def reached(network, recipe):
    """The validation accuracies of the stored runs in percent: an array of the epochs for each seed."""
    return {seed: 100 * np.array(run["valid_accuracy"]) for seed, run in stored.load(network, recipe).items()}


def last(network, recipe):
    return [accuracies[-1] for accuracies in reached(network, recipe).values()]


def text(edition, chapter, cell):
    """One text of a chapter, up to the next heading."""
    source = next(c.source for c in read(edition / f"{chapter}.ipynb").cells if c.id == cell)
    return source.split("\n## ")[0]


def assert_told(told, *percentages, decimals=None):
    """The text names these percentages one after the other, as a list if they are several."""
    names = [str(round(float(p), 2)) if decimals is None else f"{p:.{decimals}f}" for p in percentages]
    listed = r"\D{1,5}".join(map(re.escape, names))
    assert re.search(rf"(?<![\d.]){listed} ?%", told), f"{names} not in: {told}"


def test_chapter_3(edition):
    tutorial, steady = (reached("03_alexnet:AlexNet", name) for name in ("tutorial", "steady"))
    lowest, *others = sorted(last("03_alexnet:AlexNet", "tutorial"))
    assert lowest < 60 and min(others) > 87, "one seed ends far below the others"
    assert min(tutorial[2]) < 75, "another one dives on the way"
    assert min(min(run[7:]) for run in steady.values()) >= 94, "settles, above what the tutorial claims"
    told, truth = text(edition, "03_alexnet", "ch03-071"), stored.valid_labels() == 1
    wrong = [(logits >= 0) != truth for logits in stored.valid_logits("03_alexnet:AlexNet", "steady").values()]
    assert [int(eyes.sum()) for eyes in wrong] == [18, 18, 18, 18, 15], "four have the same number of eyes wrong"
    some, every = np.sum(np.any(wrong, axis=0)), np.sum(np.all(wrong, axis=0))
    assert re.search(rf"\D{some}\D.*?\D{every}\D", told)


def test_chapter_4(edition):
    told = text(edition, "04_vgg", "ch04-054")
    tutorial, steady = (last("04_vgg:VGG", name) for name in ("tutorial", "steady"))
    assert_told(told, *tutorial)
    assert_told(told, *steady)
    assert_told(told, np.mean(steady), decimals=1)
    assert_told(told, min(min(run[7:]) for run in reached("04_vgg:VGG", "steady").values()))
    losses = [run.last["valid_loss"] for run in stored.load("04_vgg:VGG", "steady").values()]
    assert re.search(rf"{min(losses):.2f} (to|到) {max(losses):.2f}", told)
    assert f"{stored.load('04_vgg:VGG', 'tutorial')[0].last['valid_loss']:.2f}" in told
    apart = np.mean(steady) - np.mean(tutorial)
    assert round(4 * apart) == 4 and re.search("four eyes|四只", told)


def test_chapter_5(edition):
    told = text(edition, "05_googlenet", "ch05-091")
    assert_told(told, *last("05_googlenet:GoogLeNet", "tutorial"))
    third = reached("05_googlenet:GoogLeNet", "tutorial")[2]
    assert np.argmin(third) == 3
    assert_told(told, third[0])
    assert_told(told, third[3])
    told = text(edition, "05_googlenet", "ch05-067")
    logits = stored.valid_logits("05_googlenet:GoogLeNet", "tutorial")[2]
    truth = stored.valid_labels() == 1
    assert np.mean(logits >= 0) == pytest.approx(4 / 5, abs=0.01)
    assert_told(told, third[-1])
    assert_told(told, max(100 * np.mean((logits >= threshold) == truth) for threshold in logits))
    ends = last("05_googlenet:GoogLeNet", "steady")
    assert_told(told, *ends)
    assert_told(told, np.mean(ends))
    steady = reached("05_googlenet:GoogLeNet", "steady")
    assert (np.argmin(steady[1][1:]), np.argmin(steady[2])) == (2, 2)
    assert_told(told, steady[1][3])
    assert_told(told, steady[2][2])
    assert steady[2][2] < 100 * truth.mean(), "less than always answering PM"
    assert min(min(run[8:]) for run in steady.values()) >= 94
    assert_told(told, 94, decimals=0)
    mended = []
    for seed, logits in stored.valid_logits("05_googlenet:GoogLeNet", "steady").items():
        best = max(np.mean((logits >= threshold) == truth) for threshold in logits)
        mended.append(400 * best - 4 * steady[seed][-1])
    assert round(max(mended)) == 5 and re.search("at most five eyes|最多也只能多判对五只", told)


def test_chapter_6(edition):
    told = text(edition, "06_resnet", "ch06-079")
    tutorial, steady = (reached("06_resnet:ResNet", name) for name in ("tutorial", "steady"))
    ends = [last("06_resnet:ResNet", name) for name in ("tutorial", "steady")]
    assert_told(told, *ends[0])
    assert_told(told, *ends[1])
    assert re.search(rf"\D{np.mean(ends[1]) - np.mean(ends[0]):.1f} (points higher|个百分点)", told)
    assert min(ends[1]) > 96, "each above the tutorial's claim"
    jumps = [math.floor(max(abs(np.diff(run))) + 0.5) for run in tutorial.values()]
    assert re.search(rf"{min(jumps)} (to|至) {max(jumps)} ", told)
    assert np.argmin(steady[1]) == 4
    assert_told(told, steady[1][4], decimals=0)
    late = [run[7:] for run in steady.values()]
    assert min(map(min, late)) >= 93 and max(max(abs(np.diff(run))) for run in late) <= 2.5
    best = sorted(max(run) for run in steady.values())
    assert_told(told, best[0], best[-1])


def test_chapter_8(edition):
    told = text(edition, "08_summary", "ch08-313")
    found = stored.read(stored.FOLDER / "all_eyes" / "03_alexnet-AlexNet.json", dict)["accuracy"]
    for repeat, accuracy in enumerate(found["repeats"]):  # what the stored logits of its parts give
        parts = (stored.FOLDER / "all_eyes").glob(f"03_alexnet-AlexNet-repeat{repeat}-part*.json")
        logits = {name: logit for part in parts for name, logit in stored.read(part, lambda x: x["logits"]).items()}
        of_table = dict(zip((f"V{i:04}.jpg" for i in range(1, 401)), stored.valid_labels(), strict=True))
        right = [(logit >= 0) == of_table.get(name, name[0] == "P") for name, logit in logits.items()]
        assert len(right) == 800 and np.mean(right) == pytest.approx(accuracy)
    low, high = (100 * end for end in found["interval"])
    assert_told(told, 100 * found["mean"], decimals=1)
    assert re.search(rf"{low:.1f}%? (to|到) {high:.1f} ?%", told)
    assert all(low <= accuracy <= high for accuracy in last("03_alexnet:AlexNet", "steady")), "they lie inside it"
