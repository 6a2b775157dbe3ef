"""How good is a recipe, really? Repeated cross-validation over all labelled eyes, training and validation together.

    python tools/all_eyes.py 03_alexnet:AlexNet --repeats 3

One split into training and validation photographs is one draw. Here all of them are divided into five parts, in which
photographs that may show one patient stay together (palm_course.groups); each part is predicted by a network that was
trained on the other four, and all of it is repeated with other parts and seeds. `results/all_eyes/` keeps the logits
of every part; what is there already is not trained again. Beside them `03_alexnet-AlexNet.json` tells accuracy and AUC
over all eyes, for each repeat, and their mean with a 95 % interval from resampling the groups. Chapter 8 shows it.
"""

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from palm_course import groups
from palm_course.results import measure, stored
from palm_course.results.recipes import RECIPES
from palm_course.results.train import find_network, train
from palm_utils.datasets import PalmData
from palm_utils.metrics import score
from palm_utils.readers import Reader, data_loader, valid_data_loader

PARTS = 5


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", metavar="CHAPTER:NETWORK", choices=RECIPES["steady"], help="with a steady recipe")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--draws", type=int, default=2000, help="of groups, for the interval (default 2000)")
    args = parser.parse_args(argv)
    eyes = every_eye(measure.real_photographs(), RECIPES["steady"][args.network].make_augment())
    together = groups.of_files(eyes.files)
    for repeat in range(args.repeats):
        split = StratifiedGroupKFold(PARTS, shuffle=True, random_state=repeat)
        for part, (rest, held_out) in enumerate(split.split(eyes.labels, eyes.labels, together)):
            if not path(args.network, repeat, part).is_file():
                measure_part(args.network, repeat, part, eyes, rest, held_out)
    names = [file.name for file in eyes.files]
    logits = np.array([collected(args.network, repeat, names) for repeat in range(args.repeats)])
    found = summary(logits, np.array(eyes.labels), together, args.draws)
    stored.write(path(args.network), found)
    for what in "accuracy", "AUC":
        print(what, *(f"{value:.4f}" for value in found[what]["repeats"]), end=", mean ")
        print("{:.4f} ({:.4f} to {:.4f})".format(found[what]["mean"], *found[what]["interval"]))
    return 0


def every_eye(data: PalmData, augment) -> Reader:
    """Return a reader of all labelled photographs, those of the training folder first, that shuffles and augments."""
    parts = data_loader(data.DATADIR), valid_data_loader(data.DATADIR2, data.CSVFILE)
    files, labels = ([one for part in parts for one in getattr(part, name)] for name in ("files", "labels"))
    return Reader(files, labels, 10, shuffle=True, augment=augment)


def path(network: str, *place: int) -> Path:
    """Return the file of a part, its place given by the numbers of repeat and part, else the one of the summary."""
    of_part = "-repeat{}-part{}".format(*place) if place else ""
    return stored.FOLDER / "all_eyes" / f"{network.replace(':', '-')}{of_part}.json"


def measure_part(network: str, repeat: int, part: int, eyes: Reader, rest, held_out) -> None:
    """Train on the rest and store the logits of the part that is held out."""
    from palm_utils.training import predict

    recipe, file = RECIPES["steady"][network], path(network, repeat, part)
    work, loaders = measure.working_folder(file), (eyes.only(rest, train=True), eyes.only(held_out, train=False))
    seed = PARTS * repeat + part
    print(f"{file.stem}: {len(rest)} to train with, {len(held_out)} held out", flush=True)
    class_, options = find_network(network)[1], {"resume": True, "progress": False}
    model, history = train(class_, recipe, *loaders, seed, work, **options)
    logits = predict(model, loaders[1]).logits
    content = {"network": network, "recipe": recipe.to_dict(), "seed": seed, "history": history.to_dict()}
    content["logits"] = {each.name: float(f"{logit:.8g}") for each, logit in zip(loaders[1].files, logits, strict=True)}
    stored.write(file, content)
    shutil.rmtree(work)


def collected(network: str, repeat: int, names: list[str]) -> np.ndarray:
    """Return the logit of each photograph from the repeat in which its part was held out, float64 [N]."""
    recipe, found = RECIPES["steady"][network].to_dict(), {}
    for part in range(PARTS):
        found |= stored.read(path(network, repeat, part), lambda content: content["logits"], recipe)
    return np.array([found[name] for name in names])


def summary(logits: np.ndarray, labels: np.ndarray, together: np.ndarray, draws: int) -> dict:
    """Return what logits [repeats, N] reach: in each repeat, and the mean with its interval over draws of groups."""
    of = [score(its, labels) for its in logits]
    rng, members = np.random.default_rng(0), [np.flatnonzero(together == group) for group in np.unique(together)]
    drawn = []
    for _ in range(draws):
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        scores = [score(its[rows], labels[rows]) for its in logits]
        drawn.append([np.mean([its.accuracy for its in scores]), np.mean([its.auc for its in scores])])
    found = {"eyes": len(labels), "groups": len(members), "draws": draws}
    for column, what in enumerate(("accuracy", "AUC")):
        repeats = [float(getattr(its, what.lower())) for its in of]
        interval = np.nanpercentile([row[column] for row in drawn], (2.5, 97.5)).tolist()
        found[what] = {"repeats": repeats, "mean": float(np.mean(repeats)), "interval": interval}
    return found


if __name__ == "__main__":
    sys.exit(main())
