"""Row `scaling`: the reader and its cache at 400, 4,000 and 40,000 photographs."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import photographs
from benchmarks.bench import Bench
from benchmarks.measures import Bound, Measure, Row, Samples, digits, take_turns


@dataclass(frozen=True)
class Plan:
    """counts: of photographs, the smallest first; files: different ones among them; room: gigabytes."""

    counts: tuple[int, ...]
    files: int
    size: tuple[int, int]
    rounds: int
    room: float


FULL = Plan((400, 4_000, 40_000), 400, photographs.SAMPLE_SIZE, rounds=4, room=7)
QUICK = Plan((4, 12), 4, (129, 133), rounds=1, room=0.3)


def measure(bench: Bench) -> list[Measure]:
    """Return how much an image's time varies with their number, and how much memory grows."""
    plan = bench.plan(FULL, QUICK)
    bench.need_room(plan.room)
    drawn = photographs.make(bench.new_folder("photographs"), plan.files, 1, plan.size)
    sources = sorted(Path(drawn.DATADIR).iterdir())
    folders = {count: linked(sources, bench.new_folder(f"of-{count}"), count) for count in plan.counts}
    small = linked(sources, bench.new_folder("small"), plan.counts[0] // 4)
    runs: dict[int, list[dict]] = {count: [] for count in plan.counts}

    def read(count: int) -> float:
        # The machine's speed changes within seconds: few photographs are read many times, so that each
        # measurement is about as long as that of many.
        epochs = max(1, plan.counts[-1] // 2 // count)
        with bench.fresh_cache():
            found = bench.call(
                "benchmarks.scaling_side:run", folder=str(folders[count]), epochs=epochs, small=str(small)
            )
        runs[count].append(found)
        return found["first"]

    take_turns({str(count): lambda count=count: read(count) for count in plan.counts}, plan.rounds)
    for folder in folders.values():
        shutil.rmtree(folder)
    return [
        _times("first epoch", {str(n): [run["first"] / n for run in runs[n]] for n in runs}),
        _times("later epochs", {str(n): [run["later"] / n for run in runs[n]] for n in runs}),
        _memory({str(n): [run["memory"] / 1e6 for run in runs[n]] for n in runs}),
    ]


def linked(sources: list[Path], folder: Path, count: int) -> Path:
    """Fill a folder with `count` photographs, links to the sources under names of their own; copies where links fail.

    The cache knows photographs by name: each is decoded and kept by itself, and it gains nothing from
    links. Only the system's memory holds fewer JPEGs.
    """
    for i in range(count):
        source = sources[i % len(sources)]
        target = folder / f"{source.stem[0]}{i + 1:06d}.jpg"
        try:
            os.link(source, target)
        except OSError:  # a file system without links, or with too few of them for one file
            shutil.copyfile(source, target)
    return folder


def _times(what: str, samples: Samples) -> Measure:
    """Compare the slowest number of photographs with the fastest."""
    times = {name: median(values) for name, values in samples.items()}
    value = max(times.values()) / min(times.values())
    detail = ", ".join(f"{int(name):,}: {digits(1000 * seconds)} ms an image" for name, seconds in times.items())
    return Measure(what, value, "slowest / fastest", Bound("at most", 1.2), samples=samples, detail=detail)


def _memory(samples: Samples) -> Measure:
    """Compare the memory of the largest number of photographs with that of the smallest."""
    growth = {name: median(values) for name, values in samples.items()}
    smallest, *_, largest = growth.values()
    detail = ", ".join(f"{int(name):,}: {value:.1f} MB" for name, value in growth.items())
    bound = Bound("at most", 50)
    return Measure("memory", largest - smallest, "MB more", bound, samples=samples, detail=f"{detail} above the start")


ROW = Row(
    "scaling",
    "reader and cache at 400, 4,000, 40,000 images",
    "itself",
    "times within 20 %, at most 50 MB more",
    "Folders of that many photographs of the sample's size (531 x 514). They are links to 400 files, under names of "
    "their own: the cache decodes and keeps each by itself, so its work and its size are those of as many different "
    "photographs; only the system's memory for files has fewer JPEGs to hold. In a fresh process an epoch is read "
    "with an empty cache and then another one, over and over until at least 20,000 images were read of each kind, "
    "because the machine's speed changes within seconds; an image's time is compared between the slowest and the "
    "fastest number. Memory is the most that the process occupied (RSS, looked at every 5 ms) above what it occupied "
    "before, after a small reading that loads what any reading needs; the figure is how much more that is for the "
    "largest number than for the smallest.",
    measure,
)
