import csv
import hashlib
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from palm_utils import sample
from palm_utils.messages import DataError
from palm_utils.sample import fundus


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return sample.sample_root(tmp_path_factory.mktemp("data"), "tiny")


@pytest.fixture
def micro(monkeypatch):
    """Let 'tiny' be tinier still, for tests that make it more than once."""
    monkeypatch.setitem(sample.SIZES, "tiny", sample.Size(1, 1, 1, 3, (20, 10), (20, 10), seconds=1))


def digest(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def labels_of(root: Path) -> list[dict[str, str]]:
    with open(root / "palm" / "labels.csv", newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


# Layout


def test_has_the_layout_of_the_real_data_and_nothing_else(tiny):
    assert tiny.parts[-2:] == ("sample", "tiny")
    assert names(tiny) == ["README.txt", "cifar10", "mnist", "palm"]
    assert names(tiny / "palm") == ["PALM-Training400", "PALM-Validation400", "labels.csv"]
    assert names(tiny / "mnist") == [
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]
    assert names(tiny / "cifar10") == ["cifar-10-python.tar.gz"]


def test_tiny_has_batches_of_ten_with_a_short_last_one_and_all_three_kinds(tiny):
    training = names(tiny / "palm" / "PALM-Training400")
    assert len(training) == 22
    assert {name[0] for name in training} == set("HNP")
    assert len(labels_of(tiny)) == 12


@pytest.mark.parametrize("size", ["default", "tiny"])
def test_the_two_photographs_the_tutorial_opens_are_there(size):
    amounts = sample.SIZES[size]
    eyes = [Path(name).stem for name in sample._photographs(amounts) if "Training" in name]
    assert {"N0012", "P0095"} <= set(eyes)
    assert len(eyes) == amounts.high_myopia + amounts.normal + amounts.pathologic


def test_label_table_names_exactly_the_validation_photographs(tiny):
    rows = labels_of(tiny)
    assert list(rows[0]) == ["ID", "imgName", "Label", "Fovea_X", "Fovea_Y"]
    assert [row["imgName"] for row in rows] == names(tiny / "palm" / "PALM-Validation400")
    assert [row["ID"] for row in rows] == [str(n) for n in range(1, 13)]
    assert sorted({row["Label"] for row in rows}) == ["0", "1"]
    for row in rows:
        assert 0 <= float(row["Fovea_X"]) < fundus.WIDTH
        assert 0 <= float(row["Fovea_Y"]) < fundus.HEIGHT


def test_says_that_it_is_no_medical_data(tiny, tmp_path):
    text = (tiny / "README.txt").read_text(encoding="utf-8")
    assert "NOT MEDICAL DATA" in text
    assert f"version {sample.VERSION}" in text
    assert f"seed {sample.SEED}" in text
    assert sample.is_sample(tiny)
    assert not sample.is_sample(tmp_path)
    (tmp_path / "README.txt").write_text("photographs of real eyes", encoding="utf-8")
    assert not sample.is_sample(tmp_path)


# Making it


def test_the_same_bytes_are_made_whatever_the_number_of_threads(micro, tmp_path, monkeypatch):
    first = digest(sample.sample_root(tmp_path / "a", "tiny"))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert digest(sample.sample_root(tmp_path / "b", "tiny")) == first


def test_a_photograph_is_the_same_in_both_sizes(tiny):
    path = tiny / "palm" / "PALM-Training400" / "N0012.jpg"
    image, _ = fundus.photograph("N", np.random.default_rng((sample.SEED, ord("N"), 12)))
    assert np.abs(cv2.imread(str(path)).astype(int) - image).mean() < 3  # JPEG's loss


def test_a_second_call_makes_nothing(micro, tmp_path, capsys, monkeypatch):
    root = sample.sample_root(tmp_path, "tiny")
    assert "Making the sample data" in capsys.readouterr().out
    monkeypatch.setattr(sample, "_make", lambda *_: pytest.fail("made a second time"))
    assert sample.sample_root(tmp_path, "tiny") == root
    assert capsys.readouterr().out == ""


def test_of_two_callers_at_once_one_makes_it(micro, tmp_path, monkeypatch):
    made = []
    make = sample._make
    monkeypatch.setattr(sample, "_make", lambda *args: (made.append(args), make(*args)))
    with ThreadPoolExecutor(2) as pool:
        roots = list(pool.map(lambda _: sample.sample_root(tmp_path, "tiny"), range(2)))
    assert len(made) == 1
    assert roots[0] == roots[1]


def remove(root):
    (root / "palm" / "labels.csv").unlink()


def truncate(root):
    path = root / "cifar10" / "cifar-10-python.tar.gz"
    path.write_bytes(path.read_bytes()[:100])


def age(root):
    path = root / "README.txt"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(f"version {sample.VERSION}", "version 0"), encoding="utf-8")


@pytest.mark.parametrize("damage", [remove, truncate, age])
def test_a_damaged_or_older_sample_is_made_anew(micro, tmp_path, damage):
    root = sample.sample_root(tmp_path, "tiny")
    intact = digest(root)
    damage(root)
    assert digest(root) != intact
    sample.sample_root(tmp_path, "tiny")
    assert digest(root) == intact


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (
            OSError("no space left"),
            DataError,
            r"cannot be written to .*tiny: no space left\. Make that folder",
        ),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
)
def test_an_interrupted_build_leaves_nothing_and_the_next_one_works(
    micro, tmp_path, monkeypatch, error, raised, message
):
    photograph, calls = fundus.photograph, itertools.count()

    def fail_late(*args):
        if next(calls) == 3:
            raise error
        return photograph(*args)

    monkeypatch.setattr(fundus, "photograph", fail_late)
    with pytest.raises(raised, match=message):
        sample.sample_root(tmp_path, "tiny")
    assert [path for path in tmp_path.rglob("*") if path.suffix != ".lock"] == [tmp_path / "sample"]
    monkeypatch.setattr(fundus, "photograph", photograph)
    assert sample.is_sample(sample.sample_root(tmp_path, "tiny"))


def test_an_unknown_size_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"'huge'.*'default', 'tiny'"):
        sample.sample_root(tmp_path, "huge")
    assert names(tmp_path) == []


# Photographs


def test_photographs_have_a_quarter_of_the_originals_size_and_a_black_surround(tiny):
    for path in (tiny / "palm").rglob("*.jpg"):
        image = cv2.imread(str(path))
        assert image.shape == (514, 531, 3)
        assert image[:20, :20].max() < 20, path.name
        assert image[257].mean() > 20, path.name


def test_no_photograph_occurs_twice(tiny):
    photographs = list((tiny / "palm").rglob("*.jpg"))
    assert len({path.read_bytes() for path in photographs}) == len(photographs) == 34


def test_the_fovea_is_a_dark_spot_where_the_table_says():
    darker = 0
    for seed in range(12):
        image, (x, y) = fundus.photograph("N", np.random.default_rng(seed))
        green = cv2.GaussianBlur(image[..., 1], (0, 0), 3).astype(float)
        rows, columns = np.mgrid[: fundus.HEIGHT, : fundus.WIDTH]
        distance = np.hypot(columns - x, rows - y)
        darker += green[distance < 8].mean() < 0.9 * green[(distance > 50) & (distance < 80)].mean()
    assert darker >= 10


def test_pathologic_eyes_can_be_told_from_normal_ones_but_not_by_brightness_alone():
    kinds = ["N"] * 30 + ["P"] * 30
    images = [fundus.photograph(kind, np.random.default_rng((7, i)))[0] for i, kind in enumerate(kinds)]
    is_p = np.array([kind == "P" for kind in kinds])
    colours = np.array([np.quantile(i, (0.4, 0.6, 0.8, 0.95, 0.99), axis=(0, 1)).ravel() for i in images])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    assert cross_val_score(model, colours, is_p, cv=5).mean() > 0.7
    auc = roc_auc_score(is_p, [image.mean() for image in images])
    assert max(auc, 1 - auc) < 0.9
