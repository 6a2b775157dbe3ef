import gzip
import pickle
import pickletools
import struct
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from palm_utils import sample
from palm_utils.sample import digits, pictures


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return sample.sample_root(tmp_path_factory.mktemp("data"), "tiny")


# Digits


def read_idx(path: Path, magic: int) -> np.ndarray:
    content = gzip.decompress(path.read_bytes())
    dimensions = content[3]
    assert struct.unpack(">I", content[:4]) == (magic,)
    shape = struct.unpack(f">{dimensions}I", content[4 : 4 + 4 * dimensions])
    return np.frombuffer(content[4 + 4 * dimensions :], np.uint8).reshape(shape)


@pytest.mark.parametrize(("prefix", "count"), [("train", 600), ("t10k", 200)])
def test_digits_are_idx_files_with_every_digit_equally_often(tiny, prefix, count):
    images = read_idx(tiny / "mnist" / f"{prefix}-images-idx3-ubyte.gz", 2051)
    labels = read_idx(tiny / "mnist" / f"{prefix}-labels-idx1-ubyte.gz", 2049)
    assert images.shape == (count, 28, 28)
    assert np.bincount(labels, minlength=10).tolist() == [count // 10] * 10
    # White strokes on black, about in the middle.
    assert images.max() == 255
    assert images[:, [0, -1], :].mean() < 2
    assert 15 < images.mean() < 60
    rows, columns = np.nonzero(images.mean(0) > 40)
    assert abs(rows.mean() - 13.5) < 1
    assert abs(columns.mean() - 13.5) < 1


def test_test_digits_come_from_other_originals_than_training_digits(tmp_path, monkeypatch):
    sources = []
    vary = digits._vary

    def record(originals, *args):
        sources.append({original.tobytes() for original in originals})
        return vary(originals, *args)

    monkeypatch.setattr(digits, "_vary", record)
    digits.make_digits(tmp_path, train=10, test=10, seed=0)
    assert len(sources) == 2
    assert not sources[0] & sources[1]


def test_a_simple_classifier_learns_the_digits(tiny):
    train, test = (
        (
            read_idx(tiny / "mnist" / f"{prefix}-images-idx3-ubyte.gz", 2051).reshape(-1, 784) / 255,
            read_idx(tiny / "mnist" / f"{prefix}-labels-idx1-ubyte.gz", 2049),
        )
        for prefix in ("train", "t10k")
    )
    accuracy = LogisticRegression(max_iter=300).fit(*train).score(*test)
    assert accuracy > 0.7


# Pictures


def test_pictures_have_the_archive_layout_of_cifar10(tiny):
    with tarfile.open(tiny / "cifar10" / "cifar-10-python.tar.gz") as tar:
        batches = {Path(m.name).name: pickle.load(tar.extractfile(m), encoding="bytes") for m in tar.getmembers()}
    assert list(batches) == [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch", "batches.meta"]
    assert batches["batches.meta"][b"label_names"] == [
        *(b"airplane", b"automobile", b"bird", b"cat", b"deer"),
        *(b"dog", b"frog", b"horse", b"ship", b"truck"),
    ]
    training = [batches[f"data_batch_{k}"] for k in range(1, 6)]
    data = np.concatenate([batch[b"data"] for batch in training])
    assert data.shape == (250, 3072)
    assert data.dtype == np.uint8
    labels = [label for batch in training for label in batch[b"labels"]]
    assert np.bincount(labels).tolist() == [25] * 10
    assert np.bincount(batches["test_batch"][b"labels"]).tolist() == [10] * 10
    everything = np.concatenate([data, batches["test_batch"][b"data"]])
    assert len(np.unique(everything, axis=0)) == 350


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


# PaddlePaddle's own readers


def test_paddle_reads_the_digits(tiny):
    from paddle.vision.datasets import MNIST

    for mode, prefix, count in (("train", "train", 600), ("test", "t10k", 200)):
        data = MNIST(
            image_path=str(tiny / "mnist" / f"{prefix}-images-idx3-ubyte.gz"),
            label_path=str(tiny / "mnist" / f"{prefix}-labels-idx1-ubyte.gz"),
            mode=mode,
            backend="cv2",
        )
        assert len(data) == count
        image, label = data[0]
        assert image.shape[:2] == (28, 28)
        assert label == read_idx(tiny / "mnist" / f"{prefix}-labels-idx1-ubyte.gz", 2049)[0]


def test_paddle_reads_the_pictures(tiny):
    from paddle.vision.datasets import Cifar10

    for mode, count in (("train", 250), ("test", 100)):
        data = Cifar10(data_file=str(tiny / "cifar10" / "cifar-10-python.tar.gz"), mode=mode, backend="cv2")
        assert len(data) == count
        image, label = data[0]
        assert image.shape == (32, 32, 3)
        assert 0 <= label < 10
