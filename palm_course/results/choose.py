"""`python -m palm_utils choose`: compare recipes without looking at the validation photographs.

The training photographs are split into four parts; each candidate is trained four times on three of them and scored on
the fourth. The chosen one is measured once on the validation photographs: that figure is no luckier than it should be.
"""

import argparse
import shutil
from collections.abc import Iterator

from palm_course.results import measure, stored
from palm_course.results.candidates import CANDIDATES, FOLDS, paths, table
from palm_course.results.train import find_network, make_loaders, train
from palm_utils.messages import CourseError
from palm_utils.readers import Reader


def add_parser(subparsers) -> None:
    about = (
        "Train what has no file in results/CHAPTER/choice yet, and print the comparison. Stopped, it goes on with the"
    )
    line = "compare candidate recipes by cross-validation on the training photographs"
    parser = subparsers.add_parser("choose", help=line, description=f"{about} last epoch that was finished.")
    parser.add_argument("network", metavar="CHAPTER:NETWORK", help=f"one of {', '.join(CANDIDATES)}")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.network not in CANDIDATES:
        told = {"name": args.network, "known": ", ".join(CANDIDATES)}
        raise CourseError("{name!r} has no candidates; there are some for {known}", **told)
    data = measure.real_photographs()
    for name, recipe in CANDIDATES[args.network].items():
        for fold, path in enumerate(paths(args.network, name)):
            if path.is_file():
                continue
            print(f"{name}, fold {fold}: {recipe}", flush=True)
            network, work = find_network(args.network)[1], measure.working_folder(path)
            loaders = list(folds(make_loaders(data, recipe)[0]))[fold]
            _, history = train(network, recipe, *loaders, fold, work, resume=True, progress=False)
            content = {"network": args.network, "recipe": recipe.to_dict(), "fold": fold, "history": history.to_dict()}
            stored.write(path, content)
            shutil.rmtree(work)
    table(args.network)
    return 0


def folds(loader: Reader) -> Iterator[tuple[Reader, Reader]]:
    """Yield FOLDS pairs of readers, to train with and held out, with the same share of each kind of eye."""
    from sklearn.model_selection import StratifiedKFold

    letters = [file.name[0] for file in loader.files]
    for rest, held_out in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(letters, letters):
        yield loader.only(rest, train=True), loader.only(held_out, train=False)
