"""What chapter 7 shows of its trainings."""

import matplotlib.pyplot as plt
import pytest

from palm_course import fitting
from palm_utils.history import History


@pytest.fixture
def history():
    made = History()
    for epoch, accuracy in enumerate((0.6, 0.8)):
        made.add(epoch, 1.5, 1.25, accuracy, seconds=3.4)
        made.last.update({"valid_acc_top1": accuracy, "valid_acc_top5": 0.9, "train_acc_top1": 0.5})
    return made


def test_a_log_is_told_again(history, capsys):
    fitting.retell(history, 4)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "Epoch 1/4 (logbook)",
        "train - loss: 1.5000 - acc_top1: 0.5000",
        "valid - loss: 1.2500 - acc_top1: 0.6000 - acc_top5: 0.9000",
    ]
    assert len(lines) == 8
    fitting.retell(History(), 4)
    assert capsys.readouterr().out == ""


def test_each_way_has_a_dot_for_every_seed(history):
    shorter = History(history.epochs[:1])
    fig = fitting.ways({"frozen": [history, shorter], "all": [history]}, title="Eyes", baseline=("always", 0.5))
    dots = [line.get_xdata() for line in fig.axes[1].lines]
    assert [list(x) for x in dots] == [[0.8, 0.6], [0.8]]
    assert [text.get_text() for text in fig.axes[1].texts] == ["frozen", "all"]
    plt.close(fig)
