"""`python -m palm_utils course`: the outputs that the repository shows, made again on the real data."""

import argparse
import hashlib
import os
from pathlib import Path

from palm_course import chapters
from palm_course.results import stored
from palm_utils import datasets
from palm_utils.messages import CourseError

# Results are stored, claims insist on real data, and figures that are compared come from the same number of threads.
_ENVIRONMENT = {"PALM_KEEP_RESULTS": "1", "PALM_REQUIRE_REAL": "1", "PALM_THREADS": "1"}
# On cells that show what lies in results/ and need nothing of the chapter but its imports.
TAG = "results"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = "Execute, in place, the chapters whose outputs do not belong to their code. Stopped in the "
    parser.description += "middle of a chapter, it goes on with the last epoch that was finished."
    parser.add_argument("chapters", nargs="*", help="01, 02_ichallenge_pm, …; all of them by default")
    parser.add_argument("--again", action="store_true", help="from scratch, chapters that are done too")
    parser.add_argument("--jobs", type=int, default=1, help="chapters executed at the same time")


def run(args: argparse.Namespace) -> int:
    paths = [path for name in args.chapters or [""] for path in chapters.find(name)]
    on_cifar = [path for path in paths if "cifar10" in path.stem and (args.again or not is_done(path))]
    for find in (datasets.palm, datasets.mnist, *([datasets.cifar10] if on_cifar else [])):
        data = find()
        if not data.is_real:
            raise CourseError(
                "{title}: only the sample is here, and the outputs of the course come from the real data. "
                "data/README.md says where it comes from; PALM_DATA names the folder that holds it. "
                "`python -m palm_utils run` executes the chapters on what there is.",
                title=data.title,
            )
    codes = []
    for summary in (False, True):  # what a summary shows is complete when the others have run
        chosen = [path for path in paths if _is_summary(path.stem) == summary]
        done = [] if args.again else [path for path in chosen if is_done(path)]
        for path in done:
            print(f"{path.stem}: done already; --again runs it from scratch")
        left = [path for path in chosen if path not in done]
        codes.append(chapters.execute_all(left, args.jobs, lambda path: _execute(path, args.again)))
    return max(codes)


def is_done(path: Path) -> bool:
    """Tell whether a chapter's stored outputs are those of its code on the real data."""
    book = chapters.load(path)
    return chapters.stamp_of(book) == digest(book, path.stem)


def is_trained(path: Path) -> bool:
    """Tell whether at most the outputs of the cells that show stored results are out of date."""
    book = chapters.load(path)
    return (chapters.stamp_of(book) or "").partition("-")[0] == digest(book, path.stem).partition("-")[0]


def digest(book, chapter: str) -> str:
    """Return a digest of what a chapter's outputs on the real data follow from, in two parts, "0123-4567".

    The first is of its code and of the results that it measures itself, the second of all other cells and files.
    """
    summary = _is_summary(chapter)
    everything = sorted((stored.FOLDER if summary else stored.FOLDER / chapter).rglob("*.json"))
    own = [path for path in everything if summary or not stored.is_measured_apart(path)]
    parts = []
    for tagged, files in ((False, own), (True, [path for path in everything if path not in own])):
        content = hashlib.sha256(chapters.code_digest(book, TAG, tagged).encode())
        for file in files:
            content.update(file.name.encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n"))
        parts.append(content.hexdigest()[:16])
    return "-".join(parts)


def _is_summary(chapter: str) -> bool:
    """Tell whether a chapter trains nothing of its own and shows the results of all the others."""
    return chapter.endswith("_summary")


def _execute(path: Path, again: bool) -> str:
    book, unwanted = chapters.load(path), ("PALM_EPOCHS", "PALM_IMAGES", "PALM_RESUME")
    env = {name: value for name, value in os.environ.items() if name not in unwanted} | _ENVIRONMENT
    if not again:  # an interrupted training goes on, provided that the same code began it
        env["PALM_RESUME"] = chapters.code_digest(book, TAG, tagged=False)
    stamp = {"env": env, "stamp": lambda: digest(book, path.stem)}
    if is_trained(path) and not again:
        chapters.execute_tagged(path, TAG, **stamp)
        return ": its tables and figures of stored results alone, since nothing else has changed"
    chapters.execute(path, path, **stamp)
    return ""
