"""How the answers to exercise 5.1 are judged."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from palm_course.exercises.trial import Case, Mistake, Trial

# One module as (c1, c2, c3, c4), c2 and c3 pairs.
Module = tuple[int, tuple[int, int], tuple[int, int], int]

# The nine modules of the network, the first with 192 channels in.
_NETWORK: list[Module] = [
    (64, (96, 128), (16, 32), 32),
    (128, (128, 192), (32, 96), 64),
    (192, (96, 208), (16, 48), 64),
    (160, (112, 224), (24, 64), 64),
    (128, (128, 256), (24, 64), 64),
    (112, (144, 288), (32, 64), 64),
    (256, (160, 320), (32, 128), 128),
    (256, (160, 320), (32, 128), 128),
    (384, (192, 384), (48, 128), 128),
]


def _channels_out(module: Module) -> int:
    c1, c2, c3, c4 = module
    return c1 + c2[1] + c3[1] + c4


def _convolutions(c0: int, module: Module) -> list[tuple[int, int, int]]:
    """Return (channels in, channels out, kernel) of the six convolutions."""
    c1, c2, c3, c4 = module
    return [(c0, c1, 1), (c0, c2[0], 1), (*c2, 3), (c0, c3[0], 1), (*c3, 5), (c0, c4, 1)]


def _chain(
    c0: int,
    modules: Sequence[Module],
    *,
    bias: int = 1,
    chained: bool = True,
    skip: Sequence[int] = (),
    kernel: int = 5,
    straight: bool = False,
    out: Any = _channels_out,
) -> tuple[int, int]:
    """Compute the right answer; the arguments after `modules` serve the mistakes.

    chained: each module gets the channels of the one before; skip: convolutions that are left out;
    kernel: of the third branch; straight: its convolution and the 3 x 3 see c0 channels.
    """
    channels, parameters = c0, 0
    for module in modules:
        entering = channels if chained else c0
        for i, (fan_in, fan_out, size) in enumerate(_convolutions(entering, module)):
            size = kernel if i == 4 else size
            fan_in = entering if straight and i in (2, 4) else fan_in
            if i not in skip:
                parameters += (fan_in * size**2 + bias) * fan_out
        channels = out(module)
    return channels, parameters


_MISTAKES = [
    Mistake("the biases are missing.", lambda c0, modules: _chain(c0, modules, bias=0)),
    Mistake(
        "every module is given the c0 of the first; each gets what the one before it puts out.",
        lambda c0, modules: _chain(c0, modules, chained=False),
    ),
    Mistake(
        "the third branch's convolution is 5 × 5, you count 3 × 3 (as the tutorial's docstring says).",
        lambda c0, modules: _chain(c0, modules, kernel=3),
    ),
    Mistake(
        "the reductions are concatenated as well; only the ends of the branches are.",
        lambda c0, modules: _chain(c0, modules, out=lambda m: m[0] + sum(m[1]) + sum(m[2]) + m[3]),
    ),
    Mistake(
        "it takes the channels of the reductions for those of the branches' ends.",
        lambda c0, modules: _chain(c0, modules, out=lambda m: m[0] + m[1][0] + m[2][0] + m[3]),
    ),
    Mistake(
        "the pooling branch ends in a convolution to c4 channels, which is missing.",
        lambda c0, modules: _chain(c0, modules, skip=[5], out=lambda m: m[0] + m[1][1] + m[2][1]),
    ),
    Mistake(
        "the pooling branch ends in a 1 × 1 convolution, whose parameters are missing.",
        lambda c0, modules: _chain(c0, modules, skip=[5]),
    ),
    Mistake(
        "the parameters of the two reductions are missing.",
        lambda c0, modules: _chain(c0, modules, skip=[1, 3]),
    ),
    Mistake(
        "the 3 × 3 and the 5 × 5 see what their reduction leaves, not all c0 channels.",
        lambda c0, modules: _chain(c0, modules, straight=True),
    ),
    Mistake(
        "the parameters are those of the last module alone; those of all are asked for.",
        lambda c0, modules: (
            _chain(c0, modules)[0],
            _chain(_chain(c0, modules[:-1])[0], modules[-1:])[1],
        ),
    ),
    Mistake(
        "the two numbers are exchanged: the channels come first.",
        lambda c0, modules: _chain(c0, modules)[::-1],
    ),
]


def judge_chain(trial: Trial, answer: Any) -> None:
    """Check 5.1 on the modules of the network and on random ones."""
    rng = np.random.default_rng(51)
    cases = [Case((192, _NETWORK[:1])), Case((192, _NETWORK[:2])), Case((480, _NETWORK[2:7])), Case((192, _NETWORK))]
    for count in (1, 2, 3, 5, 8):
        modules = []
        for _ in range(count):
            numbers = [int(number) for number in rng.integers(1, 200, 6)]
            modules.append((numbers[0], tuple(numbers[1:3]), tuple(numbers[3:5]), numbers[5]))
        cases.append(Case((int(rng.integers(1, 500)), modules)))
    trial.compare(answer, cases, _chain, _MISTAKES, count=2)
