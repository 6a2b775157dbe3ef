"""Preparing iChallenge-PM from every form in which people have it."""

import errno
import io
import os
import runpy
from pathlib import Path
from unittest.mock import Mock

import palm_archives
import pytest
from palm_archives import ai_studio_files, photograph, prepared, release_files, tree, write, xlsx, zipped
from PIL import Image  # comes with matplotlib

import palm_utils.sample
from palm_course.getting import prepare
from palm_course.getting.prepare import Expected, prepare_palm
from palm_utils.messages import DataError, DataNotFound

EXPECTED = Expected({"P": 2, "H": 1, "N": 1}, validation=(3, 2), test=(2, 1))


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def source(tmp_path):
    return tmp_path / "source"


def without(files, name):
    return {other: content for other, content in files.items() if other != name}


def renamed(old, new):
    return without(prepared(), old) | {new: prepared()[old]}


def unpacked_ai_studio():
    """What the tutorial's commands leave: the inner archive beside the folder unpacked from it."""
    training = {f"PALM-Training400/{name}": photograph(name) for name in palm_archives.TRAINING}
    files = {f"palm/PALM-Training400/{name}": content for name, content in training.items()}
    files["palm/PALM-Training400/PALM-Training400.zip"] = zipped(training)
    files |= {f"palm/PALM-Validation400/{name}": photograph(name) for name in palm_archives.VALIDATION}
    return files | {"palm/PALM-Validation-GT/PM_Label_and_Fovea_Location.xlsx": palm_archives.label_table()}


def several_sheets():
    rows = [(name, label, *palm_archives.FOVEA[name]) for name, label in palm_archives.VALIDATION.items()]
    table = [("ImgName", "Label", "Fovea_X", "Fovea_Y"), *rows]
    return palm_archives.workbook({"read me": [("Labels of the validation photographs",)], "GT": table})


def of_release(folder="", **options):
    return {f"{folder}{name}": content for name, content in release_files(**options).items()}


def zipped_release(**options):
    return {"PALM.zip": zipped(release_files(**options))}


P0095, DRAWING = "PALM-Training400/P0095.jpg", "PALM/Training/Annotation/Disc_Fovea_Illustration/P0095.jpg"
DRAWN = photograph("drawing")
OTHER_NAMES = prepared() | {"labels.csv": palm_archives.LABELS_CSV.replace("V0001.jpg", "v0001.JPG").encode()}
OTHER_SPLIT = {"Training/Classification Labels.xlsx": xlsx(("imgName", "Label"), ("H0001.jpg", 0), ("V0001.jpg", 1))}
# The files of a source, which of them --from names, and whether they have the test split.
FORMS = {
    "three archives": (ai_studio_files(), "", False),
    "one of the three": (ai_studio_files(), "valid_gt.zip", False),
    "release": (zipped_release(), "PALM.zip", True),
    "folder of the release": (zipped_release(), "", True),
    "release without test split": (zipped_release(test=False), "", False),
    "unpacked release": (of_release(), "", True),
    "inside the unpacked release": (of_release(), "PALM", True),
    "unpacked into a folder of its name": (of_release("x/PALM/"), "", True),
    "unpacked by the tutorial": (unpacked_ai_studio(), "", False),
    "prepared": (prepared(test=True), "", True),
    "test photographs without labels": (ai_studio_files() | {"PALM-Testing400-Images/T0001.jpg": DRAWN}, "", False),
    "suffix in upper case": (renamed("PALM-Validation400/V0001.jpg", "PALM-Validation400/V0001.JPG"), "", False),
    "name in lower case": (renamed("PALM-Validation400/V0001.jpg", "PALM-Validation400/v0001.jpg"), "", False),
    "jpeg": (renamed("PALM-Validation400/V0001.jpg", "PALM-Validation400/V0001.jpeg"), "", False),
    "training": (renamed(P0095, "PALM-Training400/p0095.JPG"), "", False),
    "other names in the table": (OTHER_NAMES, "", False),
    "two spellings of a name": (prepared() | {"PALM-Training400/copy/P0095.JPG": photograph("P0095.jpg")}, "", False),
    "one of several sheets": (without(prepared(), "labels.csv") | {"labels.xlsx": several_sheets()}, "", False),
    "drawings": (release_files() | {DRAWING: DRAWN}, "", True),
    "a table of another split": (prepared(test=True) | OTHER_SPLIT, "", True),
}


@pytest.mark.parametrize(("files", "path", "test"), FORMS.values(), ids=FORMS)
def test_every_form_prepares_to_the_same_layout(data, source, files, path, test):
    write(source, files)
    found, is_new = prepare_palm(source / path, data, expected=EXPECTED)
    assert is_new and found.root == data / "palm"
    assert tree(data) == {f"palm/{name}": content for name, content in prepared(test).items()}
    assert tree(source) == files


def test_a_complete_data_set_is_left_alone_unless_forced(data, source):
    prepare_palm(palm_archives.ai_studio(source), data, expected=EXPECTED)
    marked = data / "palm" / P0095
    marked.write_bytes(photograph("other"))
    assert prepare_palm(None, data, expected=EXPECTED)[1] is False
    assert marked.read_bytes() == photograph("other")
    assert prepare_palm(source, data, expected=EXPECTED, force=True)[1] is True
    assert tree(data / "palm") == prepared()


def test_a_data_set_whose_table_writes_the_names_otherwise_is_complete(data):
    write(data / "palm", OTHER_NAMES)
    assert prepare_palm(None, data, expected=EXPECTED)[1] is False


@pytest.mark.parametrize("missing", ["labels.csv", "PALM-Training400/P0096.jpg", "PALM-Validation400/V0003.jpg"])
def test_an_incomplete_data_set_is_replaced(data, source, missing):
    write(data / "palm", without(prepared(), missing))
    assert prepare_palm(palm_archives.ai_studio(source), data, expected=EXPECTED)[1] is True
    assert tree(data / "palm") == prepared()


@pytest.mark.parametrize(("folder", "has_links"), [("palm", True), ("palm/archives", True), ("palm/archives", False)])
def test_archives_that_lie_in_the_palm_folder_itself_are_kept(data, monkeypatch, folder, has_links):
    def refuse(*args, **kwargs):
        raise OSError(errno.EPERM, "Operation not permitted")

    palm_archives.ai_studio(data / folder)
    archives_there = tree(data / "palm")
    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    prepare_palm(data / "palm", data, expected=EXPECTED)
    assert tree(data / "palm") == prepared() | archives_there


def test_what_a_killed_process_left_behind_is_cleared_away(data, source):
    write(data / ".palm.abc.part", {"PALM-Training400/P0001.jpg": b""})
    prepare_palm(palm_archives.ai_studio(source), data, expected=EXPECTED)
    assert sorted(path.name for path in data.iterdir()) == ["palm", "palm.lock"]


WITHOUT_V3 = ["V0001.jpg", "V0002.jpg"]
REFUSED = {
    "no validation archive": (without(ai_studio_files(), "validation.zip"), "no validation photographs"),
    "no training archive": (without(ai_studio_files(), "training.zip"), "no training photographs"),
    "no labels": (without(ai_studio_files(), "valid_gt.zip"), "no label table of the validation photographs"),
    "training short": (ai_studio_files(palm_archives.TRAINING[:-1]), "1 of 2.*P"),
    "validation short": (
        ai_studio_files(validation=WITHOUT_V3),
        r"2 of 3 validation photographs\n.*labels, but no validation photographs, for V0003.jpg",
    ),
    "unlabelled": (ai_studio_files(validation=[*WITHOUT_V3, "V0004.jpg"]), "no label for the validation .* V0004"),
    "unknown kind": (ai_studio_files([*palm_archives.TRAINING, "A0001.jpg"]), "start with H, N or P, but .* A0001"),
    "two of one name": (ai_studio_files() | {f"old/{P0095}": photograph("another")}, r"two different P0095\.jpg"),
    "two spellings of one name": (
        prepared() | {"PALM-Training400/copy/P0095.JPG": photograph("another")},
        r"two different P0095\.\w+: .*P0095.* and .*Remove the wrong one",
    ),
    "two labels": (
        ai_studio_files() | {"labels.csv": b"imgName,Label\nV0002.jpg,0\n"},
        r"V0002\.jpg has label 1 here and 0 in another table",
    ),
    "empty photograph": (prepared() | {P0095: b""}, r"P0095\.jpg is not a JPEG file \(0 bytes\)"),
    "PNG": (prepared() | {P0095: b"\x89PNG\r\n\x1a\n"}, r"P0095\.jpg is not a JPEG file \(8 bytes\)\. Get it again"),
    "damaged table": (prepared() | {"PALM-Validation-GT/labels.xlsx": b"PK\x03\x04"}, r"labels\.xlsx is damaged"),
}


@pytest.mark.parametrize(("files", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_missing_or_wrong_is_said_and_nothing_changed(data, source, files, said):
    write(data / "palm", {"notes.txt": b"mine"})
    with pytest.raises(DataError, match=f"(?s){said}"):
        prepare_palm(write(source, files), data, expected=EXPECTED)
    assert tree(data) == {"palm/notes.txt": b"mine"}


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (Expected({"P": 3, "H": 1, "N": 1}, (3, 2), (2, 1)), "2 of 3 training photographs P"),
        (Expected({"P": 2, "H": 1, "N": 1}, (3, 1), (2, 1)), "2 validation photographs are labelled 1, not 1$"),
        (Expected({"P": 2, "H": 1, "N": 1}, (3, 2), (3, 1)), "2 of 3 test photographs"),
        (Expected({"P": 2, "H": 1, "N": 1}, (3, 2), (2, 2)), r"1 test photographs are labelled 1, not 2"),
    ],
)
def test_the_counts_are_insisted_on(data, source, expected, said):
    with pytest.raises(DataError, match=f"(?m){said}"):
        prepare_palm(write(source, zipped_release()), data, expected=expected)
    assert tree(data) == {}


def test_the_real_counts_are_the_default(data, source):
    with pytest.raises(DataError) as caught:
        prepare_palm(palm_archives.ai_studio(source), data)
    counts = ("2 of 213", "1 of 26", "1 of 161", "3 of 400 validation", "photographs are labelled 1, not 211")
    assert all(said in str(caught.value) for said in (*counts, "--allow-incomplete"))


def test_fewer_photographs_are_accepted_on_request_but_not_unlabelled_ones(data, source):
    palm_archives.ai_studio(source, ["P0001.jpg"], ["V0002.jpg"])
    found, _ = prepare_palm(source, data, expected=None)
    assert found.counts() == {"training": 1, "validation": 1}
    assert Path(found.CSVFILE).read_text().splitlines()[1:] == ["1,V0002.jpg,1,1285.80,1080.00"]
    palm_archives.ai_studio(source, ["P0001.jpg"], ["V0009.jpg"])
    with pytest.raises(DataError, match="no label for the validation photographs V0009"):
        prepare_palm(source, data, expected=None, force=True)


@pytest.mark.parametrize("path", ["nowhere", "empty", "empty/notes.txt", "other"])
def test_a_source_that_holds_nothing_of_it(data, source, path):
    write(source, {"empty/notes.txt": b"", "other/train/cat.jpg": photograph("cat"), "other/P0001.jpg": b""})
    with pytest.raises(DataError):
        prepare_palm(source / path, data, expected=None)
    assert tree(data) == {}


def real_jpeg(**options):
    """A photograph with a thumbnail in it, which has an end of its own."""
    image, thumbnail = Image.new("RGB", (64, 48), "red"), io.BytesIO()
    image.resize((16, 12)).save(thumbnail, "JPEG")
    content = io.BytesIO()
    image.save(content, "JPEG", exif=b"Exif\0\0" + thumbnail.getvalue(), **options)
    return content.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
def test_a_truncated_photograph_is_not_put_in_place(data, source, options):
    whole = real_jpeg(**options)
    for cut in (1, 2, 30, len(whole) // 3):
        write(source, prepared() | {P0095: whole[:-cut]})
        with pytest.raises(DataError, match=r"P0095\.jpg is truncated \(\d+ bytes\)\. Get it again"):
            prepare_palm(source, data, expected=EXPECTED)
    assert tree(data) == {}
    write(source, prepared() | {P0095: whole + b"what a camera wrote behind it"})
    prepare_palm(source, data, expected=EXPECTED)


def link(path, target):
    try:
        path.symlink_to(target, target_is_directory=Path(target).is_dir())
    except OSError:
        pytest.skip("this system does not let us make symbolic links")


@pytest.mark.parametrize("target", ["gone.jpg", "P0095.jpg"], ids=["broken", "looping"])
def test_a_link_that_leads_nowhere_is_named(data, source, target):
    link(write(source, without(prepared(), P0095)) / P0095, target)
    with pytest.raises(DataError, match=r"P0095\.jpg cannot be read .*Get it again"):
        prepare_palm(source, data, expected=EXPECTED)
    assert tree(data) == {}


def test_the_sample_is_never_taken_for_the_real_data(data, source, monkeypatch):
    is_sample = lambda folder: Path(folder, "README.txt").is_file()  # noqa: E731
    monkeypatch.setattr(palm_utils.sample, "is_sample", is_sample)
    sample = {f"sample/tiny/palm/{name}": content for name, content in prepared().items()}
    write(source, sample | {"sample/tiny/README.txt": b""})
    for path in (source / "sample" / "tiny", source / "sample" / "tiny" / "palm"):
        with pytest.raises(DataError, match="is the generated sample"):
            prepare_palm(path, data, expected=EXPECTED)
    with pytest.raises(DataNotFound, match="holds nothing"):
        prepare_palm(source, data, expected=EXPECTED)


def test_links_that_run_in_circles_end(data, source):
    link(write(source, prepared()) / "PALM-Training400" / "again", source)
    prepare_palm(source, data, expected=EXPECTED)
    assert tree(data / "palm") == prepared()


@pytest.mark.parametrize(
    ("where", "error", "said"),
    [
        ("locked", PermissionError(errno.EACCES, "Permission denied"), "not prepared: .*Permission .*set PALM_DATA"),
        ("write_labels", OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
    ],
)
def test_a_data_folder_that_cannot_be_written_to_is_named(data, source, monkeypatch, where, error, said):
    palm_archives.ai_studio(source)
    with monkeypatch.context() as broken, pytest.raises(DataError, match=said):
        broken.setattr(prepare, where, Mock(side_effect=error))
        prepare_palm(source, data, expected=EXPECTED)
    assert tree(data) == {}
    prepare_palm(source, data, expected=EXPECTED)
    assert tree(data / "palm") == prepared()


@pytest.mark.skipif(not os.environ.get("COURSE_DATASETS"), reason="COURSE_DATASETS names no folder of real data sets")
@pytest.mark.parametrize("kind", ["aistudio", "figshare"])
def test_the_real_archives(data, tmp_path, monkeypatch, kind):
    real = Path(os.environ["COURSE_DATASETS"]).absolute()
    monkeypatch.setattr("sys.argv", ["make_palm_archives.py", str(tmp_path / "archives")])
    runpy.run_path(str(real / "make_palm_archives.py"), run_name="__main__")
    found, _ = prepare_palm(tmp_path / "archives" / kind, data)
    assert found.counts() == {"training": 400, "validation": 400}
    assert tree(data / "palm") == tree(real / "palm")
