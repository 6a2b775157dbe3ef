"""`python -m palm_utils choose`: compare recipes without looking at the validation photographs.

The training photographs are split into four parts; each candidate is trained four times, each time on three of the
parts, and scored on the fourth. The chosen one is measured once on the validation photographs. The larger networks'
learning rates were compared in PyTorch on a GPU (benchmarks/attic); results/CHAPTER/choice/NETWORK-pytorch.json has
the figures. What all candidates have in common was settled in earlier trials on the validation photographs.
"""

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

from palm_course import groups
from palm_course.results import stored
from palm_course.results.recipes import STEADY
from palm_utils.messages import CourseError, tr
from palm_utils.readers import Reader

FOLDS = 4  # parts of the training photographs; each is held out once
_COLUMNS = ("valid_loss", "valid_auc", "valid_accuracy")
_RATES = {
    "02_ichallenge_pm:LeNetReLU": ("3e-3", "1e-3", "3e-4"),
    "03_alexnet:AlexNet": ("1e-3", "3e-4", "1e-4"),
}
_ZOOM = ("flip", "brightness", "rotate and zoom")
_MORE = {"averaged": {}, "smoothed": {"smoothing": 0.1}, "zoomed": {"augment": _ZOOM}}
_MORE["all-three"] = _MORE["smoothed"] | _MORE["zoomed"]
CANDIDATES = {
    network: {
        **{f"rate-{rate}": replace(recipe, learning_rate=float(rate)) for rate in _RATES.get(network, ())},
        # Each tells as well what the weights of the last step are worth, without the averaging.
        **{name: replace(recipe, average=0.98, **more) for name, more in _MORE.items()},
    }
    for network, recipe in STEADY.items()
}


def add_options(parser: argparse.ArgumentParser) -> None:
    from palm_course.results.measure import RESUMES

    parser.description = f"Train what has no file in results/CHAPTER/choice yet, and print the comparison. {RESUMES}"
    parser.add_argument("network", metavar="CHAPTER:NETWORK", help=f"one of {', '.join(CANDIDATES)}")
    told = "keep photographs that may show one patient in one part (palm_course.groups); results of their own"
    parser.add_argument("--grouped", action="store_true", help=told)
    parser.add_argument("--only", nargs="+", metavar="CANDIDATE", help="train these alone")


def run(args: argparse.Namespace) -> int:
    from palm_course.results import measure
    from palm_course.results.train import find_network, make_loaders, train

    if args.network not in CANDIDATES:
        told = {"name": args.network, "known": ", ".join(CANDIDATES)}
        raise CourseError("{name!r} has no candidates; there are some for {known}", **told)
    if unknown := set(args.only or ()) - set(CANDIDATES[args.network]):
        told = {"names": ", ".join(sorted(unknown)), "known": ", ".join(CANDIDATES[args.network])}
        raise CourseError("There are no candidates {names}; there are {known}", **told)
    data = measure.real_photographs()
    for name in args.only or CANDIDATES[args.network]:
        recipe = CANDIDATES[args.network][name]
        for fold, path in enumerate(paths(args.network, name, args.grouped)):
            if path.is_file():
                continue
            print(f"{name}, fold {fold}: {recipe}", flush=True)
            network, work = find_network(args.network)[1], measure.working_folder(path)
            loaders = list(folds(make_loaders(data, recipe)[0], args.grouped))[fold]
            model, history = train(network, recipe, *loaders, fold, work, resume=True, progress=False)
            content = {"network": args.network, "recipe": recipe.to_dict(), "fold": fold, "history": history.to_dict()}
            stored.write(path, content | {"variants": measure.variants(model, loaders[1])})
            shutil.rmtree(work)
    table(args.network, args.grouped)
    return 0


def folds(loader: Reader, grouped: bool = False) -> Iterator[tuple[Reader, Reader]]:
    """Yield FOLDS pairs of readers, to train with and held out, with the same share of each kind of eye.

    grouped: photographs that may show one patient are held out together, and the shares differ a little. The choices
    for chapters 3 to 6 were made before anybody had looked for such photographs; so this is not the default.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    letters = [file.name[0] for file in loader.files]
    split = (StratifiedGroupKFold if grouped else StratifiedKFold)(FOLDS, shuffle=True, random_state=0)
    for rest, held_out in split.split(letters, letters, groups.of_files(loader.files) if grouped else None):
        yield loader.only(rest, train=True), loader.only(held_out, train=False)


def paths(network: str, candidate: str, grouped: bool = False) -> list[Path]:
    return [_file(network, f"{candidate}-{'grouped-' if grouped else ''}fold{fold}") for fold in range(FOLDS)]


def _file(network: str, what: str) -> Path:
    return stored.FOLDER / f"{network.replace(':', '/choice/')}-{what}.json"


def table(network: str, grouped: bool = False) -> None:
    """Print each candidate's mean and range over the held-out parts, at the last epoch; DataError as `stored.read`."""
    rows, source = _measured(network, grouped)
    width = max(18, *(len(name) for name, _, _ in rows))
    lines = [tr("candidate{gap}    loss     AUC  accuracy, %", gap=" " * (width - len("candidate")))]
    for name, epochs, last in rows:
        told = {"candidate": f"{name:{width}}", "epochs": epochs, "count": len(last), "parts": FOLDS}
        if len(last) < FOLDS:
            lines.append(tr("{candidate}  ({count} of {parts} parts measured)", **told))
            continue
        loss, auc, accuracies = ([row[column] for row in last] for column in _COLUMNS)
        told |= {"loss": mean(loss), "auc": mean(auc), "spread": stored.spread([100 * it for it in accuracies])}
        lines.append(tr("{candidate}  {loss:6.4f}  {auc:6.4f}  {spread}   ({epochs} epochs)", **told))
    print(*lines, *source, sep="\n")


def held_out(network: str, candidate: str, fold: int) -> dict[str, float]:
    """Return the means of a candidate's last rows on one part (over its seeds); DataError as `stored.read`."""
    if candidate in CANDIDATES.get(network, {}):
        return stored.read(paths(network, candidate)[fold], lambda content: content["history"]["epochs"][-1])

    def take(content: dict) -> dict[str, float]:
        runs = [run for run in content["candidates"][candidate]["runs"] if run["fold"] == fold]
        return {column: mean(run[column][-1] for run in runs) for column in _COLUMNS}

    return stored.read(_file(network, "pytorch"), take)


def paired(network: str, grouped: bool = False) -> None:
    """Print by how much each candidate's held-out loss is above the lowest one's, run by run, with its standard error.

    Runs of the same part (and seed) are compared, so that what makes a part hard cancels; DataError as `stored.read`.
    """
    rows = [(name, last) for name, _, last in _measured(network, grouped)[0] if len(last) >= FOLDS]
    losses = {name: [row["valid_loss"] for row in last] for name, last in rows}
    if not losses:
        return
    best = min(losses, key=lambda name: mean(losses[name]))
    for name in (name for name in losses if name != best and len(losses[name]) == len(losses[best])):
        apart = [its - lowest for its, lowest in zip(losses[name], losses[best], strict=True)]
        error = stdev(apart) / len(apart) ** 0.5
        each = ", ".join(f"{difference:.3f}" for difference in apart)
        print(f"{name} - {best}: {mean(apart):.3f} ± {error:.3f}   ({each})")


def _measured(network: str, grouped: bool) -> tuple[list[tuple], list[str]]:
    """Return name, epochs and last rows (one for each part) of each candidate, and the lines below the table."""
    in_pytorch = not grouped and _file(network, "pytorch").is_file()
    theirs, source = _measured_in_pytorch(network) if in_pytorch else ([], [])
    rows = []
    for name, recipe in CANDIDATES.get(network, {}).items():
        files, known = [path for path in paths(network, name, grouped) if path.is_file()], recipe.to_dict()
        last = [stored.read(path, lambda content: content["history"]["epochs"][-1], known) for path in files]
        rows.append((name, recipe.epochs, last))
        ways = [stored.read(path, lambda content: content.get("variants", {}), known) for path in files]
        for way in ways[0] if ways else ():
            rows.append((f"{name}, {way}", recipe.epochs, [its[way] for its in ways]))
    return [*theirs, *(row for row in rows if row[2])] or rows, source


def _measured_in_pytorch(network: str) -> tuple[list[tuple], list[str]]:
    """Return the same of the stored comparison in PyTorch."""

    def take(content: dict):
        rows, about, seeds = [], content["about"], set()
        for name, its in content["candidates"].items():
            last = [{column: run[column][-1] for column in _COLUMNS} for run in its["runs"]]
            rows.append((name, its["recipe"]["epochs"], last))
            seeds |= {run["seed"] for run in its["runs"]}
        how = {"parts": FOLDS, "seeds": len(seeds), "pytorch": about["pytorch"], "device": about["device"]}
        line = tr("Measured with PyTorch {pytorch} on one {device}: {parts} parts, {seeds} seeds.", **how)
        return rows, ["", line]

    return stored.read(_file(network, "pytorch"), take)
