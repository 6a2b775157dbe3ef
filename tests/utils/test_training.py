import json
import math
from pathlib import Path

import numpy as np
import paddle
import pytest
from networks import Constant, Tiny, adam_with_schedule, assert_same, fresh, momentum, momentum_that_breaks, weights

from palm_utils import datasets, training
from palm_utils.checkpoints import load_parameters
from palm_utils.history import History
from palm_utils.messages import CourseError, DataError, DataNotFound
from palm_utils.readers import data_loader
from palm_utils.training import TrainingDiverged, evaluation, train_pm


def test_it_learns_and_returns_a_history(train, capsys):
    history = train(*fresh(), epochs=6)
    assert history["epoch"] == list(range(6))
    assert history["train_loss"][-1] < history["train_loss"][0]
    assert history.last["valid_accuracy"] == 1.0 and history.last["valid_auc"] == 1.0
    assert all(row["seconds"] > 0 for row in history.epochs)
    assert history.about["model"] == "Tiny" and history.about["batch_size"] == 4
    out = capsys.readouterr().out
    assert out.count("[validation] accuracy/loss: ") == 6
    assert "epoch: 0, batch_id: 0, loss is: " in out


def test_the_default_number_of_epochs_is_five_and_can_be_set_from_outside(train, monkeypatch):
    assert len(train(*fresh())) == training.EPOCH_NUM == 5
    monkeypatch.setenv("PALM_EPOCHS", "2")
    assert len(train(*fresh())) == 2
    for epochs in (0, -1, 2.5, "two", True):
        with pytest.raises(CourseError, match=f"epochs is '{epochs}'; it must be a whole number of at least 1"):
            train(*fresh(), epochs=epochs)
    monkeypatch.setenv("PALM_EPOCHS", "0")
    with pytest.raises(CourseError, match="PALM_EPOCHS is '0'"):
        train(*fresh())


def test_what_the_notebook_sets_as_the_tutorial_does_counts(train, real_data, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("__main__.EPOCH_NUM", 3, raising=False)
    data = datasets.palm()
    with monkeypatch.context() as context:  # whatever else there is, or is not
        context.setattr(datasets, "palm", None)
        for name in ("DATADIR", "DATADIR2", "CSVFILE"):
            context.setattr(f"__main__.{name}", getattr(data, name), raising=False)
        assert len(train_pm(*fresh(), epochs=1, folder=tmp_path)) == 1
    assert len(train(*fresh())) == 3 and len(train(*fresh(), epochs=1)) == 1
    monkeypatch.setattr("__main__.DATADIR2", str(tmp_path / "nowhere"), raising=False)
    with pytest.raises(DataNotFound, match="nowhere"):
        train_pm(*fresh(), epochs=1, folder=tmp_path)
    monkeypatch.setattr("__main__.EPOCH_NUM", "many")
    with pytest.raises(CourseError, match="EPOCH_NUM is 'many'"):
        train(*fresh())


def test_the_first_line_tells_what_is_trained_on_how_long_where_and_where_it_is_saved(train, palm_folder, capsys):
    with pytest.MonkeyPatch.context() as context:
        context.chdir(palm_folder)
        train(*fresh(), epochs=1, folder="runs")
    first = capsys.readouterr().out.splitlines()[0]
    training_set, validation_set = (Path(f"PALM-{part}400") for part in ("Training", "Validation"))
    assert first == (
        f"start training ... 12 photographs in {training_set}; validation: 7 photographs in {validation_set}; "
        f"1 epochs on {paddle.device.get_device()}; saved as {Path('runs', 'palm.pdparams')}"
    )

    def own_reader():
        yield np.zeros((2, 3, 224, 224)), np.array([0, 1])

    train(*fresh(), epochs=1, train_loader=own_reader)
    assert capsys.readouterr().out.startswith("start training ... own_reader; validation: 7 photographs in ")


def test_an_optimizer_of_another_network_is_refused(train):
    model, optimizer = fresh()
    with pytest.raises(ValueError, match="no parameter of this Tiny: run the cell that makes the optimizer again"):
        train(Tiny(), optimizer)
    groups = [{"params": model.parameters()[:1]}, {"params": model.parameters()[1:], "learning_rate": 0.1}]
    assert len(train(model, paddle.optimizer.SGD(0.1, parameters=groups), epochs=1)) == 1


IMAGES = np.zeros((2, 3, 224, 224), np.float32)


@pytest.mark.parametrize("labels", [np.array([0, 1]), np.array([[0], [1]]), [0.0, 1.0], [False, True]])
@pytest.mark.parametrize("images", [IMAGES, IMAGES.astype(np.float64), paddle.to_tensor(IMAGES)], ids=lambda i: i.dtype)
def test_a_reader_of_ones_own_may_yield_other_types_of_numbers(train, images, labels):
    options = dict.fromkeys(("train_loader", "valid_loader"), lambda: iter([(images, labels)]))
    assert train(*fresh(), epochs=1, **options).last["valid_accuracy"] in (0, 0.5, 1)


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ((IMAGES.transpose(0, 2, 3, 1), [0, 1]), r"are \[2, 224, 224, 3\]; networks take \[N, 3, height, width\]"),
        ((IMAGES, [0, 1, 1]), r"a label for each image; images are \[2, 3, 224, 224\], labels \[3, 1\]"),
        ((IMAGES, [[1, 0], [0, 1]]), r"a label for each image; .*labels \[2, 2\]"),
        ((IMAGES.astype(np.uint8), [0, 1]), "images are uint8; transform_img turns a photograph into float32"),
        ((IMAGES * np.nan, [0, 1]), "images hold nan or infinity"),
        ((IMAGES, [0, 2]), r"labels are 0 or 1; a reader yields \[0, 2\]"),
        ((IMAGES, ["P", "N"]), r"labels are 0 or 1; a reader yields \['N', 'P'\]"),
        ((IMAGES, [None, 1]), r"labels are 0 or 1; a reader yields \[1, None\]"),
        ((IMAGES[:0], []), r"a label for each image; images are \[0, 3, 224, 224\]"),
        (IMAGES[:1], r"yields pairs \(images, labels\); this one yields ndarray"),
        (None, r"yields pairs \(images, labels\); this one yields NoneType"),
    ],
)
def test_a_batch_that_has_no_single_meaning_is_refused(train, batch, said):
    with pytest.raises(ValueError, match=said):
        train(*fresh(), train_loader=lambda: iter([batch]))
    with pytest.raises(ValueError, match=said):
        training.predict(Tiny(), lambda: iter([batch]))


def test_a_loader_that_cannot_be_called_is_refused(train):
    for name in ("train_loader", "valid_loader"):
        with pytest.raises(ValueError, match=f"{name} is a list.*which cannot be called"):
            train(*fresh(), **{name: [(IMAGES, [0, 1])]})


def test_a_softmax_over_one_column_is_refused(train):
    model = paddle.nn.Sequential(Tiny(), paddle.nn.Softmax())
    with pytest.raises(ValueError, match="returns 1 for every image, as a softmax over one column does: leave"):
        train(model, momentum(model))


def test_the_photographs_to_train_on_can_be_limited_from_outside_and_the_run_says_so(train, monkeypatch):
    seen = []
    model, optimizer = fresh()
    note = lambda _, images, __: seen.append(len(images[0]) if model.training else "valid")  # noqa: E731
    model.register_forward_post_hook(note)
    history = train(*fresh(), epochs=1, seed=0)
    monkeypatch.setenv("PALM_IMAGES", "7")
    short = train(model, optimizer, epochs=2, seed=0)
    assert seen == [4, 3, "valid", "valid"] * 2  # of 12, in batches of 4; validation has all its 7
    assert short.about["images"] == 7 and "images" not in history.about
    monkeypatch.delenv("PALM_IMAGES")
    with pytest.raises(ValueError, match=r"images is all, but the run saved in .* has 7"):
        train(*fresh(), epochs=3, resume=True)
    monkeypatch.setenv("PALM_IMAGES", "-1")
    with pytest.raises(CourseError, match="PALM_IMAGES is '-1'; it must be a whole number"):
        train(*fresh())


def test_losses_are_means_over_images_not_over_batches(palm_folder, readers, tmp_path):
    model = Constant(0.5)
    still = paddle.optimizer.SGD(0.0, parameters=model.parameters())
    # 7 validation images in batches of 4: 4 of 7 positive; 12 training images in batches of 5, 5, 2.
    readers["train_loader"] = data_loader(palm_folder / "PALM-Training400", 5)
    history = train_pm(model, still, epochs=1, folder=tmp_path, progress=False, **readers)
    positive, negative = math.log1p(math.exp(-0.5)), math.log1p(math.exp(0.5))
    assert history.last["train_loss"] == pytest.approx((6 * positive + 6 * negative) / 12, abs=1e-6)
    assert history.last["valid_loss"] == pytest.approx((4 * positive + 3 * negative) / 7, abs=1e-6)
    assert history.last["valid_accuracy"] == pytest.approx(4 / 7)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(train):
    def run(seed):
        model, optimizer = fresh(seed=seed)
        return train(model, optimizer, epochs=2)["train_loss"], weights(model)

    (losses, first), (again, second), (other, _) = run(1), run(1), run(2)
    assert losses == again != other
    assert_same(first, second)


def test_a_scheduler_steps_after_every_batch(train):
    model, optimizer = fresh(adam_with_schedule)
    train(model, optimizer, epochs=2)  # 3 batches an epoch
    assert optimizer.get_lr() == pytest.approx(0.01 * (1 + math.cos(math.pi * 6 / 12)) / 2)


def test_training_mode_while_training_and_evaluation_mode_without_gradients_while_validating(train):
    seen = []

    class Watched(Tiny):
        def forward(self, x):
            out = super().forward(x)
            seen.append((self.training, out.stop_gradient))
            return out

    model = Watched()
    train(model, momentum(model), epochs=1)
    assert seen == [(True, False)] * 3 + [(False, True)] * 2
    assert model.training


class Flat(Tiny):
    def forward(self, x):
        return super().forward(x).flatten()


@pytest.mark.parametrize("network", [Flat, lambda: Tiny(num_classes=2)], ids=["no column", "two logits"])
def test_a_model_with_another_output_is_refused_in_words(train, network):
    with pytest.raises(ValueError, match=r"one logit an image, \[4, 1\].*num_classes"):
        train(*fresh(network=network), epochs=1)


def test_it_stops_at_the_first_loss_that_is_not_a_number(train):
    model = Tiny()
    optimizer = momentum_that_breaks(model, after=4)  # in the first batch of the second epoch
    with pytest.raises(TrainingDiverged, match=r"The loss is nan in epoch 1, batch 1.*smaller learning rate") as caught:
        train(model, optimizer, epochs=3)
    assert optimizer.steps == 4 and len(caught.value.history) == 1


def test_augmentation_reaches_the_training_reader(real_data, palm_folder, tmp_path):
    calls = []

    def count(image):
        calls.append(image.shape)
        return image

    train_pm(*fresh(), epochs=1, augment=count, folder=tmp_path, progress=False)
    assert calls == [(3, 224, 224)] * 12
    loader = data_loader(palm_folder / "PALM-Training400")
    with pytest.raises(ValueError, match="augment belongs to the reader"):
        train_pm(*fresh(), epochs=1, train_loader=loader, augment=count)


def test_evaluation_of_constant_answers(palm_folder, readers, tmp_path, capsys):
    model = Constant(2.0)
    paddle.save(model.state_dict(), str(tmp_path / "always.pdparams"))
    other = Constant(-5.0)
    scores = evaluation(other, tmp_path / "always.pdparams", loader=readers["valid_loader"])
    assert scores.accuracy == pytest.approx(4 / 7)
    assert scores.sensitivity == 1.0 and scores.specificity == 0.0
    assert scores.auc == 0.5
    assert scores.confusion.tolist() == [[0, 3], [0, 4]]
    assert "acc=0.5714" in capsys.readouterr().out
    training_folder = data_loader(palm_folder / "PALM-Training400", mode="eval")
    assert evaluation(other, tmp_path / "always.pdparams", loader=training_folder).accuracy == 0.5


def test_evaluation_says_what_is_wrong_with_a_file(tmp_path, readers):
    with pytest.raises(DataNotFound, match=r"absent\.pdparams: no such parameter file"):
        evaluation(Tiny(), tmp_path / "absent.pdparams", loader=readers["valid_loader"])
    (tmp_path / "torn.pdparams").write_bytes(b"\x80\x04torn")
    with pytest.raises(DataError, match=r"torn\.pdparams: not a readable parameter file"):
        evaluation(Tiny(), tmp_path / "torn.pdparams", loader=readers["valid_loader"])


@pytest.mark.parametrize("other", [Tiny(num_classes=2), Constant(0.0)])
def test_parameters_of_another_network_are_refused(tmp_path, other):
    paddle.save(other.state_dict(), str(tmp_path / "other.pdparams"))
    model = Tiny()
    before = weights(model)
    with pytest.raises(DataError, match="belongs to another network than Tiny"):
        load_parameters(model, tmp_path / "other.pdparams")
    assert_same(before, weights(model))


def test_a_history_survives_its_file(tmp_path):
    history = History([], {"model": "LeNet"})
    history.add(0, 0.5, 0.25, 0.75, valid_auc=float("nan"), seconds=1.5)
    history.save(tmp_path / "h.json")
    json.loads((tmp_path / "h.json").read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    again = History.load(tmp_path / "h.json")
    assert again.about == history.about and again["train_loss"] == [0.5]
    assert math.isnan(again["valid_auc"][0])
    with pytest.raises(KeyError, match="valid_accuracy"):
        again["accuracy"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"epochs": 3}'])
def test_what_is_no_history(tmp_path, text):
    (tmp_path / "h.json").write_text(text)
    with pytest.raises(DataError, match=r"h\.json: not a training history"):
        History.load(tmp_path / "h.json")
