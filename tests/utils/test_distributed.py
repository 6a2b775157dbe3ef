"""Several processes on one machine, talking by gloo: the figures of one process, and one end for all of them."""

import json
import multiprocessing
import os
import random
import signal
import sys

import cv2
import joblib
import numpy as np
import paddle
import pytest
from networks import Tiny, adam_with_schedule

from palm_course.command import main
from palm_course.results import processes
from palm_utils import distributed, steps, training
from palm_utils.messages import CourseError, DataError
from palm_utils.readers import data_loader, valid_data_loader
from palm_utils.scoring import predict, predict_together
from palm_utils.seeds import seed_everything, seed_process

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PaddlePaddle has gloo on Linux only")


class Plain(paddle.nn.Layer):
    """A network without batch norm and dropout: what it computes of an image depends on that image alone."""

    def __init__(self):
        super().__init__()
        self.conv = paddle.nn.Conv2D(3, 4, 8, stride=8)
        self.fc = paddle.nn.Linear(4 * 7 * 7, 1)

    def forward(self, x):
        x = paddle.nn.functional.relu(self.conv(x))
        return self.fc(paddle.flatten(paddle.nn.functional.avg_pool2d(x, 4), 1))


def run(root, folder, network=Plain, model=None, **options):
    """Train a new network, or `model`, on the photographs in `root`; return (loss of every step, history, model)."""
    losses = []

    class Recorded(steps.Losses):
        def read(self):
            value = super().read()
            losses.extend([] if np.isnan(value) else [value])
            return value

    seed_everything(7)
    model = model or network()
    training.Losses = Recorded
    try:
        history = training.train_pm(
            model, adam_with_schedule(model), folder=root / folder, train_loader=data_loader(root / "train", 10),
            valid_loader=valid_data_loader(root / "valid", root / "labels.csv", 4), progress=False, **options,
        )  # fmt: skip
    finally:
        training.Losses = steps.Losses
    return losses, history, model


def rows(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history.epochs]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """20 photographs to train on, 11 to validate with."""
    folder, rng = tmp_path_factory.mktemp("distributed"), np.random.default_rng(0)
    labels = ["ID,imgName,Label,Fovea_X,Fovea_Y"]
    for part, number in (("train", 20), ("valid", 11)):
        (folder / part).mkdir()
        for i in range(number):
            name = f"{'PN'[i % 2]}{i:04}.jpg"
            picture = rng.integers(0, 150, (32, 32, 3)) + 80 * (i % 2)
            assert cv2.imwrite(str(folder / part / name), picture.astype(np.uint8))
            if part == "valid":
                labels.append(f"{i + 1},{name},{1 - i % 2},1.5,2.5")
    (folder / "labels.csv").write_text("\n".join(labels) + "\n")
    return folder


# --- the same figures


def work(root):
    """What two processes do for the tests below, each writing what it saw."""
    rank, _ = distributed.world()
    losses, history, model = run(root, "two" if rank == 0 else "absent", epochs=10)
    seen = {"losses": losses, "history": rows(history), "about": history.about}
    seen["again"] = run(root, "again" if rank == 0 else "absent", model=model, epochs=1)[0]

    # With batch norm and dropout, whose draws differ between the processes; from a checkpoint that one of them has.
    _, resumed, model = run(root, "normed" if rank == 0 else "absent", network=Tiny, epochs=3, resume=True)
    state = {name: value.numpy().ravel().tolist() for name, value in model.state_dict().items()}
    seen |= {"resumed": rows(resumed), "state": state}

    losses, _, _ = run(root, "parts" if rank == 0 else "absent", epochs=5, resume=True)
    seen["resumed_losses"] = losses

    valid = valid_data_loader(root / "valid", root / "labels.csv", 4)
    images = []
    model.register_forward_pre_hook(lambda layer, inputs: images.append(len(inputs[0])))
    together = predict_together(model, valid)
    seen["looked_at"] = sum(images)
    alone = predict(model, valid)
    seen["scores"] = [together.logits.tolist(), alone.logits.tolist(), together.labels.tolist(), alone.labels.tolist()]

    def refuse():
        raise DataError("the first process cannot read it")

    try:
        distributed.by_first(refuse)
    except CourseError as error:
        seen["refused"] = str(error)
    (root / f"seen{rank}.json").write_text(json.dumps(seen))


@pytest.fixture(scope="module")
def seen(root):
    """What the two processes saw; before, one process has begun the runs that they resume."""
    run(root, "parts", epochs=3)
    run(root, "normed", network=Tiny, epochs=2)
    processes.start(work, root, 2)
    return [json.loads((root / f"seen{rank}.json").read_text()) for rank in range(2)]


def tell_surroundings(folder):
    told = {name: value for name, value in os.environ.items() if name.startswith("PALM_TEST_")}
    (folder / f"told{distributed.world()[0]}.json").write_text(json.dumps(told))


def test_processes_have_the_environment_of_now_and_not_of_the_first_start(tmp_path, monkeypatch):
    for name in ("PALM_TEST_A", "PALM_TEST_B"):
        monkeypatch.setenv(name, "before")
    processes.start(tell_surroundings, tmp_path, 2)  # starts the fork server, unless an earlier test did
    monkeypatch.delenv("PALM_TEST_A")
    monkeypatch.setenv("PALM_TEST_B", "after")
    processes.start(tell_surroundings, tmp_path, 2)
    told = [json.loads((tmp_path / f"told{rank}.json").read_text()) for rank in range(2)]
    assert told == [{"PALM_TEST_B": "after"}] * 2


def test_two_processes_of_batch_5_train_as_one_of_batch_10(root, seen):
    losses, history, model = run(root, "one", epochs=10)
    assert len(losses) == 20
    for process in seen:
        np.testing.assert_allclose(process["losses"], losses, atol=1e-4, rtol=0)
    expected = rows(history)
    for row, other in zip(seen[0]["history"], expected, strict=True):
        assert row == pytest.approx(other, abs=1e-4)
    assert seen[0]["history"] == seen[1]["history"]
    assert seen[0]["about"]["processes"] == 2 and "processes" not in history.about
    again = run(root, "one", model=model, epochs=1)[0]
    np.testing.assert_allclose(seen[1]["again"], again, atol=1e-4, rtol=0)


def test_all_processes_have_the_same_network_and_one_writes_it(root, seen):
    assert seen[0]["state"] == seen[1]["state"] and len(seen[0]["resumed"]) == 3
    saved = paddle.load(str(root / "normed" / "palm.pdparams"))
    for name, values in seen[0]["state"].items():
        np.testing.assert_array_equal(saved[name].numpy().ravel(), np.array(values, np.float32))
    assert not (root / "absent").exists()


def test_a_run_goes_on_with_another_number_of_processes(root, seen):
    whole, _, _ = run(root, "whole", epochs=7)
    ending, history, _ = run(root, "parts", epochs=7, resume=True)
    np.testing.assert_allclose(seen[0]["resumed_losses"], whole[6:10], atol=1e-4, rtol=0)
    np.testing.assert_allclose(ending, whole[10:], atol=1e-4, rtol=0)
    assert len(history) == 7


def test_every_image_is_validated_once_with_the_scores_of_one_process(seen):
    assert [process["looked_at"] for process in seen] == [4 + 3, 4]
    for process in seen:
        together, alone, labels, expected_labels = process["scores"]
        assert together == alone and labels == expected_labels


def test_what_the_first_process_refuses_all_refuse(seen):
    assert seen[0]["refused"] == "the first process cannot read it"
    assert seen[1]["refused"] == "DataError: the first process cannot read it"


def test_shares_of_a_batch(monkeypatch):
    shares = []
    for rank in range(3):
        monkeypatch.setattr(distributed, "world", lambda rank=rank: (rank, 3))
        shares.append(distributed.part_of_batches([10, 11, 12, 13, 14, 15, 16, 17], 6))
    # 10 comes twice, so that each has as many.
    assert shares == [[[10, 11], [16]], [[12, 13], [17]], [[14, 15], [10]]]


def test_processes_read_in_one_order_and_draw_apart():
    def drawn(rank):
        seed_process(5, rank)
        return random.random(), np.random.rand(), paddle.rand([]).item()

    seed_everything(5)
    alone = random.random(), np.random.rand(), paddle.rand([]).item()
    first, second, third = drawn(0), drawn(1), drawn(2)
    assert first == alone
    assert first[0] == second[0] == third[0]
    assert len({first[1], second[1], third[1]}) == len({first[2], second[2], third[2]}) == 3


@pytest.mark.parametrize(
    ("said", "threads"), [({}, "2"), ({"PALM_THREADS": "3"}, "3"), ({"OMP_NUM_THREADS": "3"}, None)]
)
def test_processes_share_the_cores_unless_the_user_says_otherwise(monkeypatch, said, threads):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 5)
    for name in ("PALM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    with processes._made_for_processes(2) as environment:
        assert environment.get("PALM_THREADS") == threads


# --- one end


@pytest.mark.parametrize("error", [RuntimeError("gloo: TIMEOUT"), ValueError("TCP connection reset by peer")])
def test_a_process_whose_others_have_gone_says_so(monkeypatch, error):
    def all_reduce(values):
        raise error

    monkeypatch.setattr(distributed, "world", lambda: (0, 2))
    monkeypatch.setattr(paddle.distributed, "all_reduce", all_reduce)
    with pytest.raises(CourseError, match=rf"(?s)Another process has ended.*--resume.*\[{error}\]"):
        distributed.means([paddle.ones([])])


def fail_in_one(argument):
    """Train; the second of the processes fails in its third step."""
    root, how = argument
    if distributed.world()[0] == 1:
        calls = []

        def breaks(layer, inputs):
            calls.append(1)
            if len(calls) == 3:
                os.kill(os.getpid(), signal.SIGKILL) if how == "killed" else 1 / 0

        class Breaking(Plain):
            def __init__(self):
                super().__init__()
                self.register_forward_pre_hook(breaks)

        run(root, "absent", network=Breaking, epochs=2)
    run(root, f"left-{how}", epochs=2)


def test_a_process_that_fails_ends_all_with_one_message(root):
    message = r"(?s)Process 1 of 2 failed, and the others were ended.*ZeroDivisionError: division by zero"
    with pytest.raises(CourseError, match=message):
        processes.start(fail_in_one, (root, "raising"), 2)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nproc", "0"], "0 processes cannot train"),
        (["--nproc", "3"], "A batch of 10 cannot be shared evenly by 3 processes"),
        (["--nproc", "2", "--batch-size", "1"], "A batch of 1 cannot be shared evenly by 2 processes"),
        (["--nproc", "2", "--network", "Large"], "defines no network 'Large'"),
        (["--nproc", "2", "--amp", "--device", "cpu"], "Mixed precision (amp) needs a GPU"),
    ],
)
def test_what_cannot_be_trained_in_processes_is_said_once(small_course, arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(processes, "start", lambda *args, **options: pytest.fail("processes were started"))
    network = "Small"
    if "--network" in arguments:
        network, arguments = arguments[-1], arguments[:-2]
    options = ["--optimizer", "Momentum", "--learning-rate", "0.01"]
    assert main(["train", f"03:{network}", *options, *arguments]) == 1
    assert capsys.readouterr().err.count(message) == 1


def test_processes_do_not_start_processes(monkeypatch):
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    with pytest.raises(CourseError, match="one of 2 processes that train together already"):
        processes.refuse(2, 10, None)


def test_a_reader_of_one_s_own_cannot_be_shared(monkeypatch):
    monkeypatch.setattr(distributed, "world", lambda: (0, 2))
    with pytest.raises(CourseError, match="Several processes can only share the batches of a reader"):
        training._parallel(Plain(), lambda: iter([]))
