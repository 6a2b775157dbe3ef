"""The drawn stand-ins for the data sets: their layout, how they are made, and what can be learned from them."""

import csv
import os
import pickle
import pickletools
import tarfile
from pathlib import Path
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
from paddle.vision.datasets import MNIST, Cifar10
from palm_archives import tree
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from palm_utils import datasets, sample
from palm_utils.messages import DataError
from palm_utils.sample import digits, fundus, pictures


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return sample.sample_root(tmp_path_factory.mktemp("data"), "tiny")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_has_the_layout_of_the_real_data_and_nothing_else(tiny):
    assert tiny.parts[-2:] == ("sample", "tiny")
    assert names(tiny) == ["README.txt", "cifar10", "mnist", "palm"]
    assert names(tiny / "palm") == ["PALM-Training400", "PALM-Validation400", "labels.csv"]
    parts = ("t10k-images-idx3", "t10k-labels-idx1", "train-images-idx3", "train-labels-idx1")
    assert names(tiny / "mnist") == [f"{part}-ubyte.gz" for part in parts]
    assert names(tiny / "cifar10") == ["cifar-10-python.tar.gz"]
    # Batches of ten with a short last one, and all three kinds of eyes.
    training = names(tiny / "palm" / "PALM-Training400")
    assert len(training) == 14 and {name[0] for name in training} == set("HNP")
    assert {"N0012.jpg", "P0095.jpg"} <= {*training}  # which the tutorial opens


def test_label_table_names_exactly_the_validation_photographs(tiny):
    with open(tiny / "palm" / "labels.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["ID", "imgName", "Label", "Fovea_X", "Fovea_Y"]
    assert [row["imgName"] for row in rows] == names(tiny / "palm" / "PALM-Validation400")
    assert [row["ID"] for row in rows] == [str(n) for n in range(1, 12)]
    assert {row["Label"] for row in rows} == {"0", "1"}
    assert all(0 <= float(row["Fovea_X"]) < fundus.WIDTH and 0 <= float(row["Fovea_Y"]) < fundus.HEIGHT for row in rows)


def test_says_that_it_is_no_medical_data(tiny, tmp_path):
    text = (tiny / "README.txt").read_text(encoding="utf-8")
    for words in ("NOT MEDICAL DATA", f"version {sample.VERSION}", f"seed {sample.SEED}"):
        assert words in text
    assert sample.is_sample(tiny) and not sample.is_sample(tmp_path)
    (tmp_path / "README.txt").write_text("photographs of real eyes", encoding="utf-8")
    assert not sample.is_sample(tmp_path)


def test_the_same_bytes_are_made_whatever_the_number_of_threads(micro, tmp_path, monkeypatch):
    first = tree(sample.sample_root(tmp_path / "a", "tiny"))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert tree(sample.sample_root(tmp_path / "b", "tiny")) == first


def test_a_second_call_makes_nothing(micro, tmp_path, capsys, monkeypatch):
    root = sample.sample_root(tmp_path, "tiny")
    assert "Making the sample data" in capsys.readouterr().out
    monkeypatch.setattr(sample, "_make", lambda *_: pytest.fail("made a second time"))
    assert sample.sample_root(tmp_path, "tiny") == root
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("palm/labels.csv", Path.unlink),
        ("cifar10/cifar-10-python.tar.gz", lambda file: os.truncate(file, 100)),
        ("README.txt", lambda file: file.write_text(file.read_text("utf-8").replace(f"version {sample.VERSION}", "x"))),
    ],
    ids=["missing", "cut", "older"],
)
def test_a_damaged_or_older_sample_is_made_anew(micro, tmp_path, name, damage):
    root = sample.sample_root(tmp_path, "tiny")
    intact = tree(root)
    damage(root / name)
    assert tree(root) != intact
    sample.sample_root(tmp_path, "tiny")
    assert tree(root) == intact


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (OSError("no space left"), DataError, r"cannot be written to .*tiny: no space left\. Make that folder"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
)
def test_a_build_that_is_cut_off_leaves_nothing_behind(micro, tmp_path, monkeypatch, error, raised, message):
    eye = fundus.photograph("N", np.random.default_rng(0))
    with monkeypatch.context() as late, pytest.raises(raised, match=message):
        late.setattr(fundus, "photograph", Mock(side_effect=[eye, eye, eye, error, *[eye] * 20]))
        sample.sample_root(tmp_path, "tiny")
    assert [path for path in tmp_path.rglob("*") if path.suffix != ".lock"] == [tmp_path / "sample"]
    assert sample.is_sample(sample.sample_root(tmp_path, "tiny"))


def test_photographs_differ_and_have_a_quarter_of_the_originals_size_and_a_black_surround(tiny):
    photographs = list((tiny / "palm").rglob("*.jpg"))
    assert len({path.read_bytes() for path in photographs}) == len(photographs) == 25
    for path in photographs:
        image = cv2.imread(str(path))
        assert image.shape == (514, 531, 3)
        assert image[:20, :20].max() < 20 and image[257].mean() > 20, path.name


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


def read_digits(root: Path, prefix: str, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """The images and the labels, as PaddlePaddle reads the IDX files."""
    places = [str(root / "mnist" / f"{prefix}-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1")]
    images, labels = zip(*MNIST(*places, mode=mode, backend="cv2"), strict=True)
    return np.array(images).reshape(-1, 28, 28), np.ravel(labels)


@pytest.mark.parametrize(("prefix", "mode", "count"), [("train", "train", 600), ("t10k", "test", 200)])
def test_digits_are_files_that_paddle_reads_with_every_digit_equally_often(tiny, prefix, mode, count):
    images, labels = read_digits(tiny, prefix, mode)
    assert images.shape == (count, 28, 28)
    assert np.bincount(labels, minlength=10).tolist() == [count // 10] * 10
    # White strokes on black, about in the middle.
    assert images.max() == 255 and images[:, [0, -1], :].mean() < 2 and 15 < images.mean() < 60
    centre = np.argwhere(images.mean(0) > 40).mean(0)
    assert np.all(np.abs(centre - 13.5) < 1)


def test_test_digits_come_from_other_originals_than_training_digits(tmp_path, monkeypatch):
    monkeypatch.setattr(digits, "_vary", vary := Mock(wraps=digits._vary))
    digits.make_digits(tmp_path, train=10, test=10, seed=0)
    train, test = ({original.tobytes() for original in call.args[0]} for call in vary.call_args_list)
    assert not train & test


def test_a_simple_classifier_learns_the_digits(tiny):
    images, labels = read_digits(tiny, "train", "train")
    others, their_labels = read_digits(tiny, "t10k", "test")
    model = LogisticRegression(max_iter=300).fit(images.reshape(-1, 784) / 255, labels)
    assert model.score(others.reshape(-1, 784) / 255, their_labels) > 0.7


def test_pictures_are_an_archive_like_cifar10_s_that_paddle_reads(tiny):
    place = tiny / "cifar10" / "cifar-10-python.tar.gz"
    with tarfile.open(place) as tar:
        names = [Path(name).name for name in tar.getnames()]
        classes = pickle.load(tar.extractfile(tar.getmembers()[-1]), encoding="bytes")[b"label_names"]
    assert names == [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch", "batches.meta"]
    assert classes == b"airplane automobile bird cat deer dog frog horse ship truck".split()
    parts = [list(Cifar10(data_file=str(place), mode=mode, backend="cv2")) for mode in ("train", "test")]
    assert [np.bincount([label for _, label in part]).tolist() for part in parts] == [[25] * 10, [10] * 10]
    pictures = np.array([picture for part in parts for picture, _ in part])
    assert pictures.shape == (350, 32, 32, 3) and len(np.unique(pictures, axis=0)) == 350


def test_the_pictures_can_be_read_by_numpy_1_and_2(tiny):
    with tarfile.open(tiny / "cifar10" / "cifar-10-python.tar.gz") as tar:
        opcodes = [o for member in tar.getmembers() for o in pickletools.genops(tar.extractfile(member).read())]
    named = {argument for opcode, argument, _ in opcodes if opcode.name == "GLOBAL"}
    assert named == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype", "_codecs encode"}
    assert not any(opcode.name == "STACK_GLOBAL" for opcode, *_ in opcodes)


def test_classes_differ_in_outline_not_in_colour():
    rng = np.random.default_rng(0)
    images = np.array([[pictures.draw(name, rng) for _ in range(60)] for name in pictures.CLASS_NAMES])
    labels = np.repeat(np.arange(10), 60)
    mean_colours = images.mean((2, 3)).reshape(-1, 3)
    by_colour = cross_val_score(LogisticRegression(max_iter=500), mean_colours, labels, cv=3).mean()
    assert by_colour < 0.25
    edges = [np.abs(cv2.Laplacian(image, cv2.CV_32F)).max(2) for image in images.reshape(-1, 32, 32, 3)]
    coarse = np.array([cv2.resize(edge, (8, 8), interpolation=cv2.INTER_AREA).ravel() for edge in edges])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.02, max_iter=500))
    assert cross_val_score(model, coarse, labels, cv=3).mean() > 0.4


def test_a_sample_that_lacks_a_file_is_none_until_it_is_made_again(tmp_path, micro, monkeypatch):
    monkeypatch.setattr(datasets, "checkout_data", lambda: tmp_path)
    monkeypatch.setenv("PALM_SAMPLE", "tiny")
    file = datasets.mnist().root / "t10k-labels-idx1-ubyte.gz"
    assert datasets.existing("mnist") is not None
    file.unlink()
    assert datasets.existing("mnist") is None
    assert datasets.mnist().files("test") and file.is_file()
