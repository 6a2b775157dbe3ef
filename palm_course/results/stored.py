"""The measured results of the course: one JSON file for each training run on the real data.

`results/03_alexnet/AlexNet-steady-seed0.json` is what 03_alexnet:AlexNet reached by its steady recipe from seed 0.
Chapters print their tables from these files; `make course` and `python -m palm_utils results` write them.
"""

import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import numpy as np

from palm_course.results.recipes import BOTH, LEFT_OUT, RECIPES, WITHOUT, CifarRecipe, Recipe
from palm_utils.datasets import DataSet
from palm_utils.files import replacing
from palm_utils.history import History
from palm_utils.machine import from_environment
from palm_utils.messages import CourseError, DataError, mark, tr
from palm_utils.metrics import Scores

FOLDER = Path(__file__).resolve().parents[2] / "results"
LABELS = "validation_labels.json"
# What the chapters call `table` with, listed here for the catalogue of translations.
_CLAIMS = (mark("about 94 %; published run 93 %"), mark("about 94 %"), mark("about 95 %"), mark("about 96 %"))
TUTORIAL = RECIPES["tutorial"]["07_highlevel_api_cifar10:resnet50"]
IMPROVED = RECIPES["improved"]["07_highlevel_api_cifar10:WhitenedResNet"]


class Run(NamedTuple):
    """A training that is to be measured: a network ("03_alexnet:AlexNet"), the name of a recipe, a seed."""

    network: str
    recipe: str
    seed: int

    def __str__(self) -> str:
        return f"{self.network}, {self.recipe} recipe, seed {self.seed}"

    @property
    def path(self) -> Path:
        chapter, _, network = self.network.partition(":")
        return FOLDER / chapter / f"{network}-{self.recipe}-seed{self.seed}.json"

    @property
    def arguments(self) -> Recipe | CifarRecipe:
        of = (RECIPES | LEFT_OUT | WITHOUT)[self.recipe]
        if self.network not in of:
            known = ", ".join(of)
            raise CourseError("{run}: there is no such recipe; it is there for {known}", run=self, known=known)
        return of[self.network]


def write(path: Path, content: dict, indent: int | None = 1) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=indent) + "\n", encoding="utf-8")


def read(path: Path, take: Callable[[dict], Any], recipe: dict | None = None) -> Any:
    """Return what `take` finds in a file; raise DataError for a damaged one, or one measured by another recipe."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found, other = take(content), recipe is not None and content["recipe"] != recipe
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        told = {"path": path, "error": repr(error)}
        raise DataError("{path}: not a stored result ({error}). Remove it, and measure it again.", **told) from None
    if other:
        raise DataError("{path}: measured by another recipe than today's. Remove it, and measure it again.", path=path)
    return found


def store(run: Run, history: History, scores: Scores | None, data: DataSet, variants: dict | None = None) -> None:
    """Write the result of a run, in the place of an earlier one, and the labels that its logits belong to.

    scores: on the validation photographs, in the order of their table; None for a network with more than one logit.
    variants: as `measure.variants` returns them.
    Raises CourseError for other data than the real ones, or fewer epochs or images than the recipe has.
    """
    recipe, told = run.arguments, {"run": run, "data": data, "number": len(history), "file": FOLDER / LABELS}
    if not data.is_real:
        raise CourseError("{run}: only what was measured on real data is stored, and this is {data}", **told)
    if "images" in history.about or len(history) != recipe.epochs:
        told["epochs"] = recipe.epochs
        raise CourseError("{run}: {number} epochs were trained, not {epochs} whole ones: not stored", **told)
    if scores is not None:
        known = valid_labels()
        if known is not None and not np.array_equal(known, scores.labels):
            raise CourseError("{run}: {file} has other labels than the validation photographs of this run", **told)
        source = "iChallenge-PM, label table of the validation photographs, in its order; 1 is pathologic myopia"
        write(FOLDER / LABELS, {"source": source, "labels": scores.labels.tolist()}, indent=None)
    content = {
        "network": run.network,
        "recipe": {"name": run.recipe, **recipe.to_dict()},
        "seed": run.seed,
        "data": {"name": data.title, **data.counts()},
        "history": history.to_dict(),
        **({"variants": variants} if variants else {}),
        # Float32 has no more digits than these.
        "valid_logits": None if scores is None else [float(f"{logit:.8g}") for logit in scores.logits],
    }
    write(run.path, content)


def stored(network: str, recipe: str) -> dict[int, dict]:
    """Return what is stored of a network and a recipe by seed, in order; DataError as `read`."""
    run = Run(network, recipe, 0)
    now = {"name": recipe, **run.arguments.to_dict()}
    paths = run.path.parent.glob(run.path.name.replace("-seed0.json", "-seed*.json"))
    found = [read(path, lambda it: it | {"history": History.from_dict(it["history"])}, now) for path in paths]
    return {content["seed"]: content for content in sorted(found, key=lambda it: it["seed"])}


def load(network: str, recipe: str) -> dict[int, History]:
    """Return the stored histories of a network and a recipe by seed; empty where there are none."""
    return {seed: content["history"] for seed, content in stored(network, recipe).items()}


def valid_logits(network: str, recipe: str) -> dict[int, np.ndarray]:
    """Return the logits, float64 [N], that the trained networks gave to the validation photographs, by seed."""
    return {seed: np.array(content["valid_logits"]) for seed, content in stored(network, recipe).items()}


def valid_labels() -> np.ndarray | None:
    """Return the labels of the validation photographs, int64 [N], in the order of `valid_logits`; None before a run."""
    path = FOLDER / LABELS
    return read(path, lambda content: np.array(content["labels"], np.int64)) if path.exists() else None


def are_kept() -> bool:
    return bool(os.environ.get("PALM_KEEP_RESULTS"))  # as `make course` sets it


def keep(network: str, history: History, scores: Scores | None = None, *, seed: int = 0, data: DataSet) -> None:
    """Compare a chapter's run by the tutorial's recipe with the stored one; store it first where results are kept."""
    if are_kept():
        store(Run(network, "tutorial", seed), history, scores, data)
    known, epochs = load(network, "tutorial").get(seed), len(history)
    there = tr("no result with seed {seed} is stored to compare with", seed=seed)
    if known and epochs <= len(known) and data.is_real:
        there = tr("stored result with the same seed: {accuracy:.4f}", accuracy=known["valid_accuracy"][epochs - 1])
    elif known:
        template = mark("stored result after {epochs} epochs on the real data: {accuracy:.4f}")
        there = tr(template, epochs=len(known), accuracy=known.last["valid_accuracy"])
    template = mark("{network}: accuracy {accuracy:.4f} after epoch {epochs}; {there}")
    told = {"network": network.partition(":")[2], "accuracy": history.last["valid_accuracy"], "epochs": epochs}
    print(tr(template, there=there, **told))


def epochs_here(recipe: CifarRecipe, data: DataSet, device: str, *, on_gpu=None, known=False) -> int:
    """Return how many epochs a training of chapter 7 takes: as PALM_EPOCHS says, else as the device and the data allow.

    That is `on_gpu` or the recipe's on a GPU; on a CPU the recipe's, but 1 with real pictures when the result of the
    whole run is known.
    """
    if os.environ.get("PALM_EPOCHS", "").strip():
        return from_environment(None, None)[0]
    if device.startswith("gpu"):
        return on_gpu or recipe.epochs
    return 1 if data.is_real and known else recipe.epochs


class CifarRun(Run):
    """One training of chapter 7 that is kept: CifarRun.of("WhitenedResNet", "improved", seed).

    valid_accuracy is of the test pictures for the tutorial's recipe, as in the tutorial, and of held-out ones for the
    improved recipe, which has its test_accuracy in history.about. The recipe "eyes" is for photographs of eyes, reduced
    to 32 x 32 pixels.
    """

    @classmethod
    def of(cls, network: str, recipe: str, seed: int = 0) -> "CifarRun":
        return cls(f"07_highlevel_api_cifar10:{network}", recipe, seed)

    def load(self) -> History | None:
        return load(self.network, self.recipe).get(self.seed)

    def keep(self, history: History, data: DataSet) -> None:
        """Print the last accuracy beside the stored one; store it first where results are kept.

        A run of fewer epochs than its recipe leaves a stored result as it is.
        """

        def line(its: History) -> str:
            told = {"accuracy": its.last["valid_accuracy"], "epochs": len(its), "test": its.about.get("test_accuracy")}
            if told["test"] is None:
                return tr("{accuracy:.4f} after {epochs} epochs", **told)
            return tr("{accuracy:.4f} after {epochs} epochs, test {test:.4f}", **told)

        if are_kept() and (len(history) == self.arguments.epochs or self.load() is None):
            store(self, history, None, data)
        known = self.load()
        template = mark("{run}: {here}; stored, on the real pictures: {there}")
        if not known:
            template = mark("{run}: {here}; no result is stored")
        told = {"run": f"{self.network.partition(':')[2]}, {self.recipe}", "here": line(history)}
        print(tr(template, **told, there=line(known or history)))


def is_measured_apart(path: Path) -> bool:
    """Tell whether a stored result comes from `results` or `choose`, and not from its chapter's own training."""
    return path.parent.name == "choice" or not re.search(r"-(tutorial|improved|eyes)-seed0\.json$", path.name)


def table(network: str, *, claim: str) -> None:
    """Print both recipes' results at the last epoch, seed by seed, beside the claim."""
    print(tr("The tutorial's claim: {claim}", claim=tr(claim)) + "\n")
    print(tr("recipe              epochs  mean AUC  accuracy at the last epoch, %, seed by seed"))
    machines = []
    for recipe in BOTH:
        runs = [*stored(network, recipe).values()]
        if not runs:
            print(tr("{recipe:8}  (not measured yet)", recipe=recipe))
            continue
        ways = {recipe: [run["history"].last for run in runs]}
        ways |= {f"{recipe}, {way}": [run["variants"][way] for run in runs] for way in runs[0].get("variants", ())}
        for name, rows in ways.items():
            told = f"{len(runs[0]['history']):6}  {mean(row['valid_auc'] for row in rows):8.4f}  {each(rows)}"
            print(f"{name:18}  {told}")
        machines += [tr("Measured with {machine}.", machine=machine(run["history"])) for run in runs]
    print("", tr("Validation photographs, one figure for each seed."), *dict.fromkeys(machines), sep="\n")


def each(rows: Iterable[dict]) -> str:
    """Return the accuracies of such rows in percent, "56.0, 91.8, 91.5": three seeds are three points."""
    return ", ".join(f"{100 * row['valid_accuracy']:.1f}" for row in rows)


def spread(values: list[float]) -> str:
    """Return "95.2 ± 0.4 (94.8 to 95.8)", a single value without the rest."""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    told = {"mean": mean(values), "apart": stdev(values), "low": min(values), "high": max(values)}
    return tr("{mean:.1f} ± {apart:.1f} ({low:.1f} to {high:.1f})", **told)


def machine(history: History) -> str:
    """Return what a run was measured with, as one line."""
    count = str(history.about["threads"])
    threads = tr("1 thread") if count == "1" else tr("{count} threads", count=count)
    line = mark("PaddlePaddle {paddle}, Python {python}, numpy {numpy}, {device} ({processor}), {threads}")
    return tr(line, **{**history.about, "threads": threads})
