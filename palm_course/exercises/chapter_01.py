"""The exercises of chapter 1, LeNet on MNIST."""

from palm_course.exercises import checks_01
from palm_course.exercises.model import Exercise
from palm_utils.messages import mark

_OUTPUT_SIZE = Exercise(
    number="1.1",
    title=mark("how large is the output?"),
    name="conv_output_size",
    text="""\
The walk through the layers showed 28 × 28 pixels turn into 24, 12, 8, 4 and 1. Whoever designs a network
has to know these numbers before it runs: the first fully connected layer depends on the last of them.

Write `conv_output_size(size, kernel, stride=1, padding=0)`. It returns the height (or width) of a
convolution's output as a whole number, where

- `size` is the height (or width) of the input in pixels,
- a square kernel of `kernel` × `kernel` pixels moves `stride` pixels at a time,
- `padding` pixels have been added at **both** ends first,
- a last step that would push the kernel over the edge is not taken.

The kernel is never larger than the padded input. Example: `conv_output_size(28, 5)` is 24. Pooling
follows the same rule: `conv_output_size(24, 2, stride=2)` is 12.""",
    stub="""\
def conv_output_size(size, kernel, stride=1, padding=0):
    raise NotImplementedError""",
    success=mark("you can follow an image's size through any stack of convolutions and poolings."),
    hint=mark(
        "put the kernel at the very left of the padded input; how many pixels to the right of it are left to move over?"
    ),
    stronger_hint=mark(
        "after padding there are size + 2 · padding pixels, and the kernel covers `kernel` of them before"
        " it has moved. Each step uses up `stride` of the others, and a step cut short does not count. "
        "The position before the first step counts as well."
    ),
    judge=checks_01.judge_output_size,
)

_PARAMETERS = Exercise(
    number="1.2",
    title=mark("counting LeNet's parameters"),
    name="lenet_parameters",
    text="""\
Memory, file size and the risk of overfitting all grow with the number of parameters, and it can be worked
out on paper. This chapter's LeNet has 41,806 with ten classes.

Write `lenet_parameters(num_classes, in_channels=1)`. It returns the number of trainable parameters,
weights and biases, of this chapter's `LeNet` (three convolutions with 5 × 5, 5 × 5 and 4 × 4 kernels, two
fully connected layers) for any number of classes and of image channels. The images stay 28 × 28 and every
other layer stays as it is.

Example: `lenet_parameters(10)` is 41806.""",
    stub="""\
def lenet_parameters(num_classes, in_channels=1):
    raise NotImplementedError""",
    success=mark(
        "you know where a network keeps its parameters: three quarters of LeNet's sit in its third convolution."
    ),
    hint=mark(
        "list the five layers with parameters; for each, how many weights lead to *one* of its outputs, "
        "and what is added?"
    ),
    stronger_hint=mark(
        "one output channel of a k × k convolution has k · k weights for every input channel and one "
        "bias. One unit of a fully connected layer has a weight for every input and one bias. Pooling and"
        " sigmoid have none. `in_channels` matters to the first layer only, `num_classes` to the last "
        "only."
    ),
    judge=checks_01.judge_parameters,
)

_LENET32 = Exercise(
    number="1.3",
    title=mark("a LeNet for small colour photographs"),
    name="LeNet32",
    text="""\
A small project: chapter 7 will classify colour photographs of 32 × 32 pixels. Write a LeNet for them, and
put the sigmoids where the prose of the tutorial says they are: after **every** convolution.

Write a class `LeNet32`, derived from `paddle.nn.Layer`, that is created as `LeNet32(num_classes=10)` and
called with a float32 batch `[N, 3, 32, 32]`. It returns logits `[N, num_classes]`. Its layers, in this
order:

| layer | output |
|---|---|
| convolution to 6 channels, kernel 5; sigmoid; max-pooling 2 × 2, stride 2 | `[N, 6, 14, 14]` |
| convolution to 16 channels, kernel 5; sigmoid; max-pooling 2 × 2, stride 2 | `[N, 16, 5, 5]` |
| convolution to 120 channels; sigmoid | `[N, 120, 1, 1]` |
| fully connected to 64; sigmoid | `[N, 64]` |
| fully connected to `num_classes`, nothing after it | `[N, num_classes]` |

No padding anywhere, a bias in every layer. You have to find the third convolution's kernel size. Every
parameter must be trainable, that is, be reached by the gradient.

Example: `LeNet32(num_classes=10)(paddle.zeros([8, 3, 32, 32]))` has the shape `[8, 10]`.""",
    stub="""\
class LeNet32(paddle.nn.Layer):
    def __init__(self, num_classes=10):
        super().__init__()
        raise NotImplementedError

    def forward(self, images):  # [N, 3, 32, 32] -> [N, num_classes]
        raise NotImplementedError""",
    success=mark("you built a network from a table of shapes, with every activation where it belongs."),
    hint=mark("print the shape after each step of `forward` and hold it against the table."),
    stronger_hint=mark(
        "start from the chapter's LeNet. Three things differ: the first convolution sees three channels, "
        "the third one needs a kernel that turns 5 × 5 into 1 × 1, and `forward` applies F.sigmoid right "
        "after each of the three convolutions and after the first fully connected layer, but not once "
        "more before a convolution."
    ),
    judge=checks_01.judge_lenet32,
)

EXERCISES = (_OUTPUT_SIZE, _PARAMETERS, _LENET32)
