"""The exercises of chapter 3, AlexNet."""

from palm_course.exercises import checks_03
from palm_course.exercises.model import Exercise
from palm_utils.messages import mark

_FC1_INPUTS = Exercise(
    number="3.1",
    title=mark("fc1 for photographs of another size"),
    name="fc1_inputs",
    text="""\
The convolutions of AlexNet take a photograph of any size; `fc1` does not, for it has one weight per unit
and feature, and the number of features depends on the size of the photograph. Whoever trains on larger
photographs has to work it out.

Write `fc1_inputs(height, width)`: the number of features that reach `fc1` of this chapter's AlexNet for a
photograph of `height` × `width` pixels. Follow each side through `conv1` (kernel 11, stride 4, padding 5)
and the three poolings (2 × 2, stride 2; what does not fill a whole 2 × 2 field is left out); the other
convolutions keep the size. Where no pixel is left at the end, raise a `ValueError`.

Example: `fc1_inputs(224, 224)` is 12544.""",
    stub="""\
def fc1_inputs(height, width):
    raise NotImplementedError""",
    success=mark("you can fit AlexNet's first fully connected layer to photographs of any size."),
    hint=mark("follow one side step by step on paper, for 224 and then for 221; rounding happens at every step."),
    stronger_hint=mark(
        "a convolution turns n pixels into (n + 2 · padding - kernel) // stride + 1, a pooling of 2 × 2 into "
        "n // 2. Write a small function for one side, call it for both, and do not forget that conv5 has 256 "
        "channels. Where either side has become 0, raise the error."
    ),
    judge=checks_03.judge_fc1_inputs,
)

_FLIP_AND_BRIGHTEN = Exercise(
    number="3.2",
    title=mark("mirror and brighten"),
    name="flip_and_brighten",
    text="""\
The two changes that the chapter's augmentation makes, without the dice. Write `flip_and_brighten(image,
flip, factor)`. `image` is what a reader yields for one photograph: a float32 NumPy array `[3, H, W]`, blue
first, with values from -1 (black) to 1. Return an array of the same shape and dtype in which

- left and right are exchanged if `flip` is true, and only then,
- every pixel is `factor` times as bright: its distance from black is multiplied by `factor`, so that black
  stays black. What would be brighter than 1 becomes 1.

`image` itself stays as it was: the next epoch needs it again.

Example: with `factor=1.5`, a value of -0.5 becomes -0.25, and 0.9 becomes 1.""",
    stub="""\
def flip_and_brighten(image, flip, factor):
    raise NotImplementedError""",
    success=mark("each epoch can now see a slightly different photograph of the same eye."),
    hint=mark("which axis of [3, H, W] runs from left to right? And where on the scale from -1 to 1 does black lie?"),
    stronger_hint=mark(
        "image[:, :, ::-1] reads the last axis backwards. Move black to 0 by adding 1, multiply, move it back, "
        "and cut with np.clip(..., -1, 1). Write `image = image[...]` or `result = ...`, not `image *= ...`."
    ),
    judge=checks_03.judge_flip_and_brighten,
)

_DROPOUT = Exercise(
    number="3.3",
    title=mark("dropout by hand"),
    name="MyDropout",
    text="""\
Write the layer that stands behind AlexNet's `fc1` and `fc2`, without `paddle.nn.Dropout` and
`F.dropout`: a class `MyDropout`, derived from `paddle.nn.Layer`, created as `MyDropout(p=0.5)`. `p` is the
probability with which a value is dropped, 0 ≤ p < 1. It is called with a float32 tensor of any shape and
returns one of the same shape:

- in training (`self.training` is true) each value by itself, not a whole image or column, is replaced by
  0 with probability `p`, by a new draw in every call, and the values that stay are divided by 1 - p, so
  that on average a sum over the values keeps its size (*inverted* dropout);
- in evaluation (after `.eval()`) all values come back as they were.

The gradient must find its way back through the values that stayed.

Example: `MyDropout(p=0.75)` turns `paddle.ones([1000])` into about 750 zeros and about 250 fours in training,
and into 1000 ones in evaluation.""",
    stub="""\
class MyDropout(paddle.nn.Layer):
    def __init__(self, p=0.5):
        super().__init__()
        raise NotImplementedError

    def forward(self, x):  # any shape
        raise NotImplementedError""",
    success=mark("your layer could take the place of drop1 and drop2, and evaluation needs no correction."),
    hint=mark("try it on paddle.ones([1000]): how many zeros come, what are the others, and what is their mean?"),
    stronger_hint=mark(
        "paddle.rand(x.shape) draws one number between 0 and 1 for each value. Those that are at least p "
        "belong to the values that stay: turn the comparison into float32 and multiply x by it, then divide. "
        "Before all that, `if not self.training: return x`."
    ),
    judge=checks_03.judge_dropout,
)

EXERCISES = (_FC1_INPUTS, _FLIP_AND_BRIGHTEN, _DROPOUT)
