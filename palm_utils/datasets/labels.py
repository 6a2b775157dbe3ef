"""Label tables of iChallenge-PM: reading them tolerantly, writing `labels.csv`.

A table is a .csv or .xlsx file whose first row names its columns. Students open tables in Excel,
so the order, case and spacing of the columns, the separator and the encoding may all differ, and a
workbook may have further sheets.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from palm_utils.errors import DataError, DataNotFound
from palm_utils.files import replacing

HEADER = ("ID", "imgName", "Label", "Fovea_X", "Fovea_Y")

# A table of a thousand photographs has some 50 KB. What is larger is something else, or a bomb.
_LARGEST = 32 << 20

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
    name: str  # the file's, and the sheet's where there are several
    columns: tuple[str, ...]
    rows: list[tuple[int, dict[str, str]]]  # line number, {normalised column: text}

    def has(self, *columns: str) -> bool:
        return {_normalised(column) for column in columns} <= {_normalised(column) for column in self.columns}

    def require(self, *columns: str) -> None:
        missing = [column for column in columns if not self.has(column)]
        if missing:
            raise DataError(
                f"{self.name} has no column {' and no column '.join(map(repr, missing))}; "
                f"its first line names {', '.join(map(repr, self.columns))}. "
                f"Write {','.join(HEADER)} in the first line of {self.path}."
            )
        for column in columns:
            if [_normalised(c) for c in self.columns].count(_normalised(column)) > 1:
                raise DataError(f"{self.name} has two columns {column!r}. Delete the one that is wrong: {self.path}.")


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
    table = _read_table(Path(csvfile), "imgName", "Label")
    table.require("imgName", "Label")
    found: dict[str, LabelRow] = {}
    for line, row in table.rows:
        where = f"{table.name} line {line}"
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
        raise DataError(f"{table.name} has no rows below its first line. Put the whole table there: {table.path}.")
    return list(found.values())


def read_fovea(path: str | Path) -> dict[str, tuple[float, float]]:
    """Read `{imgName: (Fovea_X, Fovea_Y)}` in pixels; empty where the table has no such columns.

    Raises:
        DataError: the table cannot be read, or a coordinate is not a number.
    """
    table = _read_table(Path(path), "imgName", "Fovea_X", "Fovea_Y")
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
                f"{table.name} line {line}: the fovea's place {x!r}, {y!r} is not two numbers. "
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


def _read_table(path: Path, *columns: str) -> _Table:
    """Return the table in a file: of several sheets the one with these columns, or else the first."""
    try:
        with open(path, "rb") as f:
            content = f.read(_LARGEST + 1)
    except (FileNotFoundError, IsADirectoryError):
        raise DataNotFound(
            f"There is no label table {path}. `python -m palm_utils data` shows where the data sets are."
        ) from None
    except OSError as error:  # not ours to read, a link that leads to itself
        raise DataError(f"{path} cannot be read ({error.strerror}). Put the label table there again.") from None
    if content.startswith(_XLS_START):
        raise DataError(f"{path} is in Excel's old .xls format. Save it as .xlsx or .csv.")
    if len(content) > _LARGEST:
        raise DataError(
            f"{path} is too large for a label table: more than {_LARGEST >> 20} MiB. Give the table itself."
        )
    # The content decides, not the suffix: a renamed .xlsx is still one.
    read = _xlsx_sheets if content.startswith(_XLSX_START) else _csv_sheets
    sheets = {title: lines for title, lines in read(path, content).items() if lines}
    if not sheets:
        raise DataError(f"{path.name} is empty ({path}). Put the label table there again.")
    tables = []
    for title, lines in sheets.items():
        name = f"{path.name} (sheet {title!r})" if len(sheets) > 1 else path.name
        tables.append(_table(path, name, lines))
    fitting = [table for table in tables if table.has(*columns)]
    if any(table.rows != fitting[0].rows for table in fitting):
        raise DataError(
            f"{path} has {len(fitting)} different sheets with the columns {', '.join(columns)}. "
            "Delete those that are not meant, or save the right one as CSV (UTF-8)."
        )
    return (fitting or tables)[0]


_Line = tuple[int, list[str]]  # its number and its cells, not all of them empty


def _table(path: Path, name: str, lines: list[_Line]) -> _Table:
    columns = lines[0][1]
    keys = [_normalised(column) for column in columns]
    rows = []
    for line, cells in lines[1:]:
        # A short row lacks its last cells.
        padded = cells + [""] * (len(keys) - len(cells))
        rows.append((line, dict(zip(keys, padded, strict=False))))
    return _Table(path, name, tuple(columns), rows)


def _csv_sheets(path: Path, content: bytes) -> dict[str, list[_Line]]:
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
    lines, start = [], 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            # Excel may write which separator it took into a line of its own.
            if any(cells) and not (start == 1 and re.fullmatch("sep=.?", "".join(cells))):
                lines.append((start, cells))
            start = reader.line_num + 1  # a quoted cell can go over several lines
    except csv.Error as error:
        raise DataError(f"{path.name} line {start}: {error}. Correct it in the table, {path}.") from None
    return {"": lines}


def _xlsx_sheets(path: Path, content: bytes) -> dict[str, list[_Line]]:
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            # What a part declares is all that is read of it.
            size = sum(part.file_size for part in parts.infolist())
        if size > _LARGEST:
            raise DataError(f"{path} is too large for a label table: it unpacks to {size >> 20} MiB. Get it again.")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        try:
            return {sheet.title: _sheet_lines(sheet) for sheet in book.worksheets}
        finally:
            book.close()
    except DataError:
        raise
    except Exception as error:  # openpyxl raises whatever a damaged part leads to
        raise DataError(f"{path} is damaged or not an Excel table ({error}). Get it again.") from None


def _sheet_lines(sheet) -> list[_Line]:
    sheet.reset_dimensions()  # some programs write wrong ones, and rows would be missed
    lines = (
        (number, ["" if cell is None else str(cell).strip() for cell in cells])
        for number, cells in enumerate(sheet.iter_rows(values_only=True), 1)
    )
    return [(number, cells) for number, cells in lines if any(cells)]
