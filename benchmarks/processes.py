"""Row `processes`: ResNet-50 trained by two processes, beside one process with the default threads."""

import json
import os
import time
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks import photographs
from benchmarks.bench import Bench
from benchmarks.measures import Bound, Measure, Row, ratio, take_turns
from palm_course.results.recipes import RECIPES, Recipe
from palm_course.results.train import find_network, launch, train
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

    argument: of `train_one_epoch`, what JSON can hold.
    """
    if number == 1:
        train_one_epoch(**argument)
    else:
        name = "benchmarks.processes:train_one_epoch"
        launch([name, json.dumps(argument), os.devnull], number, program=("-m", "benchmarks.call"))
    ends = json.loads(Path(argument["folder"], "ends.json").read_text(encoding="utf-8"))
    return [end - start for start, end in pairwise(ends)]


def train_one_epoch(data: str, folder: str, network: str, recipe: str, batch_size: int) -> None:
    """Train as `python -m palm_utils train` does, in each of the processes; the first stores when steps ended.

    folder: of the checkpoints; recipe: the network whose tutorial's recipe is taken.
    """
    import paddle

    photographs_there = PalmData(Path(data), "sample")
    timed = Timed(**{**asdict(RECIPES["tutorial"][recipe]), "epochs": 1})
    train_loader = data_loader(photographs_there.DATADIR, batch_size)
    valid_loader = valid_data_loader(photographs_there.DATADIR2, photographs_there.CSVFILE, batch_size)
    train(find_network(network)[1], timed, train_loader, valid_loader, 0, Path(folder), progress=False)
    if paddle.distributed.get_rank() == 0:
        Path(folder, "ends.json").write_text(json.dumps(timed.ends), encoding="utf-8")


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
