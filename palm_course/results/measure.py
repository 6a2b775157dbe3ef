"""`python -m palm_utils results`: make the results that are not stored yet, run after run."""

import argparse
import shutil
import time
from pathlib import Path

from palm_course.results import stored, train, weights
from palm_course.results.recipes import BOTH, LEFT_OUT, RECIPES, STEADY
from palm_course.results.stored import Run
from palm_utils import datasets, machine
from palm_utils.files import replacing
from palm_utils.messages import CourseError
from palm_utils.metrics import score
from palm_utils.readers import Reader

WORK = stored.FOLDER.parent / "build" / "results"
SEEDS = {"04_vgg:VGG": 3}  # of both recipes, where it is not five: one run of VGG-16 takes hours
RESUMES = "Stopped, it goes on with the last epoch that was finished."


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = f"Train what has no file in results/ yet, on the real photographs. {RESUMES}"
    parser.add_argument("networks", nargs="*", metavar="CHAPTER:NETWORK", help="by default all of chapters 2 to 6")
    parser.add_argument("--recipe", choices=[*BOTH, *LEFT_OUT], help="one of them only")
    parser.add_argument("--seeds", type=int, nargs="+", help="instead of the usual ones")
    parser.add_argument("--again", action="store_true", help="measure what is stored already, too")
    parser.add_argument("--weights", action="store_true", help="keep the trained weights, too, in the data folder")
    parser.add_argument("--list", action="store_true", help="say what there is and what would be measured")


def run(args: argparse.Namespace) -> int:
    runs = planned(args.networks, args.recipe, args.seeds)
    if args.list:
        for one in runs:
            print(f"{'stored ' if one.path.is_file() else 'missing'}  {one}")
        return 0
    there = [one for one in runs if one.path.is_file() and (not args.weights or weights.path(one).is_file())]
    missing = runs if args.again else [one for one in runs if one not in there]
    if not missing:
        print(f"All {len(runs)} results are stored already.")
        return 0
    data = real_photographs()
    for one in missing:
        measure(one, data, again=args.again, keep_weights=args.weights)
    return 0


def planned(networks: list[str], recipe: str | None, seeds: list[int] | None) -> list[Run]:
    """Return the runs of the course in order, or those asked for; raises CourseError for an unknown network."""
    for name in (name for name in networks if name not in STEADY):
        told = {"name": name, "known": ", ".join(STEADY)}
        raise CourseError("{name!r} is not one of the networks that are measured: {known}", **told)
    return [
        Run(network, name, seed)
        for network in networks or STEADY
        for name in ([recipe] if recipe else BOTH)
        if networks or network in (RECIPES | LEFT_OUT)[name]
        for seed in seeds or range(3 if name in LEFT_OUT else SEEDS.get(network, 5))
    ]


def real_photographs() -> datasets.PalmData:
    """Return the real photographs; set this process to one thread, so that all results are measured alike."""
    data = datasets.palm()
    if not data.is_real:
        raise CourseError("Results are measured on the real photographs, and only the sample is here (data/README.md)")
    machine.start(1)
    return data


def measure(one: Run, data: datasets.PalmData, *, again: bool = False, keep_weights: bool = False) -> None:
    """Train a run to its end, resuming unless `again`, and store the result.

    keep_weights: the trained parameters are kept as well (palm_course.results.weights).
    """
    import paddle

    from palm_utils.training import predict

    work, started = working_folder(one.path), time.perf_counter()
    print(f"{one}: {one.arguments}", flush=True)
    if again:
        shutil.rmtree(work, ignore_errors=True)
    loaders = train.make_loaders(data, one.arguments)
    network = train.find_network(one.network)[1]
    model, history = train.train(network, one.arguments, *loaders, one.seed, work, resume=True, progress=False)
    scores = predict(model, loaders[1])
    stored.store(one, history, scores, data, variants(model, loaders[1]))
    if keep_weights:
        with replacing(weights.path(one)) as temporary:
            paddle.save(getattr(model, "mean", model).state_dict(), str(temporary))
    shutil.rmtree(work)  # a gigabyte and more for some of the networks
    print(f"{one}: {scores.accuracy:.4f} after {time.perf_counter() - started:.0f} s", flush=True)


def variants(model, loader: Reader) -> dict[str, dict[str, float]]:
    """Return how a trained model scores in other ways: columns of a History's row by the way's name.

    "mirrored": by the mean logit of a photograph and its mirror image; "as trained": without the averaging of weights.
    """
    from palm_utils.training import predict

    def mirror_images():
        for images, labels in loader():
            yield images[..., ::-1].copy(), labels

    plain, mirrored = predict(model, loader), predict(model, mirror_images)
    found = {"mirrored": score((plain.logits + mirrored.logits) / 2, plain.labels)}
    if hasattr(model, "mean"):
        found["as trained"] = predict(model.network, loader)
    columns = {"valid_loss": "loss", "valid_auc": "auc", "valid_accuracy": "accuracy"}
    return {way: {name: getattr(its, what) for name, what in columns.items()} for way, its in found.items()}


def working_folder(result: Path) -> Path:
    """Return where the checkpoints are of a run that will be stored in the file `result`."""
    return WORK / result.relative_to(stored.FOLDER).with_suffix("")
