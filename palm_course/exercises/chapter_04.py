"""The exercises of chapter 4, VGG: what a stack of convolutions costs and sees, and networks from a list."""

from palm_course.exercises import checks_04
from palm_course.exercises.model import Exercise
from palm_utils.messages import mark

_COST = Exercise(
    number="4.1",
    title=mark("the price of a stack"),
    name="conv_stack_cost",
    text="""\
Section 4.1 lets PaddlePaddle build the layers and counts what it finds. Knowing the price *before* anything
is built is more useful, and simple arithmetic is enough.

Write `conv_stack_cost(kernels, channels, side)` for a stack of convolutions, each with stride 1, a bias for
each of its output channels, and a padding that keeps the map as large as it was:

- `kernels`: a list of kernel sizes, input side first; `[5]` is one 5 × 5 convolution,
- `channels`: a list that is one longer: the channels of the input, then those after each convolution,
- `side`: height and width of the maps.

Return two numbers: the parameters (weights and biases), and the multiply-adds for one image. A multiply-add
is one multiplication by a weight; the additions of the biases are not counted.

Example: `conv_stack_cost([3, 3], [64, 64, 64], 56)` is `(73856, 231211008)`, as in section 4.1.""",
    stub="""\
def conv_stack_cost(kernels, channels, side):
    raise NotImplementedError""",
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

_WINDOW = Exercise(
    number="4.2",
    title=mark("where does it look?"),
    name="input_window",
    text="""\
`receptive_field` of section 4.1 says how many pixels an output pixel sees, but not which. To point at the
place in the photograph that a feature comes from, you need its first and its last pixel.

Write `input_window(layers, index)` for one direction, rows or columns:

- `layers`: a list of `(kernel, stride, padding)`, input side first; poolings count like convolutions,
- `index`: the output pixel, counted from 0.

Return the first and the last input pixel that output pixel `index` depends on, both included and counted
from 0. A window that reaches into the padding begins below 0 or ends behind the photograph: leave it so.
Leave `layers` as it is.

Example: `input_window([(3, 1, 1), (3, 1, 1), (2, 2, 0)], 10)`, the first block of VGG-16, is `(18, 23)`: six
pixels, as section 4.3 found.""",
    stub="""\
def input_window(layers, index):
    raise NotImplementedError""",
    success=mark("you can point at the part of a photograph that any feature comes from."),
    hint=mark(
        "start at the output with first = last = index; which pixels of the map below does one layer need for them?"
    ),
    stronger_hint=mark(
        "Go through the layers from the last to the first. With padding p, output pixel i of a layer reads the pixels "
        "i · stride - p to i · stride - p + kernel - 1 of the map below. Apply the first to `first`, the second to "
        "`last`."
    ),
    judge=checks_04.judge_window,
)

_FEATURES = Exercise(
    number="4.3",
    title=mark("a whole family from lists"),
    name="make_features",
    text="""\
VGG-11, 13, 16 and 19 differ in nothing but the number of convolutions in their blocks. The usual way to write
such a network down is a flat list: a number stands for a 3 × 3 convolution with that many output channels and a
ReLU after it, `"M"` for a max-pooling. For VGG-11 that is

`[64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]`.

Write `make_features(plan, in_channels=3)`. It returns one `paddle.nn.Layer` with everything in `plan`, in this
order, for input with `in_channels` channels:

- each convolution with stride 1, padding 1 (so that the map keeps its size) and a bias,
- each max-pooling with a 2 × 2 window and stride 2.

The plan may be of any length, and may begin or end with either. Leave it as it is.

Example: `make_features([8, "M", 16, 16, "M"])` turns `[1, 3, 32, 32]` into `[1, 16, 8, 8]` and has 3,712
parameters.""",
    stub="""\
def make_features(plan, in_channels=3):
    raise NotImplementedError""",
    success=mark("with this one function VGG-11, 13, 16 and 19 are four lists."),
    hint=mark("what must you remember from one convolution to the next? And what becomes of it at a pooling?"),
    stronger_hint=mark(
        "Collect layers in a list: for a number, Conv2D(in_channels, number, 3, padding=1) and ReLU(), and then "
        'in_channels = number; for "M", MaxPool2D(2, 2). At the end, paddle.nn.Sequential(*layers) makes one layer '
        "of them."
    ),
    judge=checks_04.judge_features,
)

EXERCISES = (_COST, _WINDOW, _FEATURES)
