"""Label tables of iChallenge-PM: reading them tolerantly, writing `labels.csv`.

A table is a .csv or .xlsx file whose first row names its columns. Students open tables in Excel,
so the order, case and spacing of the columns, the separator and the encoding may all differ.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from palm_utils.errors import DataError, DataNotFound
from palm_utils.files import replacing

HEADER = ("ID", "imgName", "Label", "Fovea_X", "Fovea_Y")

_XLSX_START = b"PK\x03\x04"
_XLS_START = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class LabelRow:
    """One photograph's label: file name, 1 for pathologic myopia or 0, and the table's line."""

    name: str
    label: int
    line: int


@dataclass(frozen=True)
class _Table:
    path: Path
    columns: tuple[str, ...]
    rows: list[tuple[int, dict[str, str]]]  # line number, {normalised column: text}

    def has(self, *columns: str) -> bool:
        return {_normalised(column) for column in columns} <= {_normalised(column) for column in self.columns}

    def require(self, *columns: str) -> None:
        missing = [column for column in columns if not self.has(column)]
        if missing:
            raise DataError(
                f"{self.path.name} has no column {' and no column '.join(map(repr, missing))}; "
                f"its first line names {', '.join(map(repr, self.columns))}. "
                f"Write {','.join(HEADER)} in the first line of {self.path}."
            )


def read_labels(csvfile: str | Path) -> list[LabelRow]:
    """Read file names and labels from the columns `imgName` and `Label` of a .csv or .xlsx table.

    Blank lines are skipped; a photograph listed twice with the same label counts once. Rows keep
    the table's order.

    Raises:
        DataNotFound: there is no such file.
        DataError: the file is empty or not a table, a column is missing, a name is empty, a label
            is neither 0 nor 1, or a photograph is listed with two different labels. The text names
            the line.
    """
    table = _read_table(Path(csvfile))
    table.require("imgName", "Label")
    found: dict[str, LabelRow] = {}
    for line, row in table.rows:
        where = f"{table.path.name} line {line}"
        name = row["imgname"]
        if not name:
            raise DataError(f"{where}: the image name is empty. Fill it in, or delete the line.")
        label = _label(row["label"], where)
        known = found.setdefault(name, LabelRow(name, label, line))
        if known.label != label:
            raise DataError(
                f"{where}: {name} has label {label}, but line {known.line} gives it {known.label}. "
                "Delete the line that is wrong."
            )
    if not found:
        raise DataError(f"{table.path.name} has no rows below its first line ({table.path}).")
    return list(found.values())


def read_fovea(path: str | Path) -> dict[str, tuple[float, float]]:
    """Read `{imgName: (Fovea_X, Fovea_Y)}` in pixels; empty where the table has no such columns.

    Raises:
        DataError: the table cannot be read, or a coordinate is not a number.
    """
    table = _read_table(Path(path))
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
                f"{table.path.name} line {line}: the fovea's place {x!r}, {y!r} is not two numbers. "
                "Correct it in the table, or leave it empty."
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
        raise DataError(f"{where}: label {text!r} is not 0 or 1. Correct it in the table.")
    return int(value)


def _number(text: str) -> float:
    # Where the comma is the decimal sign, Excel writes it into the table.
    return float(text.replace(",", "."))


def _normalised(column: str) -> str:
    return "".join(column.split()).replace("_", "").casefold()


def _read_table(path: Path) -> _Table:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise DataNotFound(
            f"There is no label table {path}. `python -m palm_utils data` shows where the data sets are."
        ) from None
    if content.startswith(_XLS_START):
        raise DataError(f"{path} is in Excel's old .xls format. Save it as .xlsx or .csv.")
    # The content decides, not the suffix: a renamed .xlsx is still one.
    read = _xlsx_rows if content.startswith(_XLSX_START) else _csv_rows
    lines = [(line, cells) for line, cells in read(path, content) if any(cells)]
    if not lines:
        raise DataError(f"{path.name} is empty ({path}). Put the label table there again.")
    columns = lines[0][1]
    keys = [_normalised(column) for column in columns]
    rows = []
    for line, cells in lines[1:]:
        # A short row lacks its last cells.
        padded = cells + [""] * (len(keys) - len(cells))
        rows.append((line, dict(zip(keys, padded, strict=False))))
    return _Table(path, tuple(columns), rows)


def _csv_rows(path: Path, content: bytes) -> Iterable[tuple[int, list[str]]]:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text table in UTF-8. Save it as CSV (UTF-8) or .xlsx.") from None
    if "\0" in text:
        raise DataError(f"{path} is not a text table. Save it as CSV (UTF-8) or .xlsx.")
    first_line = text.lstrip().partition("\n")[0]
    # csv.Sniffer guesses from the whole text and fails on short tables; the first line suffices.
    separator = max(",;\t", key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        for cells in reader:
            yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DataError(f"{path.name} line {reader.line_num}: {error}.") from None


def _xlsx_rows(path: Path, content: bytes) -> Iterable[tuple[int, list[str]]]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, InvalidFileException) as error:
        raise DataError(f"{path} is damaged or not an Excel table ({error}). Get it again.") from None
    try:
        for number, cells in enumerate(book.worksheets[0].iter_rows(values_only=True), 1):
            yield number, ["" if cell is None else str(cell).strip() for cell in cells]
    finally:
        book.close()
