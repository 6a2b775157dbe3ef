"""Saving and resuming: never less on the disk than before, and the same figures after a break."""

import os
import subprocess
import sys

import numpy as np
import paddle
import pytest
from networks import Constant, Tiny, adam_with_schedule, assert_same, momentum, momentum_that_breaks, weights

from palm_utils.checkpoints import Checkpoint
from palm_utils.history import History
from palm_utils.messages import CourseError, DataError
from palm_utils.readers import data_loader
from palm_utils.seeds import seed_everything
from palm_utils.training import TrainingDiverged, predict

# --- checkpoints


@pytest.mark.parametrize("make_optimizer", [momentum, adam_with_schedule])
@pytest.mark.parametrize("same_model", [True, False])
def test_a_resumed_run_reaches_the_numbers_of_an_uninterrupted_one(train, tmp_path, make_optimizer, same_model):
    def fresh():
        seed_everything(4)
        model = Tiny()
        return model, make_optimizer(model)

    model, optimizer = fresh()
    whole = train(model, optimizer, epochs=4, name="whole")
    resumed_model, first_optimizer = fresh()
    train(resumed_model, first_optimizer, epochs=2, name="parts")
    # A second optimizer, and another model, have other generated names in the same process.
    seed_everything(99)
    if not same_model:
        resumed_model = Tiny()
    resumed_optimizer = make_optimizer(resumed_model)
    resumed = train(resumed_model, resumed_optimizer, epochs=4, name="parts", resume=True)

    assert_same(weights(model), weights(resumed_model))
    columns = ("epoch", "train_loss", "valid_loss", "valid_accuracy", "valid_auc")
    assert [whole[c] for c in columns] == [resumed[c] for c in columns]
    assert optimizer.get_lr() == resumed_optimizer.get_lr()
    last = [paddle.load(str(tmp_path / f"{name}.pdopt")).values() for name in ("whole", "parts")]
    tensors = [[np.asarray(value) for value in values if not isinstance(value, dict)] for values in last]
    assert len(tensors[0]) > 0
    for a, b in zip(*tensors, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("make_optimizer", [momentum, adam_with_schedule])
def test_a_checkpoint_can_be_loaded_twice_before_the_next_step(train, readers, tmp_path, make_optimizer):
    seed_everything(4)
    model = Tiny()
    train(model, make_optimizer(model), epochs=1)

    def weights_after_a_step(loads):
        seed_everything(5)
        fresh = Tiny()
        optimizer = make_optimizer(fresh)
        for _ in range(loads):
            Checkpoint(tmp_path, "palm").load(fresh, optimizer)
        images, _ = next(readers["valid_loader"]())
        fresh(paddle.to_tensor(images)).square().sum().backward()
        optimizer.step()
        return weights(fresh)

    assert_same(weights_after_a_step(1), weights_after_a_step(2))


def test_resuming_with_nothing_saved_starts_from_the_beginning(train, capsys):
    model = Tiny()
    assert len(train(model, momentum(model), epochs=1, resume=True)) == 1
    assert "nothing saved in" in capsys.readouterr().out


def test_parameters_without_their_history_cannot_be_resumed(train, tmp_path):
    model = Tiny()
    train(model, momentum(model), epochs=1)
    (tmp_path / "palm.json").unlink()
    with pytest.raises(DataError, match=r"palm\.pdparams has no palm\.json beside it"):
        train(model, momentum(model), epochs=2, resume=True)


def test_the_best_epoch_is_kept_beside_the_last(readers, tmp_path):
    class Ladder(Constant):
        """Accuracy goes up and down with the epochs, as the logit is set by hand."""

    model = Ladder(1.0)  # answers positive: 4 of 7
    history = History([])
    checkpoint = Checkpoint(tmp_path, "palm")
    checkpoint.folder.mkdir(exist_ok=True)
    still = paddle.optimizer.SGD(0.0, parameters=model.parameters())
    for epoch, logit in enumerate((-1.0, 1.0, -2.0)):
        model.logit.set_value(paddle.to_tensor([logit]))
        scores = predict(model, readers["valid_loader"])
        history.epochs.append({"epoch": epoch, "valid_accuracy": scores.accuracy, "valid_loss": scores.loss})
        best = history.best["epoch"] == epoch
        checkpoint.save(model, still, {"history": history.to_dict()}, best=best)
    assert paddle.load(str(tmp_path / "palm.best.pdparams"))["logit"].item() == 1.0
    assert paddle.load(str(tmp_path / "palm.pdparams"))["logit"].item() == -2.0


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
paddle.save = counted(paddle.save)
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
        assert {f.name for f in folder.iterdir()} == {
            "palm.pdparams", "palm.pdopt", "palm.json", "palm.best.pdparams",
        }  # fmt: skip
    assert values == sorted(values) and values[0] == 1 and values[-1] == 2
    assert 1 in values and len(values) > 6


def test_an_interrupted_run_keeps_history_and_checkpoint(train, readers, tmp_path, capsys):
    def stop_in_second_epoch():
        stop_in_second_epoch.epoch += 1
        for batch in readers["train_loader"]():
            if stop_in_second_epoch.epoch == 2:
                raise KeyboardInterrupt
            yield batch

    stop_in_second_epoch.epoch = 0
    seed_everything(0)
    model = Tiny()
    with pytest.raises(KeyboardInterrupt):
        train(model, momentum(model), epochs=3, train_loader=stop_in_second_epoch)
    assert "holds the run after 1 finished epoch(s)" in capsys.readouterr().out
    assert len(History.load(tmp_path / "palm.json")) == 1
    assert len(train(model, momentum(model), epochs=3, resume=True)) == 3


def test_an_interruption_in_the_first_epoch_does_not_claim_an_earlier_run_s_checkpoint(train, readers, capsys):
    def stop():
        raise KeyboardInterrupt
        yield

    model = Tiny()
    with pytest.raises(KeyboardInterrupt):
        train(model, momentum(model), train_loader=stop)
    assert "Interrupted before the first epoch was finished and saved." in capsys.readouterr().out
    train(model, momentum(model), epochs=2)
    with pytest.raises(KeyboardInterrupt):
        train(model, momentum(model), train_loader=stop)
    assert "palm.pdparams is of an earlier run" in capsys.readouterr().out


def test_gradients_left_over_from_before_do_not_enter_the_training(train):
    def run(look_at_gradients):
        seed_everything(0)
        model = Tiny()
        if look_at_gradients:
            model.eval()  # so that nothing but gradients changes
            model(paddle.ones([2, 3, 224, 224])).sum().backward()
        return train(model, momentum(model), epochs=1)["train_loss"]

    assert run(True) == run(False)


@pytest.mark.parametrize("epoch", [0, 1])
def test_a_network_that_breaks_in_the_last_step_of_an_epoch_is_not_saved(train, tmp_path, epoch):
    model = Tiny()
    optimizer = momentum_that_breaks(model, after=3 * (epoch + 1))
    with pytest.raises(TrainingDiverged, match=f"validation after epoch {epoch}") as caught:
        train(model, optimizer, epochs=2)
    assert len(caught.value.history) == epoch
    assert (tmp_path / "palm.pdparams").exists() == bool(epoch)
    if epoch:
        assert np.isfinite(paddle.load(str(tmp_path / "palm.pdparams"))["fc.weight"].numpy()).all()


def tear(path):
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: tear(folder / "palm.pdparams"), r"palm\.pdparams is not what was saved"),
        (lambda folder: tear(folder / "palm.pdopt"), r"palm\.pdopt is not what was saved"),
        (lambda folder: (folder / "palm.pdopt").unlink(), r"palm\.pdopt is missing"),
        (lambda folder: tear(folder / "palm.json"), r"palm\.json: not the state of a run"),
        (lambda folder: (folder / "palm.json").write_text("{}"), r"palm\.json: not the state of a run"),
        (
            lambda folder: paddle.save(Tiny().state_dict(), str(folder / "palm.pdparams")),
            r"palm\.pdparams is not what was saved",
        ),
    ],
    ids=["params torn", "opt torn", "opt missing", "state torn", "state empty", "params replaced"],
)
def test_a_damaged_checkpoint_is_not_resumed(train, tmp_path, spoil, message):
    model = Tiny()
    train(model, momentum(model), epochs=1)
    spoil(tmp_path)
    fresh = Tiny()
    before = weights(fresh)
    with pytest.raises(DataError, match=message):
        train(fresh, momentum(fresh), epochs=2, resume=True)
    assert_same(before, weights(fresh))


def test_saving_by_hand_as_the_tutorial_does_leaves_the_best_epoch_alone(train, tmp_path):
    model = Tiny()
    train(model, momentum(model), epochs=1)
    best = (tmp_path / "palm.best.pdparams").read_bytes()
    paddle.save(Tiny().state_dict(), str(tmp_path / "palm.pdparams"))
    assert (tmp_path / "palm.best.pdparams").read_bytes() == best


def test_a_run_is_resumed_as_what_it_was(train, palm_folder):
    model = Tiny()
    train(model, momentum(model), epochs=1, seed=3)
    with pytest.raises(ValueError, match="seed is 4, but the run saved in"):
        train(model, momentum(model), epochs=2, seed=4, resume=True)
    other = data_loader(palm_folder / "PALM-Training400", 6)
    with pytest.raises(ValueError, match="batch_size is 6, but"):
        train(model, momentum(model), epochs=2, train_loader=other, resume=True)
    with pytest.raises(DataError, match="saved by Momentum, this optimizer is Adam"):
        train(model, adam_with_schedule(model), epochs=2, resume=True)
    assert len(train(model, momentum(model), epochs=2, seed=3, resume=True)) == 2


@pytest.mark.parametrize("name", ["palm.best", "palm.next", "a/b", ""])
def test_names_that_could_be_another_run_s_files_are_refused(train, name):
    model = Tiny()
    with pytest.raises(ValueError, match="name is"):
        train(model, momentum(model), name=name)


def test_two_trainings_do_not_write_the_same_files(train, tmp_path):
    model = Tiny()
    with Checkpoint(tmp_path, "palm").held(), pytest.raises(CourseError, match="Another training is writing"):
        train(model, momentum(model))
    assert len(train(model, momentum(model), epochs=1)) == 1


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True])
def test_a_seed_is_a_whole_number(train, seed):
    model = Tiny()
    with pytest.raises(ValueError, match="seed is"):
        train(model, momentum(model), seed=seed)


def test_numpy_s_whole_numbers_will_do(train, tmp_path):
    model = Tiny()
    assert train(model, momentum(model), epochs=1, seed=np.int64(3)).about["seed"] == 3
    assert History.load(tmp_path / "palm.json").about["seed"] == 3


def test_a_reader_without_batches_and_a_scheduler_that_needs_a_loss(train):
    model = Tiny()
    with pytest.raises(ValueError, match="yields no batches"):
        train(model, momentum(model), train_loader=lambda: iter([]))
    plateau = paddle.optimizer.lr.ReduceOnPlateau(0.01)
    with pytest.raises(ValueError, match="ReduceOnPlateau"):
        train(model, paddle.optimizer.Momentum(plateau, parameters=model.parameters()))


# --- the same program goes on, another begins anew


def fresh(make_optimizer=momentum):
    seed_everything(4)
    model = Tiny()
    return model, make_optimizer(model)


def figures(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history.epochs]


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
        assert capsys.readouterr().out == text
        assert figures(history) == figures(whole) and history.about["code"] == "a program"
        seconds.append(history["seconds"])
    assert seconds[0] == seconds[1]


@pytest.mark.parametrize(
    "change",
    [
        {"resume": "another program"},
        {"resume": False},
        {"seed": 5},
        {"epochs": 1},
        {"make_optimizer": adam_with_schedule},
        {"batch_size": 6},
        {"batches": "1"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_other_run_is_replaced(train, palm_folder, tmp_path, monkeypatch, change):
    monkeypatch.setenv("PALM_RESUME", "a program")
    before = train(*fresh(), epochs=2)["seconds"]
    options = {"epochs": 2, **change}
    if "batches" in change:
        monkeypatch.setenv("PALM_BATCHES", options.pop("batches"))
    if "batch_size" in change:
        options["train_loader"] = data_loader(palm_folder / "PALM-Training400", options.pop("batch_size"))
    history = train(*fresh(options.pop("make_optimizer", momentum)), **options)
    assert len(history) == options["epochs"] and history["seconds"][0] != before[0]
    assert History.load(tmp_path / "palm.json").about == history.about


def test_what_was_saved_by_hand_or_damaged_does_not_stop_a_program(train, tmp_path):
    (tmp_path / "palm.json").write_text("{")
    (tmp_path / "palm.pdparams").write_bytes(b"mine")
    assert len(train(*fresh(), epochs=1, resume="a program")) == 1


def test_without_palm_resume_a_run_starts_again(train):
    before = train(*fresh(), epochs=1)["seconds"]
    assert train(*fresh(), epochs=1)["seconds"] != before
