"""Preparing iChallenge-PM from every form in which people have it."""

import errno
import io
import os
import runpy
import shutil
from pathlib import Path

import palm_archives
import pytest
from palm_archives import photograph, prepared, tree, write, xlsx, zipped
from PIL import Image  # comes with matplotlib

import palm_utils.sample
from palm_course.getting import prepare
from palm_course.getting.prepare import Expected, prepare_palm
from palm_utils.messages import DataError, DataNotFound

EXPECTED = Expected({"P": 2, "H": 1, "N": 1}, validation=3, validation_positive=2, test=2, test_positive=1)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def source(tmp_path):
    return tmp_path / "source"


def unpacked_ai_studio(folder):
    """What the tutorial's commands leave: the inner archive beside the folder unpacked from it."""
    files = {f"palm/PALM-Training400/PALM-Training400/{name}": photograph(name) for name in palm_archives.TRAINING}
    files["palm/PALM-Training400/PALM-Training400.zip"] = zipped(
        {f"PALM-Training400/{name}": photograph(name) for name in palm_archives.TRAINING}
    )
    files |= {f"palm/PALM-Validation400/{name}": photograph(name) for name in palm_archives.VALIDATION}
    files["palm/PALM-Validation-GT/PM_Label_and_Fovea_Location.xlsx"] = palm_archives.label_table()
    return write(folder, files)


def release_archive(folder, **kwargs):
    return write(folder, {"PALM.zip": zipped(palm_archives.release_files(**kwargs))})


FORMS = {
    "three archives": (palm_archives.ai_studio, "", False),
    "one of the three": (palm_archives.ai_studio, "valid_gt.zip", False),
    "release": (release_archive, "PALM.zip", True),
    "folder of the release": (release_archive, "", True),
    "release without test split": (lambda folder: release_archive(folder, test=False), "", False),
    "unpacked release": (lambda folder: write(folder, palm_archives.release_files()), "", True),
    "inside the unpacked release": (
        lambda folder: write(folder, palm_archives.release_files()),
        "PALM",
        True,
    ),
    "unpacked into a folder of its name": (
        lambda folder: write(folder / "x" / "PALM", palm_archives.release_files()),
        "",
        True,
    ),
    "unpacked by the tutorial": (unpacked_ai_studio, "", False),
    "prepared": (lambda folder: write(folder, prepared(test=True)), "", True),
}


@pytest.mark.parametrize(("make", "path", "test"), FORMS.values(), ids=FORMS)
def test_every_form_prepares_to_the_same_layout(data, source, make, path, test):
    make(source)
    before = tree(source)
    found, is_new = prepare_palm(source / path, data, expected=EXPECTED)
    assert is_new
    assert found.root == data / "palm"
    assert tree(data) == {f"palm/{name}": content for name, content in prepared(test).items()}
    assert tree(source) == before


def test_the_folder_of_ai_studio_is_found_by_itself(data, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "AI_STUDIO_FOLDER", tmp_path / "data19065")
    with pytest.raises(DataNotFound, match=r"data19065.*--from PATH.*--download"):
        prepare_palm(None, data, expected=EXPECTED)
    palm_archives.ai_studio(tmp_path / "data19065")
    prepare_palm(None, data, expected=EXPECTED)
    assert tree(data / "palm") == prepared()


def test_a_complete_data_set_is_left_alone_unless_forced(data, source):
    prepare_palm(palm_archives.ai_studio(source), data, expected=EXPECTED)
    marked = data / "palm" / "PALM-Training400" / "P0095.jpg"
    marked.write_bytes(photograph("other"))
    assert prepare_palm(None, data, expected=EXPECTED)[1] is False
    assert marked.read_bytes() == photograph("other")
    assert prepare_palm(source, data, expected=EXPECTED, force=True)[1] is True
    assert tree(data / "palm") == prepared()


@pytest.mark.parametrize("missing", ["labels.csv", "PALM-Training400/P0096.jpg", "PALM-Validation400/V0003.jpg"])
def test_an_incomplete_data_set_is_replaced(data, source, missing):
    prepare_palm(palm_archives.ai_studio(source), data, expected=EXPECTED)
    (data / "palm" / missing).unlink()
    assert prepare_palm(source, data, expected=EXPECTED)[1] is True
    assert tree(data / "palm") == prepared()


def test_archives_that_lie_in_the_palm_folder_itself_are_kept(data):
    palm_archives.ai_studio(data / "palm")
    archives_there = tree(data / "palm")
    prepare_palm(data / "palm", data, expected=EXPECTED)
    assert tree(data / "palm") == prepared() | archives_there


def test_what_a_killed_process_left_behind_is_cleared_away(data, source):
    write(data / ".palm.abc.part", {"PALM-Training400/P0001.jpg": b""})
    prepare_palm(palm_archives.ai_studio(source), data, expected=EXPECTED)
    assert sorted(path.name for path in data.iterdir()) == ["palm", "palm.lock"]


INCOMPLETE = {
    "no validation archive": (lambda s: (s / "validation.zip").unlink(), "no validation photographs"),
    "no training archive": (lambda s: (s / "training.zip").unlink(), "no training photographs"),
    "no labels": (lambda s: (s / "valid_gt.zip").unlink(), "no label table of the validation photographs"),
    "training short": (
        lambda s: palm_archives.ai_studio(s, ["H0001.jpg", "N0012.jpg", "P0095.jpg"]),
        "1 of 2.*P",
    ),
    "validation short": (
        lambda s: palm_archives.ai_studio(s, validation=["V0001.jpg", "V0002.jpg"]),
        r"2 of 3 validation photographs\n.*labels, but no validation photographs, for V0003.jpg",
    ),
    "unlabelled": (
        lambda s: palm_archives.ai_studio(s, validation=["V0001.jpg", "V0002.jpg", "V0004.jpg"]),
        "no label for the validation photographs V0004.jpg",
    ),
    "unknown kind": (
        lambda s: palm_archives.ai_studio(s, [*palm_archives.TRAINING, "A0001.jpg"]),
        "start with H, N or P, but there is A0001.jpg",
    ),
}


@pytest.mark.parametrize(("spoil", "said"), INCOMPLETE.values(), ids=INCOMPLETE)
def test_what_is_missing_is_said_and_nothing_changed(data, source, spoil, said):
    palm_archives.ai_studio(source)
    spoil(source)
    write(data / "palm", {"notes.txt": b"mine"})
    with pytest.raises(DataError, match=f"(?s){said}"):
        prepare_palm(source, data, expected=EXPECTED)
    assert tree(data) == {"palm/notes.txt": b"mine"}


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (Expected({"P": 3, "H": 1, "N": 1}, 3, 2, 2, 1), "2 of 3 training photographs P"),
        (Expected({"P": 2, "H": 1, "N": 1}, 3, 1, 2, 1), "2 validation photographs are labelled 1, not 1$"),
        (Expected({"P": 2, "H": 1, "N": 1}, 3, 2, 3, 1), "2 of 3 test photographs"),
        (Expected({"P": 2, "H": 1, "N": 1}, 3, 2, 2, 2), r"1 test photographs are labelled 1, not 2"),
    ],
)
def test_the_counts_are_insisted_on(data, source, expected, said):
    with pytest.raises(DataError, match=f"(?m){said}"):
        prepare_palm(release_archive(source), data, expected=expected)
    assert tree(data) == {}


def test_the_real_counts_are_the_default(data, source):
    with pytest.raises(DataError) as caught:
        prepare_palm(palm_archives.ai_studio(source), data)
    for said in (
        "2 of 213",
        "1 of 26",
        "1 of 161",
        "3 of 400 validation",
        "2 validation photographs are labelled 1, not 211",
    ):
        assert said in str(caught.value)
    assert "--allow-incomplete" in str(caught.value)


def test_fewer_photographs_are_accepted_on_request_but_not_unlabelled_ones(data, source):
    palm_archives.ai_studio(source, ["P0001.jpg"], ["V0002.jpg"])
    found, _ = prepare_palm(source, data, expected=None)
    assert found.counts() == {"training": 1, "validation": 1}
    assert Path(found.CSVFILE).read_text().splitlines()[1:] == ["1,V0002.jpg,1,1285.80,1080.00"]
    palm_archives.ai_studio(source, ["P0001.jpg"], ["V0009.jpg"])
    with pytest.raises(DataError, match="no label for the validation photographs V0009"):
        prepare_palm(source, data, expected=None, force=True)


def test_test_photographs_without_labels_are_left_out(data, source):
    palm_archives.ai_studio(source)
    write(source, {"PALM-Testing400-Images/T0001.jpg": photograph("T0001.jpg")})
    prepare_palm(source, data, expected=EXPECTED)
    assert tree(data / "palm") == prepared()


@pytest.mark.parametrize("path", ["nowhere", "empty", "empty/notes.txt", "other"])
def test_a_source_that_holds_nothing_of_it(data, source, path):
    write(source, {"empty/notes.txt": b"", "other/train/cat.jpg": photograph("cat"), "other/P0001.jpg": b""})
    with pytest.raises(DataError):
        prepare_palm(source / path, data, expected=None)
    assert tree(data) == {}


def test_contradictions_are_refused(data, source):
    palm_archives.ai_studio(source)
    write(source, {"old/PALM-Training400/P0095.jpg": photograph("another")})
    with pytest.raises(DataError, match=r"two different P0095\.jpg"):
        prepare_palm(source, data, expected=EXPECTED)
    shutil.rmtree(source / "old")
    write(source, {"labels.csv": b"imgName,Label\nV0002.jpg,0\n"})
    with pytest.raises(DataError, match=r"V0002\.jpg has label 1 here and 0 in another table"):
        prepare_palm(source, data, expected=EXPECTED)


def test_a_file_that_is_no_jpeg_and_a_damaged_table_are_named(data, source):
    write(source, prepared() | {"PALM-Training400/P0095.jpg": b""})
    with pytest.raises(DataError, match=r"P0095\.jpg is not a JPEG file \(0 bytes\)"):
        prepare_palm(source, data, expected=EXPECTED)
    write(source, prepared() | {"PALM-Validation-GT/labels.xlsx": b"PK\x03\x04"})
    with pytest.raises(DataError, match=r"labels\.xlsx is damaged"):
        prepare_palm(source, data, expected=EXPECTED)


OTHERWISE = {
    "suffix in upper case": {"PALM-Validation400/V0001.jpg": "PALM-Validation400/V0001.JPG"},
    "name in lower case": {"PALM-Validation400/V0001.jpg": "PALM-Validation400/v0001.jpg"},
    "jpeg": {"PALM-Validation400/V0001.jpg": "PALM-Validation400/V0001.jpeg"},
    "training": {"PALM-Training400/P0095.jpg": "PALM-Training400/p0095.JPG"},
}


@pytest.mark.parametrize("renamed", OTHERWISE.values(), ids=OTHERWISE)
def test_photographs_get_the_names_that_were_published(data, source, renamed):
    files = prepared()
    write(source, {renamed.get(name, name): content for name, content in files.items()})
    prepare_palm(source, data, expected=EXPECTED)
    assert tree(data / "palm") == files


def test_a_table_that_writes_the_names_otherwise(data, source):
    files = prepared()
    files["labels.csv"] = palm_archives.LABELS_CSV.replace("V0001.jpg", "v0001.JPG").encode()
    write(source, files)
    prepare_palm(source, data, expected=EXPECTED)
    assert tree(data / "palm") == prepared()
    shutil.copytree(source, data / "palm", dirs_exist_ok=True)
    assert prepare_palm(source, data, expected=EXPECTED)[1] is False  # such a folder is complete


def test_one_photograph_under_two_spellings_of_its_name(data, source):
    write(source, prepared() | {"PALM-Training400/copy/P0095.JPG": photograph("P0095.jpg")})
    prepare_palm(source, data, expected=EXPECTED)
    assert tree(data / "palm") == prepared()
    write(source, {"PALM-Training400/copy/P0095.JPG": photograph("another")})
    with pytest.raises(DataError, match=r"two different P0095\.\w+: .*P0095.* and .*Remove the wrong one"):
        prepare_palm(source, data, expected=EXPECTED, force=True)


def test_the_table_may_be_one_of_several_sheets(data, source):
    files = prepared()
    del files["labels.csv"]
    rows = [(name, label, *palm_archives.FOVEA[name]) for name, label in palm_archives.VALIDATION.items()]
    table = [("ImgName", "Label", "Fovea_X", "Fovea_Y"), *rows]
    files["labels.xlsx"] = palm_archives.workbook({"read me": [("Labels of the validation photographs",)], "GT": table})
    write(source, files)
    prepare_palm(source, data, expected=EXPECTED)
    assert tree(data / "palm") == prepared()


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
        write(source, prepared() | {"PALM-Training400/P0095.jpg": whole[:-cut]})
        with pytest.raises(DataError, match=r"P0095\.jpg is truncated \(\d+ bytes\)\. Get it again"):
            prepare_palm(source, data, expected=EXPECTED)
    assert tree(data) == {}
    write(source, prepared() | {"PALM-Training400/P0095.jpg": whole + b"what a camera wrote behind it"})
    prepare_palm(source, data, expected=EXPECTED)


def test_png_under_a_jpeg_s_name(data, source):
    write(source, prepared() | {"PALM-Training400/P0095.jpg": b"\x89PNG\r\n\x1a\n"})
    with pytest.raises(DataError, match=r"P0095\.jpg is not a JPEG file \(8 bytes\)\. Get it again"):
        prepare_palm(source, data, expected=EXPECTED)


@pytest.mark.parametrize("target", ["gone.jpg", "P0095.jpg"], ids=["broken", "looping"])
def test_a_link_that_leads_nowhere_is_named(data, source, target):
    write(source, prepared())
    link = source / "PALM-Training400" / "P0095.jpg"
    link.unlink()
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("this system does not let us make symbolic links")
    with pytest.raises(DataError, match=r"P0095\.jpg cannot be read .*Get it again"):
        prepare_palm(source, data, expected=EXPECTED)
    assert tree(data) == {}


def test_a_data_folder_that_cannot_be_written_to_is_named(data, source, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(data))

    palm_archives.ai_studio(source)
    monkeypatch.setattr(prepare, "locked", refuse)
    with pytest.raises(DataError, match=r"palm was not prepared: .*Permission denied.*set PALM_DATA"):
        prepare_palm(source, data, expected=EXPECTED)


def test_drawings_under_a_photographs_name_are_not_photographs(data, source):
    drawing = {"PALM/Training/Annotation/Disc_Fovea_Illustration/P0095.jpg": photograph("drawing")}
    write(source, palm_archives.release_files() | drawing)
    prepare_palm(source, data, expected=EXPECTED)
    assert tree(data / "palm") == prepared(test=True)


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
    write(source, prepared())
    try:
        (source / "PALM-Training400" / "again").symlink_to(source, target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let us make symbolic links")
    prepare_palm(source, data, expected=EXPECTED)
    assert tree(data / "palm") == prepared()


def test_a_full_disk_leaves_nothing(data, source, monkeypatch):
    palm_archives.ai_studio(source)

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(prepare, "write_labels", full)
    with pytest.raises(DataError, match="disk is full"):
        prepare_palm(source, data, expected=EXPECTED)
    assert tree(data) == {}
    monkeypatch.undo()
    prepare_palm(source, data, expected=EXPECTED)
    assert tree(data / "palm") == prepared()


def test_where_there_are_no_hard_links_files_are_copied(data, monkeypatch):
    palm_archives.ai_studio(data / "palm" / "archives")

    def refuse(*args, **kwargs):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    prepare_palm(data / "palm", data, expected=EXPECTED)
    assert sorted(path.name for path in (data / "palm" / "archives").iterdir()) == sorted(prepare.AI_STUDIO_ARCHIVES)


def test_a_table_of_another_split_is_not_the_validation_table(data, source):
    files = prepared(test=True)
    files["Training/Classification Labels.xlsx"] = xlsx(("imgName", "Label"), ("H0001.jpg", 0), ("V0001.jpg", 1))
    write(source, files)
    prepare_palm(source, data, expected=EXPECTED)
    assert tree(data / "palm") == prepared(test=True)


@pytest.mark.skipif("COURSE_DATASETS" not in os.environ, reason="COURSE_DATASETS names no folder of real data sets")
@pytest.mark.parametrize("kind", ["aistudio", "figshare"])
def test_the_real_archives(data, tmp_path, monkeypatch, kind):
    real = Path(os.environ["COURSE_DATASETS"]).absolute()
    monkeypatch.setattr("sys.argv", ["make_palm_archives.py", str(tmp_path / "archives")])
    runpy.run_path(str(real / "make_palm_archives.py"), run_name="__main__")
    found, _ = prepare_palm(tmp_path / "archives" / kind, data)
    assert found.counts() == {"training": 400, "validation": 400}
    assert tree(data / "palm") == tree(real / "palm")
