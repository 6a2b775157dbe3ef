"""The exercises of chapter 7, the high-level API on CIFAR-10."""

from palm_course.exercises import checks_07
from palm_course.exercises.model import Exercise
from palm_utils.messages import mark

_UNDO = Exercise(
    number="7.1",
    title=mark("back to a picture"),
    name="undo_normalise",
    text="""\
A normalised batch is what a network wants and nothing that a person can look at. To show what the network
was shown, every step has to be undone.

Write `undo_normalise(batch, mean, std)`. `batch` is a NumPy array, float32 `[N, 3, H, W]`, that was made
from uint8 pictures by dividing by 255, subtracting `mean` and dividing by `std`; both are sequences of
three numbers, one for each channel. Return the pictures as `plt.imshow` takes them: uint8 `[N, H, W, 3]`,
each pixel rounded to the nearest whole number, and values that would be below 0 or above 255 set to 0
and 255. Leave `batch` as it is.

Example: with `mean = (0.5, 0.5, 0.5)` and `std = (0.25, 0.25, 0.25)` a value of -2 becomes 0, 0.5 becomes 159
(from 159.375) and 3 becomes 255.""",
    stub="""\
def undo_normalise(batch, mean, std):
    raise NotImplementedError""",
    success=mark("you can look at what a network sees, and notice when it is not what you meant it to see."),
    hint=mark("undo the steps in the opposite order, and print the smallest and largest value after each."),
    stronger_hint=mark(
        "reshape mean and std to [3, 1, 1] so that they meet the channels: (batch * std + mean) * 255. "
        "np.rint rounds and np.clip sets limits, both before astype(np.uint8), which would cut off the "
        "digits and wrap 256 around to 0. transpose(0, 2, 3, 1) puts the channels last."
    ),
    judge=checks_07.judge_undo,
)

_RATE = Exercise(
    number="7.2",
    title=mark("up, and down along a cosine"),
    name="learning_rate",
    text="""\
The improved recipe's learning rate rises in a straight line and then falls along a cosine. A schedule is
nothing but a function of the step.

Write `learning_rate(step, steps, warmup, peak)`. Steps count from 0 to `steps - 1`. Return

- for the first `warmup` steps a straight line: step 0 has `peak / warmup`, each step as much more, and step
  `warmup - 1` has `peak`;
- from step `warmup` on half a cosine, which begins with `peak` at step `warmup` and would reach 0 at step
  `steps`: peak · ½ · (1 + cos(π · t)), where t is the share of the falling part that is over.

`warmup` may be 0; it is less than `steps`.

Example: with 10 steps, 2 of warm-up and a peak of 0.1, the rates begin with 0.05, 0.1, 0.1 and 0.0962.""",
    stub="""\
def learning_rate(step, steps, warmup, peak):
    raise NotImplementedError""",
    success=mark("any schedule that you can write down as a formula is yours to train with."),
    hint=mark("which step is the last of the rising part, and over how many steps does the rate fall?"),
    stronger_hint=mark(
        "for step < warmup it is peak * (step + 1) / warmup. After that t = (step - warmup) / (steps - warmup). "
        "math.cos takes radians, and math.pi is π."
    ),
    judge=checks_07.judge_rate,
)

_STOP = Exercise(
    number="7.3",
    title=mark("a callback that stops in time"),
    name="StopWhenFlat",
    text="""\
A training whose accuracy no longer rises only warms the room. A callback can end it: `fit` looks at
`self.model.stop_training` after each epoch and stops where it is True.

Write the class `StopWhenFlat(patience)`, a `paddle.callbacks.Callback`. After each epoch `fit` validates
and calls `on_eval_end(logs)`, where `logs["acc"]` is the validation accuracy. The callback sets
`self.model.stop_training = True` as soon as `patience` validations in a row have brought no accuracy above
the best one before them; the first validation always counts as the best so far. One that only equals the
best does not count as better. A second training with the same callback starts anew: `fit` calls
`on_train_begin(logs)` first.

Example: `StopWhenFlat(2)` ends a training with the accuracies 0.3, 0.5, 0.4, 0.5, 0.6 after the fourth
epoch.""",
    stub="""\
class StopWhenFlat(paddle.callbacks.Callback):
    def __init__(self, patience):
        raise NotImplementedError""",
    success=mark("your trainings end when there is nothing left to gain, and never one epoch too early."),
    hint=mark("what do you compare an accuracy with, and what happens to your count when it is better?"),
    stronger_hint=mark(
        "call super().__init__() and keep patience in __init__; set self.best and self.waited in on_train_begin. "
        "In on_eval_end: a better accuracy becomes the best and sets self.waited to 0, any other adds 1 to it; "
        "then compare self.waited with self.patience."
    ),
    judge=checks_07.judge_stop,
)

_TOP_K = Exercise(
    number="7.4",
    title=mark("right among the first k"),
    name="top_k_accuracy",
    text="""\
`Accuracy(topk=(1, 5))` reports two figures. The second is the share of pictures whose true class is among
the five with the largest logits.

Write `top_k_accuracy(logits, labels, k)`. `logits` is a NumPy array `[N, classes]`; `labels` holds the true
classes as whole numbers, in an array of shape `[N]` or, as a data loader yields them, `[N, 1]`. Return the
share of the N rows, a number between 0 and 1. No two logits of a row are equal; `k` is at least 1 and at
most the number of classes. Leave both arrays as they are.

Example: for `logits = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]])` and `labels = np.array([2, 2])` the top-1
accuracy is 0, the top-2 accuracy 0.5 and the top-3 accuracy 1.""",
    stub="""\
def top_k_accuracy(logits, labels, k):
    raise NotImplementedError""",
    success=mark("you know what the second figure in the log means, and why guessing gets 0.5 of it here."),
    hint=mark("print, for one row, the classes in the order of their logits. Which k of them count?"),
    stronger_hint=mark(
        "np.argsort(-logits, axis=1)[:, :k] are the k best classes of each row. Compare them with "
        "labels.reshape(-1, 1), see with .any(axis=1) whether one of them is right, and take the mean."
    ),
    judge=checks_07.judge_top_k,
)

EXERCISES = (_UNDO, _RATE, _STOP, _TOP_K)
