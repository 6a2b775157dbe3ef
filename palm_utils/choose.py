"""`python -m palm_utils choose`: compare recipes without looking at the validation photographs.

The training photographs are split into four parts. Each candidate of palm_utils.recipes.CANDIDATES is
trained four times on three of them and scored on the fourth. What is chosen so may then be measured once
on the validation photographs, and that figure is no luckier than it should be.
"""

import argparse
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

from palm_utils import datasets, measure, results
from palm_utils.errors import CourseError, DataError
from palm_utils.files import replacing
from palm_utils.history import History
from palm_utils.readers import Reader
from palm_utils.recipes import CANDIDATES, Recipe
from palm_utils.train import find_network, make_loaders, train

FOLDS = 4


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser(
        "choose",
        help="compare candidate recipes by cross-validation on the training photographs",
        description="Train what has no file in results/CHAPTER/choice yet, on the real photographs, and print the "
        "comparison. Stopped, it goes on with the last epoch that was finished.",
    )
    parser.add_argument("network", metavar="CHAPTER:NETWORK", help=f"one of {', '.join(CANDIDATES)}")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    os.environ["PALM_THREADS"] = "1"  # results that are compared come from the same number of threads
    if args.network not in CANDIDATES:
        raise CourseError(f"{args.network!r} has no candidates; there are some for {', '.join(CANDIDATES)}")
    data = datasets.palm()
    if not data.is_real:
        raise CourseError("Recipes are compared on the real photographs, and only the sample is here (data/README.md)")
    for name, recipe in CANDIDATES[args.network].items():
        for fold, path in enumerate(_paths(args.network, name)):
            if path.is_file():
                continue
            print(f"{name}, fold {fold}: {recipe}", flush=True)
            work = measure.WORK / path.parent.parent.name / path.stem
            loaders = list(folds(make_loaders(data, recipe)[0]))[fold]
            network = find_network(args.network)[1]
            _, history = train(network, recipe, *loaders, fold, work, resume=True, progress=False)
            content = {"network": args.network, "recipe": recipe.to_dict(), "fold": fold, "history": history.to_dict()}
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            shutil.rmtree(work)
    print(table_text(args.network))
    return 0


def folds(loader: Reader) -> Iterator[tuple[Reader, Reader]]:
    """Yield FOLDS pairs of readers, to train with and held out, with the same share of each kind of eye."""
    from sklearn.model_selection import StratifiedKFold

    letters = [file.name[0] for file in loader.files]
    for rest, held_out in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(letters, letters):
        yield loader.only(rest, train=True), loader.only(held_out, train=False)


def table(network: str) -> None:
    """Print the comparison that is stored of a network's candidates."""
    print(table_text(network))


def table_text(network: str) -> str:
    """Return each candidate's mean and range over the held-out parts, at the last epoch."""
    lines = [f"{'candidate':18}  {'loss':>6}  {'AUC':>6}  accuracy, %"]
    for name, recipe in CANDIDATES[network].items():
        paths = [path for path in _paths(network, name) if path.is_file()]
        last = [_stored(path, recipe).last for path in paths]
        if len(last) < FOLDS:
            lines.append(f"{name:18}  ({len(last)} of {FOLDS} parts measured)")
            continue
        loss, auc = (mean(row[column] for row in last) for column in ("valid_loss", "valid_auc"))
        accuracy = results.spread([100 * row["valid_accuracy"] for row in last])
        lines.append(f"{name:18}  {loss:6.4f}  {auc:6.4f}  {accuracy}   ({recipe.epochs} epochs)")
    return "\n".join(lines)


def _stored(path: Path, recipe: Recipe) -> History:
    history = History.load(path)
    used = json.loads(path.read_text(encoding="utf-8")).get("recipe")
    if used != json.loads(json.dumps(recipe.to_dict())):
        raise DataError(f"{path}: measured by another recipe than the candidate has now. Remove it, and run `choose`.")
    return history


def _paths(network: str, candidate: str) -> list[Path]:
    chapter, _, name = network.partition(":")
    return [results.FOLDER / chapter / "choice" / f"{name}-{candidate}-fold{fold}.json" for fold in range(FOLDS)]
