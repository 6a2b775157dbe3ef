"""Row `steps`: each network's training step, beside PyTorch's and PaddlePaddle's as it comes, on the same cores."""

from dataclasses import dataclass
from statistics import median

from benchmarks.bench import Bench
from benchmarks.measures import Bound, Measure, Row, digits, medians, ratio, take_turns
from palm_course.results.comparison import NETWORKS as TITLES
from palm_course.results.recipes import RECIPES, Recipe
from palm_utils import cpu, machine
from palm_utils.messages import CourseError


@dataclass(frozen=True)
class Plan:
    """steps: by network, (steps timed in one run after `warm_up` others, batch size); the slower, the fewer."""

    steps: dict[str, tuple[int, int]]
    warm_up: int
    rounds: int


FULL = Plan(
    {
        "01_lenet_mnist:LeNet": (100, 10),
        "02_ichallenge_pm:LeNet": (10, 10),
        "03_alexnet:AlexNet": (4, 10),
        "04_vgg:VGG": (1, 10),
        "05_googlenet:GoogLeNet": (3, 10),
        "06_resnet:ResNet": (2, 10),
        "07_highlevel_api_cifar10:resnet50": (5, 64),
        "07_highlevel_api_cifar10:SmallResNet": (5, 128),
    },
    warm_up=5,  # the memory that glibc keeps grows for three steps
    rounds=3,
)
QUICK = Plan({"01_lenet_mnist:LeNet": (2, 2)}, warm_up=1, rounds=1)
PLAIN, THREADS, REPLICAS, PYTORCH = "PaddlePaddle as it comes", "the course", "the course, 2 replicas", "PyTorch"
TITLES = {name: title for name, (title, *_) in TITLES.items()} | {
    "01_lenet_mnist:LeNet": "LeNet, digits",
    "07_highlevel_api_cifar10:resnet50": "ResNet-50 at 32 x 32",
    "07_highlevel_api_cifar10:SmallResNet": "SmallResNet at 32 x 32",
}
# Set-up leaves modules uncompiled; if they may not be stored either, PyTorch takes several seconds to start.
# glibc keeps PyTorch's memory as palm_utils.cpu keeps PaddlePaddle's: fresh pages are costly in virtual machines.
_TORCH = {"PYTHONDONTWRITEBYTECODE": "", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "1000000000000"}
_TORCH |= {"MALLOC_TOP_PAD_": "67108864", "MALLOC_ARENA_MAX": "1"}


def measure(bench: Bench) -> list[Measure]:
    """Return, for each network, the time of a step as a share of the others', and what it takes of the memory."""
    plan = bench.plan(FULL, QUICK)
    return [measure for network in plan.steps for measure in _measure_network(bench, plan, network)]


def _measure_network(bench: Bench, plan: Plan, network: str) -> list[Measure]:
    arguments, runs = arguments_of(plan, network), {}

    def run(side: str, function, **more) -> float:
        found = function(bench, **arguments, **more)
        runs.setdefault(side, []).append(found)
        if len(sizes := {(run["parameters"], run["tensors"]) for seen in runs.values() for run in seen}) > 1:
            raise CourseError(f"{network}: not the same network (parameters, tensors): {sizes}")
        return median(found["seconds"])

    samples = take_turns(
        {
            PLAIN: lambda: run(PLAIN, in_paddle, env={"PALM_CPU": "plain"}),
            THREADS: lambda: run(THREADS, in_paddle),
            REPLICAS: lambda: run(REPLICAS, in_paddle, replicas=2),
            PYTORCH: lambda: run(PYTORCH, in_pytorch),
        },
        plan.rounds,
    )
    best = min((THREADS, REPLICAS), key=lambda side: median(samples[side]))
    title, by = TITLES[network], best.removeprefix("the course").lstrip(", ") or "threads"
    compared = ratio(samples, best, PYTORCH) | {"detail": medians(samples, 1000, "ms")}
    bound = Bound("at most", 1.2 if network.startswith("07") else 1.0)
    measures = [Measure(title, unit=f"of PyTorch's time, by {by}", bound=bound, **compared)]
    costly = network.startswith(("05", "06"))
    bound = Bound("at most", 0.5 if cpu.kernels_for(cpu.cpuinfo()) == cpu.AVX512 else 0.75) if costly else None
    compared = ratio(samples, best, PLAIN) | {"detail": ""}
    measures.append(Measure(f"{title}, as it comes", unit=f"of the time of {PLAIN}, by {by}", bound=bound, **compared))
    if any(run["peak"] is None for run in runs[PLAIN]):  # Windows does not tell
        return measures
    peaks = {side: [run["peak"] for run in runs[side]] for side in (PLAIN, THREADS, REPLICAS)}
    compared = ratio(peaks, THREADS, PLAIN) | {"detail": medians(peaks, 1, "MB")}
    bound = Bound("at most", 1.35)
    measures.append(Measure(f"{title}, memory", unit=f"of the memory of {PLAIN}, by threads", bound=bound, **compared))
    if costly:
        faults = {side: [run["faults"] for run in runs[side]] for side in (PLAIN, THREADS)}
        told, bound = ", ".join(f"{side} {digits(median(f))}" for side, f in faults.items()), Bound("at most", 5000)
        bound = bound if network.startswith("05") else None
        measures.append(
            Measure(f"{title}, page faults", median(faults[THREADS]), "a step", bound, None, None, faults, told)
        )
    return measures


def arguments_of(plan: Plan, network: str) -> dict:
    """Return what all sides are told of a network's step."""
    steps, batch_size = plan.steps[network]
    # Of chapter 7's recipes the optimizer is enough.
    recipe = Recipe("Momentum", 0.01, 1e-4) if network.startswith("07") else RECIPES["tutorial"][network]
    options = {"batch_size": batch_size, "warm_up": plan.warm_up, "steps": steps}
    return {"network": network, "recipe": recipe.to_dict(), **options}


def in_paddle(bench: Bench, **arguments) -> dict:
    return bench.call("benchmarks.steps_paddle:run", **arguments)


def in_pytorch(bench: Bench, **arguments) -> dict:
    """Measure in PyTorch, on as many threads; raises CourseError where it is not installed."""
    if not bench.torch_python.is_file():
        raise CourseError(f"PyTorch is not installed: {bench.torch_python} is missing. `make bench` installs it.")
    options = {"python": bench.torch_python, "threads": machine.thread_count(), "env": _TORCH}
    found = bench.call("benchmarks.steps_torch:run", **options, **arguments)
    bench.about["torch"] = found["version"]
    return found


ROW = Row(
    "steps",
    "training step",
    "PyTorch (CPU build) and PaddlePaddle as it comes, same shapes, same cores",
    "",
    "Forward, loss, backward and the tutorial's optimizer on one batch of random images (10; chapter 7: 64 and 128), "
    "in fresh processes that take turns, the first five steps left out: PaddlePaddle with the notebook's network on "
    "all cores, as it comes (`PALM_CPU=plain`), with what `palm_utils.cpu` adds, and with that and two replicas, of "
    "which the faster way counts; PyTorch with the same layers on as many threads, its memory kept by glibc too. All "
    "must have the same number of parameters and of tensors. Memory is the peak of the process; page faults are those "
    "that need no disk.",
    measure,
)
