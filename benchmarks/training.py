"""Row `training`: AlexNet, five epochs with validation on full-size photographs, beside the tutorial's loop."""

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks import ROOT, photographs
from benchmarks.bench import Bench, environment, tail
from benchmarks.measures import Bound, Measure, Row, Samples, digits, take_turns
from palm_utils.messages import CourseError


@dataclass(frozen=True)
class Plan:
    """network: trained by the tutorial's recipe of `recipe`; room: gigabytes of photographs and checkpoints."""

    network: str
    recipe: str
    training: int
    validation: int
    size: tuple[int, int]
    epochs: int
    batch_size: int
    rounds: int
    room: float


_ALEXNET = "03_alexnet:AlexNet"
FULL = Plan(_ALEXNET, _ALEXNET, 400, 400, photographs.FULL_SIZE, epochs=5, batch_size=10, rounds=1, room=6)
QUICK = Plan("03_alexnet:AlexNetSmall", _ALEXNET, 4, 3, (257, 265), epochs=2, batch_size=2, rounds=1, room=0.5)
TUTORIAL, COURSE = "the tutorial's loop", "train_pm"
# The tutorial says nothing of threads, and PaddlePaddle takes one unless it is told otherwise.
_ENVIRONMENTS = {"tutorial": {"PALM_THREADS": "1"}, "course": {}}


def measure(bench: Bench) -> list[Measure]:
    """Return the course's time as a share of the tutorial's."""
    plan = bench.plan(FULL, QUICK)
    bench.need_room(plan.room)
    data = photographs.make(bench.new_folder("photographs"), plan.training, plan.validation, plan.size)
    bench.about["bytes a photograph"] = round(photographs.mean_bytes(Path(data.DATADIR)))
    rounds = [_round(bench, plan, data.root) for _ in range(plan.rounds)]
    totals = {name: [sum(epochs[name]) for epochs in rounds] for name in (TUTORIAL, COURSE)}
    single = [c / t for epochs in rounds for t, c in zip(epochs[TUTORIAL], epochs[COURSE], strict=True)]
    value = median(c / t for t, c in zip(totals[TUTORIAL], totals[COURSE], strict=True))
    samples = {name: [seconds for epochs in rounds for seconds in epochs[name]] for name in totals}
    return [
        Measure(
            "", value, "of its time", Bound("at most", 0.4), min(single), max(single), samples,
            ", ".join(f"{name} {digits(median(t))} s" for name, t in totals.items()) + "; range over single epochs",
        )
    ]  # fmt: skip


def _round(bench: Bench, plan: Plan, data: Path) -> Samples:
    """Return the seconds of each epoch of both trainings, which take turns epoch by epoch."""
    with bench.fresh_cache(), ExitStack() as stack:
        course = stack.enter_context(Training(bench, "course", plan, data))
        tutorial = stack.enter_context(Training(bench, "tutorial", plan, data))
        return take_turns({TUTORIAL: tutorial.epoch, COURSE: course.epoch}, plan.epochs)


class Training:
    """A training in a process of its own, which waits while it is not asked for an epoch."""

    def __init__(self, bench: Bench, side: str, plan: Plan, data: Path):
        self.side, self.log = side, bench.new_folder(side) / "log.txt"
        arguments = {key: value for key, value in asdict(plan).items() if key in ("network", "recipe", "batch_size")}
        arguments |= {"epochs": plan.epochs, "data": str(data), "folder": str(self.log.parent)}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.training_sides", side, json.dumps(arguments)],
                cwd=ROOT, env=environment(**_ENVIRONMENTS[side]), encoding="utf-8",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip

    def __enter__(self) -> "Training":
        self._answer()  # "ready": what comes before the first epoch is not measured
        return self

    def __exit__(self, *error) -> None:
        self.process.stdin.close()
        if error[0] is not None:
            self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def epoch(self) -> float:
        """Return the seconds of the next epoch. Raises CourseError when the process has ended."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        answer = self.process.stdout.readline()
        if not answer:
            raise CourseError(f"The {self.side}'s training ended ({self.process.wait()}):\n{tail(self.log)}")
        return answer


ROW = Row(
    "training",
    "AlexNet, 5 epochs with validation, full-size photographs",
    "the tutorial's loop, same hyper-parameters",
    "at most 0.4 of its time",
    "400 training and 400 validation photographs, batch 10, Adam 0.001. Both trainings run in processes of their own "
    "and take turns epoch by epoch; an epoch is training, validation and saving. The figure is the five epochs' sum. "
    "The first includes the decoding, which the course does once. The tutorial's loop decodes each photograph in "
    "every epoch, computes on one thread, as PaddlePaddle does unless told otherwise, and keeps the autograd graph "
    "in validation; the course uses all cores.",
    measure,
)
