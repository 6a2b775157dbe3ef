"""Exercise 5.1: the reference passes, so do other right ways; wrong answers are named."""

import pytest
from exercise_verdicts import assert_right, assert_wrong, reference


def test_reference_solution_passes():
    assert_right("5.1", reference("5.1", {}))


def convolutions(c0, module):
    """Return (channels in, channels out, kernel) of the six convolutions."""
    c1, c2, c3, c4 = module
    return [(c0, c1, 1), (c0, c2[0], 1), (*c2, 3), (c0, c3[0], 1), (*c3, 5), (c0, c4, 1)]


def parameters(c0, module, bias=1):
    return sum((a * k * k + bias) * b for a, b, k in convolutions(c0, module))


def leaving(module):
    return module[0] + module[1][1] + module[2][1] + module[3]


def by_recursion(c0, modules):
    if not modules:
        return c0, 0
    c, total = by_recursion(leaving(modules[0]), modules[1:])
    return c, parameters(c0, modules[0]) + total


def by_lists(c0, modules):
    entering = [c0] + [leaving(module) for module in modules]
    return [entering[-1], float(sum(map(parameters, entering, modules)))]


def by_paddle(c0, modules):
    paddle = pytest.importorskip("paddle")
    total = 0
    for module in modules:
        for a, b, k in convolutions(c0, module):
            total += sum(p.size for p in paddle.nn.Conv2D(a, b, k).parameters())
        c0 = leaving(module)
    return c0, total


@pytest.mark.parametrize("answer", [by_recursion, by_lists, by_paddle])
def test_chain_in_other_right_ways(answer):
    assert_right("5.1", answer)


def walk(count=parameters, leave=leaving, chained=True):
    """Return an answer with another way to count, or to pass on the channels."""

    def answer(c0, modules):
        channels, total = c0, 0
        for module in modules:
            total += count(channels if chained else c0, module)
            channels = leave(module)
        return channels, total

    return answer


def small_kernel(c0, module):
    return sum((a * min(k, 3) ** 2 + 1) * b for a, b, k in convolutions(c0, module))


def straight(c0, module):
    return sum((c0 * k * k + 1) * b for a, b, k in convolutions(c0, module))


def without(*skipped):
    def count(c0, module):
        return sum((a * k * k + 1) * b for i, (a, b, k) in enumerate(convolutions(c0, module)) if i not in skipped)

    return count


def empties_the_list(c0, modules):
    total = 0
    while modules:
        module = modules.pop(0)
        total += parameters(c0, module)
        c0 = leaving(module)
    return c0, total


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (walk(count=lambda c0, module: parameters(c0, module, bias=0)), "biases are missing"),
        (walk(chained=False), "every module is given the c0 of the first"),
        (walk(count=small_kernel), "5 × 5, you count 3 × 3"),
        (walk(leave=lambda m: m[0] + sum(m[1]) + sum(m[2]) + m[3]), "reductions are concatenated as well"),
        (walk(leave=lambda m: m[0] + m[1][0] + m[2][0] + m[3]), "channels of the reductions for those"),
        (walk(count=straight), "what their reduction leaves"),
        (walk(count=without(5)), "1 × 1 convolution, whose parameters are missing"),
        (walk(count=without(5), leave=lambda m: m[0] + m[1][1] + m[2][1]), "c4 channels, which is missing"),
        (walk(count=without(1, 3)), "two reductions are missing"),
        (lambda c0, modules: walk()(c0, modules)[::-1], "exchanged"),
        (lambda c0, modules: (leaving(modules[-1]), parameters(192, modules[-1])), "right for 1 of the 9"),
        (
            lambda c0, modules: (leaving(modules[-1]), parameters(([c0, *map(leaving, modules)])[-2], modules[-1])),
            "those of the last module alone",
        ),
        (lambda c0, modules: walk()(c0, modules)[0], "2 numbers"),
        (lambda c0, modules: (256, 163696), "same answer whatever"),
        (lambda c0, modules: (c0, 163696), "right for 0 of the"),
        (empties_the_list, "changes its input"),
        (lambda c0, modules: walk()(c0, modules[0]), "raises TypeError"),
    ],
)
def test_chain_wrong(answer, words):
    assert_wrong("5.1", answer, words)
