"""The exercises of chapter 7, the high-level API on CIFAR-10."""

from palm_course.exercises import checks_07, checks_07_callback, checks_07_pictures
from palm_course.exercises.trial import Exercise
from palm_utils.messages import mark

UNDO = Exercise(
    number="7.1",
    name="undo_normalise",
    title=mark("back to a picture"),
    success=mark("you can look at what a network sees, and notice when it is not what you meant it to see."),
    hint=mark("undo the steps in the opposite order, and print the smallest and largest value after each."),
    stronger_hint=mark(
        "reshape mean and std to [3, 1, 1] so that they meet the channels: (batch * std + mean) * 255. np.rint rounds"
        " and np.clip sets limits, both before astype(np.uint8), which would cut off the digits and wrap 256 around "
        "to 0. transpose(0, 2, 3, 1) puts the channels last."
    ),
    judge=checks_07_pictures.judge_undo,
)

RATE = Exercise(
    number="7.2",
    name="learning_rate",
    title=mark("up, and down along a cosine"),
    success=mark("any schedule that you can write down as a formula is yours to train with."),
    hint=mark("which step is the last of the rising part, and over how many steps does the rate fall?"),
    stronger_hint=mark(
        "for step < warmup it is peak * (step + 1) / warmup. After that t = (step - warmup) / (steps - warmup). "
        "math.cos takes radians, and math.pi is π."
    ),
    judge=checks_07.judge_rate,
)

STOP = Exercise(
    number="7.3",
    name="StopWhenFlat",
    title=mark("a callback that stops in time"),
    success=mark("your trainings end when there is nothing left to gain, and never one epoch too early."),
    hint=mark("what do you compare an accuracy with, and what happens to your count when it is better?"),
    stronger_hint=mark(
        "call super().__init__() and keep patience in __init__; set self.best and self.waited in on_train_begin. In "
        "on_eval_end: a better accuracy becomes the best and sets self.waited to 0, any other adds 1 to it; then "
        "compare self.waited with self.patience."
    ),
    judge=checks_07_callback.judge_stop,
)

TOP_K = Exercise(
    number="7.4",
    name="top_k_accuracy",
    title=mark("right among the first k"),
    success=mark("you know what the second figure in the log means, and why guessing gets 0.5 of it here."),
    hint=mark("print, for one row, the classes in the order of their logits. Which k of them count?"),
    stronger_hint=mark(
        "np.argsort(-logits, axis=1)[:, :k] are the k best classes of each row. Compare them with labels.reshape(-1, "
        "1), see with .any(axis=1) whether one of them is right, and take the mean."
    ),
    judge=checks_07.judge_top_k,
)
