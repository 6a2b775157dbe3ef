"""Files and folders that are replaced whole or not at all, what killed processes leave, locks, and cache folders."""

import os
import stat
import threading
from pathlib import Path

import pytest

from palm_utils import files
from palm_utils.files import can_be_written, expanded, locked, replacing, user_cache_folder


def test_the_old_content_stays_until_the_new_is_whole(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), replacing(target) as path:
        path.write_text("half of the n")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [f.name for f in tmp_path.iterdir()] == ["a.txt"]
    with replacing(target) as path:
        path.write_text("new")
        assert target.read_text() == "old"
        assert path.parent == target.parent
    assert target.read_text() == "new"
    assert [f.name for f in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Unix permissions")
def test_a_replaced_file_can_be_read_by_others_as_any_new_file(tmp_path):
    (tmp_path / "plain.txt").write_text("x")
    with replacing(tmp_path / "replaced.txt") as path:
        path.write_text("x")
    assert len({stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}) == 1


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_what_a_link_points_to_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with replacing(tmp_path / "link.txt") as path:
        path.write_text("new")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "new"


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "data"
    for name in ("one", "three"):
        with replacing(target, folder=True) as fresh:
            (fresh / name).write_text(name)
            assert name == "three" or not target.exists()
        with pytest.raises(RuntimeError), replacing(target, folder=True) as fresh:
            (fresh / "two").write_text("2")
            raise RuntimeError
        assert [f.relative_to(tmp_path).as_posix() for f in tmp_path.rglob("*")] == ["data", f"data/{name}"]


def test_one_at_a_time_and_the_other_is_told(tmp_path, capsys):
    inside, leave, order = threading.Event(), threading.Event(), []

    def work(name):
        with locked(tmp_path / "x", "making x"):
            inside.set()
            leave.wait(10)
            order.append(name)

    threads = [threading.Thread(target=work, args=[name]) for name in ("first", "second")]
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


# --- what a killed process leaves beside a file or folder that it was replacing

OTHERS = [".data.zip.abc12345.part", ".other.abc12345.part", "data.part"]


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (["data/whole", ".data.abc12345.part/half", ".data.a_c12345.part"], "data/whole"),
        ([".data.abc12345.old/mine", ".data.def12345.part/half"], "data/mine"),  # moved aside, it comes back
        (["data/new", ".data.abc12345.old/mine"], "data/new"),  # it has been replaced
    ],
)
def test_what_was_half_made_is_removed_and_what_was_moved_aside_comes_back(tmp_path, left, kept):
    for name in (*OTHERS, *left):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(Path(name).name)
    with locked(tmp_path / "data", "making data"):
        there = {p.relative_to(tmp_path).as_posix(): p for p in tmp_path.rglob("*") if p.suffix != ".lock"}
    assert sorted(there) == sorted([*OTHERS, "data", kept]) and there[kept].read_text() == Path(kept).name


def test_without_locks_it_says_so_and_removes_nothing(tmp_path, monkeypatch, capsys):
    """Another process may be at it."""

    def refuse(*args, **options):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(files.filelock.FileLock, "acquire", refuse)
    with replacing(tmp_path / "data", folder=True) as fresh, locked(tmp_path / "data", "making data"):
        assert fresh.is_dir()
    assert f"{tmp_path} cannot be locked: let no other process be making data meanwhile" in capsys.readouterr().out


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
    with pytest.raises(error), replacing(tmp_path / "data", folder=True) as fresh:
        (fresh / "new").write_text("y")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["data", "data/mine"]


# --- where what can be made again goes


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The user's cache folder, in a home folder of the test's own; the temporary folder is beside that."""
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    cache = tmp_path / "home" / ".cache" / "palm_utils"
    monkeypatch.setattr(files.platformdirs, "user_cache_path", lambda *args, **options: cache)
    monkeypatch.setattr(files.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    return cache


def refuse_to_write_to(folder, monkeypatch):
    """As os.access says it of a folder that others own; root may write to those as well."""
    access = os.access
    refused = lambda path, mode: mode & os.W_OK and Path(path).is_relative_to(folder)  # noqa: E731
    monkeypatch.setattr(os, "access", lambda path, mode: not refused(path, mode) and access(path, mode))


def test_the_user_s_cache_folder_or_one_in_the_temporary_folder(cache, tmp_path, monkeypatch):
    assert user_cache_folder() == cache
    assert list((tmp_path / "home").iterdir()) == []
    refuse_to_write_to(tmp_path / "home", monkeypatch)
    folder = user_cache_folder()
    assert folder.parent == tmp_path / "tmp" and folder.name.startswith("palm_utils-")
    folder.mkdir()
    assert user_cache_folder() == folder
    # What was kept there before, in a home that is read-only today, can still be read.
    cache.mkdir(parents=True)
    assert user_cache_folder() == cache
    # What platformdirs returns where neither HOME nor the list of users names a home.
    monkeypatch.setattr(files.platformdirs, "user_cache_path", lambda *args, **options: Path("~/.cache/palm_utils"))
    assert user_cache_folder() == folder


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners of files")
@pytest.mark.parametrize("kind", ["file", "link", "somebody else's"])
def test_what_others_put_into_the_temporary_folder_is_not_used(cache, tmp_path, monkeypatch, kind):
    refuse_to_write_to(tmp_path / "home", monkeypatch)
    trap = user_cache_folder()
    if kind == "file":
        trap.write_text("")
    elif kind == "link":
        trap.symlink_to(tmp_path / "home", target_is_directory=True)
    else:
        other = os.getuid() + 1
        trap.with_name(f"palm_utils-{other}").mkdir()
        monkeypatch.setattr(os, "getuid", lambda: other)
    assert user_cache_folder() == cache


@pytest.mark.parametrize("path", ["~nobody_of_this_name/data", "~", "~/data"])
def test_a_home_that_is_not_known_is_left_as_it_is_written(monkeypatch, path):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert expanded(path) == Path(path)


def test_a_folder_can_be_written_where_the_nearest_one_that_is_there_can(tmp_path, monkeypatch):
    assert can_be_written(tmp_path) and can_be_written(tmp_path / "not" / "yet" / "there")
    (tmp_path / "read-only").mkdir()
    refuse_to_write_to(tmp_path / "read-only", monkeypatch)
    assert not can_be_written(tmp_path / "read-only" / "not" / "yet")
