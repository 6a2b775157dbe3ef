"""`python -m palm_utils choose`: compare recipes without looking at the validation photographs.

The training photographs are split into four parts. Each candidate of palm_course.results.recipes.CANDIDATES is
trained four times on three of them and scored on the fourth. What is chosen so may then be measured once
on the validation photographs, and that figure is no luckier than it should be.

For the networks that take hours the same was done in PyTorch on a GPU (benchmarks/choose_torch.py). The
tables show those figures until there are some of PaddlePaddle's own.
"""

import argparse
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

from palm_course.results import measure
from palm_course.results import stored as results
from palm_course.results.recipes import CANDIDATES, FOLDS, Recipe
from palm_course.results.train import find_network, make_loaders, train
from palm_utils import datasets
from palm_utils.files import replacing
from palm_utils.history import History
from palm_utils.messages import CourseError, DataError
from palm_utils.readers import Reader


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
    """Return each candidate's mean and range over the held-out parts, at the last epoch.

    Raises DataError for a file that is damaged, or measured by another recipe than the candidate has now.
    """
    here = any(path.is_file() for name in CANDIDATES[network] for path in _paths(network, name))
    if here or not _pytorch_path(network).is_file():
        measured, wanted, source = _measured_here(network), FOLDS, None
    else:
        measured, wanted, source = _measured_in_pytorch(network)
    width = max(18, *(len(name) for name in measured))
    lines = [f"{'candidate':{width}}  {'loss':>6}  {'AUC':>6}  accuracy, %"]
    for name, last in measured.items():
        if len(last) < wanted:
            lines.append(f"{name:{width}}  ({len(last)} of {wanted} parts measured)")
            continue
        loss, auc = (mean(row[column] for row in last) for column in ("valid_loss", "valid_auc"))
        accuracy = results.spread([100 * row["valid_accuracy"] for row in last])
        epochs = CANDIDATES[network][name].epochs
        lines.append(f"{name:{width}}  {loss:6.4f}  {auc:6.4f}  {accuracy}   ({epochs} epochs)")
    return "\n".join([*lines, *(["", source] if source else [])])


def _measured_here(network: str) -> dict[str, list[dict]]:
    """Return the last epochs of each candidate's runs in PaddlePaddle."""
    return {
        name: [_stored(path, recipe).last for path in _paths(network, name) if path.is_file()]
        for name, recipe in CANDIDATES[network].items()
    }


def _measured_in_pytorch(network: str) -> tuple[dict[str, list[dict]], int, str]:
    """Return the last epochs of each candidate's runs, how many a whole one has, and where they come from."""
    path = _pytorch_path(network)
    columns = ("valid_loss", "valid_accuracy", "valid_auc")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        recipes = {name: candidate["recipe"] for name, candidate in content["candidates"].items()}
        runs = {name: candidate["runs"] for name, candidate in content["candidates"].items()}
        last = {name: [{column: run[column][-1] for column in columns} for run in runs[name]] for name in runs}
        seeds = {run["seed"] for name in runs for run in runs[name]}
        version, device = content["about"]["pytorch"], content["about"]["device"]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: not a stored comparison ({error!r}). Remove it, and measure it again: "
            "python -m benchmarks.choose_torch"
        ) from error
    for name, recipe in CANDIDATES[network].items():
        if name in recipes and recipes[name] != _as_stored(recipe):
            raise DataError(_OTHER_RECIPE.format(path=f"{path}, {name}", how="python -m benchmarks.choose_torch"))
    source = f"Measured with PyTorch {version} on one {device}: {FOLDS} parts, {len(seeds)} seeds."
    return {name: last.get(name, []) for name in CANDIDATES[network]}, FOLDS * max(1, len(seeds)), source


_OTHER_RECIPE = "{path}: measured by another recipe than the candidate has now. Remove it, and measure it again: {how}"


def _as_stored(recipe: Recipe) -> dict:
    return json.loads(json.dumps(recipe.to_dict()))


def _stored(path: Path, recipe: Recipe) -> History:
    history = History.load(path)
    if json.loads(path.read_text(encoding="utf-8")).get("recipe") != _as_stored(recipe):
        raise DataError(_OTHER_RECIPE.format(path=path, how="python -m palm_utils choose"))
    return history


def _pytorch_path(network: str) -> Path:
    chapter, _, name = network.partition(":")
    return results.FOLDER / chapter / "choice" / f"{name}-pytorch.json"


def _paths(network: str, candidate: str) -> list[Path]:
    chapter, _, name = network.partition(":")
    return [results.FOLDER / chapter / "choice" / f"{name}-{candidate}-fold{fold}.json" for fold in range(FOLDS)]
