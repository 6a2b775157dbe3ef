"""The exercises of chapter 6, ResNet."""

from palm_course.exercises import checks_06
from palm_course.exercises.model import Exercise
from palm_utils.messages import mark

_PARAMETERS = Exercise(
    number="6.1",
    title=mark("what a bottleneck costs"),
    name="bottleneck_parameters",
    text="""\
A ResNet is a list of blocks, so whoever can count one block can count them all, without building any.

Write `bottleneck_parameters(num_channels, num_filters, stride=1)`. It returns the number of trainable
parameters of the chapter's `BottleneckBlock` with `num_channels` channels coming in, that is

- three convolutions without bias: 1 × 1 to `num_filters` channels, 3 × 3, and 1 × 1 to
  4 × `num_filters`,
- a batch norm after each, with one trained scale and one trained bias per channel,
- and where the shape changes (other channels, or a `stride` that is not 1) one more 1 × 1 convolution
  with its batch norm, on the shortcut.

Example: `bottleneck_parameters(256, 64)` is 70,400.""",
    stub="""\
def bottleneck_parameters(num_channels, num_filters, stride=1):
    raise NotImplementedError""",
    success=mark("sixteen such numbers, the first convolution and the last layer are all of ResNet-50."),
    hint=mark("write down input channels, output channels and kernel of each convolution, the shortcut's too."),
    stronger_hint=mark(
        "A convolution has inputs × outputs × kernel × kernel weights here, a batch norm 2 per channel. The "
        "shortcut needs its convolution where num_channels != 4 * num_filters or stride != 1, and it too "
        "goes from num_channels to 4 * num_filters."
    ),
    judge=checks_06.judge_parameters,
)

_PRE_ACTIVATION = Exercise(
    number="6.2",
    title=mark("activate first"),
    name="PreActBlock",
    text="""\
In the chapter's blocks a ReLU stands behind the addition, so the way along the shortcuts is interrupted at
every block. One year after the ResNet its authors moved batch norm and ReLU in *front* of each
convolution. Then nothing but additions is left on that way, from the first block to the last.

Write a class `PreActBlock(channels, middle)`, derived from `paddle.nn.Layer`. Its input and its output are
`[N, channels, H, W]`. The branch goes

1. batch norm, ReLU, 3 × 3 convolution to `middle` channels,
2. batch norm, ReLU, 3 × 3 convolution back to `channels`,

both convolutions with stride 1, padding 1 and without bias. The output is the block's own input plus the
branch, and nothing comes after the addition.

Example: `PreActBlock(16, 4)` has 2 · (16 + 4) + 2 · (16 · 4 · 9) = 1,192 trainable parameters.""",
    stub="""\
class PreActBlock(paddle.nn.Layer):
    def __init__(self, channels, middle):
        super().__init__()
        raise NotImplementedError

    def forward(self, x):
        raise NotImplementedError""",
    success=mark("the shortcut is clear from end to end: what goes in comes out, plus what the branch adds."),
    hint=mark("follow `x` with a finger: what is done to it before the first convolution, and what at the end?"),
    stronger_hint=mark(
        "In __init__: BatchNorm2D(channels), Conv2D(channels, middle, 3, padding=1, bias_attr=False), then the "
        "same with the two numbers exchanged. In forward: y = conv(relu(norm(x))) twice with the two sets of "
        "layers, and at the end x + y, where x is still what came in."
    ),
    judge=checks_06.judge_pre_activation,
)

_PAD_SHORTCUT = Exercise(
    number="6.3",
    title=mark("a shortcut without weights"),
    name="pad_shortcut",
    text="""\
Where a stage begins, the branch has more channels and smaller maps than the block's input. The chapter's
blocks make the two fit by a 1 × 1 convolution. The first ResNets for CIFAR-10 did without: they left out
pixels and added channels full of zeros ("option A" in the paper).

Write `pad_shortcut(x, num_filters, stride)`. `x` is a tensor `[N, C, H, W]` with C no larger than
`num_filters`. Return a tensor `[N, num_filters, H', W']` in which

- only every `stride`-th row and every `stride`-th column is left, beginning with the first one (so H' is
  H / `stride`, rounded up, and W' likewise),
- the C channels of `x` come first and channels of zeros follow,
- `x` stays as it was, and gradients can flow back to it.

Example: for `x` of shape `[2, 8, 5, 6]`, `pad_shortcut(x, 16, 2)` has the shape `[2, 16, 3, 3]`; its channels
8 to 15 are zero.""",
    stub="""\
def pad_shortcut(x, num_filters, stride):
    raise NotImplementedError""",
    success=mark("a shortcut may change the shape and still have nothing to learn."),
    hint=mark("two steps, each a line: leave out rows and columns, then add channels. Print the shape after each."),
    stronger_hint=mark(
        "A slice takes a step: x[:, :, ::stride, ::stride]. Then paddle.concat, along axis 1, of that and "
        "paddle.zeros of shape [N, num_filters - C, H', W'] does the rest; where no channel is missing there "
        "is nothing to add."
    ),
    judge=checks_06.judge_pad_shortcut,
)

_FOLD = Exercise(
    number="6.4",
    title=mark("batch norm for nothing"),
    name="fold_batch_norm",
    text="""\
In evaluation mode a batch norm multiplies each channel by a fixed number and adds another. The convolution
in front of it can do that as well, so a network that is only used, no longer trained, needs no batch norms.

Write `fold_batch_norm(weight, scale, bias, mean, variance, epsilon=1e-5)`. `weight` is a convolution's
weight, a NumPy array `[out, in, k, k]`; the convolution has no bias. The next four are what the batch norm
behind it holds, each of shape `[out]`. In evaluation mode its output is

    scale * (x - mean) / sqrt(variance + epsilon) + bias

for the convolution's output x, channel by channel. Return two arrays, `(new_weight, new_bias)` of shapes
`[out, in, k, k]` and `[out]`, for a convolution *with* bias that gives the same all by itself. Leave the
arguments as they are.

Example: for a 1 × 1 convolution of one channel, weight 3, with scale 2, bias 1, mean 5, variance 4 and
`epsilon=0` the new weight is 3 and the new bias -4.""",
    stub="""\
def fold_batch_norm(weight, scale, bias, mean, variance, epsilon=1e-5):
    raise NotImplementedError""",
    success=mark("53 batch norms of ResNet-50 cost nothing once training is over."),
    hint=mark("multiply the formula out: what is x multiplied by, and what is left over that has no x in it?"),
    stronger_hint=mark(
        "factor = scale / sqrt(variance + epsilon). The convolution is linear, so its weight times factor gives "
        "x times factor; factor belongs to output channels, the first axis: factor.reshape(-1, 1, 1, 1). "
        "Without x there remain bias and -mean * factor."
    ),
    judge=checks_06.judge_fold,
)

EXERCISES = (_PARAMETERS, _PRE_ACTIVATION, _PAD_SHORTCUT, _FOLD)
