"""`python -m palm_utils data`: a look at the data sets, and getting the real ones."""

import argparse
from pathlib import Path

from palm_course.getting.prepare import COMPLETE, prepare_palm
from palm_utils.datasets.kinds import DataSet, PalmData
from palm_utils.datasets.locate import data_folder, existing, find_real, is_sample, sample_folder, sample_size
from palm_utils.files import can_be_written
from palm_utils.messages import CourseError, DataError, DataNotFound, pad, tr, width

_TITLES = {"palm": "iChallenge-PM", "mnist": "MNIST", "cifar10": "CIFAR-10"}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register the command `data`; its `run` takes the parsed arguments and returns the exit status."""
    parser = subparsers.add_parser(
        "data",
        help=tr("show where each data set is; prepare or download the real ones"),
        description=tr("Without arguments: show which data sets are real, the sample, or absent."),
    )
    parser.add_argument("name", nargs="?", choices=[*_TITLES, "sample"], help=tr("the data set to get"))
    parser.add_argument(
        "--from",
        dest="source",
        metavar=tr("PATH"),
        help=tr("palm: prepare from AI Studio's archives, PALM.zip, or a folder into which they were unpacked"),
    )
    parser.add_argument("--download", action="store_true", help=tr("download the data set from its publisher"))
    parser.add_argument("--force", action="store_true", help=tr("get it again although it is there"))
    parser.add_argument(
        "--allow-incomplete", action="store_true", help=tr("palm: accept fewer photographs than there should be")
    )
    parser.add_argument(
        "--if-needed", action="store_true", help=tr("sample: make it only where a data set has no real data")
    )
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
        return _show(list(_TITLES))
    if args.name == "sample":
        return _make_sample(args.if_needed)
    if args.name == "palm":
        return _get_palm(args)
    return _get_files(args)


def _show(names: list[str]) -> int:
    rows = [(tr("data set"), tr("kind"), tr("images"), tr("classes"), tr("place"))]
    problems = []
    for name in names:
        try:
            rows.append((_TITLES[name], *_described(existing(name))))
        except DataError as error:
            rows.append((_TITLES[name], tr("unusable"), "", "", tr("see below")))
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
    if if_needed and all(existing(name) for name in _TITLES):
        return 0
    from palm_utils import sample  # loads OpenCV

    print(tr("The sample is in {folder}", folder=sample.sample_root(sample_folder(), sample_size())))
    return 0


def _get_palm(args: argparse.Namespace) -> int:
    folder = _destination()
    expected = None if args.allow_incomplete else COMPLETE
    if args.download:
        from palm_course.getting.get import download_palm  # loads requests

        _report(*download_palm(folder, force=args.force, expected=expected))
    else:
        _report(*prepare_palm(args.source, folder, force=args.force, expected=expected))
    return 0


def _get_files(args: argparse.Namespace) -> int:
    folder = _destination()
    found = None if args.force else _complete(args.name)
    if found:
        _report(found, is_new=False)
        return 0
    if not args.download:
        raise DataNotFound(
            tr(
                "{title} is not there. Download it: python -m palm_utils data {name} --download",
                title=_TITLES[args.name],
                name=args.name,
            )
        )
    from palm_course.getting.get import download_cifar10, download_mnist

    _report({"mnist": download_mnist, "cifar10": download_cifar10}[args.name](folder), is_new=True)
    return 0


def _complete(name: str) -> DataSet | None:
    try:
        return find_real(name)
    except DataNotFound:
        return None


def _destination() -> Path:
    """The data folder, which is made if it is the course's own; an error where real data cannot go."""
    folder = data_folder()
    if is_sample(folder):
        raise CourseError(
            tr("{folder} is the generated sample; real data does not go there. Unset PALM_DATA.", folder=folder)
        )
    if not can_be_written(folder):
        raise CourseError(tr("{folder} cannot be written to. Set PALM_DATA to a folder that can.", folder=folder))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _report(data: DataSet, is_new: bool) -> None:
    print(data.describe())
    if is_new:
        print(tr("in {folder}", folder=data.root))
    else:
        print(tr("in {folder}: already there; --force gets it again", folder=data.root))
