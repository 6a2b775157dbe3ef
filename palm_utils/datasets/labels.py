"""Label tables of iChallenge-PM: reading them, writing `labels.csv`."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from palm_utils.datasets.tables import HEADER, read_table
from palm_utils.files import replacing
from palm_utils.messages import DataError, tr


@dataclass(frozen=True)
class LabelRow:
    """One photograph's label: file name, 1 for pathologic myopia or 0, and the table's line."""

    name: str
    label: int
    line: int


def read_labels(csvfile: str | Path) -> list[LabelRow]:
    """Read file names and labels from the columns `imgName` and `Label` of a .csv or .xlsx table.

    Blank lines are skipped; a photograph listed twice with the same label counts once. Rows keep
    the table's order.

    Raises:
        DataNotFound: there is no such file.
        DataError: the file is empty or not a table, a column is missing or there twice, two sheets of a
            workbook could be meant, a name is empty, a label is neither 0 nor 1, or a photograph is
            listed with two different labels. The text names the line.
    """
    table = read_table(Path(csvfile), "imgName", "Label")
    table.require("imgName", "Label")
    found: dict[str, LabelRow] = {}
    for line, row in table.rows:
        where = tr("{table} line {line}", table=table.name, line=line)
        name = row["imgname"]
        if not name:
            raise DataError(tr("{where}: the image name is empty. Fill it in, or delete the line.", where=where))
        label = _label(row["label"], where)
        known = found.setdefault(name, LabelRow(name, label, line))
        if known.label != label:
            raise DataError(
                tr(
                    "{where}: {name} has label {label}, but line {line} gives it {other}. Delete the line that is "
                    "wrong.",
                    where=where,
                    name=name,
                    label=label,
                    line=known.line,
                    other=known.label,
                )
            )
    if not found:
        raise DataError(
            tr(
                "{table} has no rows below its first line. Put the whole table there: {path}.",
                table=table.name,
                path=table.path,
            )
        )
    return list(found.values())


def read_fovea(path: str | Path) -> dict[str, tuple[float, float]]:
    """Read `{imgName: (Fovea_X, Fovea_Y)}` in pixels; empty where the table has no such columns.

    Raises:
        DataError: the table cannot be read, or a coordinate is not a number.
    """
    table = read_table(Path(path), "imgName", "Fovea_X", "Fovea_Y")
    if not table.has("imgName", "Fovea_X", "Fovea_Y"):
        return {}
    fovea = {}
    for line, row in table.rows:
        x, y = row["foveax"], row["foveay"]
        if not x or not y:
            continue
        try:
            fovea[row["imgname"]] = (_number(x), _number(y))
        except ValueError:
            raise DataError(
                tr(
                    "{table} line {line}: the fovea's place {x!r}, {y!r} is not two numbers. Correct it in the "
                    "table, or leave it empty.",
                    table=table.name,
                    line=line,
                    x=x,
                    y=y,
                )
            ) from None
    return fovea


def write_labels(
    csvfile: str | Path, labels: Iterable[tuple[str, int]], fovea: Mapping[str, tuple[float, float]]
) -> None:
    """Write `labels.csv`: photographs numbered from 1 in the order given, blank fovea where unknown."""
    with replacing(csvfile) as temporary, open(temporary, "w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(HEADER)
        for number, (name, label) in enumerate(labels, 1):
            # Hundredths of a pixel, as the published tables have them.
            place = [f"{value:.2f}" for value in fovea[name]] if name in fovea else ["", ""]
            writer.writerow([number, name, label, *place])


def _label(text: str, where: str) -> int:
    try:
        value = _number(text)
    except ValueError:
        value = None
    if value not in (0.0, 1.0):
        raise DataError(tr("{where}: label {text!r} is not 0 or 1. Correct it in the table.", where=where, text=text))
    return int(value)


def _number(text: str) -> float:
    # Where the comma is the decimal sign, Excel writes it into the table.
    return float(text.replace(",", "."))
