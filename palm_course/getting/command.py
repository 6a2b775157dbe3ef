"""`python -m palm_utils data`: a look at the data sets, and getting the real ones."""

import argparse
from pathlib import Path

from palm_course.terminal import pad, width
from palm_utils.datasets import KINDS, DataSet, PalmData, data_folder, existing, find_real
from palm_utils.files import can_be_written
from palm_utils.messages import CourseError, DataError, DataNotFound, mark, tr


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register the command `data`; its `run` takes the parsed arguments and returns the exit status."""
    parser = subparsers.add_parser(
        "data",
        help=tr("show where each data set is; prepare or download the real ones"),
        description=tr("Without arguments: show which data sets are real, the sample, or absent."),
    )
    parser.add_argument("name", nargs="?", choices=[*KINDS, "sample"], help=tr("the data set to get"))
    parser.add_argument(
        "--from",
        dest="source",
        metavar=tr("PATH"),
        help=tr("palm: prepare from AI Studio's archives, PALM.zip, or a folder into which they were unpacked"),
    )
    for option, meaning in {
        "--download": tr("download the data set from its publisher"),
        "--force": tr("get it again although it is there"),
        "--allow-incomplete": tr("palm: accept fewer photographs than there should be"),
        "--if-needed": tr("sample: make it only where a data set has no real data"),
    }.items():
        parser.add_argument(option, action="store_true", help=meaning)
    parser.set_defaults(run=lambda args: _run(args, parser))


def _run(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if args.name != "palm" and (args.source or args.allow_incomplete):
        parser.error(tr("--from and --allow-incomplete are for palm"))
    if args.name in (None, "sample") and (args.download or args.force):
        parser.error(tr("--download and --force are for palm, mnist or cifar10"))
    if args.name != "sample" and args.if_needed:
        parser.error(tr("--if-needed is for the sample"))
    if args.source and args.download:
        parser.error(tr("give --from or --download, not both"))
    if args.name is None:
        return _show()
    if args.name == "sample":
        return _make_sample(args.if_needed)
    data, is_new = _get(args)
    print(data.describe())
    already = mark("in {folder}: already there; --force gets it again")
    print(tr(mark("in {folder}") if is_new else already, folder=data.root))
    return 0


def _show() -> int:
    rows = [(tr("data set"), tr("kind"), tr("images"), tr("classes"), tr("place"))]
    problems = []
    for name, data_set in KINDS.items():
        try:
            rows.append((data_set.title, *_described(existing(name))))
        except DataError as error:
            rows.append((data_set.title, tr("unusable"), "", "", tr("see below")))
            problems.append(str(error))
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(pad(cell, room) for cell, room in zip(row, widths, strict=True)).rstrip())
    for problem in dict.fromkeys(problems):
        print(f"\n{problem}")
    return 1 if problems else 0


def _described(found: DataSet | None) -> tuple[str, str, str, str]:
    if found is None:
        return tr("absent"), "", "", tr("(the sample will be made when first used)")
    counts = " + ".join(f"{count:,}" for count in found.counts().values())
    classes = tr("2 (PM, not PM)") if isinstance(found, PalmData) else "10"
    return tr(found.kind), counts, classes, str(found.root)


def _make_sample(if_needed: bool) -> int:
    if not if_needed or not all(existing(name) for name in KINDS):
        from palm_utils.sample import sample_folder, sample_root, sample_size  # loads OpenCV

        print(tr("The sample is in {folder}", folder=sample_root(sample_folder(), sample_size())))
    return 0


def _get(args: argparse.Namespace) -> tuple[DataSet, bool]:
    """Prepare or download a data set; return it, and whether anything was done."""
    folder = _destination()
    if args.name == "palm":
        from palm_course.getting.prepare import COMPLETE, prepare_palm  # loads OpenCV

        options = {"force": args.force, "expected": None if args.allow_incomplete else COMPLETE}
        if not args.download:
            return prepare_palm(args.source, folder, **options)
    elif not args.force and (found := _found(args.name)):
        return found, False
    elif not args.download:
        raise DataNotFound(
            "{title} is not there. Download it: python -m palm_utils data {name} --download",
            title=KINDS[args.name].title,
            name=args.name,
        )
    from palm_course.getting import download  # loads requests

    if args.name == "palm":
        return download.download_palm(folder, **options)
    return {"mnist": download.download_mnist, "cifar10": download.download_cifar10}[args.name](folder), True


def _found(name: str) -> DataSet | None:
    try:
        return find_real(name)
    except DataNotFound:  # incomplete
        return None


def _destination() -> Path:
    """Return the data folder, which is made if it is the course's own; an error where real data cannot go."""
    from palm_utils.sample import is_sample  # loads OpenCV

    folder = data_folder(new=True)
    if any(map(is_sample, (folder, folder.parent))):
        raise CourseError(
            "{folder} is the generated sample; real data does not go there. Unset PALM_DATA.", folder=folder
        )
    if not can_be_written(folder):
        raise CourseError("{folder} cannot be written to. Set PALM_DATA to a folder that can.", folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
