"""`python -m palm_utils data`."""

import argparse
import hashlib
import re
from pathlib import Path

import palm_archives
import pytest
from palm_archives import MNIST, bare_checkout, cifar_archive, idx

from palm_course.getting import command, contents, download, prepare
from palm_utils import datasets
from palm_utils.messages import CourseError, DataError, DataNotFound


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Run the command with these arguments; returns its exit status."""
    monkeypatch.setattr(prepare, "AI_STUDIO_FOLDER", tmp_path / "data19065")
    parser = argparse.ArgumentParser()
    command.add_options(parser)

    def run(*arguments):
        return command.run(parser.parse_args([*map(str, arguments)]))

    run.folder = bare_checkout(tmp_path, monkeypatch)
    return run


def test_the_table_makes_nothing(data, capsys):
    assert data() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["data", "set", "kind", "images", "classes", "place"]
    titles = ["iChallenge-PM", "MNIST", "CIFAR-10"]
    assert [line.split()[:2] for line in lines[1:]] == [[title, "absent"] for title in titles]
    assert all(line.endswith("(the sample will be made when first used)") for line in lines[1:])
    assert list(data.folder.iterdir()) == []


def test_the_table_of_real_data_and_sample(data, capsys):
    assert data("sample") == 0
    root = data.folder / "sample" / "default"
    assert str(root) in capsys.readouterr().out
    palm_archives.write(data.folder, {f"mnist/{name}-ubyte.gz": idx(1234) for name in MNIST})
    assert data() == 0
    rows = [re.split("  +", line) for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [
        ["iChallenge-PM", "sample", "9 + 3", "2 (PM, not PM)", str(root / "palm")],
        ["MNIST", "real", "1,234 + 1,234", "10", str(data.folder / "mnist")],
        ["CIFAR-10", "sample", "6 + 2", "10", str(root / "cifar10")],
    ]


def test_a_folder_that_palm_data_names_is_made_when_data_is_got(data, tmp_path, monkeypatch, capsys):
    source = palm_archives.write(tmp_path / "source", palm_archives.prepared())
    monkeypatch.setenv("PALM_DATA", str(tmp_path / "new" / "data"))
    with pytest.raises(DataNotFound, match="not there"):
        datasets.palm()
    assert data("palm", "--from", source, "--allow-incomplete") == 0
    assert datasets.palm().root == tmp_path / "new" / "data" / "palm"
    (file := tmp_path / "file").write_text("")
    monkeypatch.setenv("PALM_DATA", str(file))
    with pytest.raises(DataNotFound, match="not a folder"):
        data("palm", "--from", source, "--allow-incomplete")


def test_the_sample_is_made_only_where_it_is_needed(data, monkeypatch, capsys):
    found = {"palm": object(), "mnist": object(), "cifar10": None}
    monkeypatch.setattr(command, "existing", found.get)
    assert data("sample", "--if-needed") == 0
    assert "default" in capsys.readouterr().out
    (data.folder / "sample").rename(data.folder / "aside")
    found["cifar10"] = object()
    assert data("sample", "--if-needed") == 0
    assert not (data.folder / "sample").exists() and capsys.readouterr().out == ""


def test_the_table_names_what_is_unusable(data, capsys):
    palm_archives.write(data.folder, {"palm/PALM-Training400/P0001.jpg": b"", "mnist/other.gz": b""})
    assert data() == 1
    said = capsys.readouterr().out
    assert [line.split()[1] for line in said.splitlines()[1:4]] == ["unusable", "unusable", "absent"]
    assert "labels.csv is missing" in said
    assert "train-images-idx3-ubyte.gz" in said


def test_a_wrong_palm_data_is_said_once(data, capsys, monkeypatch):
    monkeypatch.setenv("PALM_DATA", "nowhere")
    assert data() == 1
    assert capsys.readouterr().out.count("PALM_DATA is 'nowhere'") == 1


def test_palm_from_archives_and_again(data, tmp_path, capsys):
    source = palm_archives.ai_studio(tmp_path / "source")
    with pytest.raises(DataError, match="3 of 400 validation photographs"):
        data("palm", "--from", source)
    assert data("palm", "--from", source, "--allow-incomplete") == 0
    said = capsys.readouterr().out
    assert "iChallenge-PM: real data, 4 training and 3 validation photographs" in said
    assert str(data.folder / "palm") in said
    assert data("palm", "--allow-incomplete") == 0
    assert "already there" in capsys.readouterr().out
    (data.folder / "palm" / "labels.csv").write_bytes(palm_archives.LABELS_CSV.encode() + b"\n")
    assert data("palm", "--from", source, "--allow-incomplete", "--force") == 0
    assert "already there" not in capsys.readouterr().out
    assert palm_archives.tree(data.folder / "palm") == palm_archives.prepared()


def test_palm_goes_where_palm_data_says(data, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("PALM_DATA", str(tmp_path / "mine"))
    monkeypatch.setenv("PALM_SAMPLE", "tiny")
    data("palm", "--from", palm_archives.ai_studio(tmp_path / "source"), "--allow-incomplete")
    assert palm_archives.tree(tmp_path / "mine" / "palm") == palm_archives.prepared()


def test_palm_from_ai_studios_own_folder(data, tmp_path):
    with pytest.raises(DataNotFound, match=r"data19065.*data palm --from PATH.*--download"):
        data("palm", "--allow-incomplete")
    palm_archives.ai_studio(tmp_path / "data19065")
    assert data("palm", "--allow-incomplete") == 0
    assert datasets.palm().is_real and palm_archives.tree(data.folder / "palm") == palm_archives.prepared()


@pytest.mark.parametrize(
    "arguments",
    [
        "mnist --from x",
        "cifar10 --allow-incomplete",
        "--download",
        "sample --force",
        "palm --from x --download",
        "image",
    ],
)
def test_arguments_that_do_not_go_together(data, arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        data(*arguments.split())
    assert "usage:" in capsys.readouterr().err


def test_real_data_does_not_go_into_the_sample(data, tmp_path, monkeypatch):
    monkeypatch.setenv("PALM_DATA", str(datasets.palm().root.parent))
    with pytest.raises(CourseError, match="is the generated sample"):
        data("palm", "--from", palm_archives.ai_studio(tmp_path / "source"), "--force")


@pytest.fixture
def published(monkeypatch):
    """Publish files of our own; what is downloaded is copied from them, and listed in `asked`."""
    content = {f"{name}-ubyte.gz": idx(2) for name in MNIST}
    content["cifar-10-python.tar.gz"] = cifar_archive(data_batch_1=2, test_batch=1)
    content["PALM.zip"] = palm_archives.zipped(palm_archives.release_files())
    md5 = {name: hashlib.md5(content[name]).hexdigest() for name in content}
    monkeypatch.setattr(contents, "PUBLISHED_MD5", md5)
    monkeypatch.setattr(download, "PUBLISHED_MD5", md5)
    monkeypatch.setattr(download, "PALM_SHA256", hashlib.sha256(content["PALM.zip"]).hexdigest())
    asked = []

    def copy(files, by_hand=None):
        for file in files:
            asked.append(file.url)
            palm_archives.write(file.destination.parent, {file.destination.name: content[file.destination.name]})
            assert file.is_right(file.destination)

    monkeypatch.setattr(download, "download", copy)
    return asked


def test_downloading_mnist_and_cifar10(data, published, capsys):
    palm_archives.write(data.folder, {"mnist/train-images-idx3-ubyte.gz": b"incomplete"})
    with pytest.raises(DataNotFound, match="python -m palm_utils data mnist --download"):
        data("mnist")
    assert data("mnist", "--download") == data("cifar10", "--download") == 0
    base = "https://dataset.bj.bcebos.com"
    assert published == [*(f"{base}/mnist/{name}-ubyte.gz" for name in MNIST), f"{base}/cifar/cifar-10-python.tar.gz"]
    assert "MNIST: real data, 2 training and 2 test digits" in capsys.readouterr().out
    assert (datasets.mnist().root, datasets.cifar10().root) == (data.folder / "mnist", data.folder / "cifar10")
    assert data("mnist", "--download") == 0
    assert "already there" in capsys.readouterr().out and len(published) == 5
    assert data("cifar10", "--download", "--force") == 0
    assert len(published) == 6


def test_downloading_palm(data, published, capsys):
    assert data("palm", "--download", "--allow-incomplete") == 0
    assert published == ["https://springernature.figshare.com/ndownloader/files/37786152"]
    assert palm_archives.tree(data.folder / "palm") == palm_archives.prepared(test=True)
    assert "4 training, 3 validation and 2 test photographs" in capsys.readouterr().out
    assert data("palm", "--download", "--allow-incomplete") == 0
    assert len(published) == 1
    assert "already there" in capsys.readouterr().out


def test_the_readme_of_the_data_folder_names_the_sources():
    readme = (Path(__file__).resolve().parents[2] / "data" / "README.md").read_text(encoding="utf-8")
    for fact in (download.PALM_URL, download.PALM_SHA256, download.MNIST_URL, download.CIFAR10_URL):
        assert fact in readme
