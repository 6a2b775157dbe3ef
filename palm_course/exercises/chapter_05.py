"""The exercises of chapter 5, GoogLeNet."""

from palm_course.exercises import checks_05, checks_05_head, checks_05_inception
from palm_course.exercises.trial import Exercise
from palm_utils.messages import mark

CHAIN = Exercise(
    number="5.1",
    name="inception_chain",
    title=mark("channels along a chain"),
    success=mark("you can lay out a row of Inception modules on paper, and know what it will cost."),
    hint=mark("write down the six convolutions of one module: channels in, channels out, kernel."),
    stronger_hint=mark(
        "a k × k convolution from a to b channels has (k · k · a + 1) · b parameters. Four of the six see c0 "
        "channels; the 3 × 3 and the 5 × 5 see what their reduction leaves. Only the ends of the branches are "
        "concatenated: c1, c2[1], c3[1] and c4. Their sum is the c0 of the next module."
    ),
    judge=checks_05.judge_chain,
)

INCEPTION_BN = Exercise(
    number="5.2",
    name="InceptionBN",
    title=mark("an Inception module with batch norm"),
    success=mark("convolution, batch norm, ReLU: the unit that most networks after GoogLeNet are made of."),
    hint=mark(
        "print the name and the shape of each of `parameters()`: six convolutions, six batch norms, nothing else."
    ),
    stronger_hint=mark(
        "write a small function that returns paddle.nn.Sequential(Conv2D(..., padding=(k - 1) // 2, bias_attr=False),"
        " BatchNorm2D(...), ReLU()), and call it six times in __init__. Then `forward` has no activation of its own: "
        "it runs the four branches and concatenates them along axis 1. Let model.train() and model.eval() do the "
        "switching; batch norm listens to them by itself."
    ),
    judge=checks_05_inception.judge_inception_bn,
    seconds=20,
)

HEAD = Exercise(
    number="5.3",
    name="AuxiliaryHead",
    title=mark("an auxiliary classifier"),
    success=mark("you can hang a second output on a network, whatever the size of the maps it is given."),
    hint=mark("print the shape after each step of `forward` in evaluation mode, and hold it against the table."),
    stronger_hint=mark(
        "s follows the rule of exercise 1.1, (size - 5) // 3 + 1, so the first fully connected layer has 128 * s * s "
        "inputs. paddle.nn.AvgPool2D takes the stride as its second argument; without it the stride is the kernel "
        "size. paddle.nn.Dropout(p) takes the share that is dropped, and does nothing after model.eval()."
    ),
    judge=checks_05_head.judge_head,
    seconds=20,
)
