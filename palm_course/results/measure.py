"""`python -m palm_utils results`: make the results that are not stored yet, run after run."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from palm_course.results import stored as results
from palm_course.results.launch import launch, refuse_processes
from palm_course.results.recipes import RECIPES
from palm_course.results.stored import Run
from palm_course.results.train import find_network, make_loaders, train
from palm_utils import datasets
from palm_utils.messages import CourseError

# One VGG-16 takes hours.
SEEDS = {"04_vgg:VGG": (0,)}
DEFAULT_SEEDS = (0, 1, 2)
WORK = results.FOLDER.parent / "build" / "results"


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser(
        "results",
        help="measure both recipes of each network over several seeds",
        description="Train what has no file in results/ yet, on the real photographs. Stopped, it goes on "
        "with the last epoch that was finished.",
    )
    parser.add_argument("networks", nargs="*", metavar="CHAPTER:NETWORK", help="by default all of chapters 3 to 6")
    parser.add_argument("--recipe", choices=[*RECIPES], help="one of the two only")
    parser.add_argument("--seeds", type=int, nargs="+", help="instead of the usual ones")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time, one core each (default 1)")
    parser.add_argument("--nproc", type=int, default=1, help="processes that share each run, a core each (default 1)")
    parser.add_argument("--again", action="store_true", help="measure what is stored already, too")
    parser.add_argument("--list", action="store_true", help="say what there is and what would be measured")
    parser.set_defaults(run=run)


def planned(networks: list[str], recipe: str | None, seeds: list[int] | None) -> list[Run]:
    """Return the runs of the course in order, or those asked for; raises CourseError for an unknown network."""
    known = list(RECIPES["steady"])
    for name in networks:
        if name not in known:
            raise CourseError(f"{name!r} is not one of the networks that are measured: {', '.join(known)}")
    recipes = [recipe] if recipe else list(RECIPES)
    return [
        Run(network, name, seed)
        for network in networks or known
        for name in recipes
        for seed in seeds or SEEDS.get(network, DEFAULT_SEEDS)
    ]


def run(args: argparse.Namespace) -> int:
    os.environ["PALM_THREADS"] = "1"  # results that are compared come from the same number of threads
    runs = planned(args.networks, args.recipe, args.seeds)
    if args.list:
        for one in runs:
            print(f"{'stored ' if one.path.is_file() else 'missing'}  {one}")
        return 0
    missing = [one for one in runs if args.again or not one.path.is_file()]
    if not missing:
        print(f"All {len(runs)} results are stored already.")
        return 0
    if not datasets.palm().is_real:
        raise CourseError(
            "Results are measured on the real photographs, and only the sample is here. data/README.md says "
            "where they come from; PALM_DATA names the folder that holds them."
        )
    if args.nproc != 1:
        for one in missing:
            _refuse_sharing(one, args.nproc)
    if args.jobs == 1:
        for one in missing:
            _measure(one, args.nproc, args.again)
        return 0
    with ThreadPoolExecutor(max_workers=args.jobs) as pool:
        return 0 if all(list(pool.map(lambda one: _in_a_process(one, args), missing))) else 1


def _refuse_sharing(one: Run, nproc: int) -> None:
    """Raise CourseError where several processes cannot train, or would train otherwise than one."""
    import paddle

    from palm_utils.training import refuse

    refuse_processes(nproc, None)
    refuse(make_loaders(datasets.palm(), one.arguments)[0].batch_size, nproc, False, "")
    layers = find_network(one.network)[1]().sublayers()
    if any(isinstance(layer, paddle.nn.BatchNorm2D) for layer in layers):
        raise CourseError(
            f"{one}: its batch norm sees the images of one process only, so {nproc} processes are another recipe. "
            "Measure it in one: without --nproc"
        )


def _measure(one: Run, nproc: int, again: bool) -> None:
    if nproc > 1:
        arguments = [one.network, "--recipe", one.recipe, "--seeds", str(one.seed), *(["--again"] if again else [])]
        if launch(["results", *arguments], nproc):
            raise CourseError(f"{one}: a process has failed, as told above")
        return
    from paddle import distributed

    if again and distributed.get_rank() == 0:
        shutil.rmtree(working_folder(one), ignore_errors=True)
    measure(one)


def measure(one: Run) -> None:
    """Train a run to its end, going on where an earlier attempt stopped, and store the result.

    Several processes (palm_course.results.launch) share the training, and the first stores the result.
    """
    from paddle import distributed

    from palm_utils.training import predict

    work = working_folder(one)
    started = time.perf_counter()
    if distributed.get_rank() == 0:
        print(f"{one}: {one.arguments}", flush=True)
    data = datasets.palm()
    loaders = make_loaders(data, one.arguments)
    network = find_network(one.network)[1]
    model, history = train(network, one.arguments, *loaders, one.seed, work, resume=True, progress=False)
    if distributed.get_rank() > 0:
        return
    scores = predict(model, loaders[1])
    results.store(one, history, scores, data)
    # A gigabyte and more for some of the networks.
    shutil.rmtree(work)
    print(f"{one}: {scores.accuracy:.4f} after {time.perf_counter() - started:.0f} s", flush=True)


def working_folder(one: Run) -> Path:
    return WORK / one.path.parent.name / one.path.stem


def _in_a_process(one: Run, args: argparse.Namespace) -> bool:
    """Measure a run in a process of its own, which writes its lines to a file."""
    log = working_folder(one).with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    arguments = [one.network, "--recipe", one.recipe, "--seeds", str(one.seed), *(["--again"] if args.again else [])]
    arguments += ["--nproc", str(args.nproc)]
    print(f"{one}: running, see {log}", flush=True)
    with open(log, "a", encoding="utf-8") as f:
        done = subprocess.run([sys.executable, "-m", "palm_utils", "results", *arguments], stdout=f, stderr=f)
    last = log.read_text(encoding="utf-8").strip().splitlines()[-1:]
    print(f"{one}: FAILED: {''.join(last)}" if done.returncode else "".join(last), flush=True)
    return done.returncode == 0
