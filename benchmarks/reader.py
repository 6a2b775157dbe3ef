"""Rows `reader` and `first-epoch`: how long an image takes to read, decoded once and decoded each time."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import photographs, tutorial
from benchmarks.bench import Bench
from benchmarks.measures import Bound, Measure, Row, medians, ratio, take_turns
from palm_utils.datasets import PalmData
from palm_utils.readers import data_loader


@dataclass(frozen=True)
class Plan:
    """photographs: how many are read; size: their height and width; epochs: averaged in one round of `reader`."""

    photographs: int
    size: tuple[int, int]
    rounds: int
    epochs: int


FULL = Plan(200, photographs.FULL_SIZE, rounds=5, epochs=5)
QUICK = Plan(6, (257, 265), rounds=2, epochs=2)
PLAIN, KEPT = "decoded each time", "decoded once"


def measure_later(bench: Bench) -> list[Measure]:
    """Return how many times faster an image is read in an epoch after the first."""
    plan, data = _prepared(bench)
    with bench.fresh_cache():
        kept = data_loader(data.DATADIR)
        epoch(kept)  # the first, which fills the cache
        sides = {
            PLAIN: lambda: epoch(tutorial.data_loader(data.DATADIR)) / plan.photographs,
            KEPT: lambda: sum(epoch(kept) for _ in range(plan.epochs)) / plan.epochs / plan.photographs,
        }
        return [_measure(take_turns(sides, plan.rounds), Bound("at least", 50))]


def measure_first(bench: Bench) -> list[Measure]:
    """Return how many times faster an image is read in the very first epoch."""
    plan, data = _prepared(bench)

    def first() -> float:
        with bench.fresh_cache():
            return epoch(data_loader(data.DATADIR)) / plan.photographs

    sides = {PLAIN: lambda: epoch(tutorial.data_loader(data.DATADIR)) / plan.photographs, KEPT: first}
    return [_measure(take_turns(sides, plan.rounds), Bound("at least", 1.7))]


def epoch(reader: Callable) -> float:
    """Return the seconds that it takes to read every batch once."""
    started = time.perf_counter()
    for _ in reader():
        pass
    return time.perf_counter() - started


def _prepared(bench: Bench) -> tuple[Plan, PalmData]:
    plan = bench.plan(FULL, QUICK)
    data = photographs.make(bench.new_folder("photographs"), plan.photographs, 1, plan.size)
    epoch(tutorial.data_loader(data.DATADIR))  # both sides find the files in the system's memory
    return plan, data


def _measure(samples: dict[str, list[float]], bound: Bound) -> Measure:
    figure = ratio(samples, PLAIN, KEPT)
    return Measure("", unit="times faster", bound=bound, **{**figure, "detail": medians(samples, 1000, "ms an image")})


LATER = Row(
    "reader",
    f"reader, epochs after the first, {photographs.FULL_SIZE[1]} x {photographs.FULL_SIZE[0]} JPEGs",
    "a reader that decodes each time",
    "at least 50 times faster",
    "An epoch is read, batch by batch, with nothing done to the batches: by `data_loader`, whose cache the first "
    "epoch has filled, and by a reader that decodes each photograph when it comes to it, on one thread.",
    measure_later,
)
FIRST = Row(
    "first-epoch",
    "reader, first epoch",
    "a reader that decodes each time",
    "at least 1.7 times faster",
    "The same, but the cache is empty at the beginning of every measurement of `data_loader`, which decodes on all "
    "cores and writes the cache to the disk.",
    measure_first,
)
