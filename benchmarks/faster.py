"""Row `cpu`: a training step with the faster ways of palm_utils.cpu, and with PaddlePaddle as it comes."""

from dataclasses import dataclass
from statistics import median

from benchmarks.bench import Bench
from benchmarks.measures import Measure, Row, medians, ratio, take_turns
from benchmarks.steps import arguments_of, in_paddle, title_of


@dataclass(frozen=True)
class Plan:
    """steps: of each network, timed in one run after `warm_up` others; the slower, the fewer."""

    steps: dict[str, int]
    batch_size: int
    warm_up: int
    rounds: int


FULL = Plan({"04_vgg:VGG": 1, "05_googlenet:GoogLeNet": 2, "06_resnet:ResNet": 3}, batch_size=10, warm_up=1, rounds=3)
QUICK = Plan({"01_lenet_mnist:LeNet": 2}, batch_size=2, warm_up=1, rounds=1)


def measure(bench: Bench) -> list[Measure]:
    """Return each network's time for a step as a share of that with PaddlePaddle as it comes."""
    plan = bench.plan(FULL, QUICK)
    return [_measure_network(bench, plan, network) for network in plan.steps]


def _measure_network(bench: Bench, plan: Plan, network: str) -> Measure:
    arguments = {**arguments_of(plan, network), "number": 1}
    course, own = "course", "as it comes"
    sides = {
        course: lambda: median(in_paddle(bench, **arguments)["seconds"]),
        own: lambda: median(in_paddle(bench, **arguments, env={"PALM_CPU": "plain"})["seconds"]),
    }
    samples = take_turns(sides, plan.rounds)
    return Measure(
        title_of(network), unit="of its time", **{**ratio(samples, course, own), "detail": medians(samples, 1000, "ms")}
    )


ROW = Row(
    "cpu",
    "training step with palm_utils.cpu",
    "PaddlePaddle as it comes (PALM_CPU=plain)",
    "",
    "The same step as in `steps`, by PaddlePaddle on all cores, in fresh processes that take turns: with the faster "
    "ways of `palm_utils.cpu`, and with `PALM_CPU=plain`.",
    measure,
)
