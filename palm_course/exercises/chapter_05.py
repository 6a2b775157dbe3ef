"""The exercises of chapter 5, GoogLeNet."""

from palm_course.exercises import checks_05
from palm_course.exercises.model import Exercise
from palm_utils.messages import mark

_CHAIN = Exercise(
    number="5.1",
    title=mark("channels along a chain"),
    name="inception_chain",
    text="""\
Whoever writes down a row of Inception modules has to know how many channels leave each of them, since the
next one needs that number as its `c0`. And it is good to know the price before building anything.

Write `inception_chain(c0, modules)`. `c0` is the number of channels that go into the first module.
`modules` is a list with one tuple `(c1, c2, c3, c4)` per module, as in this chapter: `c2` and `c3` are pairs
(channels after the reduction, channels out). Each module gets what the one before it puts out. Return two
whole numbers, in this order:

- the channels that leave the last module,
- the parameters of all modules together, weights and biases, each convolution with a bias and no batch norm.

Example: `inception_chain(192, [(64, (96, 128), (16, 32), 32)])` is `(256, 163696)`, module 3a of the
network.""",
    stub="""\
def inception_chain(c0, modules):
    raise NotImplementedError""",
    success=mark("you can lay out a row of Inception modules on paper, and know what it will cost."),
    hint=mark("write down the six convolutions of one module: channels in, channels out, kernel."),
    stronger_hint=mark(
        "a k × k convolution from a to b channels has (k · k · a + 1) · b parameters. Four of the six see "
        "c0 channels; the 3 × 3 and the 5 × 5 see what their reduction leaves. Only the ends of the "
        "branches are concatenated: c1, c2[1], c3[1] and c4. Their sum is the c0 of the next module."
    ),
    judge=checks_05.judge_chain,
)

_INCEPTION_BN = Exercise(
    number="5.2",
    title=mark("an Inception module with batch norm"),
    name="InceptionBN",
    text="""\
The tutorial leaves batch norm commented out; section 5.6 shows what that costs. Write the module with it.

Write a class `InceptionBN`, derived from `paddle.nn.Layer`, that is created as
`InceptionBN(c0, c1, c2, c3, c4)`, with the arguments of this chapter's `Inception`, and called with a
float32 batch `[N, c0, H, W]`. It returns `[N, c1 + c2[1] + c3[1] + c4, H, W]`.

- The four branches and their order are those of `Inception`: 1 × 1; 1 × 1 and 3 × 3; 1 × 1 and 5 × 5;
  max-pooling 3 × 3 (stride 1) and 1 × 1.
- Each of the six convolutions is followed by a batch norm of its own (`paddle.nn.BatchNorm2D`, defaults),
  and that by a ReLU.
- The convolutions have **no bias**: batch norm subtracts the mean of each channel, and any bias with it,
  and adds a trained shift of its own.
- In training mode it uses the mean and variance of the batch, in evaluation mode the running ones.

Example: `InceptionBN(192, 64, (96, 128), (16, 32), 32)` turns `[2, 192, 14, 14]` into `[2, 256, 14, 14]` and
has 164,064 trainable parameters.""",
    stub="""\
class InceptionBN(paddle.nn.Layer):
    def __init__(self, c0, c1, c2, c3, c4):
        super().__init__()
        raise NotImplementedError

    def forward(self, x):  # [N, c0, H, W] -> [N, c1 + c2[1] + c3[1] + c4, H, W]
        raise NotImplementedError""",
    success=mark("convolution, batch norm, ReLU: the unit that most networks after GoogLeNet are made of."),
    hint=mark(
        "print the name and the shape of each of `parameters()`: six convolutions, six batch norms, nothing else."
    ),
    stronger_hint=mark(
        "write a small function that returns paddle.nn.Sequential(Conv2D(..., padding=(k - 1) // 2, "
        "bias_attr=False), BatchNorm2D(...), ReLU()), and call it six times in __init__. Then `forward` "
        "has no activation of its own: it runs the four branches and concatenates them along axis 1. Let "
        "model.train() and model.eval() do the switching; batch norm listens to them by itself."
    ),
    judge=checks_05.judge_inception_bn,
    seconds=20.0,
)

_HEAD = Exercise(
    number="5.3",
    title=mark("an auxiliary classifier"),
    name="AuxiliaryHead",
    text="""\
A small project: the part of the paper that the tutorial leaves out. While GoogLeNet is trained, two small
classifiers look at the maps in its middle (those that leave 4a and 4d). Their losses are added to the main
one with a weight of 0.3, so that the lower half gets a gradient by a shorter way; afterwards they are thrown
away. Build one of them.

Write a class `AuxiliaryHead`, derived from `paddle.nn.Layer`, that is created as
`AuxiliaryHead(in_channels, size, num_classes=1)` and called with a float32 batch
`[N, in_channels, size, size]`. `size` may be any whole number from 5. Its layers, in this order, every one
with a bias that can have one:

| layer | output |
|---|---|
| average pooling 5 × 5, stride 3, no padding | `[N, in_channels, s, s]` |
| convolution 1 × 1 to 128 channels; ReLU | `[N, 128, s, s]` |
| flatten | `[N, 128 · s · s]` |
| fully connected to 1024; ReLU; dropout that drops 70 % | `[N, 1024]` |
| fully connected to `num_classes`, nothing after it | `[N, num_classes]` |

You have to find `s` from `size`. In evaluation mode dropout does nothing.

Example: `AuxiliaryHead(512, 14)` turns `[2, 512, 14, 14]` into `[2, 1]`, with s = 4 and 2,164,865 parameters.""",
    stub="""\
class AuxiliaryHead(paddle.nn.Layer):
    def __init__(self, in_channels, size, num_classes=1):
        super().__init__()
        raise NotImplementedError

    def forward(self, x):  # [N, in_channels, size, size] -> [N, num_classes]
        raise NotImplementedError""",
    success=mark("you can hang a second output on a network, whatever the size of the maps it is given."),
    hint=mark("print the shape after each step of `forward` in evaluation mode, and hold it against the table."),
    stronger_hint=mark(
        "s follows the rule of exercise 1.1, (size - 5) // 3 + 1, so the first fully connected layer has "
        "128 * s * s inputs. paddle.nn.AvgPool2D takes the stride as its second argument; without it the "
        "stride is the kernel size. paddle.nn.Dropout(p) takes the share that is dropped, and does nothing "
        "after model.eval()."
    ),
    judge=checks_05.judge_head,
    seconds=20.0,
)

EXERCISES = (_CHAIN, _INCEPTION_BN, _HEAD)
