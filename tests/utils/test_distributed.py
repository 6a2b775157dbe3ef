"""Two processes that PaddlePaddle's launcher starts: they train, validate and resume as one does."""

import json
import sys
from pathlib import Path
from unittest.mock import Mock

import cv2
import numpy as np
import paddle
import pytest
from networks import Tiny, adam_with_schedule, figures

from palm_course.command import main
from palm_course.results import train
from palm_utils import machine, training
from palm_utils.readers import data_loader, valid_data_loader
from palm_utils.seeds import seed_everything

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
    """Train a new network, or `model`, on the photographs in `root`, two steps an epoch; return (history, model)."""
    seed_everything(7)
    model = model or network()
    history = training.train_pm(
        model, adam_with_schedule(model), folder=root / folder, train_loader=data_loader(root / "train", 10),
        valid_loader=valid_data_loader(root / "valid", root / "labels.csv", 4), progress=False, **options,
    )  # fmt: skip
    return history, model


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """20 photographs to train on, 11 to validate with."""
    folder, rng = tmp_path_factory.mktemp("distributed"), np.random.default_rng(0)
    for part, number in (("train", 20), ("valid", 11)):
        (folder / part).mkdir()
        for i in range(number):
            picture = rng.integers(0, 150, (32, 32, 3)) + 80 * (i % 2)
            assert cv2.imwrite(str(folder / part / f"{'PN'[i % 2]}{i:04}.jpg"), picture.astype(np.uint8))
    rows = [f"{'PN'[i % 2]}{i:04}.jpg,{1 - i % 2}" for i in range(11)]
    (folder / "labels.csv").write_text("\n".join(["imgName,Label", *rows]))
    return folder


def work(root):
    """What each of two processes does for the tests below, and writes what it saw."""
    images, kept = [], []

    class Looking(Tiny):
        def forward(self, x):
            if self.training:
                images.append(x.numpy().sum(axis=(1, 2, 3)).tolist())
                kept.append(paddle.nn.functional.dropout(paddle.ones([20])).tolist())
            return super().forward(x)

    history, model = run(root, "two", epochs=10)
    seen = {"history": figures(history), "about": history.about}
    seen["again"] = figures(run(root, "again", model=model, epochs=1)[0])
    seen["parts"] = figures(run(root, "parts", epochs=5, resume=True)[0])
    _, model = run(root, "normed", network=Looking, epochs=2, resume=True)
    seen |= {"images": images, "kept": kept}
    seen["state"] = {name: value.numpy().ravel().tolist() for name, value in model.state_dict().items()}

    valid, looked_at = valid_data_loader(root / "valid", root / "labels.csv", 4), []
    model.register_forward_pre_hook(lambda layer, inputs: looked_at.append(len(inputs[0])))
    rank = paddle.distributed.get_rank()
    together = training.predict(model, valid, share=(rank, 2))
    seen["looked_at"] = sum(looked_at)
    alone = training.predict(model, valid)
    seen["scores"] = [scores.tolist() for s in (together, alone) for scores in (s.logits, s.labels)]
    (root / f"seen{rank}.json").write_text(json.dumps(seen))


@pytest.fixture(scope="module")
def seen(root):
    """What two processes saw; before, one process has begun the runs that they resume."""
    run(root, "parts", epochs=3)
    run(root, "normed", network=Tiny, epochs=1)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        environment.setenv("CUDA_VISIBLE_DEVICES", "")  # as who hides a GPU sets it
        assert train.launch([str(root)], 2, program=(__file__,)) == 0
    return [json.loads((root / f"seen{rank}.json").read_text()) for rank in range(2)]


def test_two_processes_train_as_one(root, seen):
    history, model = run(root, "one", epochs=10)
    for process in seen:
        assert process["history"] == seen[0]["history"]
        for row, expected in zip(process["history"], figures(history), strict=True):
            assert row == pytest.approx(expected, abs=1e-5 if row["epoch"] < 3 else 1e-4)  # two steps an epoch
    assert seen[0]["about"]["processes"] == 2 and "processes" not in history.about
    again = figures(run(root, "one", model=model, epochs=1)[0])
    assert seen[1]["again"][0] == pytest.approx(again[0], abs=1e-4)


def test_a_run_goes_on_with_another_number_of_processes(root, seen):
    whole, _ = run(root, "whole", epochs=7)
    ending, _ = run(root, "parts", epochs=7, resume=True)
    for row, expected in zip([*seen[0]["parts"], *figures(ending)[5:]], figures(whole), strict=True):
        assert row == pytest.approx(expected, abs=1e-4)


def test_all_processes_have_the_same_network_and_it_is_saved(root, seen):
    assert seen[0]["state"] == seen[1]["state"]
    saved = paddle.load(str(root / "normed" / "palm.pdparams"))
    for name, values in seen[0]["state"].items():
        np.testing.assert_array_equal(saved[name].numpy().ravel(), np.array(values, np.float32))


def test_each_takes_half_of_each_batch_and_drops_other_units(root, seen):
    seed_everything(7)  # as the seed of the run is drawn
    Tiny()
    training.seed_everything(training.epoch_seed(int(np.random.randint(2**31)), 1))
    batches = [images.sum(axis=(1, 2, 3)) for images, _ in data_loader(root / "train", 10)()]
    for step, batch in enumerate(batches):
        for rank, process in enumerate(seen):
            np.testing.assert_allclose(process["images"][step], batch[rank::2], rtol=1e-5)
        assert seen[0]["kept"][step] != seen[1]["kept"][step]


def test_every_image_is_validated_once_with_the_scores_of_one_process(seen):
    assert [process["looked_at"] for process in seen] == [4 + 3, 4]
    for process in seen:
        logits, labels, expected, expected_labels = process["scores"]
        assert logits == expected and labels == expected_labels


@pytest.mark.parametrize(("number", "parts"), [(8, [[0, 3, 6], [1, 4, 7], [2, 5, 0]]), (2, [[0], [1], [0]])])
def test_of_a_short_batch_all_processes_have_as_many(number, parts):
    images = np.arange(number, dtype=np.float32)
    for rank, part in enumerate(parts):
        run = training._Run(training.History(), None, rank, 3, 0, progress=False)
        ((mine, labels, size),) = training._batches(run, lambda: iter([(images, np.full(number, 0.5))]), 0)
        assert (mine.tolist(), labels.tolist(), size) == (part, [[0.5]] * len(part), number)


@pytest.mark.parametrize(
    ("set_to", "used"), [({}, "2"), ({"PALM_THREADS": "3"}, "3"), ({"OMP_NUM_THREADS": "3"}, None)]
)
def test_processes_share_the_cores_unless_the_user_says_otherwise(monkeypatch, set_to, used):
    launcher = Mock(**{"return_value.wait.return_value": 0})
    monkeypatch.setattr("joblib.cpu_count", lambda: 5)
    monkeypatch.setattr("subprocess.Popen", launcher)
    monkeypatch.setattr(machine, "_omp_threads", "")  # what was asked for when these tests began
    for name in ("PALM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in set_to.items():
        monkeypatch.setenv(name, value)
    train.launch([], 2)
    assert launcher.call_args.kwargs["env"].get("PALM_THREADS") == used


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nproc", "0"], "0 processes cannot train"),
        (["--nproc", "3"], "A batch of 10 cannot be shared evenly by 3 processes"),
        (["--nproc", "2", "--batch-size", "1"], "A batch of 1 cannot be shared evenly by 2 processes"),
        (["--nproc", "2", "--network", "Large"], "defines no network 'Large'"),
        (["--nproc", "2", "--amp", "--device", "cpu"], "Mixed precision (amp) needs a GPU"),
        (["--replicas", "2", "--nproc", "2", "--device", "cpu"], "replicas=2: 2 or more share the cores"),
        (["--amp", "--device", "cpu"], "Mixed precision (amp) needs a GPU"),
    ],
)
def test_what_cannot_be_trained_is_said_once(small_course, arguments, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "launch", lambda *args, **options: pytest.fail("processes were started"))
    network = "Small"
    if "--network" in arguments:
        network, arguments = arguments[-1], arguments[:-2]
    options = ["--optimizer", "Momentum", "--learning-rate", "0.01"]
    assert main(["train", f"03:{network}", *options, *arguments]) == 1
    assert capsys.readouterr().err.count(message) == 1


def test_processes_do_not_start_processes(monkeypatch):
    monkeypatch.setattr(paddle.distributed, "get_world_size", lambda: 2)
    with pytest.raises(training.CourseError, match="one of 2 processes that train together already"):
        train.refuse_processes(2, None)


if __name__ == "__main__":
    work(Path(sys.argv[1]))
