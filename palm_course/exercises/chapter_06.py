"""The exercises of chapter 6, ResNet."""

from palm_course.exercises import checks_06, checks_06_block, checks_06_shortcut
from palm_course.exercises.trial import Exercise
from palm_utils.messages import mark

PARAMETERS = Exercise(
    number="6.1",
    name="bottleneck_parameters",
    title=mark("what a bottleneck costs"),
    success=mark("sixteen such numbers, the first convolution and the last layer are all of ResNet-50."),
    hint=mark("write down input channels, output channels and kernel of each convolution, the shortcut's too."),
    stronger_hint=mark(
        "A convolution has inputs × outputs × kernel × kernel weights here, a batch norm 2 per channel. The shortcut "
        "needs its convolution where num_channels != 4 * num_filters or stride != 1, and it too goes from "
        "num_channels to 4 * num_filters."
    ),
    judge=checks_06.judge_parameters,
)

PRE_ACTIVATION = Exercise(
    number="6.2",
    name="PreActBlock",
    title=mark("activate first"),
    success=mark("the shortcut is clear from end to end: what goes in comes out, plus what the branch adds."),
    hint=mark("follow `x` with a finger: what is done to it before the first convolution, and what at the end?"),
    stronger_hint=mark(
        "In __init__: BatchNorm2D(channels), Conv2D(channels, middle, 3, padding=1, bias_attr=False), then the same "
        "with the two numbers exchanged. In forward: y = conv(relu(norm(x))) twice with the two sets of layers, and "
        "at the end x + y, where x is still what came in."
    ),
    judge=checks_06_block.judge_pre_activation,
)

PAD_SHORTCUT = Exercise(
    number="6.3",
    name="pad_shortcut",
    title=mark("a shortcut without weights"),
    success=mark("a shortcut may change the shape and still have nothing to learn."),
    hint=mark("two steps, each a line: leave out rows and columns, then add channels. Print the shape after each."),
    stronger_hint=mark(
        "A slice takes a step: x[:, :, ::stride, ::stride]. Then paddle.concat, along axis 1, of that and "
        "paddle.zeros of shape [N, num_filters - C, H', W'] does the rest; where no channel is missing there is "
        "nothing to add."
    ),
    judge=checks_06_shortcut.judge_pad_shortcut,
)

FOLD = Exercise(
    number="6.4",
    name="fold_batch_norm",
    title=mark("batch norm for nothing"),
    success=mark("53 batch norms of ResNet-50 cost nothing once training is over."),
    hint=mark("multiply the formula out: what is x multiplied by, and what is left over that has no x in it?"),
    stronger_hint=mark(
        "factor = scale / sqrt(variance + epsilon). The convolution is linear, so its weight times factor gives x "
        "times factor; factor belongs to output channels, the first axis: factor.reshape(-1, 1, 1, 1). Without x "
        "there remain bias and -mean * factor."
    ),
    judge=checks_06.judge_fold,
)
