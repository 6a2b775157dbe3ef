"""Which data set is found where, and what is said about it."""

import hashlib
import os
from contextlib import nullcontext
from pathlib import Path

import palm_archives
import pytest
from palm_archives import MNIST, bare_checkout, cifar_archive, data_sets, idx, write

from palm_course.getting import contents, download
from palm_utils import datasets, machine, readers, sample
from palm_utils.messages import DataError, DataNotFound


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    return bare_checkout(tmp_path, monkeypatch)


@pytest.fixture
def read_only(monkeypatch):
    """No folder can be written to."""
    for module in (datasets, sample):
        monkeypatch.setattr(module, "can_be_written", lambda folder: False)


def kinds():
    return [find().kind for find in (datasets.palm, datasets.mnist, datasets.cifar10)]


@pytest.mark.parametrize("name", ["palm", "mnist", "cifar10"])
def test_the_order_is_named_folder_then_checkout_then_sample(checkout, tmp_path, monkeypatch, name):
    def found():
        return (data := getattr(datasets, name)()).kind, data.root

    assert found() == ("sample", checkout / "sample" / "default" / name)
    write(checkout, data_sets(7))
    assert found() == ("real", checkout / name)
    monkeypatch.setenv("PALM_DATA", str(write(tmp_path / "mine", data_sets(9))))
    assert found() == ("real", tmp_path / "mine" / name)
    monkeypatch.setenv("PALM_SAMPLE", "tiny")
    assert found() == ("sample", checkout / "sample" / "tiny" / name)


def test_palm_data_is_relative_to_the_working_directory_or_to_the_checkout(checkout, tmp_path, monkeypatch):
    """`make run PALM_DATA=../real` is typed in the checkout; a kernel starts in its folder notebooks/."""
    for folder in (tmp_path / "real", notebooks := checkout.parent / "notebooks"):
        folder.mkdir()
    monkeypatch.setenv("PALM_DATA", "real")
    monkeypatch.chdir(tmp_path)
    assert datasets.data_folder() == tmp_path / "real"
    monkeypatch.chdir(notebooks)
    with pytest.raises(DataNotFound, match="'real'") as caught:
        datasets.palm()
    assert str(notebooks / "real") in str(caught.value)
    monkeypatch.setenv("PALM_DATA", "../real")
    assert datasets.data_folder().resolve() == tmp_path / "real"


def test_palm_data_without_the_data_set_falls_back_and_stays_as_it_was(checkout, tmp_path, monkeypatch):
    (mine := tmp_path / "mine").mkdir()
    monkeypatch.setenv("PALM_DATA", str(mine))
    assert datasets.palm().root == checkout / "sample" / "default" / "palm"
    assert list(mine.iterdir()) == []


@pytest.mark.parametrize(("name", "first"), [("palm", "PALM-Training400/*"), ("mnist", "train*"), ("cifar10", "none")])
def test_palm_data_may_name_a_data_set_itself_in_quotes(checkout, tmp_path, monkeypatch, name, first):
    """cmd.exe keeps the quotes of `set PALM_DATA="C:\\my data"`."""
    itself = (write(tmp_path / "my data", data_sets(9)) / name).rename(tmp_path / "of another name")
    monkeypatch.setenv("PALM_DATA", f'"{itself}" ')
    found = getattr(datasets, name)()
    assert (found.kind, found.root) == ("real", itself)
    for path in itself.glob(first):
        path.unlink()
    with pytest.raises(DataNotFound, match="of another name is incomplete") if first != "none" else nullcontext():
        getattr(datasets, name)()


def test_a_sample_named_by_palm_data_is_not_real(checkout, monkeypatch):
    root = datasets.palm().root
    monkeypatch.setenv("PALM_DATA", str(root))
    assert datasets.palm().kind == "sample"
    monkeypatch.setenv("PALM_DATA", str(root.parent))
    assert kinds() == ["sample"] * 3


def test_an_empty_variable_means_unset(checkout, monkeypatch):
    names = ("DATA", "SAMPLE", "CACHE", "EPOCHS", "BATCHES", "RESUME", "THREADS", "CPU", "LANG", "EXERCISES")
    for name in names:
        monkeypatch.setenv(f"PALM_{name}", " ")
    assert datasets.data_folder() == checkout and kinds() == ["sample"] * 3
    assert readers.cache_folder().is_absolute()
    assert machine.from_environment(None, None) == (5, None, None) and machine.thread_count() >= 1
    machine.start()
    assert not {f"PALM_{name}" for name in names} & {*os.environ}  # chapter 3 asks whether PALM_EPOCHS is there


def test_an_unknown_sample_is_refused(checkout, monkeypatch):
    monkeypatch.setenv("PALM_SAMPLE", "huge")
    with pytest.raises(DataError, match=r"'huge'.*'default' or 'tiny'"):
        datasets.palm()


@pytest.mark.parametrize("state", ["no checkout", "read-only checkout"])
def test_the_cache_folder_where_a_checkout_cannot_take_data(checkout, tmp_path, monkeypatch, request, state):
    if state == "no checkout":
        monkeypatch.setattr(datasets, "checkout_data", lambda: None)
    else:
        request.getfixturevalue("read_only")
    assert datasets.data_folder() == tmp_path / "cache"
    assert datasets.mnist().root == tmp_path / "cache" / "sample" / "default" / "mnist"


def test_data_in_a_read_only_checkout_is_used(checkout, read_only, tmp_path):
    write(checkout, data_sets(1))
    assert datasets.palm().root == checkout / "palm"
    assert datasets.sample_folder() == tmp_path / "cache"


def test_this_checkout_is_recognised():
    assert datasets.data_folder() == Path(__file__).resolve().parents[2] / "data"


INCOMPLETE = {"mnist/train-images-idx3-ubyte.gz": idx(1), "cifar10/notes.txt": b""}


@pytest.mark.parametrize(
    ("files", "remove", "said"),
    [
        (data_sets(1), "palm/labels.csv", "labels.csv is missing.*data palm --from"),
        (data_sets(1), "palm/PALM-Training400/*", "no photographs in PALM-Training400.*data palm --from"),
        (data_sets(1), "palm/PALM-Validation400/*", "no photographs in PALM-Validation400.*data palm --from"),
        (INCOMPLETE, "mnist/none", r"(?s)^(?!.*train-images).*train-labels.*missing.*data mnist --download"),
        (INCOMPLETE, "cifar10/none", r"cifar-10-python\.tar\.gz is missing.*data cifar10 --download"),
    ],
)
def test_an_incomplete_data_set_is_an_error_that_says_how_to_mend_it(checkout, files, remove, said):
    write(checkout, files)
    for path in checkout.glob(remove):
        path.unlink()
    name = remove.partition("/")[0]
    with pytest.raises(DataNotFound, match=said) as caught:
        getattr(datasets, name)()
    assert str(checkout / name) in str(caught.value)


def test_an_empty_folder_or_a_broken_download_falls_back(checkout):
    write(checkout, dict.fromkeys(("palm/.DS_Store", "mnist/x.gz.part", "mnist/x.gz.lock", "cifar10/.keep"), b""))
    assert kinds() == ["sample"] * 3


def test_paddles_own_cache_is_used_where_its_files_are_whole(checkout, tmp_path, monkeypatch):
    files = {f"mnist/{name}-ubyte.gz": idx(3) for name in MNIST}
    files["cifar/cifar-10-python.tar.gz"] = cifar_archive(data_batch_1=3)
    md5 = {Path(name).name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(contents, "PUBLISHED_MD5", md5)
    write(tmp_path / "paddle", files)
    assert (datasets.mnist().is_real, datasets.mnist().root) == (True, tmp_path / "paddle" / "mnist")
    assert (datasets.cifar10().is_real, datasets.cifar10().root) == (True, tmp_path / "paddle" / "cifar")
    for name in ("mnist/t10k-labels-idx1-ubyte.gz", "cifar/cifar-10-python.tar.gz"):
        content = (tmp_path / "paddle" / name).read_bytes()
        (tmp_path / "paddle" / name).write_bytes(content[:-1])
    assert kinds() == ["sample"] * 3


def test_the_addresses_and_sums_are_paddles():
    from paddle.vision.datasets import MNIST as PaddleMnist
    from paddle.vision.datasets import cifar

    parts = ("TRAIN_IMAGE", "TRAIN_LABEL", "TEST_IMAGE", "TEST_LABEL")
    theirs = {getattr(PaddleMnist, f"{part}_URL"): getattr(PaddleMnist, f"{part}_MD5") for part in parts}
    assert {download.MNIST_URL + name: contents.PUBLISHED_MD5[name] for name in datasets.MNIST_FILES} == theirs
    assert download.CIFAR10_URL + datasets.CIFAR10_FILE == cifar.CIFAR10_URL
    assert contents.PUBLISHED_MD5[datasets.CIFAR10_FILE] == cifar.CIFAR10_MD5


def test_ai_studios_nested_folders_and_its_label_folder(checkout):
    names = ("PALM-Training400/PALM-Training400", "PALM-Validation400/PALM-Validation400")
    names = (*names, "PALM-Validation-GT/labels.csv")
    files = {f"palm/{names[2]}": palm_archives.LABELS_CSV.encode(), "palm/PALM-Training400/PALM-Training400.zip": b""}
    for folder, name in zip(names, ("P0095.jpg", "V0001.jpg"), strict=False):
        files[f"palm/{folder}/{name}"] = palm_archives.photograph(name)
    write(checkout, files)
    found = datasets.palm()
    assert [str(checkout / "palm" / name) for name in names] == [found.DATADIR, found.DATADIR2, found.CSVFILE]
    assert found.counts() == {"training": 1, "validation": 1}


def test_the_places_that_the_tutorial_names_and_the_test_split_s_with_photographs_and_labels(checkout):
    write(folder := checkout / "palm", palm_archives.prepared(test=True))
    found = datasets.palm()
    names = ("PALM-Training400", "PALM-Validation400", "labels.csv", "PALM-Test400", "test_labels.csv")
    places = [found.DATADIR, found.DATADIR2, found.CSVFILE, found.test_dir, found.test_csv]
    assert places == [str(folder / name) for name in names]
    assert str(found).endswith("4 training, 3 validation and 2 test photographs")
    (folder / "test_labels.csv").unlink()
    assert (found.test_dir, found.test_csv) == (None, None)


def test_mnists_files(checkout):
    write(checkout / "mnist", palm_archives.mnist_files(1))
    found = datasets.mnist()
    assert found.files("test") == {
        f"{kind}_path": str(checkout / "mnist" / f"t10k-{kind}s-idx{number}-ubyte.gz")
        for kind, number in (("image", 3), ("label", 1))
    }
    assert found.files("train")["label_path"].endswith("train-labels-idx1-ubyte.gz")
    with pytest.raises(DataError, match="'valid'"):
        found.files("valid")


def test_one_line_for_a_notebook_that_names_no_folder(checkout):
    finders = (datasets.palm, datasets.mnist, datasets.cifar10)
    assert [str(find()) for find in finders] == [
        "iChallenge-PM: SAMPLE (generated, not the real photographs), 9 training and 3 validation photographs",
        "MNIST: SAMPLE (generated, not the real digits), 5 training and 5 test digits",
        "CIFAR-10: SAMPLE (generated, not the real pictures), 6 training and 2 test pictures",
    ]
    write(checkout, data_sets(1200))
    assert [repr(find()) for find in finders] == [str(find()) for find in finders]
    assert [str(find()) for find in finders] == [
        "iChallenge-PM: real data, 1,204 training and 3 validation photographs",
        "MNIST: real data, 1,200 training and 1,200 test digits",
        "CIFAR-10: real data, 1,201 training and 2 test pictures",
    ]


def test_the_published_cifar_archive_is_known_by_its_checksum(checkout, monkeypatch):
    content = b"stands for the archive"
    write(checkout, {"cifar10/cifar-10-python.tar.gz": content})
    with pytest.raises(DataError):
        datasets.cifar10().counts()
    monkeypatch.setitem(contents.PUBLISHED_MD5, "cifar-10-python.tar.gz", hashlib.md5(content).hexdigest())
    assert datasets.cifar10().counts() == {"training": 50_000, "test": 10_000}
