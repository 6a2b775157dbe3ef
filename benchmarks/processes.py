"""Row `processes`: ResNet-50 trained by two processes, beside one process with the default threads."""

import json
import time
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks import photographs
from benchmarks.bench import Bench
from benchmarks.measures import Bound, Measure, Row, ratio, take_turns
from palm_course.results import processes
from palm_course.results.recipes import RECIPES, Recipe
from palm_course.results.train import find_network, train
from palm_utils import distributed
from palm_utils.datasets import PalmData
from palm_utils.readers import data_loader, valid_data_loader


@dataclass(frozen=True)
class Plan:
    """network: trained by the tutorial's recipe of `recipe`; steps: timed in one run, after `warm_up` others."""

    network: str
    recipe: str
    batch_size: int
    warm_up: int
    steps: int
    rounds: int


FULL = Plan("06_resnet:ResNet", "06_resnet:ResNet", batch_size=10, warm_up=2, steps=6, rounds=3)
QUICK = Plan("03_alexnet:AlexNetSmall", "03_alexnet:AlexNet", batch_size=2, warm_up=1, steps=2, rounds=1)
PROCESSES = 2


@dataclass(frozen=True)
class Timed(Recipe):
    """A recipe whose optimizer notes the end of each step."""

    ends: list[float] = field(default_factory=list)

    def make_optimizer(self, model, steps_per_epoch: int):
        optimizer = super().make_optimizer(model, steps_per_epoch)
        step = optimizer.step

        def step_and_note():
            step()
            self.ends.append(time.perf_counter())

        optimizer.step = step_and_note
        return optimizer


def measure(bench: Bench) -> list[Measure]:
    """Return how many times as many steps a second two processes take."""
    plan = bench.plan(FULL, QUICK)
    steps = plan.warm_up + plan.steps
    data = photographs.make(bench.new_folder("photographs"), steps * plan.batch_size, 2, photographs.SAMPLE_SIZE)
    with bench.fresh_cache():

        def side(number: int, **env: str) -> float:
            seconds = bench.call(
                "benchmarks.processes:run", number=number, data=str(data.root),
                folder=str(bench.new_folder("run")), network=plan.network, recipe=plan.recipe,
                batch_size=plan.batch_size, env=env,
            )  # fmt: skip
            return median(seconds[plan.warm_up - 1 :])  # the first step has no beginning and is not among them

        one, all_cores, two = "one thread", "a thread for each core", f"{PROCESSES} processes"
        sides = {one: lambda: side(1, PALM_THREADS="1"), all_cores: lambda: side(1), two: lambda: side(PROCESSES)}
        samples = take_turns(sides, plan.rounds)
    unit = "times the steps a second"
    return [
        Measure(
            "PaddlePaddle's default, one thread", unit=unit, bound=Bound("at least", 1.5), **ratio(samples, one, two)
        ),
        Measure("the course's default, all cores", unit=unit, **ratio(samples, all_cores, two)),
    ]


def run(number: int, **argument) -> list[float]:
    """Train one epoch in a number of processes and return the seconds from the end of each step to the end of the next.

    argument: of `_train`, what JSON can hold.
    """
    if number == 1:
        _train(argument)
    else:
        processes.start(_train, argument, number)
    ends = json.loads(Path(argument["folder"], "ends.json").read_text(encoding="utf-8"))
    return [end - start for start, end in pairwise(ends)]


def _train(argument: dict) -> None:
    """Train as `python -m palm_utils train` does, in each of the processes; the first stores when steps ended.

    argument: data, folder (of the checkpoints), network, recipe, batch_size.
    """
    data, batch_size = PalmData(Path(argument["data"]), "sample"), argument["batch_size"]
    folder = Path(argument["folder"])
    recipe = Timed(**{**asdict(RECIPES["tutorial"][argument["recipe"]]), "epochs": 1})
    loaders = data_loader(data.DATADIR, batch_size), valid_data_loader(data.DATADIR2, data.CSVFILE, batch_size)
    train(find_network(argument["network"])[1], recipe, *loaders, 0, folder, progress=False)
    if distributed.world()[0] == 0:
        (folder / "ends.json").write_text(json.dumps(recipe.ends), encoding="utf-8")


ROW = Row(
    "processes",
    "ResNet-50, batch 10, two processes on two cores",
    "one process, default threads",
    "at least 1.5 times the steps a second",
    "`python -m palm_utils train`'s own training, with and without `--nproc 2`, in fresh processes that take turns. "
    "Without, it is on one thread, PaddlePaddle's default, and on all cores, the course's. Measured from the end "
    "of one step of the optimizer to the end of the next, in the first process; starting up and the first steps are "
    "left out. The photographs are in the cache.",
    measure,
)
