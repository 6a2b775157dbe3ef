"""`python -m palm_utils data`: a look at the data sets, and getting the real ones."""

import argparse
import contextlib
from pathlib import Path

from palm_course.terminal import pad, width
from palm_utils.datasets import KINDS, DataSet, PalmData, data_folder, existing, find_real
from palm_utils.files import can_be_written
from palm_utils.messages import CourseError, DataError, DataNotFound, mark, tr


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = tr("Without arguments: show which data sets are real, the sample, or absent.")
    parser.add_argument("name", nargs="?", choices=[*KINDS, "sample"], help=tr("the data set to get"))
    source = tr("palm: prepare from AI Studio's archives, PALM.zip, or a folder into which they were unpacked")
    parser.add_argument("--from", dest="source", metavar=tr("PATH"), help=source)
    for option, meaning in {
        "--download": tr("download the data set from its publisher"),
        "--force": tr("get it again although it is there"),
        "--allow-incomplete": tr("palm: accept fewer photographs than there should be"),
        "--if-needed": tr("sample: make it only where a data set has no real data"),
    }.items():
        parser.add_argument(option, action="store_true", help=meaning)
    parser.set_defaults(refuse=parser.error)


def run(args: argparse.Namespace) -> int:
    if args.name != "palm" and (args.source or args.allow_incomplete):
        args.refuse(tr("--from and --allow-incomplete are for palm"))
    if args.name in (None, "sample") and (args.download or args.force):
        args.refuse(tr("--download and --force are for palm, mnist or cifar10"))
    if args.name != "sample" and args.if_needed:
        args.refuse(tr("--if-needed is for the sample"))
    if args.source and args.download:
        args.refuse(tr("give --from or --download, not both"))
    if args.name is None:
        return _show()
    if args.name == "sample":
        if not args.if_needed or not all(map(existing, KINDS)):
            from palm_utils.sample import sample_folder, sample_root, sample_size  # loads OpenCV

            print(tr("The sample is in {folder}", folder=sample_root(sample_folder(), sample_size())))
        return 0
    data, is_new = _get(args)
    told = mark("in {folder}") if is_new else mark("in {folder}: already there; --force gets it again")
    print(data, tr(told, folder=data.root), sep="\n")
    return 0


def _show() -> int:
    rows = [(tr("data set"), tr("kind"), tr("images"), tr("classes"), tr("place"))]
    problems = []
    for name, data_set in KINDS.items():
        told = (tr("absent"), "", "", tr("(the sample will be made when first used)"))
        try:
            if found := existing(name):
                counts = " + ".join(f"{count:,}" for count in found.counts().values())
                classes = tr("2 (PM, not PM)") if isinstance(found, PalmData) else "10"
                told = (tr(found.kind), counts, classes, str(found.root))
        except DataError as error:
            told = (tr("unusable"), "", "", tr("see below"))
            problems.append(str(error))
        rows.append((data_set.title, *told))
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(pad(cell, room) for cell, room in zip(row, widths, strict=True)).rstrip())
    for problem in dict.fromkeys(problems):
        print(f"\n{problem}")
    return 1 if problems else 0


def _get(args: argparse.Namespace) -> tuple[DataSet, bool]:
    folder = _destination()
    if args.name == "palm":
        from palm_course.getting.prepare import COMPLETE, prepare_palm  # loads OpenCV

        options = {"force": args.force, "expected": None if args.allow_incomplete else COMPLETE}
        if not args.download:
            return prepare_palm(args.source, folder, **options)
    else:
        with contextlib.suppress(DataNotFound):  # incomplete
            if not args.force and (found := find_real(args.name)):
                return found, False
    if not args.download:
        told = {"title": KINDS[args.name].title, "name": args.name}
        raise DataNotFound("{title} is not there. Download it: python -m palm_utils data {name} --download", **told)
    from palm_course.getting import download  # loads requests

    if args.name == "palm":
        return download.download_palm(folder, **options)
    return download.download_published(args.name, folder), True


def _destination() -> Path:
    """Return the data folder, which is made if need be; an error where real data cannot go."""
    from palm_utils.sample import is_sample  # loads OpenCV

    folder = data_folder(new=True)
    if any(map(is_sample, (folder, folder.parent))):
        template = mark("{folder} is the generated sample; real data does not go there. Unset PALM_DATA.")
        raise CourseError(template, folder=folder)
    if not can_be_written(folder):
        raise CourseError("{folder} cannot be written to. Set PALM_DATA to a folder that can.", folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
