"""The exercises of chapter 2, iChallenge-PM: the data and the readers."""

from palm_course.exercises import checks_02
from palm_course.exercises.model import Exercise
from palm_utils.messages import mark

_LABEL = Exercise(
    number="2.1",
    title=mark("the label is in the name"),
    name="label_from_name",
    text="""\
The training photographs of iChallenge-PM come without a table: the first letter of each file name says
what the eye has. A reader that looks at the wrong letter trains on noise, and nothing warns you.

Write `label_from_name(filename)`. `filename` is a string, with or without folders (separated by `/`) in
front. It returns

- 1 for a file whose name begins with `P` (pathologic myopia),
- 0 for one that begins with `H` (high myopia) or `N` (normal),
- and raises a `ValueError` for any other first letter, rather than guess.

The suffix may be written `.jpg` or `.JPG`. Example: `label_from_name("PALM-Training400/N0012.jpg")` is 0.""",
    stub="""\
def label_from_name(filename):
    raise NotImplementedError""",
    success=mark("your labels survive folders whose names begin with P, and strange files are noticed."),
    hint=mark("which part of the path is the file's own name, and which single letter of it counts?"),
    stronger_hint=mark(
        "Path(filename).name (from pathlib) leaves the folders away. Take its first letter, deal with the "
        "three known letters, and let what remains reach a `raise ValueError(...)` with a message that "
        "names the file."
    ),
    judge=checks_02.judge_label,
)

_ACCURACY = Exercise(
    number="2.2",
    title=mark("accuracy of a single logit"),
    name="accuracy_from_logits",
    text="""\
The networks of this chapter end in a single logit per image, and the tutorial's `evaluation` takes the
arg-max over that single column: it answers class 0 for every eye. Do it right.

Write `accuracy_from_logits(logits, labels)`. Both are NumPy arrays of N numbers, each of shape `[N, 1]`
or `[N]`, and not necessarily both of the same shape; the labels are 0 or 1 (float or int). An image
counts as positive where the sigmoid of its logit is above 0.5. Return the share of images that are
classified as labelled, a number between 0 and 1. Leave both arrays as they are.

Example: with `logits = np.array([[2.0], [-1.0], [0.3], [-4.0]])` and `labels = np.array([[1], [0], [0],
[0]])` the accuracy is 0.75.""",
    stub="""\
def accuracy_from_logits(logits, labels):
    raise NotImplementedError""",
    success=mark("you read a single logit as it is meant, and mended the tutorial's evaluation."),
    hint=mark("where does the sigmoid cross 0.5? And which shapes do you compare with each other?"),
    stronger_hint=mark(
        "sigmoid(x) is above 0.5 exactly where x is above 0. Flatten both arrays with reshape(-1) first: "
        "comparing [N, 1] with [N] gives N × N results. The mean of an array of True and False is the "
        "share of True."
    ),
    judge=checks_02.judge_accuracy,
)

_SENSITIVITY = Exercise(
    number="2.3",
    title=mark("sensitivity and specificity"),
    name="sensitivity_specificity",
    text="""\
A model that calls every eye pathologic is right for 53 % of the validation photographs. Accuracy hides
that; two numbers show it: the *sensitivity*, the share of the eyes with PM that are found, and the
*specificity*, the share of the eyes without PM that are let go.

Write `sensitivity_specificity(predictions, labels)`. Both are integer NumPy arrays of shape `[N]` that
hold 0 (not PM) and 1 (PM). Return the two numbers in this order. Where there is no eye to take the share
of, that number is not zero but unknown: return `float("nan")` in its place.

Example: predictions `[1, 1, 0, 0, 1]` for labels `[1, 1, 1, 0, 0]` give 0.6667 and 0.5.""",
    stub="""\
def sensitivity_specificity(predictions, labels):
    raise NotImplementedError""",
    success=mark("a constant answer no longer looks like a half-good model to you."),
    hint=mark("each of the two looks only at the eyes with one *true* label; what if there is none?"),
    stronger_hint=mark(
        "sensitivity is the mean of predictions == 1 over the places where labels == 1, specificity the "
        "mean of predictions == 0 where labels == 0. Count those places first and return nan where there "
        "are none."
    ),
    judge=checks_02.judge_sensitivity,
)

_KEEP_ASPECT = Exercise(
    number="2.4",
    title=mark("resize without squeezing"),
    name="transform_keep_aspect",
    text="""\
`transform_img` makes every photograph square, so a round fundus in a wide photograph becomes an oval. A
doctor would object, for the shape of the optic disc is a sign of myopia.

Write `transform_keep_aspect(img, size=224)`. `img` is what `cv2.imread` returns: uint8, `[height, width,
3]`, blue first. Return a NumPy array, float32, `[3, size, size]`, where

- the photograph is resized so that its **longer** side has `size` pixels and its shape is kept (round the
  shorter side either way; any usual interpolation will do), small photographs are enlarged,
- the rest is filled with black, evenly on both sides (where a pixel is left over, on either side),
- the values are scaled from 0…255 to [-1, 1], black being -1, as in `transform_img`,
- the order of the colours stays, and `img` stays as it was.

Example: a photograph of 100 × 200 pixels (height × width) with `size=224` fills rows 56 to 167; all
others are -1.""",
    stub="""\
def transform_keep_aspect(img, size=224):
    raise NotImplementedError""",
    success=mark("round stays round, and the network gets what it expects: shape, dtype and range."),
    hint=mark("work out the new height and width first and print them; then look at the result with plt.imshow."),
    stronger_hint=mark(
        "scale = size / max(height, width). Note that cv2.resize wants (width, height). Start from "
        "np.zeros((size, size, 3), np.uint8) and copy the small photograph into its middle; convert to "
        "float32, to [-1, 1] and to CHW at the end, so that the black border becomes -1 by itself."
    ),
    judge=checks_02.judge_keep_aspect,
)

EXERCISES = (_LABEL, _ACCURACY, _SENSITIVITY, _KEEP_ASPECT)
