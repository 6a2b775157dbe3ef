"""Turning what a user has of iChallenge-PM (archives, unpacked folders) into the course's layout."""

import os
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from palm_course.getting.find import Split, find, published_name
from palm_course.getting.tables import read_labels, write_labels
from palm_utils.datasets import LABELS, TEST, TEST_LABELS, TRAINING, VALIDATION, PalmData, jpegs
from palm_utils.files import expanded, is_disk_full, locked, replacing
from palm_utils.messages import DataError, DataNotFound, Text, mark

AI_STUDIO_FOLDER = Path("~/data/data19065")
AI_STUDIO_ARCHIVES = ("training.zip", "validation.zip", "valid_gt.zip")


@dataclass(frozen=True)
class Expected:
    """How many photographs a complete data set has: for training by kind, else (all, those labelled 1)."""

    training: dict[str, int] = field(default_factory=lambda: {"P": 213, "H": 26, "N": 161})
    validation: tuple[int, int] = (400, 211)
    test: tuple[int, int] = (400, 213)


COMPLETE = Expected()


def prepare_palm(
    source: str | Path | None, folder: Path, *, force: bool = False, expected: Expected | None = COMPLETE
) -> tuple[PalmData, bool]:
    """Prepare iChallenge-PM from `source` as `folder`/palm; return it, and whether anything was done.

    source: AI Studio's three archives (their folder, or one of them), `PALM.zip` of the open release (or its folder),
    or a folder into which either was unpacked, which is copied. None: where AI Studio puts data set 19065. A complete
    `palm` is left as it is unless `force`; an incomplete one is replaced, and files that the new one does not bring are
    kept. expected: the counts to insist on; None: every photograph to validate has a label, no more. Raises DataError
    (DataNotFound: there is nothing of it); the text lists what is missing, and nothing was changed.
    """
    target = folder / "palm"
    try:
        with locked(target, Text("preparing iChallenge-PM")):
            if not force and is_complete(target, expected):
                return PalmData(target, "real"), False
            source = _existing_source(source)
            with replacing(target, folder=True) as fresh:
                unpacked = fresh / "unpacked"
                splits = find(source, unpacked)
                _require(splits, source, expected)
                _place(splits, fresh, unpacked)
                shutil.rmtree(unpacked, ignore_errors=True)
                _keep_others(target, fresh)
    except DataError:
        raise
    except OSError as error:
        template = mark("The disk is full: {target} was not prepared. Make room and try again.")
        if not is_disk_full(error):
            template = mark(
                "{target} was not prepared: {error}. Make that accessible, or set PALM_DATA to a folder that can be "
                "written to, and try again."
            )
        raise DataError(template, target=target, error=error) from None
    return PalmData(target, "real"), True


def is_complete(target: Path, expected: Expected | None) -> bool:
    """Whether the folder `target` holds iChallenge-PM in the course's layout, with the `expected` counts."""
    data = PalmData(target, "real")
    if data.missing():
        return False
    found = {"training": Split({name: Path(name) for name in jpegs(data.DATADIR)}), "test": Split()}
    try:
        splits = (("validation", data.DATADIR2, data.CSVFILE), ("test", data.test_dir, data.test_csv))
        for split, folder, table in splits if data.test_dir else splits[:1]:
            photographs = {published_name(name): Path(folder, name) for name in jpegs(folder)}
            found[split] = Split(photographs, {published_name(row.name): row.label for row in read_labels(table)})
    except DataError:
        return False
    return not _shortcomings(found, expected)


def _shortcomings(splits: dict[str, Split], expected: Expected | None) -> list[Text]:
    """Return what is missing or wrong, one phrase each."""
    training = list(splits["training"].photographs)
    kinds = Counter(name[0].upper() for name in training)
    found = [] if training else [Text("there are no training photographs")]
    for kind in sorted(set(kinds) - set("HNP")):
        names = _some([name for name in training if name[0].upper() == kind])
        found.append(Text("training photographs start with H, N or P, but there is {names}", names=names))
    for kind, count in expected.training.items() if expected and training else ():
        if kinds[kind] != count:
            values = {"found": kinds[kind], "count": count, "kind": kind}
            found.append(Text("{found} of {count} training photographs {kind}….jpg", **values))
    found += _labelled_shortcomings(splits["validation"], Text("validation"), expected and expected.validation)
    if splits["test"].photographs:
        found += _labelled_shortcomings(splits["test"], Text("test"), expected and expected.test)
    return found


def _labelled_shortcomings(split: Split, title: Text, counts: tuple[int, int] | None) -> list[Text]:
    if not split.photographs:
        return [Text("there are no {split} photographs", split=title)]
    if not split.labels:
        return [Text("there is no label table of the {split} photographs (columns imgName and Label)", split=title)]
    photographs, labels, positive = set(split.photographs), set(split.labels), sum(split.labels.values())
    unlabelled, gone = _some(sorted(photographs - labels)), _some(sorted(labels - photographs))
    found = [Text("no label for the {split} photographs {names}", split=title, names=unlabelled)] if unlabelled else []
    if counts and len(photographs) != counts[0]:
        values = {"found": len(photographs), "count": counts[0]}
        found.append(Text("{found} of {count} {split} photographs", split=title, **values))
    if counts and gone:
        found.append(Text("labels, but no {split} photographs, for {names}", split=title, names=gone))
    if counts and positive != counts[1]:
        values = {"positive": positive, "count": counts[1]}
        found.append(Text("{positive} {split} photographs are labelled 1, not {count}", split=title, **values))
    return found


def _some(names: list[str]) -> str | Text:
    shown = ", ".join(names[:3])
    return Text("{list} and {count} more", list=shown, count=len(names) - 3) if len(names) > 3 else shown


def _existing_source(source: str | Path | None) -> Path:
    path = expanded(source or AI_STUDIO_FOLDER).absolute()
    if source is None and not path.is_dir():
        raise DataNotFound(
            "There is no {AI_STUDIO_FOLDER} to take iChallenge-PM from. Say where it is: python -m palm_utils data "
            "palm --from PATH (a folder with AI Studio's training.zip, validation.zip and valid_gt.zip; PALM.zip of "
            "the open release; or a folder into which either was unpacked). Or download the open release: python -m "
            "palm_utils data palm --download",
            AI_STUDIO_FOLDER=AI_STUDIO_FOLDER,
        )
    if not path.exists():
        raise DataNotFound("--from: {path} is not there. Give an archive or a folder that exists.", path=path)
    return path.parent if path.name.lower() in AI_STUDIO_ARCHIVES else path


def _require(splits: dict[str, Split], source: Path, expected: Expected | None) -> None:
    if not any(split.photographs for split in splits.values()):
        template = mark(
            "{source} holds nothing of iChallenge-PM. It should be PALM.zip, a folder with {archives}, or a folder "
            "into which they were unpacked."
        )
        raise DataNotFound(template, source=source, archives=", ".join(AI_STUDIO_ARCHIVES))
    if lacking := _shortcomings(splits, expected):
        told = mark("Nothing was changed. Get what is missing and try again.")
        allowed = mark(
            "Nothing was changed. Get what is missing and try again; --allow-incomplete takes any number of labelled "
            "photographs."
        )
        remedy = Text(allowed if expected else told)
        values = {"source": source, "lacking": "\n  ".join(map(str, lacking)), "remedy": remedy}
        raise DataError("iChallenge-PM in {source} is not complete:\n  {lacking}\n{remedy}", **values)


def _place(splits: dict[str, Split], fresh: Path, unpacked: Path) -> None:
    folders = {"training": (TRAINING, None), "validation": (VALIDATION, LABELS), "test": (TEST, TEST_LABELS)}
    for name, split in splits.items():
        folder, table = folders[name]
        for photograph, path in split.photographs.items():
            (fresh / folder).mkdir(exist_ok=True)
            place = os.replace if path.is_relative_to(unpacked) else shutil.copyfile
            place(path, fresh / folder / photograph)
        if table and split.photographs:
            labels = [(photograph, split.labels[photograph]) for photograph in sorted(split.photographs)]
            write_labels(fresh / table, labels, split.fovea)


def _keep_others(target: Path, fresh: Path) -> None:
    """Carry over what a user has put into `target` besides the data set, archives for instance."""
    taken = {entry.name for entry in fresh.iterdir()}
    if target.is_dir():
        options = {"ignore": lambda folder, names: taken if Path(folder) == target else (), "dirs_exist_ok": True}
        shutil.copytree(target, fresh, copy_function=_link_or_copy, **options)


def _link_or_copy(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # the file system has no hard links
        shutil.copy2(source, target)
