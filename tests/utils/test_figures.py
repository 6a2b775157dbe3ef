"""Figures are looked at by people; tests hold what a figure must say: axes, units, titles, data."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from palm_course import diagrams
from palm_utils import figures
from palm_utils.history import History
from palm_utils.metrics import score


@pytest.fixture(autouse=True)
def _clean_slate():
    with matplotlib.rc_context():
        figures.use_style()
        yield
    plt.close("all")


@pytest.fixture
def history():
    history = History()
    for epoch, accuracy in enumerate((0.5, 0.75, 0.7)):
        history.add(epoch, 0.7 - epoch / 10, 0.6, accuracy, seconds=1.0)
    return history


def scores():
    return score([2.0, 1.0, -1.0, -2.0], [1, 0, 1, 0])


def labels(texts):
    return [text.get_text() for text in texts]


image = np.zeros((8, 8, 3), np.uint8)


def every_figure(history):
    yield figures.training_curves(history, title="LeNet", baseline=("guessing", 0.5))
    yield figures.training_curves({"a": history, "b": history}, title="Two")
    yield figures.confusion_and_roc(scores(), title="LeNet")
    yield figures.probability_histogram(scores(), title="Answers")
    yield figures.layer_bars({"net": {"conv1": 0.1, "fc": 0.2}}, title="Gradients", ylabel="gradient")
    yield figures.image_grid([image] * 7, [f"{i}" for i in range(7)], title="Seven", columns=3)
    yield figures.prediction_grid([image] * 2, [0.9, 0.2], [1, 1])
    yield diagrams.architecture([("input", "", [3, 8, 8]), ("fc", "Linear", [10])], title="Net")
    yield diagrams.flow({"a": (1, 1, "x", ""), "b": (1, 3, "+", "add")}, [("a", "b"), ("a", "b", 0.5)], title="Block")


def test_every_figure_has_a_title_and_named_axes_and_is_opaque_and_light(history):
    drawn = list(every_figure(history))
    for fig in drawn:
        assert fig.get_suptitle() or any(ax.get_title() for ax in fig.axes)
        assert all(ax.get_xlabel() and ax.get_ylabel() for ax in fig.axes if ax.axison)
        assert fig.get_facecolor() == (1.0, 1.0, 1.0, 1.0)  # a dark notebook shows it too
        fig.canvas.draw()  # no missing glyph, no layout that cannot be drawn
    assert len(drawn) == 9


def test_curves_show_the_figures_of_the_history_with_epochs_from_one(history):
    fig = figures.training_curves(history, title="LeNet", baseline=("guessing", 0.5))
    loss, accuracy = fig.axes
    assert accuracy.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert accuracy.lines[0].get_ydata().tolist() == [0.5, 0.75, 0.7]
    np.testing.assert_allclose(loss.lines[0].get_ydata(), [0.7, 0.6, 0.5])
    assert labels(accuracy.get_legend().get_texts()) == ["validation", "guessing"]


def test_of_several_runs_the_colours_are_named_once_and_the_kinds_of_line_once(history):
    loss, accuracy = figures.training_curves({"a": history, "b": history, "c": history}, title="Three").axes
    kinds, names = loss.get_legend(), accuracy.get_legend()
    assert labels(kinds.get_texts()) == ["training", "validation"]
    assert [line.get_linestyle() for line in kinds.get_lines()] == ["--", "-"]
    assert {line.get_color() for line in kinds.get_lines()} == {figures.GREY}
    assert labels(names.get_texts()) == ["a", "b", "c"]
    assert [line.get_color() for line in names.get_lines()] == [line.get_color() for line in loss.lines[::2]]


def test_right_predictions_are_blue_and_wrong_ones_red():
    fig = figures.prediction_grid([image] * 3, [0.9, 0.4, 0.5], [1, 1, 0])
    assert [ax.title.get_color() for ax in fig.axes[:3]] == [figures.BLUE, figures.RED, figures.RED]
    assert [ax.get_title()[0] for ax in fig.axes[:3]] == ["✓", "✗", "✗"]
    assert "p(PM) 0.90" in fig.axes[0].get_title()


def test_images_are_turned_from_what_networks_see_to_what_people_see():
    bgr = np.zeros((2, 2, 3), np.uint8)
    bgr[..., 0] = 200  # blue
    assert figures.as_rgb(bgr)[0, 0].tolist() == [0, 0, 200]
    for value in (0, 1, 127, 128, 254, 255):
        net = np.full((3, 2, 2), value / 255 * 2 - 1, np.float32)
        assert figures.as_rgb(net).dtype == np.uint8 and np.all(figures.as_rgb(net) == value)
    fig = figures.image_grid([np.eye(3)] * 4, columns=3)
    assert [bool(ax.images) for ax in fig.axes] == [True] * 4 + [False] * 2  # the rest of the grid is empty
    assert not any(ax.axison for ax in fig.axes)


@pytest.mark.parametrize("epochs", [1, 2, 12])
def test_epochs_are_whole_numbers(history, epochs):
    run = History([{**history.last, "epoch": epoch} for epoch in range(epochs)])
    for ax in figures.training_curves(run, title="Net").axes:
        ticks = [tick for tick in ax.get_xticks() if ax.get_xlim()[0] <= tick <= ax.get_xlim()[1]]
        assert ticks and all(tick == int(tick) >= 1 for tick in ticks)


def test_answers_among_many_classes_are_blue_where_right_and_name_the_truth_where_wrong():
    names = ("cat", "dog", "frog")
    fig = figures.class_grid([image] * 2, np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]]), [1, 2], names=names)
    assert [ax.get_title() for ax in fig.axes[:2]] == ["✓ dog\np 0.70", "✗ cat\np 0.50, is frog"]
    assert [ax.title.get_color() for ax in fig.axes[:2]] == [figures.BLUE, figures.RED]


def test_a_confusion_shows_counts_and_shares_and_of_many_classes_per_cent_of_the_true_class():
    fig = figures.confusion_and_roc(scores(), title="LeNet")
    assert labels(fig.axes[0].texts) == ["1\n(50%)"] * 4
    (ax,) = figures.class_confusion([0, 0, 0, 0, 2], [0, 0, 0, 1, 2], ("cat", "dog", "frog")).axes
    assert {text.get_position(): text.get_text() for text in ax.texts} == {(0, 0): "75", (1, 0): "25", (2, 2): "100"}
    assert labels(ax.get_yticklabels()) == ["cat", "dog", "frog"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")
