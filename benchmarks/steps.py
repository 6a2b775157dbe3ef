"""Row `steps`: each network's training step, beside PyTorch's on the same cores."""

import sys
from dataclasses import dataclass
from statistics import median

from benchmarks.bench import Bench
from benchmarks.measures import Bound, Measure, Row, medians, ratio, take_turns
from palm_course.results.comparison import NETWORKS as TITLES
from palm_course.results.recipes import RECIPES
from palm_utils import machine
from palm_utils.messages import CourseError


@dataclass(frozen=True)
class Plan:
    """steps: of each network, timed in one run after `warm_up` others; the slower, the fewer.

    required: networks that have to reach PyTorch; several processes are tried for them only.
    """

    steps: dict[str, int]
    required: tuple[str, ...]
    batch_size: int
    warm_up: int
    rounds: int


FULL = Plan(
    {
        "01_lenet_mnist:LeNet": 200,
        "02_ichallenge_pm:LeNet": 20,
        "03_alexnet:AlexNet": 6,
        "04_vgg:VGG": 2,
        "05_googlenet:GoogLeNet": 3,
        "06_resnet:ResNet": 4,
    },
    ("05_googlenet:GoogLeNet", "06_resnet:ResNet"),
    batch_size=10,
    warm_up=1,
    rounds=3,
)
QUICK = Plan({"01_lenet_mnist:LeNet": 2}, ("01_lenet_mnist:LeNet",), batch_size=2, warm_up=1, rounds=1)
PROCESSES = 2
BY_THREADS, BY_PROCESSES, PYTORCH = "threads", f"{PROCESSES} processes", "PyTorch"
# Set-up leaves modules uncompiled; if they may not be stored either, PyTorch takes several seconds to start.
_COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}


def measure(bench: Bench) -> list[Measure]:
    """Return each network's time for a step as a share of PyTorch's."""
    plan = bench.plan(FULL, QUICK)
    return [_measure_network(bench, plan, network) for network in plan.steps]


def _measure_network(bench: Bench, plan: Plan, network: str) -> Measure:
    arguments = arguments_of(plan, network)
    sizes, required = {}, network in plan.required

    def run(side: str, function, **more) -> float:
        found = function(bench, **arguments, **more)
        sizes[side] = found["parameters"], found["tensors"]
        if len(set(sizes.values())) > 1:
            raise CourseError(f"{network}: not the same network (parameters, tensors): {sizes}")
        return median(found["seconds"])

    sides = {BY_THREADS: lambda: run(BY_THREADS, in_paddle, number=1)}
    if required and sys.platform.startswith("linux"):  # elsewhere PaddlePaddle has no processes that train together
        sides[BY_PROCESSES] = lambda: run(BY_PROCESSES, in_paddle, number=PROCESSES)
    sides[PYTORCH] = lambda: run(PYTORCH, in_pytorch)
    samples = take_turns(sides, plan.rounds)
    best = min((side for side in sides if side != PYTORCH), key=lambda side: median(samples[side]))
    return Measure(
        title_of(network),
        unit="of PyTorch's time" + (f", by {best}" if required else ""),
        bound=Bound("at most", 1.0) if required else None,
        **{**ratio(samples, best, PYTORCH), "detail": medians(samples, 1000, "ms")},
    )


def arguments_of(plan, network: str) -> dict:
    """Return what both sides are told of a network's step. plan: has steps, batch_size and warm_up."""
    return {
        "network": network, "recipe": RECIPES["tutorial"][network].to_dict(), "batch_size": plan.batch_size,
        "warm_up": plan.warm_up, "steps": plan.steps[network],
    }  # fmt: skip


def title_of(network: str) -> str:
    return "LeNet, digits" if network.startswith("01") else TITLES[network][0]


def in_paddle(bench: Bench, **arguments) -> dict:
    return bench.call("benchmarks.steps_paddle:run", folder=str(bench.new_folder("steps")), **arguments)


def in_pytorch(bench: Bench, **arguments) -> dict:
    """Measure in PyTorch, on as many threads; raises CourseError where it is not installed."""
    if not bench.torch_python.is_file():
        raise CourseError(f"PyTorch is not installed: {bench.torch_python} is missing. `make bench` installs it.")
    options = {"python": bench.torch_python, "threads": machine.thread_count(), "env": _COMPILED}
    found = bench.call("benchmarks.steps_torch:run", **options, **arguments)
    bench.about["torch"] = found["version"]
    return found


ROW = Row(
    "steps",
    "each network, training step",
    "PyTorch (CPU build), same shapes, same cores",
    "at most 1.0 for ResNet-50 and GoogLeNet",
    "Forward, loss, backward and the tutorial's optimizer on one batch of 10 random images, in fresh processes that "
    "take turns, the first step left out: PaddlePaddle with the notebook's network on all cores; for the networks "
    "that have to reach PyTorch also in two processes that share the batch, and the faster way counts; PyTorch with "
    "the same layers on as many threads. Both must have the same number of parameters and of tensors.",
    measure,
)
