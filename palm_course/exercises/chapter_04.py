"""The exercises of chapter 4, VGG: what a stack of convolutions costs and sees, and networks from a list."""

from palm_course.exercises import checks_04, checks_04_features
from palm_course.exercises.trial import Exercise
from palm_utils.messages import mark

COST = Exercise(
    number="4.1",
    name="conv_stack_cost",
    title=mark("the price of a stack"),
    success=mark("you can tell what a stack of convolutions costs before you build it."),
    hint=mark(
        "how many weights make one output channel of one convolution? How often is each weight used on a map of "
        "`side` × `side` pixels?"
    ),
    stronger_hint=mark(
        "A convolution from C to D channels has kernel · kernel · C · D weights and D biases. Each weight is used "
        "once at every pixel of the output map. Walk through zip(kernels, channels, channels[1:]) and add up."
    ),
    judge=checks_04.judge_cost,
)

WINDOW = Exercise(
    number="4.2",
    name="input_window",
    title=mark("where does it look?"),
    success=mark("you can point at the part of a photograph that any feature comes from."),
    hint=mark(
        "start at the output with first = last = index; which pixels of the map below does one layer need for them?"
    ),
    stronger_hint=mark(
        "Go through the layers from the last to the first. With padding p, output pixel i of a layer reads the pixels"
        " i · stride - p to i · stride - p + kernel - 1 of the map below. Apply the first to `first`, the second to "
        "`last`."
    ),
    judge=checks_04.judge_window,
)

FEATURES = Exercise(
    number="4.3",
    name="make_features",
    title=mark("a whole family from lists"),
    success=mark("with this one function VGG-11, 13, 16 and 19 are four lists."),
    hint=mark("what must you remember from one convolution to the next? And what becomes of it at a pooling?"),
    stronger_hint=mark(
        "Collect layers in a list: for a number, Conv2D(in_channels, number, 3, padding=1) and ReLU(), and then "
        'in_channels = number; for "M", MaxPool2D(2, 2). At the end, paddle.nn.Sequential(*layers) makes one layer of'
        " them."
    ),
    judge=checks_04_features.judge_features,
)
