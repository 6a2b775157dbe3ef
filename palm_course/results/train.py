"""`python -m palm_utils train 02_ichallenge_pm:LeNetReLU`: train a chapter's own network without its notebook."""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from dataclasses import fields, replace
from pathlib import Path

from palm_course import chapters
from palm_course.results.recipes import AUGMENTATIONS, BOTH, RECIPES, Recipe
from palm_utils import datasets
from palm_utils.machine import find_device, seed_everything, start, thread_count
from palm_utils.messages import CourseError, mark, tr
from palm_utils.readers import Reader, data_loader, valid_data_loader


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = tr("Train a network as its chapter does. Options change the recipe.")
    parser.add_argument("network", metavar=tr("CHAPTER:NETWORK"), help=tr("such as 02_ichallenge_pm:LeNetReLU"))
    parser.add_argument("--recipe", choices=BOTH, default="tutorial", help=tr("to start from (default tutorial)"))
    parser.add_argument("--optimizer", choices=["Momentum", "Adam"])
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--weight-decay", type=float)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--schedule", choices=["constant", "cosine"])
    parser.add_argument("--warmup-epochs", type=float)
    parser.add_argument("--augment", nargs="*", choices=[*AUGMENTATIONS])
    parser.add_argument("--batch-size", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help=tr("of the weights and all that follows (default 0)"))
    parser.add_argument("--folder", type=Path, help=tr("of the checkpoints (default: checkpoints/CHAPTER_NETWORK)"))
    parser.add_argument("--resume", action="store_true", help=tr("go on after the last epoch saved there"))
    parser.add_argument("--device", choices=["cpu", "gpu"])
    parser.add_argument("--amp", action="store_true", help=tr("mixed precision, on a GPU"))
    parser.add_argument("--nproc", type=int, default=1, help=tr("processes that share each batch (default 1)"))
    parser.add_argument("--replicas", type=int, default=1, help=tr("parts of a batch computed at once (default 1)"))


def run(args: argparse.Namespace) -> int:
    from paddle import distributed

    from palm_utils.machine import refuse

    chapter, network = find_network(args.network)
    recipe = change(RECIPES[args.recipe].get(f"{chapter}:{network.__name__}"), args)
    data = datasets.palm()
    loaders = make_loaders(data, recipe, args.batch_size)
    refuse_processes(args.nproc, args.device)
    refuse(args.batch_size, args.nproc, args.amp, find_device(args.device), args.replicas)
    folder = args.folder or Path("checkpoints") / f"{chapter}_{network.__name__}"
    if args.nproc == 1:
        options = {"resume": args.resume, "device": args.device, "amp": args.amp, "replicas": args.replicas}
        first = distributed.get_rank() == 0  # of several processes it alone prints
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(sys.stdout if first else nowhere):
            print(data, recipe, sep="\n")
            print(train(network, recipe, *loaders, args.seed, folder, **options)[1])
            print(tr("parameters and history are in {folder}", folder=folder))
    elif launch([*sys.argv[1:], "--nproc", "1"], args.nproc, device=args.device):
        raise CourseError("A process has failed, as told above. What was saved before can be gone on with (--resume).")
    return 0


def train(
    network: type, recipe: Recipe, train_loader: Reader, valid_loader: Reader, seed: int, folder: Path, **options
) -> tuple:
    """Train a network by a recipe; return (model, History). options: of train_pm. See `Recipe.averaged`.

    In the order of the chapters' cells: the same draws of random numbers, so the same figures.
    """
    from palm_utils.training import train_pm

    seed_everything(seed)
    model = recipe.averaged(network())
    optimizer = recipe.make_optimizer(model, len(train_loader))
    labels = [label + recipe.smoothing * (0.5 - label) for label in train_loader.labels]
    options |= {"train_loader": replace(train_loader, labels=labels), "valid_loader": valid_loader}
    return model, train_pm(model, optimizer, epochs=recipe.epochs, folder=folder, **options)


def make_loaders(data: datasets.PalmData, recipe: Recipe, batch_size: int = 10) -> tuple[Reader, Reader]:
    """Return the readers of the training photographs, augmented by the recipe, and of the validation ones."""
    train_loader = data_loader(data.DATADIR, batch_size, "train", augment=recipe.make_augment())
    return train_loader, valid_data_loader(data.DATADIR2, data.CSVFILE, batch_size)


def find_network(name: str) -> tuple[str, type]:
    """Return the chapter's name and the class of "02:LeNet", of the Chinese edition "zh/02:LeNet"; or CourseError."""
    import paddle

    start, colon, wanted = name.partition(":")
    if not colon:
        raise CourseError("{name!r}: name a chapter and a network in it, such as 02_ichallenge_pm:LeNetReLU", name=name)
    edition = chapters.FOLDER / ("zh" if start.startswith("zh/") else "")
    path = chapters.find(start.removeprefix("zh/"), edition)[0]
    if path.stem.startswith("01"):
        raise CourseError("The networks of chapter 1 read digits, and this trains on photographs of eyes")
    defined = vars(chapters.definitions(path))
    networks = {k: v for k, v in defined.items() if isinstance(v, type) and issubclass(v, paddle.nn.Layer)}
    if wanted not in networks:
        told = {"file": path.name, "wanted": wanted, "known": ", ".join(networks)}
        raise CourseError("{file} defines no network {wanted!r}; it has {known}", **told)
    return path.stem, networks[wanted]


def change(recipe: Recipe | None, args: argparse.Namespace) -> Recipe:
    """Return the recipe with what the command line asks for; a network without one must be told the basics."""
    if recipe is None:
        if args.optimizer is None or args.learning_rate is None:
            raise CourseError("There is no such recipe: give another --recipe, or --optimizer and --learning-rate")
        recipe = Recipe(args.optimizer, args.learning_rate)
    asked = {field.name: getattr(args, field.name, None) for field in fields(Recipe)}
    changes = {name: tuple(v) if name == "augment" else v for name, v in asked.items() if v is not None}
    return replace(recipe, **changes)


# in several processes --------------------------------------------------------------------------


def refuse_processes(nproc: int, device: str | None) -> None:
    """Raise CourseError for a number of processes that cannot train here, before any of them is started."""
    import paddle

    if nproc < 1:
        raise CourseError("{processes} processes cannot train; it takes 1 or more", processes=nproc)
    if nproc > 1 and (there := paddle.distributed.get_world_size()) > 1:
        raise CourseError(
            "This is one of {processes} processes that train together already; --nproc is for a command that is "
            "started once.",
            processes=there,
        )
    if nproc > 1 and not sys.platform.startswith("linux"):
        raise CourseError("PaddlePaddle trains in several processes on Linux only; here, train in one.")
    gpus = paddle.device.cuda.device_count() if find_device(device).startswith("gpu") else nproc
    if gpus < nproc:
        template = mark("{processes} processes need as many GPUs, and there are {gpus}; or train with --device cpu")
        raise CourseError(template, processes=nproc, gpus=gpus)


def launch(arguments: list[str], nproc: int, *, device: str | None = None, program=("-m", "palm_utils")) -> int:
    """Run `python -m palm_utils ARGUMENTS` in several processes that train together; return the exit code.

    PaddlePaddle's launcher starts them, and prints what the first one prints. When one fails, the launcher prints the
    end of its output and ends the others. Where the environment says nothing about threads, they share the cores.
    """
    start()  # what PaddlePaddle itself sets OMP_NUM_THREADS to is not asked for
    asked = any(os.environ.get(name, "").strip() for name in ("PALM_THREADS", "OMP_NUM_THREADS"))
    environment = {**os.environ, **({} if asked else {"PALM_THREADS": str(max(1, thread_count() // nproc))})}
    if find_device(device) == "cpu":
        # The launcher gives each process a GPU of those that this variable lists, even of an empty list. It knows the
        # word "all", by which CUDA finds no GPU.
        environment |= {"PADDLE_DISTRI_BACKEND": "gloo", "CUDA_VISIBLE_DEVICES": "all"}
    python = [sys.executable, "-W", "ignore"]
    with tempfile.TemporaryDirectory() as logs:
        options = {"nproc_per_node": nproc, "log_dir": logs, "log_level": "ERROR", "enable_gpu_log": False}
        told = [f"--{name}={value}" for name, value in options.items()]
        command = [*python, "-m", "paddle.distributed.launch", *told, *python, *program, *arguments]
        launcher = subprocess.Popen(command, env=environment)
        try:
            status = launcher.wait()
        except KeyboardInterrupt:
            launcher.wait()  # it has been interrupted too, and ends the processes
            print(tr("What was saved before can be gone on with (--resume)."), flush=True)
            raise
        said = [log.read_text(encoding="utf-8", errors="replace") for log in sorted(Path(logs).glob("workerlog.*"))]
    # The launcher tells one process that has failed, perhaps because another had.
    raised = [text[text.rindex("Traceback (most") :] for text in said if "Traceback (most" in text] if status else []
    print("".join(raised[1:]), end="", file=sys.stderr)
    return status
