"""The exercises of chapter 1, LeNet on MNIST."""

from palm_course.exercises import checks_01, checks_01_lenet32
from palm_course.exercises.trial import Exercise
from palm_utils.messages import mark

OUTPUT_SIZE = Exercise(
    number="1.1",
    name="conv_output_size",
    title=mark("how large is the output?"),
    success=mark("you can follow an image's size through any stack of convolutions and poolings."),
    hint=mark(
        "put the kernel at the very left of the padded input; how many pixels to the right of it are left to move over?"
    ),
    stronger_hint=mark(
        "after padding there are size + 2 · padding pixels, and the kernel covers `kernel` of them before it has "
        "moved. Each step uses up `stride` of the others, and a step cut short does not count. The position before "
        "the first step counts as well."
    ),
    judge=checks_01.judge_output_size,
)

PARAMETERS = Exercise(
    number="1.2",
    name="lenet_parameters",
    title=mark("counting LeNet's parameters"),
    success=mark(
        "you know where a network keeps its parameters: three quarters of LeNet's sit in its third convolution."
    ),
    hint=mark(
        "list the five layers with parameters; for each, how many weights lead to *one* of its outputs, and what is "
        "added?"
    ),
    stronger_hint=mark(
        "one output channel of a k × k convolution has k · k weights for every input channel and one bias. One unit "
        "of a fully connected layer has a weight for every input and one bias. Pooling and sigmoid have none. "
        "`in_channels` matters to the first layer only, `num_classes` to the last only."
    ),
    judge=checks_01.judge_parameters,
)

LENET32 = Exercise(
    number="1.3",
    name="LeNet32",
    title=mark("a LeNet for small colour photographs"),
    success=mark("you built a network from a table of shapes, with every activation where it belongs."),
    hint=mark("print the shape after each step of `forward` and hold it against the table."),
    stronger_hint=mark(
        "start from the chapter's LeNet. Three things differ: the first convolution sees three channels, the third "
        "one needs a kernel that turns 5 × 5 into 1 × 1, and `forward` applies F.sigmoid right after each of the "
        "three convolutions and after the first fully connected layer, but not once more before a convolution."
    ),
    judge=checks_01_lenet32.judge_lenet32,
)
