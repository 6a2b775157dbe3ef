"""Saving and resuming: never less on the disk than before, the same figures after a break, one error for no room."""

import errno
import os
import shutil
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import networks
import numpy as np
import paddle
import pytest
from networks import Tiny, adam_with_schedule, assert_same, figures, fresh, momentum, weights

from palm_utils import checkpoints, files
from palm_utils.checkpoints import Checkpoint, NotSaved
from palm_utils.highlevel import Batches, Logbook
from palm_utils.history import History
from palm_utils.machine import seed_everything
from palm_utils.messages import CourseError, DataError
from palm_utils.readers import data_loader
from palm_utils.training import TrainingDiverged

FILES = {"palm.pdparams", "palm.pdopt", "palm.json", "palm.best.pdparams"}


@pytest.mark.parametrize("make_optimizer", [momentum, adam_with_schedule])
@pytest.mark.parametrize("same_model", [True, False])
def test_a_resumed_run_reaches_the_numbers_of_an_uninterrupted_one(train, tmp_path, make_optimizer, same_model):
    model, optimizer = fresh(make_optimizer)
    whole = train(model, optimizer, epochs=4, name="whole")
    resumed_model, first_optimizer = fresh(make_optimizer)
    train(resumed_model, first_optimizer, epochs=2, name="parts")
    # A second optimizer, and another model, have other generated names in the same process.
    seed_everything(99)
    if not same_model:
        resumed_model = Tiny()
    resumed_optimizer = make_optimizer(resumed_model)
    resumed = train(resumed_model, resumed_optimizer, epochs=4, name="parts", resume=True)

    assert_same(weights(model), weights(resumed_model))
    assert figures(whole) == figures(resumed)
    assert optimizer.get_lr() == resumed_optimizer.get_lr()
    last = [paddle.load(str(tmp_path / f"{name}.pdopt")).values() for name in ("whole", "parts")]
    tensors = [[np.asarray(value) for value in values if not isinstance(value, dict)] for values in last]
    assert len(tensors[0]) > 0
    for a, b in zip(*tensors, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("make_optimizer", [momentum, adam_with_schedule])
def test_a_checkpoint_can_be_loaded_twice_before_the_next_step(train, readers, tmp_path, make_optimizer):
    train(*fresh(make_optimizer), epochs=1)

    def weights_after_a_step(loads):
        model, optimizer = fresh(make_optimizer, seed=5)
        for _ in range(loads):
            Checkpoint(tmp_path, "palm").load(model, optimizer)
        images, _ = next(readers["valid_loader"]())
        model(paddle.to_tensor(images)).square().sum().backward()
        optimizer.step()
        return weights(model)

    assert_same(weights_after_a_step(1), weights_after_a_step(2))


def test_resuming_with_nothing_saved_starts_from_the_beginning(train, capsys):
    assert len(train(*fresh(), epochs=1, resume=True)) == 1
    assert "nothing saved in" in capsys.readouterr().out


def test_the_best_epoch_is_kept_beside_the_last(tmp_path):
    model, history, checkpoint = networks.Constant(0.0), History([]), Checkpoint(tmp_path, "palm")
    still = paddle.optimizer.SGD(0.0, parameters=model.parameters())
    for epoch, accuracy in enumerate((0.4, 0.6, 0.5)):
        model.logit.set_value(paddle.to_tensor([float(epoch)]))
        history.add(epoch, 0.7, 0.6, accuracy, seconds=1.0)
        checkpoint.save(model, still, {"history": history.to_dict()}, best=history.best["epoch"] == epoch)
    assert paddle.load(str(tmp_path / "palm.best.pdparams"))["logit"].item() == 1.0
    assert paddle.load(str(tmp_path / "palm.pdparams"))["logit"].item() == 2.0


# Saves once in full, then is killed at the n-th step of the second save; for each n in a process of its
# own, forked from one that has imported what it takes.
KILLED = """
import os, shutil, signal, sys
import paddle
from palm_utils import checkpoints, files

def save(value):
    model.weight.set_value(paddle.full([3, 1], float(value)))
    model(paddle.ones([1, 3])).backward()
    optimizer.step()
    model.weight.set_value(paddle.full([3, 1], float(value)))
    checkpoint.save(model, optimizer, {"value": value}, best=True)

def counted(function):
    def wrapper(*args, **kwargs):
        global steps
        if steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        steps -= 1
        return function(*args, **kwargs)
    return wrapper

for n in range(20):
    child = os.fork()
    if not child:
        break
    status = os.waitpid(child, 0)[1]
    print(n, os.WTERMSIG(status) if os.WIFSIGNALED(status) else "finished", flush=True)
    if not os.WIFSIGNALED(status):
        sys.exit(os.WEXITSTATUS(status))

steps = n
model = paddle.nn.Linear(3, 1)
optimizer = paddle.optimizer.Momentum(0.1, parameters=model.parameters())
checkpoint = checkpoints.Checkpoint(os.path.join(sys.argv[1], str(n)), "palm")
checkpoint.folder.mkdir()
save(1)
os.replace = counted(os.replace)
os.fsync = counted(os.fsync)
shutil.copyfile = counted(shutil.copyfile)
checkpoints._write = counted(checkpoints._write)
save(2)
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a Unix thing")
def test_a_save_that_is_killed_at_any_step_leaves_a_whole_checkpoint(tmp_path):
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    ends, values = [line.split()[1] for line in run.stdout.splitlines()], []
    assert ends[-1] == "finished" and set(ends[:-1]) == {"9"}
    for steps in range(len(ends)):
        folder = tmp_path / str(steps)
        # What lies there loads at once, as the tutorial would load it …
        lying = paddle.load(str(folder / "palm.pdparams"))["weight"].numpy()
        assert lying.min() == lying.max() in (1.0, 2.0)
        # … and resuming finds parameters, optimizer, best epoch and state of one and the same save.
        model = paddle.nn.Linear(3, 1)
        optimizer = paddle.optimizer.Momentum(0.1, parameters=model.parameters())
        state = Checkpoint(folder, "palm").load(model, optimizer)
        values.append(state["value"])
        assert model.weight.numpy().tolist() == [[state["value"]]] * 3
        assert paddle.load(str(folder / "palm.best.pdparams"))["weight"].numpy().tolist() == [[state["value"]]] * 3
        assert {f.name for f in folder.iterdir()} == FILES
    assert values == sorted(values) and values[0] == 1 and values[-1] == 2
    assert 1 in values and len(values) > 6


def test_an_interrupted_run_keeps_history_and_checkpoint(train, readers, tmp_path, capsys):
    epochs = iter(range(3))

    def stop_in_second_epoch():
        epoch = next(epochs)
        for batch in readers["train_loader"]():
            if epoch == 1:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        train(*fresh(), epochs=3, train_loader=stop_in_second_epoch)
    assert "holds the run after 1 finished epoch(s)" in capsys.readouterr().out
    assert len(History.load(tmp_path / "palm.json")) == 1
    assert len(train(*fresh(), epochs=3, resume=True)) == 3


def test_an_interruption_in_the_first_epoch_does_not_claim_an_earlier_run_s_checkpoint(train, capsys):
    def stop():
        raise KeyboardInterrupt
        yield

    for said in ("Interrupted before the first epoch was finished and saved.", "palm.pdparams is of an earlier run"):
        with pytest.raises(KeyboardInterrupt):
            train(*fresh(), train_loader=stop)
        assert said in capsys.readouterr().out
        train(*fresh(), epochs=2)


def test_gradients_left_over_from_before_do_not_enter_the_training(train):
    model, optimizer = fresh()
    model.eval()  # so that nothing but gradients changes
    model(paddle.ones([2, 3, 224, 224])).sum().backward()
    assert figures(train(model, optimizer, epochs=1, seed=0)) == figures(train(*fresh(), epochs=1, seed=0))


@pytest.mark.parametrize("epoch", [0, 1])
def test_a_network_that_breaks_in_the_last_step_of_an_epoch_is_not_saved(train, tmp_path, epoch):
    model = Tiny()
    optimizer = networks.momentum_that_breaks(model, after=3 * (epoch + 1))
    with pytest.raises(TrainingDiverged, match=f"validation after epoch {epoch}") as caught:
        train(model, optimizer, epochs=2)
    assert len(caught.value.history) == epoch
    assert (tmp_path / "palm.pdparams").exists() == bool(epoch)
    if epoch:
        assert np.isfinite(paddle.load(str(tmp_path / "palm.pdparams"))["fc.weight"].numpy()).all()


def tear(path):
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize(
    ("file", "spoil", "message"),
    [
        ("palm.pdparams", tear, "is not what was saved"),
        ("palm.pdparams", lambda path: paddle.save(Tiny().state_dict(), str(path)), "is not what was saved"),
        ("palm.pdopt", tear, "is not what was saved"),
        ("palm.pdopt", Path.unlink, "is missing"),
        ("palm.json", Path.unlink, r"palm\.pdparams has no palm\.json beside it"),
        ("palm.json", tear, "not the state of a run"),
        ("palm.json", lambda path: path.write_text("{}"), "not the state of a run"),
    ],
    ids=["params torn", "params replaced", "opt torn", "opt missing", "state missing", "state torn", "state empty"],
)
def test_a_damaged_checkpoint_is_not_resumed(train, tmp_path, file, spoil, message):
    train(*fresh(), epochs=1)
    spoil(tmp_path / file)
    model, optimizer = fresh(seed=5)
    before = weights(model)
    with pytest.raises(DataError, match=message) as caught:
        train(model, optimizer, epochs=2, resume=True)
    assert file in str(caught.value)
    assert_same(before, weights(model))


def test_a_run_is_resumed_as_what_it_was(train, palm_folder):
    train(*fresh(), epochs=1, seed=3)
    model, optimizer = fresh(seed=5)
    before = weights(model)
    with pytest.raises(ValueError, match="seed is 4, but the run saved in"):
        train(model, optimizer, epochs=2, seed=4, resume=True)
    assert_same(before, weights(model))
    other = data_loader(palm_folder / "PALM-Training400", 6)
    with pytest.raises(ValueError, match="batch_size is 6, but"):
        train(*fresh(), epochs=2, train_loader=other, resume=True)
    with pytest.raises(DataError, match="saved by Momentum, this optimizer is Adam"):
        train(*fresh(adam_with_schedule), epochs=2, resume=True)
    assert len(train(*fresh(), epochs=2, seed=3, resume=True)) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        *(({"name": name}, "name is") for name in ("palm.best", "palm.next", "a/b", "")),
        *(({"seed": seed}, "seed is") for seed in (-1, 1.5, "0", True)),
        ({"train_loader": lambda: iter([])}, "yields no batches"),
    ],
)
def test_what_a_training_cannot_take_is_named(train, options, said):
    with pytest.raises(ValueError, match=said):
        train(*fresh(), **options)


def test_a_scheduler_that_needs_a_loss_is_refused_and_a_seed_of_numpy_s_is_taken(train, tmp_path):
    plateau = paddle.optimizer.lr.ReduceOnPlateau(0.01)
    with pytest.raises(ValueError, match="ReduceOnPlateau"):
        train(*fresh(lambda model: momentum(model, plateau)))
    train(*fresh(), epochs=1, seed=np.int64(3))
    assert History.load(tmp_path / "palm.json").about["seed"] == 3


def test_two_trainings_do_not_write_the_same_files(train, tmp_path):
    with Checkpoint(tmp_path, "palm").held(), pytest.raises(CourseError, match="Another training is writing"):
        train(*fresh())
    assert len(train(*fresh(), epochs=1)) == 1


@pytest.mark.parametrize("variable", [True, False])
def test_a_run_of_the_same_program_goes_on_and_prints_as_if_it_had_not_stopped(train, monkeypatch, capsys, variable):
    if variable:
        monkeypatch.setenv("PALM_RESUME", "a program")
    resume = {} if variable else {"resume": "a program"}
    whole = train(*fresh(), epochs=3, name="whole", **resume)
    text = capsys.readouterr().out
    train(*fresh(), epochs=2, name="parts", **resume)
    capsys.readouterr()
    seconds = []
    for _ in range(2):  # the second time nothing is left to train
        history = train(*fresh(), epochs=3, name="parts", **resume)
        assert capsys.readouterr().out == text.replace("whole", "parts")
        assert figures(history) == figures(whole) and history.about["code"] == "a program"
        seconds.append(history["seconds"])
    assert seconds[0] == seconds[1]


@pytest.mark.parametrize(
    "change",
    [
        {"resume": "another program"},
        {"resume": False},
        {"PALM_RESUME": ""},
        {"PALM_IMAGES": "1"},
        {"seed": 5},
        {"epochs": 1},
        {"make_optimizer": adam_with_schedule},
        {"batch_size": 6},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_other_run_is_replaced(train, palm_folder, tmp_path, monkeypatch, change):
    monkeypatch.setenv("PALM_RESUME", "a program")
    before = train(*fresh(), epochs=2)["seconds"]
    options = {"epochs": 2, **change}
    for variable in options.keys() & {"PALM_RESUME", "PALM_IMAGES"}:
        monkeypatch.setenv(variable, options.pop(variable))
    if "batch_size" in change:
        options["train_loader"] = data_loader(palm_folder / "PALM-Training400", options.pop("batch_size"))
    history = train(*fresh(options.pop("make_optimizer", momentum)), **options)
    assert len(history) == options["epochs"] and history["seconds"][0] != before[0]
    assert History.load(tmp_path / "palm.json").about == history.about


def test_what_was_saved_by_hand_or_damaged_does_not_stop_a_program(train, tmp_path):
    (tmp_path / "palm.json").write_text("{")
    (tmp_path / "palm.pdparams").write_bytes(b"mine")
    assert len(train(*fresh(), epochs=1, resume="a program")) == 1


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
    [(checkpoints, "_write", 3), (checkpoints, "_write", 4), (shutil, "copyfile", 2), (files, "flush", 2)],
    ids=["parameters", "optimizer", "best", "state"],
)
def test_a_disk_that_fills_up_while_an_epoch_is_saved(train, tmp_path, monkeypatch, owner, name, call):
    model, optimizer = fresh()
    whole = train(model, optimizer, epochs=3, name="whole")
    # Each epoch is the best so far, so that a copy is made.
    monkeypatch.setattr(History, "best", property(lambda history: history.last))
    with monkeypatch.context() as full:
        filling_up(full, owner, name, call)
        with pytest.raises(NotSaved, match=r"cannot be saved in .*No space left on device.*Make room") as caught:
            train(*fresh(), epochs=3)
    assert "What was saved before is still there, and resume=True goes on from it" in str(caught.value)
    assert "paddle.save(model.state_dict(), FILE)" in str(caught.value)
    assert {path.name for path in tmp_path.glob("palm.*")} == FILES  # the room is given back
    # The epoch that could not be saved is in the error's history, and the one before on the disk.
    assert figures(caught.value.history) == figures(whole)[:2]
    assert len(History.load(tmp_path / "palm.json")) == 1
    other, optimizer = fresh()
    assert figures(train(other, optimizer, epochs=3, resume=True)) == figures(whole)
    assert_same(weights(other), weights(model))


def test_renaming_that_fails_is_made_up_for(train, monkeypatch):
    """As on Windows, where another program reads a file."""
    replace = checkpoints.Path.replace

    def refuse(source, target):
        if target.name == "palm.pdopt":
            raise PermissionError(errno.EACCES, "in use")
        return replace(source, target)

    model, optimizer = fresh()
    with monkeypatch.context() as busy, pytest.raises(NotSaved, match="in use"):
        busy.setattr(checkpoints.Path, "replace", refuse)
        train(model, optimizer, epochs=2)
    other, optimizer = fresh()
    assert len(train(other, optimizer, epochs=1, resume=True)) == 1
    assert_same(weights(other), weights(model))


def test_a_folder_in_which_nothing_can_be_written_is_told_before_training(train, tmp_path):
    (tmp_path / "a file").write_text("")
    model, optimizer = fresh()
    before = weights(model)
    with pytest.raises(CourseError, match=r"cannot be saved in .*a file.*Make that folder writable, or name another"):
        train(model, optimizer, epochs=1, folder=tmp_path / "a file" / "checkpoints")
    assert_same(before, weights(model))


def test_a_disk_without_room_for_the_parameters_is_told_before_training(train, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=400))
    with pytest.raises(CourseError, match=r"cannot be saved in .*disk has .* MB free.*Make room"):
        train(*fresh(), epochs=1)
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
    assert len(train(*fresh(), epochs=1)) == 1
    assert "cannot be locked: let no other training write there" in capsys.readouterr().out


def test_what_is_saved_is_known_where_an_epoch_has_no_auc(tmp_path):
    model, optimizer = fresh()
    history, checkpoint = History(), Checkpoint(tmp_path, "palm")
    history.add(0, 0.5, 0.5, 1.0, seconds=1.0)  # one class only: nan
    checkpoint.save(model, optimizer, {"history": history.to_dict()}, best=True)
    assert "holds the run after 1 finished epoch(s)" in checkpoint.what_is_saved(history)


def test_what_is_saved_reads_as_what_paddle_saves_but_takes_no_second_copy_of_all(tmp_path, monkeypatch):
    model = paddle.nn.Sequential(paddle.nn.Linear(8, 4), paddle.nn.BatchNorm(4))
    rate = paddle.optimizer.lr.CosineAnnealingDecay(0.001, T_max=10)
    optimizer = paddle.optimizer.Adam(rate, parameters=model.parameters())
    model(paddle.rand([2, 8])).sum().backward()
    optimizer.step()
    content, as_array, arrays, alive = {**model.state_dict(), **optimizer.state_dict()}, paddle.Tensor.numpy, [], []

    def watched(tensor):
        array = as_array(tensor)
        arrays.append(weakref.ref(array))
        alive.append(sum(there() is not None for there in arrays))
        return array

    with monkeypatch.context() as patch:
        patch.setattr(paddle.Tensor, "numpy", watched)
        checkpoints._write(content, tmp_path / "ours.pdopt")
    assert len(alive) > 10 and max(alive) <= 2, "the one before may still be there"
    paddle.save(content, str(tmp_path / "paddles.pdopt"))
    ours, paddles = (
        paddle.load(str(tmp_path / name), keep_name_table=True) for name in ("ours.pdopt", "paddles.pdopt")
    )
    assert list(ours) == list(paddles)
    for key, value in paddles.items():
        if isinstance(value, paddle.Tensor):
            assert (ours[key].name, ours[key].dtype) == (value.name, value.dtype)
            np.testing.assert_array_equal(ours[key].numpy(), value.numpy())
        else:
            assert ours[key] == value
