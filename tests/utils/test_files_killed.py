"""What a killed process leaves beside a file or folder that it was replacing."""

import pytest

from palm_utils import files
from palm_utils.files import locked, replacing_folder


def leave(folder, **contents):
    for name, content in contents.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.fixture
def left(tmp_path):
    """A folder in which files of others lie as well; a function that lists it, without the lock."""
    leave(tmp_path, **{".data.zip.abc12345.part": "others", "data.part": "others", ".other.abc12345.part": "others"})
    return lambda: sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.suffix != ".lock")


OTHERS = [".data.zip.abc12345.part", ".other.abc12345.part", "data.part"]


def test_half_made_files_and_folders_are_removed(tmp_path, left):
    leave(tmp_path, **{".data.abc12345.part__half": "x", "data__whole": "y", ".data.a_c12345.part": "z"})
    with locked(tmp_path / "data", "making data"):
        assert left() == [*OTHERS[:2], "data", OTHERS[2], "data/whole"]


def test_a_folder_that_was_moved_aside_comes_back(tmp_path, left):
    leave(tmp_path, **{".data.abc12345.old__mine": "x", ".data.def12345.part__half": "y"})
    with locked(tmp_path / "data", "making data"):
        assert (tmp_path / "data" / "mine").read_text() == "x"
        assert left() == [*OTHERS[:2], "data", OTHERS[2], "data/mine"]


def test_one_that_has_been_replaced_does_not(tmp_path, left):
    leave(tmp_path, **{".data.abc12345.old__mine": "x", "data__new": "y"})
    with locked(tmp_path / "data", "making data"):
        assert left() == [*OTHERS[:2], "data", OTHERS[2], "data/new"]


def test_nothing_is_removed_where_there_are_no_locks(tmp_path, monkeypatch, capsys):
    """Another process may be at it."""

    def refuse(self, *args, **options):
        raise NotImplementedError

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with replacing_folder(tmp_path / "data") as fresh, locked(tmp_path / "data", "making data"):
        assert fresh.is_dir()
    assert "cannot be locked" in capsys.readouterr().out


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path, monkeypatch, error):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine").write_text("x")
    replace = files.Path.replace

    def refuse(source, target):
        if source.name.endswith(".part"):
            raise error
        return replace(source, target)

    monkeypatch.setattr(files.Path, "replace", refuse)
    with pytest.raises(error), replacing_folder(tmp_path / "data") as fresh:
        (fresh / "new").write_text("y")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["data", "data/mine"]
