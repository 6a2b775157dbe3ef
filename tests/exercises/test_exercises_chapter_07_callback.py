"""Exercise 7.3: the reference passes and works in a real training, so do other right ways; wrong answers are named."""

import numpy as np
import paddle
import pytest
from exercise_verdicts import assert_right, assert_wrong, reference


def stop_when_flat(*, late=0, equal=False, against="best", reset=True, base=paddle.callbacks.Callback, start=True):
    """The class asked for; the options make its usual mistakes."""

    class StopWhenFlat(base):
        def __init__(self, patience):
            super().__init__()
            self.patience = patience
            self.begin()

        def begin(self):
            self.best, self.last, self.waited = -1.0, -1.0, 0

        def on_train_begin(self, logs=None):
            if start:
                self.begin()

        def on_eval_end(self, logs=None):
            former = self.best if against == "best" else self.last
            better = logs["acc"] >= former if equal else logs["acc"] > former
            self.waited = (0 if reset else self.waited) if better else self.waited + 1
            self.best, self.last = max(self.best, logs["acc"]), logs["acc"]
            if self.waited >= self.patience + late:
                self.model.stop_training = True

    return StopWhenFlat


class ByHistory(paddle.callbacks.Callback):
    def __init__(self, patience):
        super().__init__()
        self.patience = patience

    def on_train_begin(self, logs=None):
        self.seen = []

    def on_eval_end(self, logs=None):
        self.seen.append(logs["acc"])
        first_best = int(np.argmax(self.seen))  # the first of equals
        self.model.stop_training = len(self.seen) - 1 - first_best >= self.patience


class ByEarlyStopping(paddle.callbacks.EarlyStopping):
    def __init__(self, patience):
        super().__init__("acc", mode="max", patience=patience, verbose=0, save_best_model=False)


@pytest.mark.parametrize("answer", [stop_when_flat(), ByHistory, ByEarlyStopping])
def test_right_ways(answer):
    assert_right("7.3", answer)


@pytest.mark.filterwarnings("ignore:To copy construct from a tensor")  # by paddle.Model, of its own tensors
def test_the_reference_passes_and_stops_a_training():
    answer = reference("7.3", {"paddle": paddle})
    assert_right("7.3", answer)
    x = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    data = paddle.io.TensorDataset([paddle.to_tensor(x), paddle.zeros([8, 1], "int64")])
    model = paddle.Model(paddle.nn.Linear(4, 2))
    optimizer = paddle.optimizer.SGD(0.0, parameters=model.parameters())  # learns nothing
    model.prepare(optimizer, paddle.nn.CrossEntropyLoss(), paddle.metric.Accuracy())
    epochs = []

    class Count(paddle.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            epochs.append(epoch)

    model.fit(data, data, batch_size=4, epochs=9, verbose=0, callbacks=[answer(2), Count()])
    assert epochs == [0, 1, 2]


class WatchesTraining(stop_when_flat()):
    def on_epoch_end(self, epoch, logs=None):
        super().on_eval_end(logs)

    def on_eval_end(self, logs=None):
        pass


class Forgetful(paddle.callbacks.Callback):
    def __init__(self, patience):
        self.patience = patience

    def on_eval_end(self, logs=None):
        if logs["acc"] > self.best:
            self.best = logs["acc"]


class Returns(stop_when_flat()):
    def on_eval_end(self, logs=None):
        return True


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (stop_when_flat(late=1), "one validation more than `patience`"),
        (stop_when_flat(late=-1), "one validation too early"),
        (stop_when_flat(equal=True), "only equals the best"),
        (stop_when_flat(against="last"), "compares with the validation before"),
        (stop_when_flat(reset=False), "set the count back to 0"),
        (stop_when_flat(start=False), "still remembers the first"),
        (Returns, "never stops"),
        (WatchesTraining, "right for"),
        (Forgetful, "raises AttributeError in line"),
        (stop_when_flat(base=object), r"derived from paddle\.callbacks\.Callback"),
        (lambda patience: stop_when_flat()(patience), r"derived from paddle\.callbacks\.Callback"),
    ],
)
def test_wrong(answer, words):
    assert_wrong("7.3", answer, words)
