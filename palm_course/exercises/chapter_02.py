"""The exercises of chapter 2, iChallenge-PM: the data and the readers."""

from palm_course.exercises import checks_02, checks_02_image
from palm_course.exercises.trial import Exercise
from palm_utils.messages import mark

LABEL = Exercise(
    number="2.1",
    name="label_from_name",
    title=mark("the label is in the name"),
    success=mark("your labels survive folders whose names begin with P, and strange files are noticed."),
    hint=mark("which part of the path is the file's own name, and which single letter of it counts?"),
    stronger_hint=mark(
        "Path(filename).name (from pathlib) leaves the folders away. Take its first letter, deal with the three known"
        " letters, and let what remains reach a `raise ValueError(...)` with a message that names the file."
    ),
    judge=checks_02.judge_label,
)

ACCURACY = Exercise(
    number="2.2",
    name="accuracy_from_logits",
    title=mark("accuracy of a single logit"),
    success=mark("you read a single logit as it is meant, and mended the tutorial's evaluation."),
    hint=mark("where does the sigmoid cross 0.5? And which shapes do you compare with each other?"),
    stronger_hint=mark(
        "sigmoid(x) is above 0.5 exactly where x is above 0. Flatten both arrays with reshape(-1) first: comparing "
        "[N, 1] with [N] gives N × N results. The mean of an array of True and False is the share of True."
    ),
    judge=checks_02.judge_accuracy,
)

SENSITIVITY = Exercise(
    number="2.3",
    name="sensitivity_specificity",
    title=mark("sensitivity and specificity"),
    success=mark("a constant answer no longer looks like a half-good model to you."),
    hint=mark("each of the two looks only at the eyes with one *true* label; what if there is none?"),
    stronger_hint=mark(
        "sensitivity is the mean of predictions == 1 over the places where labels == 1, specificity the mean of "
        "predictions == 0 where labels == 0. Count those places first and return nan where there are none."
    ),
    judge=checks_02.judge_sensitivity,
)

KEEP_ASPECT = Exercise(
    number="2.4",
    name="transform_keep_aspect",
    title=mark("resize without squeezing"),
    success=mark("round stays round, and the network gets what it expects: shape, dtype and range."),
    hint=mark("work out the new height and width first and print them; then look at the result with plt.imshow."),
    stronger_hint=mark(
        "scale = size / max(height, width). Note that cv2.resize wants (width, height). Start from np.zeros((size, "
        "size, 3), np.uint8) and copy the small photograph into its middle; convert to float32, to [-1, 1] and to CHW"
        " at the end, so that the black border becomes -1 by itself."
    ),
    judge=checks_02_image.judge_keep_aspect,
)
