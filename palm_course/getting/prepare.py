"""Turning what a user has of iChallenge-PM (archives, unpacked folders) into the course's layout."""

import os
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from palm_course.getting.collect import Split, collect, published_name
from palm_utils.datasets.kinds import LABELS, TEST, TEST_LABELS, TRAINING, VALIDATION, PalmData, jpegs
from palm_utils.datasets.labels import read_labels, write_labels
from palm_utils.datasets.space import is_disk_full
from palm_utils.files import expanded, locked, replacing_folder
from palm_utils.messages import CourseError, DataError, DataNotFound, mark, tr

AI_STUDIO_FOLDER = Path("~/data/data19065")
AI_STUDIO_ARCHIVES = ("training.zip", "validation.zip", "valid_gt.zip")


@dataclass(frozen=True)
class Expected:
    """How many photographs and positive labels a complete data set has."""

    training: dict[str, int] = field(default_factory=lambda: {"P": 213, "H": 26, "N": 161})
    validation: int = 400
    validation_positive: int = 211
    test: int = 400
    test_positive: int = 213


COMPLETE = Expected()


def prepare_palm(
    source: str | Path | None,
    folder: str | Path,
    *,
    force: bool = False,
    expected: Expected | None = COMPLETE,
) -> tuple[PalmData, bool]:
    """Prepare iChallenge-PM from `source` as `folder`/palm; return it, and whether anything was done.

    Args:
        source: AI Studio's three archives (their folder, or one of them), `PALM.zip` of the open release
            (or its folder), or a folder into which either was unpacked, which is copied.
            None: the folder in which AI Studio puts data set 19065.
        folder: the data folder. A complete `palm` there is left as it is unless `force`; an incomplete
            one is replaced, and files in it that the new one does not bring are kept.
        expected: the counts to insist on; None takes what there is, as long as every validation (and
            test) photograph has a label.

    Raises:
        DataNotFound: `source` is not there, or holds nothing of iChallenge-PM.
        DataError: something is missing or damaged; the text lists it, and nothing has been changed.
    """
    folder = Path(folder)
    target = folder / "palm"
    try:
        with locked(target, "preparing iChallenge-PM"):
            if not force and is_complete(target, expected):
                return PalmData(target, "real"), False
            source = _existing_source(source)
            with replacing_folder(target) as fresh:
                unpacked = fresh / "unpacked"
                splits = collect(source, unpacked)
                _require(splits, source, expected)
                _place(splits, fresh, unpacked)
                shutil.rmtree(unpacked, ignore_errors=True)
                _keep_others(target, fresh)
    except CourseError:
        raise
    except OSError as error:
        if is_disk_full(error):
            raise DataError(
                tr("The disk is full: {target} was not prepared. Make room and try again.", target=target)
            ) from None
        raise DataError(
            tr(
                "{target} was not prepared: {error}. Make that accessible, or set PALM_DATA to a folder that can "
                "be written to, and try again.",
                target=target,
                error=error,
            )
        ) from None
    return PalmData(target, "real"), True


def shortcomings(training: list[str], validation: Split, test: Split, expected: Expected | None) -> list[str]:
    """What is missing or wrong, one phrase each, for names of training photographs and labelled splits."""
    found = []
    kinds = Counter(name[0].upper() for name in training)
    for kind in sorted(set(kinds) - set("HNP")):
        names = [name for name in training if name[0].upper() == kind]
        found.append(tr("training photographs start with H, N or P, but there is {names}", names=_some(names)))
    if not training:
        found.append(tr("there are no training photographs"))
    elif expected:
        for kind, count in expected.training.items():
            if kinds[kind] != count:
                found.append(
                    tr("{found} of {count} training photographs {kind}….jpg", found=kinds[kind], count=count, kind=kind)
                )
    wanted = [(validation, mark("validation"), expected and (expected.validation, expected.validation_positive))]
    if test.photographs:
        wanted.append((test, mark("test"), expected and (expected.test, expected.test_positive)))
    for split, title, counts in wanted:
        found += _split_shortcomings(split, title, counts)
    return found


def _split_shortcomings(split: Split, title: str, counts: tuple[int, int] | None) -> list[str]:
    if not split.photographs:
        return [tr("there are no {split} photographs", split=tr(title))]
    if not split.labels:
        return [tr("there is no label table of the {split} photographs (columns imgName and Label)", split=tr(title))]
    found = []
    unlabelled = sorted(set(split.photographs) - set(split.labels))
    if unlabelled:
        found.append(tr("no label for the {split} photographs {names}", split=tr(title), names=_some(unlabelled)))
    if counts is None:
        return found
    if len(split.photographs) != counts[0]:
        found.append(
            tr("{found} of {count} {split} photographs", found=len(split.photographs), count=counts[0], split=tr(title))
        )
    unseen = sorted(set(split.labels) - set(split.photographs))
    if unseen:
        found.append(tr("labels, but no {split} photographs, for {names}", split=tr(title), names=_some(unseen)))
    positive = sum(split.labels.values())
    if positive != counts[1]:
        found.append(
            tr(
                "{positive} {split} photographs are labelled 1, not {count}",
                positive=positive,
                split=tr(title),
                count=counts[1],
            )
        )
    return found


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return tr("{list} and {count} more", list=shown, count=len(names) - 3) if len(names) > 3 else shown


def is_complete(target: Path, expected: Expected | None) -> bool:
    """Whether the folder `target` holds iChallenge-PM in the course's layout, with the `expected` counts."""
    data = PalmData(target, "real")
    if data.missing():
        return False
    validation, test = Split(), Split()
    try:
        for split, folder, table in (
            (validation, data.DATADIR2, data.CSVFILE),
            (test, data.test_dir, data.test_csv),
        ):
            if folder:
                split.photographs = {published_name(name): Path(folder, name) for name in jpegs(folder)}
                split.labels = {published_name(row.name): row.label for row in read_labels(table)}
    except DataError:
        return False
    return not shortcomings(jpegs(data.DATADIR), validation, test, expected)


def _existing_source(source: str | Path | None) -> Path:
    if source is None:
        path = expanded(AI_STUDIO_FOLDER)
        if not path.is_dir():
            raise DataNotFound(
                tr(
                    "There is no {AI_STUDIO_FOLDER} to take iChallenge-PM from. Say where it is: python -m "
                    "palm_utils data palm --from PATH (a folder with AI Studio's training.zip, validation.zip and "
                    "valid_gt.zip; PALM.zip of the open release; or a folder into which either was unpacked). Or "
                    "download the open release: python -m palm_utils data palm --download",
                    AI_STUDIO_FOLDER=AI_STUDIO_FOLDER,
                )
            )
        return path
    path = expanded(source).absolute()
    if not path.exists():
        raise DataNotFound(tr("--from: {path} is not there. Give an archive or a folder that exists.", path=path))
    return path.parent if path.name.lower() in AI_STUDIO_ARCHIVES else path


def _require(splits: dict[str, Split], source: Path, expected: Expected | None) -> None:
    if not any(split.photographs for split in splits.values()):
        raise DataNotFound(
            tr(
                "{source} holds nothing of iChallenge-PM. It should be PALM.zip, a folder with {archives}, or a "
                "folder into which they were unpacked.",
                source=source,
                archives=", ".join(AI_STUDIO_ARCHIVES),
            )
        )
    lacking = shortcomings(list(splits["training"].photographs), splits["validation"], splits["test"], expected)
    if lacking:
        raise DataError(
            "\n  ".join([tr("iChallenge-PM in {source} is not complete:", source=source), *lacking])
            + "\n"
            + (
                tr(
                    "Nothing was changed. Get what is missing and try again; "
                    "--allow-incomplete takes any number of labelled photographs."
                )
                if expected
                else tr("Nothing was changed. Get what is missing and try again.")
            )
        )


def _place(splits: dict[str, Split], fresh: Path, unpacked: Path) -> None:
    for split, name, table in (
        ("training", TRAINING, None),
        ("validation", VALIDATION, LABELS),
        ("test", TEST, TEST_LABELS),
    ):
        photographs = splits[split].photographs
        if not photographs:
            continue
        (fresh / name).mkdir()
        for photograph, path in photographs.items():
            if path.is_relative_to(unpacked):
                path.replace(fresh / name / photograph)
            else:
                shutil.copyfile(path, fresh / name / photograph)
        if table:
            labels = [(photograph, splits[split].labels[photograph]) for photograph in sorted(photographs)]
            write_labels(fresh / table, labels, splits[split].fovea)


def _keep_others(target: Path, fresh: Path) -> None:
    """Carry over what a user has put into `target` besides the data set, archives for instance."""
    for entry in target.iterdir() if target.is_dir() else ():
        if (fresh / entry.name).exists():
            continue
        if entry.is_dir():
            shutil.copytree(entry, fresh / entry.name, copy_function=_link_or_copy)
        else:
            _link_or_copy(entry, fresh / entry.name)


def _link_or_copy(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # the file system has no hard links
        shutil.copy2(source, target)
