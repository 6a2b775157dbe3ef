"""`python -m palm_utils course`: the outputs that the repository shows, made again on the real data."""

import argparse
import hashlib
import os
from pathlib import Path

from palm_utils import datasets, notebooks, results
from palm_utils.errors import CourseError

# train_pm goes on with an interrupted run, results.keep stores, claims insist on real data, and figures
# that are compared come from the same number of threads.
_ENVIRONMENT = {"PALM_RESUME": "1", "PALM_KEEP_RESULTS": "1", "PALM_REQUIRE_REAL": "1", "PALM_THREADS": "1"}


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser(
        "course",
        help="execute the chapters on the real data and store their outputs",
        description="Execute, in place, the chapters whose outputs do not belong to their code. Stopped in the "
        "middle of a chapter, it goes on with the last epoch that was finished.",
    )
    parser.add_argument("chapters", nargs="*", help="01, 02_ichallenge_pm, …; all of them by default")
    parser.add_argument("--again", action="store_true", help="from scratch, chapters that are done too")
    parser.add_argument("--jobs", type=int, default=1, help="chapters executed at the same time")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    paths = [path for name in args.chapters or [""] for path in notebooks.find(name)]
    needed = [datasets.palm, datasets.mnist, *([datasets.cifar10] if any("cifar10" in p.stem for p in paths) else [])]
    for data in (find() for find in needed):
        if not data.is_real:
            raise CourseError(
                f"{data.title}: only the sample is here, and the outputs of the course come from the real data. "
                "data/README.md says where it comes from; PALM_DATA names the folder that holds it. "
                "`python -m palm_utils run` executes the chapters on what there is."
            )
    # What a summary shows is complete when the others have run.
    summaries = [path for path in paths if _is_summary(path.stem)]
    others = [path for path in paths if path not in summaries]
    return max(_execute_all(others, args), _execute_all(summaries, args))


def _execute_all(paths: list[Path], args: argparse.Namespace) -> int:
    for path in paths:
        if is_done(path) and not args.again:
            print(f"{path.stem}: done already; --again runs it from scratch")
    left = [path for path in paths if args.again or not is_done(path)]
    return notebooks.execute_all(left, args.jobs, lambda path: _execute(path, args.again))


def is_done(path: Path) -> bool:
    """Tell whether a chapter's stored outputs are those of its code on the real data."""
    import nbformat

    book = nbformat.read(path, as_version=4)
    return notebooks.stamp_of(book) == digest(book, path.stem)


def digest(book, chapter: str) -> str:
    """Return a digest of what a chapter's outputs on the real data follow from: its code and its stored results."""
    content = hashlib.sha256(notebooks.code_digest(book).encode())
    folder = results.FOLDER if _is_summary(chapter) else results.FOLDER / chapter
    for file in sorted(folder.rglob("*.json")):
        content.update(file.name.encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n"))
    return content.hexdigest()[:16]


def _is_summary(chapter: str) -> bool:
    """Tell whether a chapter trains nothing of its own and shows the results of all the others."""
    return chapter.endswith("_summary")


def _execute(path: Path, again: bool) -> str:
    import nbformat

    env = {**os.environ, **_ENVIRONMENT}
    for shorter in ("PALM_EPOCHS", "PALM_BATCHES"):
        env.pop(shorter, None)
    if again:
        del env["PALM_RESUME"]
    book = nbformat.read(path, as_version=4)
    notebooks.execute(path, path, env=env, stamp=lambda: digest(book, path.stem))
    return ""
