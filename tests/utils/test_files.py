import os
import stat
import threading
from pathlib import Path

import pytest

from palm_utils import files
from palm_utils.files import can_be_written, expanded, locked, replacing, replacing_folder, user_cache_folder


def test_the_old_content_stays_until_the_new_is_whole(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with replacing(target) as path:
        path.write_text("new")
        assert target.read_text() == "old"
        assert path.parent == target.parent
    assert target.read_text() == "new"
    assert [f.name for f in tmp_path.iterdir()] == ["a.txt"]


def test_an_error_leaves_the_old_content_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), replacing(target) as path:
        path.write_text("half of the n")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [f.name for f in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Unix permissions")
def test_a_replaced_file_can_be_read_by_others_as_any_new_file(tmp_path):
    plain = tmp_path / "plain.txt"
    plain.write_text("x")
    with replacing(tmp_path / "replaced.txt") as path:
        path.write_text("x")
    assert stat.S_IMODE((tmp_path / "replaced.txt").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_what_a_link_points_to_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with replacing(tmp_path / "link.txt") as path:
        path.write_text("new")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "new"


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "data"
    with replacing_folder(target) as fresh:
        (fresh / "one").write_text("1")
        assert not target.exists()
    assert [f.name for f in target.iterdir()] == ["one"]
    with pytest.raises(RuntimeError), replacing_folder(target) as fresh:
        (fresh / "two").write_text("2")
        raise RuntimeError
    assert [f.name for f in target.iterdir()] == ["one"]
    with replacing_folder(target) as fresh:
        (fresh / "three").write_text("3")
    assert [f.name for f in target.iterdir()] == ["three"]
    assert [f.name for f in tmp_path.iterdir()] == ["data"]


def test_one_at_a_time_and_the_other_is_told(tmp_path, capsys):
    inside, leave, order = threading.Event(), threading.Event(), []

    def first():
        with locked(tmp_path / "x", "making x"):
            inside.set()
            leave.wait(10)
            order.append("first")

    def second():
        with locked(tmp_path / "x", "making x"):
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    threads[1].join(1.0)  # it cannot end before the first has left
    assert threads[1].is_alive()
    leave.set()
    for thread in threads:
        thread.join(10)
    assert order == ["first", "second"]
    assert "Waiting for another process that is making x" in capsys.readouterr().out


# --- where what can be made again goes


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder and a temporary one of the test's own."""
    (tmp_path / "home").mkdir()
    (tmp_path / "tmp").mkdir()
    cache = tmp_path / "home" / ".cache" / "palm_utils"
    monkeypatch.setattr(files.platformdirs, "user_cache_path", lambda *args, **options: cache)
    monkeypatch.setattr(files.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    return tmp_path / "home"


def test_the_user_s_cache_folder(home):
    assert user_cache_folder() == home / ".cache" / "palm_utils"
    assert list(home.iterdir()) == []


def refuse_to_write_to(folder, monkeypatch):
    """As os.access says it of a folder that others own; root may write to those as well."""
    access = os.access
    refused = lambda path, mode: mode & os.W_OK and Path(path).is_relative_to(folder)  # noqa: E731
    monkeypatch.setattr(os, "access", lambda path, mode: not refused(path, mode) and access(path, mode))


def test_a_home_that_cannot_be_written_to(home, monkeypatch):
    refuse_to_write_to(home, monkeypatch)
    folder = user_cache_folder()
    assert folder.parent == home.parent / "tmp" and folder.name.startswith("palm_utils-")
    folder.mkdir()
    assert user_cache_folder() == folder
    # What was kept there before, in a home that is read-only today, can still be read.
    (home / ".cache" / "palm_utils").mkdir(parents=True)
    assert user_cache_folder() == home / ".cache" / "palm_utils"


def test_no_home(home, monkeypatch):
    # What platformdirs returns where neither HOME nor the list of users names one.
    monkeypatch.setattr(files.platformdirs, "user_cache_path", lambda *args, **options: Path("~/.cache/palm_utils"))
    assert user_cache_folder().parent == home.parent / "tmp"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners of files")
@pytest.mark.parametrize("kind", ["file", "link", "somebody else's"])
def test_what_others_put_into_the_temporary_folder_is_not_used(home, monkeypatch, kind):
    refuse_to_write_to(home, monkeypatch)
    trap = user_cache_folder()
    if kind == "file":
        trap.write_text("")
    elif kind == "link":
        trap.symlink_to(home, target_is_directory=True)
    else:
        other = os.getuid() + 1
        trap.with_name(f"palm_utils-{other}").mkdir()
        monkeypatch.setattr(os, "getuid", lambda: other)
    assert user_cache_folder() == home / ".cache" / "palm_utils"


@pytest.mark.parametrize("path", ["~nobody_of_this_name/data", "~", "~/data"])
def test_a_home_that_is_not_known_is_left_as_it_is_written(monkeypatch, path):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert expanded(path) == Path(path)


def test_a_folder_can_be_written_where_the_nearest_one_that_is_there_can(tmp_path, monkeypatch):
    assert can_be_written(tmp_path) and can_be_written(tmp_path / "not" / "yet" / "there")
    (tmp_path / "read-only").mkdir()
    refuse_to_write_to(tmp_path / "read-only", monkeypatch)
    assert not can_be_written(tmp_path / "read-only" / "not" / "yet")


def test_a_file_system_without_locks(tmp_path, monkeypatch, capsys):
    def refuse(*args, **options):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(files.filelock.FileLock, "acquire", refuse)
    with locked(tmp_path / "x", "making x"):
        pass
    assert f"{tmp_path} cannot be locked: let no other process be making x meanwhile" in capsys.readouterr().out
