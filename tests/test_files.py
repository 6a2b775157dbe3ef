import os
import stat
import threading

import pytest

from palm_utils.files import locked, replacing, replacing_folder


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
