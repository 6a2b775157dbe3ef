"""A measured figure and what it must reach, a row of the table, and taking turns."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from palm_utils.messages import CourseError

if TYPE_CHECKING:
    from benchmarks.bench import Bench

Samples = dict[str, list[float]]  # seconds (or what `unit` says) of each run, by side


@dataclass(frozen=True)
class Bound:
    """A requirement: "at least" or "at most" a value in the measure's unit."""

    kind: str
    value: float

    def holds(self, value: float) -> bool:
        return value >= self.value if self.kind == "at least" else value <= self.value

    def __str__(self) -> str:
        return f"{self.kind} {self.value:g}"


@dataclass(frozen=True)
class Measure:
    """One figure. what: of which network or size ("" where the row has one figure only).

    low, high: over the runs, where there were several; samples: what it was computed from, by side;
    detail: the same in words. Raises CourseError for a figure that is not finite.
    """

    what: str
    value: float
    unit: str
    bound: Bound | None = None
    low: float | None = None
    high: float | None = None
    samples: Samples = field(default_factory=dict)
    detail: str = ""

    def __post_init__(self):
        values = [self.value, *(value for side in self.samples.values() for value in side)]
        if not all(math.isfinite(value) for value in values):
            raise CourseError(f"{self.what or self.unit}: measured {values}, which are not all finite")

    @property
    def met(self) -> bool | None:
        """Whether the requirement is met; None where there is none."""
        return None if self.bound is None else self.bound.holds(self.value)

    def __str__(self) -> str:
        spread = "" if self.low is None else f" ({digits(self.low)} to {digits(self.high)})"
        return f"{digits(self.value)}{spread} {self.unit}"

    def to_dict(self) -> dict:
        return {**asdict(self), "met": self.met}

    @classmethod
    def from_dict(cls, content: dict) -> "Measure":
        content = {key: value for key, value in content.items() if key != "met"}
        return cls(**{**content, "bound": Bound(**content["bound"]) if content["bound"] else None})


@dataclass(frozen=True)
class Row:
    """A row of the table. must: its requirements in words; how: what is measured and how, for the README."""

    name: str
    what: str
    against: str
    must: str
    how: str
    measure: Callable[["Bench"], list[Measure]]


def digits(value: float) -> str:
    """Return three significant digits, without an exponent: "0.583", "12.4", "1530"."""
    if value == 0:
        return "0"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def take_turns(sides: dict[str, Callable[[], float]], rounds: int) -> Samples:
    """Return what each side's function returns in each round, seconds as a rule.

    The order is reversed in every second round, so that a machine that grows slower favours nobody.
    """
    samples: Samples = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides) if number % 2 == 0 else reversed(sides):
            samples[name].append(sides[name]())
    return samples


def ratio(samples: Samples, above: str, below: str) -> dict:
    """Return value (of the sides' medians), and low and high (of single rounds) of above : below, for a Measure."""
    rounds = [a / b for a, b in zip(samples[above], samples[below], strict=True)]
    value = median(samples[above]) / median(samples[below])
    spread = {"low": min(rounds), "high": max(rounds)} if len(rounds) > 1 else {}
    return {"value": value, **spread, "samples": samples, "detail": medians(samples)}


def medians(samples: Samples, factor: float = 1.0, unit: str = "s") -> str:
    """Return "threads 2.81 s, PyTorch 2.10 s"; `factor` turns seconds into `unit`."""
    return ", ".join(f"{name} {digits(factor * median(values))} {unit}" for name, values in samples.items())
