"""Drawings with the numbers in them, and controls that are a figure where nobody can move them."""

import matplotlib.pyplot as plt
import numpy as np
import paddle
import pytest
from matplotlib.text import Text

from palm_course import curves, drawings, widgets
from palm_utils.history import History
from palm_utils.messages import CourseError

PICTURE, KERNEL = np.arange(30.0).reshape(5, 6) % 7, np.array([[-1.0, 0, 1], [2, 0, -2], [1, 1, 1]])


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 0), (1, 1), (3, 2)])
def test_a_convolution_is_paddles_and_its_drawing_shows_its_numbers(stride, padding):
    x, w = (paddle.to_tensor(a, "float32").unsqueeze([0, 1]) for a in (PICTURE, KERNEL))
    right = paddle.nn.functional.conv2d(x, w, stride=stride, padding=padding)[0, 0].numpy()
    np.testing.assert_allclose(drawings.convolve(PICTURE, KERNEL, stride, padding), right)
    told = texts(drawings.convolution(PICTURE, KERNEL, stride, padding, at=(1, 1)))
    assert any(text.endswith(f"= {right[1, 1]:g}".replace("-", "−")) for text in told)


def test_a_kernel_larger_than_the_image_is_refused():
    with pytest.raises(CourseError, match="larger than the image"):
        drawings.convolve(np.ones((2, 2)), KERNEL)


def test_the_other_drawings():
    assert {"6", "3", "5"} <= set(texts(drawings.pooling(np.array([[1, 6, 3, 0], [2, 3, 5, 4]]), size=2, stride=1)))
    image, kernels = np.ones((2, 4, 4)), np.ones((3, 2, 2, 2))
    assert texts(drawings.channels(image, kernels)).count("8") == 3 * 9
    assert "sigmoid: slope at most 0.25" in texts(drawings.activations())
    assert len(drawings.descent([0.1, 1.05]).axes) == 2
    plt.close("all")


def test_runs_of_several_seeds_have_a_line_each_and_one_legend():
    def run(*accuracies):
        return History([{"epoch": i, "valid_accuracy": accuracy} for i, accuracy in enumerate(accuracies)])

    runs = {"tutorial": {0: run(0.5, 0.9)}, "steady": {0: run(0.7, 0.8, 0.95), 1: run(0.6, 0.8, 0.9)}}
    fig = curves.draw_seeds(runs, title="both", lowest=40, level=("claim", 94))
    drawn = [[line.get_ydata() for line in ax.lines] for ax in fig.axes]
    np.testing.assert_allclose(drawn[0], [[50, 90], [94, 94]])
    np.testing.assert_allclose(drawn[1][:2], [[70, 80, 95], [60, 80, 90]])
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["seed 0", "seed 1", "claim"]
    plt.close("all")


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def test_without_a_front_end_the_figure_of_the_starting_values_is_shown_and_no_widget(capsys):
    seen = []

    def draw(kernel, threshold):
        seen.append((kernel, threshold))
        return plt.figure()

    assert not widgets.is_live()
    widgets.explore(draw, kernel=widgets.Numbers(KERNEL), threshold=widgets.Slider(0, 1, 0.1, start=0.5))
    assert [threshold for _, threshold in seen] == [0.5] and seen[0][0] is KERNEL
    assert capsys.readouterr().out == ""


def test_controls_start_where_they_are_told():
    pytest.importorskip("ipywidgets")
    table = widgets.Numbers(KERNEL).made("kernel")
    np.testing.assert_array_equal(table.value, KERNEL)
    table.children[0].value = 5.0
    assert table.value[0, 0] == 5.0
    assert widgets.Slider(0, 1, 0.1, start=0.5).made("threshold").value == 0.5
