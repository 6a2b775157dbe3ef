"""Training where nothing can be saved, or nothing more: one error, and nothing that was saved before is lost."""

import errno
import os
import shutil
from collections import namedtuple

import paddle
import pytest
from networks import Tiny, assert_same, momentum, weights

from palm_utils import checkpoints, files
from palm_utils.checkpoints import Checkpoint, NotSaved
from palm_utils.highlevel import Batches, Logbook
from palm_utils.history import History
from palm_utils.messages import CourseError
from palm_utils.seeds import seed_everything


def fresh():
    seed_everything(4)
    model = Tiny()
    return model, momentum(model)


def filling_up(monkeypatch, owner, name, call):
    """Let the call of a function with this number (from 1) write a part of what it should, and find the disk full."""
    function, calls = getattr(owner, name), []

    def limited(*args, **options):
        calls.append(args)
        if len(calls) != call:
            return function(*args, **options)
        if len(args) > 1:
            with open(args[1], "wb") as file:
                file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(owner, name, limited)


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [(paddle, "save", 3), (paddle, "save", 4), (shutil, "copyfile", 2), (files, "flush", 2)],
    ids=["parameters", "optimizer", "best", "state"],
)
def test_a_disk_that_fills_up_while_an_epoch_is_saved(train, tmp_path, monkeypatch, owner, name, call):
    model, optimizer = fresh()
    whole = train(model, optimizer, epochs=3, name="whole")
    # Each epoch is the best so far, so that a copy is made.
    monkeypatch.setattr(History, "best", property(lambda history: history.last))
    with monkeypatch.context() as full:
        filling_up(full, owner, name, call)
        stopped, optimizer = fresh()
        with pytest.raises(NotSaved, match=r"cannot be saved in .*No space left on device.*Make room") as caught:
            train(stopped, optimizer, epochs=3)
    history = caught.value.history
    assert history["train_loss"] == whole["train_loss"][:2]
    assert "What was saved before is still there, and resume=True goes on" in str(caught.value)
    assert "paddle.save(model.state_dict(), FILE)" in str(caught.value) and str(tmp_path) in str(caught.value)
    left = {path.name for path in tmp_path.glob("palm.*")}
    assert left == {"palm.pdparams", "palm.pdopt", "palm.json", "palm.best.pdparams"}  # the room is given back
    # The epoch that could not be saved is in the model, and the one before on the disk.
    assert len(History.load(tmp_path / "palm.json")) == 1
    other, optimizer = fresh()
    again = train(other, optimizer, epochs=3, resume=True)
    assert again["train_loss"] == whole["train_loss"]
    assert_same(weights(other), weights(model))


def test_renaming_that_fails_is_made_up_for(train, tmp_path, monkeypatch):
    """As on Windows, where a file that another program reads cannot be replaced."""
    model, optimizer = fresh()

    def refuse(self, target):
        raise PermissionError(errno.EACCES, "in use")

    with monkeypatch.context() as busy, pytest.raises(NotSaved, match="in use"):
        replace = checkpoints.Path.replace
        busy.setattr(checkpoints.Path, "replace", lambda s, t: (refuse if t.name == "palm.pdopt" else replace)(s, t))
        train(model, optimizer, epochs=2)
    other, optimizer = fresh()
    assert len(train(other, optimizer, epochs=1, resume=True)) == 1
    assert_same(weights(other), weights(model))


def test_a_folder_in_which_nothing_can_be_written_is_told_before_training(train, tmp_path):
    (tmp_path / "a file").write_text("")
    model = Tiny()
    before = weights(model)
    with pytest.raises(CourseError, match=r"cannot be saved in .*a file.*Make that folder writable, or name another"):
        train(model, momentum(model), epochs=1, folder=tmp_path / "a file" / "checkpoints")
    assert_same(before, weights(model))


def test_a_disk_without_room_for_the_parameters_is_told_before_training(train, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(1000, 600, 400))
    model = Tiny()
    with pytest.raises(CourseError, match=r"cannot be saved in .*disk has .* MB free.*Make room"):
        train(model, momentum(model), epochs=1)
    assert not list(tmp_path.glob("palm.*"))
    wrapped = paddle.Model(Tiny())
    wrapped.prepare(momentum(wrapped.network), paddle.nn.CrossEntropyLoss(), paddle.metric.Accuracy())
    pictures = Batches(*(paddle.zeros([4, 3, 32, 32]).numpy().astype("uint8"), paddle.zeros([4]).numpy()), 2)
    with pytest.raises(CourseError, match=r"cannot be saved in .*disk has"):
        Logbook(save_dir=tmp_path / "book").start(wrapped, pictures, epochs=1)


def test_a_folder_without_locks(train, monkeypatch, capsys):
    def refuse(self, *args, **options):
        raise NotImplementedError("no locks here")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    model = Tiny()
    assert len(train(model, momentum(model), epochs=1)) == 1
    assert "cannot be locked: let no other training write there" in capsys.readouterr().out


def test_checkpoints_can_be_interrupted_between_renames(tmp_path, monkeypatch):
    """What is whole takes the old one's place, the best epoch's copy with it."""
    model, optimizer = fresh()
    checkpoint = Checkpoint(tmp_path, "palm")
    replace = checkpoints.Path.replace

    def refuse(source, target):
        if target.name == "palm.best.pdparams":
            raise KeyboardInterrupt
        return replace(source, target)

    with monkeypatch.context() as stopped, pytest.raises(KeyboardInterrupt):
        stopped.setattr(checkpoints.Path, "replace", refuse)
        checkpoint.save(model, optimizer, {"value": 1}, best=True)
    checkpoint.recover()
    names = {"palm.pdparams", "palm.pdopt", "palm.json", "palm.best.pdparams"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert_same(paddle.load(str(checkpoint.best)), paddle.load(str(checkpoint.params)))
