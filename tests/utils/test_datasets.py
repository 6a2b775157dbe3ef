"""Which data set is found where, and what is said about it."""

import gzip
import hashlib
from pathlib import Path

import palm_archives
import pytest
from palm_archives import MNIST, bare_checkout, cifar_archive, data_sets, idx

from palm_course.getting import contents, download
from palm_utils import datasets, sample
from palm_utils.messages import DataError, DataNotFound


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    return bare_checkout(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", ["palm", "mnist", "cifar10"])
def test_the_order_is_named_folder_then_checkout_then_sample(checkout, tmp_path, monkeypatch, name):
    find = getattr(datasets, name)
    found = find()
    assert (found.kind, found.root) == ("sample", checkout / "sample" / "default" / name)
    palm_archives.write(checkout, data_sets(7))
    found = find()
    assert (found.is_real, found.root) == (True, checkout / name)
    monkeypatch.setenv("PALM_DATA", str(palm_archives.write(tmp_path / "mine", data_sets(9))))
    found = find()
    assert (found.is_real, found.root) == (True, tmp_path / "mine" / name)
    monkeypatch.setenv("PALM_SAMPLE", "tiny")
    found = find()
    assert (found.is_real, found.root) == (False, checkout / "sample" / "tiny" / name)


def test_palm_data_is_relative_to_the_working_directory(checkout, tmp_path, monkeypatch):
    palm_archives.write(tmp_path / "mine", data_sets(1))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PALM_DATA", "mine")
    assert datasets.data_folder() == tmp_path / "mine"
    monkeypatch.chdir(tmp_path / "mine")
    with pytest.raises(DataNotFound) as caught:
        datasets.palm()
    assert "'mine'" in str(caught.value)
    assert str(tmp_path / "mine" / "mine") in str(caught.value)


def test_palm_data_may_be_relative_to_the_checkout_too(checkout, tmp_path, monkeypatch):
    """`make run PALM_DATA=../real` is typed in the checkout; a kernel starts in its folder notebooks/."""
    (tmp_path / "real").mkdir()
    (checkout.parent / "notebooks").mkdir()
    monkeypatch.chdir(checkout.parent / "notebooks")
    monkeypatch.setenv("PALM_DATA", "../real")
    assert datasets.data_folder().resolve() == tmp_path / "real"
    monkeypatch.setenv("PALM_DATA", "../unreal")
    with pytest.raises(DataNotFound, match="unreal"):
        datasets.data_folder()


def test_palm_data_without_the_data_set_falls_back_and_stays_as_it_was(checkout, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("PALM_DATA", str(tmp_path / "mine"))
    assert datasets.palm().root == checkout / "sample" / "default" / "palm"
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_sample_named_by_palm_data_is_not_real(checkout, monkeypatch):
    monkeypatch.setenv("PALM_DATA", str(datasets.palm().root.parent))
    assert [datasets.palm().kind, datasets.mnist().kind, datasets.cifar10().kind] == ["sample"] * 3


def test_an_unknown_sample_is_refused(checkout, monkeypatch):
    monkeypatch.setenv("PALM_SAMPLE", "huge")
    with pytest.raises(DataError, match=r"'huge'.*'default' or 'tiny'"):
        datasets.palm()


@pytest.mark.parametrize("state", ["no checkout", "read-only checkout"])
def test_the_cache_folder_where_a_checkout_cannot_take_data(checkout, tmp_path, monkeypatch, state):
    if state == "no checkout":
        monkeypatch.setattr(datasets, "checkout_data", lambda: None)
    else:
        for module in (datasets, sample):
            monkeypatch.setattr(module, "can_be_written", lambda folder: False)
    assert datasets.data_folder() == tmp_path / "cache"
    assert datasets.mnist().root == tmp_path / "cache" / "sample" / "default" / "mnist"


def test_data_in_a_read_only_checkout_is_used(checkout, tmp_path, monkeypatch):
    palm_archives.write(checkout, data_sets(1))
    for module in (datasets, sample):
        monkeypatch.setattr(module, "can_be_written", lambda folder: False)
    assert datasets.palm().root == checkout / "palm"
    assert datasets.sample_folder() == tmp_path / "cache"


def test_this_checkout_is_recognised(monkeypatch):
    repository = Path(__file__).resolve().parents[2]
    assert datasets.data_folder() == repository / "data"


@pytest.mark.parametrize(
    ("remove", "said"),
    [
        ("palm/labels.csv", "labels.csv is missing"),
        ("palm/PALM-Training400/*", "no photographs in PALM-Training400"),
        ("palm/PALM-Validation400/*", "no photographs in PALM-Validation400"),
    ],
)
def test_an_incomplete_palm_is_an_error_that_says_how_to_mend_it(checkout, remove, said):
    palm_archives.write(checkout, data_sets(1))
    for path in checkout.glob(remove):
        path.unlink()
    with pytest.raises(DataNotFound) as caught:
        datasets.palm()
    assert said in str(caught.value)
    assert str(checkout / "palm") in str(caught.value)
    assert "python -m palm_utils data palm --from" in str(caught.value)


def test_incomplete_files_are_an_error_that_says_how_to_mend_it(checkout):
    palm_archives.write(checkout, {"mnist/train-images-idx3-ubyte.gz": idx(1), "cifar10/notes.txt": b""})
    with pytest.raises(DataNotFound, match=r"train-labels.*missing.*data mnist --download") as caught:
        datasets.mnist()
    assert "train-images" not in str(caught.value)
    with pytest.raises(DataNotFound, match=r"cifar-10-python\.tar\.gz is missing.*data cifar10 --download"):
        datasets.cifar10()


def test_an_empty_folder_or_a_broken_download_falls_back(checkout):
    palm_archives.write(
        checkout,
        {"palm/.DS_Store": b"", "mnist/x.gz.part": b"", "mnist/x.gz.lock": b"", "cifar10/.keep": b""},
    )
    assert [datasets.palm().kind, datasets.mnist().kind, datasets.cifar10().kind] == ["sample"] * 3


def test_paddles_own_cache_is_used_where_its_files_are_whole(checkout, tmp_path, monkeypatch):
    files = {f"mnist/{name}-ubyte.gz": idx(3) for name in MNIST}
    files["cifar/cifar-10-python.tar.gz"] = cifar_archive(data_batch_1=3)
    md5 = {Path(name).name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(contents, "PUBLISHED_MD5", md5)
    palm_archives.write(tmp_path / "paddle", files)
    assert (datasets.mnist().is_real, datasets.mnist().root) == (True, tmp_path / "paddle" / "mnist")
    assert (datasets.cifar10().is_real, datasets.cifar10().root) == (True, tmp_path / "paddle" / "cifar")
    for name in ("mnist/t10k-labels-idx1-ubyte.gz", "cifar/cifar-10-python.tar.gz"):
        content = (tmp_path / "paddle" / name).read_bytes()
        (tmp_path / "paddle" / name).write_bytes(content[:-1])
    assert [datasets.mnist().kind, datasets.cifar10().kind] == ["sample"] * 2


def test_the_addresses_and_sums_are_paddles():
    from paddle.vision.datasets import MNIST as PaddleMnist
    from paddle.vision.datasets import cifar

    ours = {download.MNIST_URL + name: contents.PUBLISHED_MD5[name] for name in datasets.MNIST_FILES}
    assert ours == {
        PaddleMnist.TRAIN_IMAGE_URL: PaddleMnist.TRAIN_IMAGE_MD5,
        PaddleMnist.TRAIN_LABEL_URL: PaddleMnist.TRAIN_LABEL_MD5,
        PaddleMnist.TEST_IMAGE_URL: PaddleMnist.TEST_IMAGE_MD5,
        PaddleMnist.TEST_LABEL_URL: PaddleMnist.TEST_LABEL_MD5,
    }
    assert download.CIFAR10_URL + datasets.CIFAR10_FILE == cifar.CIFAR10_URL
    assert contents.PUBLISHED_MD5[datasets.CIFAR10_FILE] == cifar.CIFAR10_MD5


def test_existing_does_not_make_the_sample(checkout):
    assert datasets.existing("palm") is None
    assert list(checkout.iterdir()) == []
    made = datasets.palm()
    assert datasets.existing("palm") == made


def test_the_places_that_the_tutorial_names(checkout):
    palm_archives.write(checkout, data_sets(0))
    found = datasets.palm()
    places = [found.DATADIR, found.DATADIR2, found.CSVFILE]
    assert places == [
        str(checkout / "palm" / name) for name in ("PALM-Training400", "PALM-Validation400", "labels.csv")
    ]
    assert (found.test_dir, found.test_csv) == (None, None)


def test_ai_studios_nested_folders_and_its_label_folder(checkout):
    files = {"palm/PALM-Validation-GT/labels.csv": palm_archives.LABELS_CSV.encode()}
    for split, name in (("PALM-Training400", "P0095.jpg"), ("PALM-Validation400", "V0001.jpg")):
        files[f"palm/{split}/{split}/{name}"] = palm_archives.photograph(name)
    files["palm/PALM-Training400/PALM-Training400.zip"] = b""
    palm_archives.write(checkout, files)
    found = datasets.palm()
    places = [found.DATADIR, found.DATADIR2, found.CSVFILE]
    assert places == [
        str(checkout / "palm" / folder / name)
        for folder, name in (
            ("PALM-Training400", "PALM-Training400"),
            ("PALM-Validation400", "PALM-Validation400"),
            ("PALM-Validation-GT", "labels.csv"),
        )
    ]
    assert found.counts() == {"training": 1, "validation": 1}


def test_the_test_split_needs_photographs_and_labels(checkout):
    palm_archives.write(checkout / "palm", palm_archives.prepared(test=True))
    found = datasets.palm()
    assert found.test_dir == str(checkout / "palm" / "PALM-Test400")
    assert found.test_csv == str(checkout / "palm" / "test_labels.csv")
    assert str(found).endswith("4 training, 3 validation and 2 test photographs")
    (checkout / "palm" / "test_labels.csv").unlink()
    assert (found.test_dir, found.test_csv) == (None, None)


def test_mnists_files(checkout):
    palm_archives.write(checkout / "mnist", palm_archives.mnist_files(1))
    found = datasets.mnist()
    assert found.files("test") == {
        "image_path": str(checkout / "mnist" / "t10k-images-idx3-ubyte.gz"),
        "label_path": str(checkout / "mnist" / "t10k-labels-idx1-ubyte.gz"),
    }
    assert found.files("train")["label_path"].endswith("train-labels-idx1-ubyte.gz")
    with pytest.raises(DataError, match="'valid'"):
        found.files("valid")


def test_one_line_for_a_notebook_that_names_no_folder(checkout):
    said = [str(find()) for find in (datasets.palm, datasets.mnist, datasets.cifar10)]
    assert said == [
        "iChallenge-PM: SAMPLE (generated, not the real photographs), 9 training and 3 validation photographs",
        "MNIST: SAMPLE (generated, not the real digits), 5 training and 5 test digits",
        "CIFAR-10: SAMPLE (generated, not the real pictures), 6 training and 2 test pictures",
    ]
    palm_archives.write(checkout, data_sets(1200))
    said = [str(find()) for find in (datasets.palm, datasets.mnist, datasets.cifar10)]
    assert said == [
        "iChallenge-PM: real data, 1,204 training and 3 validation photographs",
        "MNIST: real data, 1,200 training and 1,200 test digits",
        "CIFAR-10: real data, 1,201 training and 2 test pictures",
    ]
    assert repr(datasets.mnist()) == said[1]


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", idx(3)[:12], gzip.compress(b"short"), gzip.compress(bytes(16))],
    ids=["empty", "no gzip", "torn", "short", "zeros"],  # gzip writes the time: no name for a test
)
def test_a_damaged_mnist_file_is_named(checkout, content):
    palm_archives.write(checkout, data_sets(1) | {"mnist/t10k-images-idx3-ubyte.gz": content})
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz is damaged .*data mnist --download --force"):
        datasets.mnist().counts()


def test_the_published_cifar_archive_is_known_by_its_checksum(checkout, monkeypatch):
    content = b"stands for the archive"
    palm_archives.write(checkout, {"cifar10/cifar-10-python.tar.gz": content})
    with pytest.raises(DataError):
        datasets.cifar10().counts()
    monkeypatch.setitem(contents.PUBLISHED_MD5, "cifar-10-python.tar.gz", hashlib.md5(content).hexdigest())
    assert datasets.cifar10().counts() == {"training": 50_000, "test": 10_000}


@pytest.mark.parametrize("keep", [0, 40, -30])
def test_a_damaged_cifar_archive_is_named(checkout, keep):
    content = cifar_archive(data_batch_1=1000)[:keep]
    palm_archives.write(checkout, {"cifar10/cifar-10-python.tar.gz": content})
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz is damaged .*data cifar10 --download --force"):
        datasets.cifar10().counts()
