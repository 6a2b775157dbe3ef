"""The measured results of the course: one JSON file for each training run on the real photographs.

`results/03_alexnet/AlexNet-steady-seed0.json` is what network 03_alexnet:AlexNet reached by its steady
recipe from seed 0. `python -m palm_utils results` makes the files that are missing.
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np

from palm_course.results.recipes import RECIPES, Recipe
from palm_utils.datasets import DataSet
from palm_utils.files import replacing
from palm_utils.history import History
from palm_utils.messages import CourseError, DataError
from palm_utils.metrics import Scores

FOLDER = Path(__file__).resolve().parents[2] / "results"
LABELS = "validation_labels.json"


@dataclass(frozen=True)
class Run:
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
    def arguments(self) -> Recipe:
        try:
            return RECIPES[self.recipe][self.network]
        except KeyError:
            known = ", ".join(sorted({network for recipes in RECIPES.values() for network in recipes}))
            raise CourseError(f"There is no {self.recipe} recipe of {self.network}; recipes are of {known}") from None


def store(run: Run, history: History, scores: Scores | None, data: DataSet) -> None:
    """Write the result of a run, in the place of an earlier one.

    scores: of the trained network on the validation photographs, in the order of their table; None for
        a network with more than one logit.
    Raises CourseError for data that is not real, and for fewer epochs or batches than the recipe has.
    """
    recipe = run.arguments
    if not data.is_real:
        raise CourseError(f"{run}: only what was measured on real data is stored, and this is {data}")
    if "batches" in history.about:
        raise CourseError(f"{run}: PALM_BATCHES cut its epochs short: not stored")
    if len(history) != recipe.epochs:
        raise CourseError(f"{run}: {len(history)} epochs were trained and the recipe has {recipe.epochs}: not stored")
    content = {
        "network": run.network,
        "recipe": {"name": run.recipe, **recipe.to_dict()},
        "seed": run.seed,
        "data": {"name": data.title, **data.counts()},
        "history": history.to_dict(),
        # Float32 has no more digits than these.
        "valid_logits": None if scores is None else [float(f"{logit:.8g}") for logit in scores.logits],
    }
    if scores is not None:
        _store_labels(scores.labels)
    text = json.dumps(content, indent=1)
    with replacing(run.path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _store_labels(labels: np.ndarray) -> None:
    """Keep the truth beside the answers, once for all runs; without it no stored accuracy can be checked."""
    known = valid_labels()
    if known is not None and not np.array_equal(known, labels):
        raise CourseError(
            f"{FOLDER / LABELS} has other labels than the validation photographs of this run: results of two "
            "data sets do not go together. Remove the folder of the results, or measure on the first data set."
        )
    if known is None:
        source = "iChallenge-PM, label table of the validation photographs, in its order; 1 is pathologic myopia"
        with replacing(FOLDER / LABELS) as temporary:
            temporary.write_text(json.dumps({"source": source, "labels": labels.tolist()}) + "\n", encoding="utf-8")


def stored(network: str, recipe: str) -> dict[int, dict]:
    """Return what is stored of a network and a recipe as it stands in the files, by seed, in order.

    Raises DataError for a file that is damaged, or measured by another recipe than today's of that name.
    """
    asked, found = json.loads(json.dumps(Run(network, recipe, 0).arguments.to_dict())), {}
    for path in Run(network, recipe, 0).path.parent.glob(f"{network.partition(':')[2]}-{recipe}-seed*.json"):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            seed, used = content["seed"], {k: v for k, v in content["recipe"].items() if k != "name"}
            History.from_dict(content["history"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: not a stored result ({error!r}). Remove it, and measure it again.") from error
        if used != asked:
            raise DataError(
                f"{path}: measured by another recipe, {used}, than the {recipe} recipe has now, {asked}. "
                "Remove the file, and measure it again: python -m palm_utils results"
            )
        found[seed] = content
    return dict(sorted(found.items()))


def load(network: str, recipe: str) -> dict[int, History]:
    """Return the stored histories of a network and a recipe by seed; empty where there are none."""
    return {seed: History.from_dict(content["history"]) for seed, content in stored(network, recipe).items()}


def are_kept() -> bool:
    """Tell whether chapters store what they measure: where PALM_KEEP_RESULTS is set, as `make course` does."""
    return bool(os.environ.get("PALM_KEEP_RESULTS"))


def keep(network: str, history: History, scores: Scores | None = None, *, seed: int = 0, data: DataSet) -> None:
    """Compare a chapter's own run by the tutorial's recipe with the stored one of the same seed.

    Where the environment variable PALM_KEEP_RESULTS is set, as `make course` does, store it first.
    """
    run = Run(network, "tutorial", seed)
    if are_kept():
        store(run, history, scores, data)
    known = load(network, "tutorial").get(seed)
    name = network.partition(":")[2]
    here = f"{name}: accuracy {history.last['valid_accuracy']:.4f} after epoch {len(history)}"
    if known is None:
        print(f"{here}; no result with seed {seed} is stored to compare with")
        return
    there = known["valid_accuracy"]
    if len(history) <= len(known) and data.is_real:
        print(f"{here}; stored result with the same seed: {there[len(history) - 1]:.4f}")
    else:
        print(f"{here}; stored result after {len(known)} epochs on the real data: {there[-1]:.4f}")


def is_measured_apart(path: Path) -> bool:
    """Tell whether a stored result comes from `results` or `choose`, and not from its chapter's own training."""
    return path.parent.name == "choice" or not re.search(r"(?<!-steady)-seed0\.json$", path.name)


def table(network: str, *, claim: str) -> None:
    """Print the stored results of a network's recipes beside the tutorial's claim."""
    print(table_text(network, claim=claim))


def table_text(network: str, *, claim: str) -> str:
    """Return mean, standard deviation and range over the seeds of each recipe, at the last epoch."""
    lines = [
        f"The tutorial's claim: {claim}",
        "",
        f"{'recipe':8}  epochs  seeds    accuracy at the last epoch, %    AUC",
    ]
    machines = []
    for recipe in RECIPES:
        histories = load(network, recipe)
        if not histories:
            lines.append(f"{recipe:8}  (not measured yet)")
            continue
        last = [history.last for history in histories.values()]
        accuracy = spread([100 * row["valid_accuracy"] for row in last])
        auc = mean(row["valid_auc"] for row in last)
        seeds, epochs = ", ".join(map(str, histories)), len(next(iter(histories.values())))
        lines.append(f"{recipe:8}  {epochs:6}  {seeds:7}  {accuracy:31}  {auc:6.4f}")
        machines += [machine(history) for history in histories.values()]
    lines += ["", "Validation photographs, mean ± standard deviation over the seeds (lowest to highest)."]
    lines += [f"Measured with {text}." for text in dict.fromkeys(machines)]
    return "\n".join(lines)


def summary(network: str) -> str:
    """Return the accuracies of both recipes as the README states them, "tutorial's 90.1 ± 3.0 %, steady …"."""
    parts = []
    for recipe, words in (("tutorial", "tutorial's recipe"), ("steady", "steady recipe")):
        last = [100 * history.last["valid_accuracy"] for history in load(network, recipe).values()]
        parts.append(f"{words} {spread(last).partition(' (')[0]} %" if last else f"{words} not measured yet")
    return ", ".join(parts)


def spread(values: list[float]) -> str:
    """Return "95.2 ± 0.4 (94.8 to 95.8)", a single value without the rest."""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{mean(values):.1f} ± {stdev(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def machine(history: History) -> str:
    about = history.about
    threads = "1 thread" if str(about["threads"]) == "1" else f"{about['threads']} threads"
    if (processes := about.get("processes", 1)) > 1:
        threads = f"{processes} processes of {threads}"
    return (
        f"PaddlePaddle {about['paddle']}, Python {about['python']}, numpy {about['numpy']}, "
        f"{about['device']} ({about['processor']}), {threads}"
    )


def valid_logits(network: str, recipe: str) -> dict[int, np.ndarray]:
    """Return the logits, float64 [N], that the trained networks gave to the validation photographs, by seed."""
    return {seed: np.array(content["valid_logits"]) for seed, content in stored(network, recipe).items()}


def valid_labels() -> np.ndarray | None:
    """Return the labels of the validation photographs, int64 [N], in the order of `valid_logits`; None before any run.

    Raises DataError for a damaged file.
    """
    path = FOLDER / LABELS
    try:
        return np.array(json.loads(path.read_text(encoding="utf-8"))["labels"], np.int64)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a list of labels ({error!r}). Remove it; the next run writes it.") from error
