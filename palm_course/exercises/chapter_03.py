"""The exercises of chapter 3, AlexNet."""

from palm_course.exercises import checks_03, checks_03_dropout
from palm_course.exercises.trial import Exercise
from palm_utils.messages import mark

FC1_INPUTS = Exercise(
    number="3.1",
    name="fc1_inputs",
    title=mark("fc1 for photographs of another size"),
    success=mark("you can fit AlexNet's first fully connected layer to photographs of any size."),
    hint=mark("follow one side step by step on paper, for 224 and then for 221; rounding happens at every step."),
    stronger_hint=mark(
        "a convolution turns n pixels into (n + 2 · padding - kernel) // stride + 1, a pooling of 2 × 2 into n // 2. "
        "Write a small function for one side, call it for both, and do not forget that conv5 has 256 channels. Where "
        "either side has become 0, raise the error."
    ),
    judge=checks_03.judge_fc1_inputs,
)

FLIP_AND_BRIGHTEN = Exercise(
    number="3.2",
    name="flip_and_brighten",
    title=mark("mirror and brighten"),
    success=mark("each epoch can now see a slightly different photograph of the same eye."),
    hint=mark("which axis of [3, H, W] runs from left to right? And where on the scale from -1 to 1 does black lie?"),
    stronger_hint=mark(
        "image[:, :, ::-1] reads the last axis backwards. Move black to 0 by adding 1, multiply, move it back, and "
        "cut with np.clip(..., -1, 1). Write `image = image[...]` or `result = ...`, not `image *= ...`."
    ),
    judge=checks_03.judge_flip_and_brighten,
)

DROPOUT = Exercise(
    number="3.3",
    name="MyDropout",
    title=mark("dropout by hand"),
    success=mark("your layer could take the place of drop1 and drop2, and evaluation needs no correction."),
    hint=mark("try it on paddle.ones([1000]): how many zeros come, what are the others, and what is their mean?"),
    stronger_hint=mark(
        "paddle.rand(x.shape) draws one number between 0 and 1 for each value. Those that are at least p belong to "
        "the values that stay: turn the comparison into float32 and multiply x by it, then divide. Before all that, "
        "`if not self.training: return x`."
    ),
    judge=checks_03_dropout.judge_dropout,
)
