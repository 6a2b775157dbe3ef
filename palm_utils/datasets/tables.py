"""Tables in text files and workbooks, read tolerantly.

A table is a .csv or .xlsx file whose first row names its columns. Students open tables in Excel,
so the order, case and spacing of the columns, the separator and the encoding may all differ, and a
workbook may have further sheets.
"""

import csv
import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from palm_utils.messages import DataError, DataNotFound, tr

HEADER = ("ID", "imgName", "Label", "Fovea_X", "Fovea_Y")

# A table of a thousand photographs has some 50 KB. What is larger is something else, or a bomb.
_LARGEST = 32 << 20

_XLSX_START = b"PK\x03\x04"
_XLS_START = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class Table:
    """A table's columns as they are written, and its rows by normalised column name.

    rows: (line number, {column name without case, spaces and underscores: text}) each.
    """

    path: Path
    name: str  # the file's, and the sheet's where there are several
    columns: tuple[str, ...]
    rows: list[tuple[int, dict[str, str]]]

    def has(self, *columns: str) -> bool:
        """Whether all of these columns are there."""
        return {_normalised(column) for column in columns} <= {_normalised(column) for column in self.columns}

    def require(self, *columns: str) -> None:
        """Raise DataError where one of these columns is missing, or there twice."""
        missing = [column for column in columns if not self.has(column)]
        if missing:
            raise DataError(
                tr(
                    "{table} has no column {missing}; its first line names {columns}. Write {header} in the first "
                    "line of {path}.",
                    table=self.name,
                    missing=tr(" and no column ").join(map(repr, missing)),
                    columns=", ".join(map(repr, self.columns)),
                    header=",".join(HEADER),
                    path=self.path,
                )
            )
        for column in columns:
            if [_normalised(c) for c in self.columns].count(_normalised(column)) > 1:
                raise DataError(
                    tr(
                        "{table} has two columns {column!r}. Delete the one that is wrong: {path}.",
                        table=self.name,
                        column=column,
                        path=self.path,
                    )
                )


def read_table(path: Path, *columns: str) -> Table:
    """Return the table in a file: of several sheets the one with these columns, or else the first.

    Raises:
        DataNotFound: there is no such file.
        DataError: the file is empty, too large, damaged or no table, or two sheets of it could be meant.
    """
    try:
        with open(path, "rb") as f:
            content = f.read(_LARGEST + 1)
    except (FileNotFoundError, IsADirectoryError):
        raise DataNotFound(
            tr("There is no label table {path}. `python -m palm_utils data` shows where the data sets are.", path=path)
        ) from None
    except OSError as error:  # not ours to read, a link that leads to itself
        raise DataError(
            tr("{path} cannot be read ({error}). Put the label table there again.", path=path, error=error.strerror)
        ) from None
    if content.startswith(_XLS_START):
        raise DataError(tr("{path} is in Excel's old .xls format. Save it as .xlsx or .csv.", path=path))
    if len(content) > _LARGEST:
        raise DataError(
            tr(
                "{path} is too large for a label table: more than {size} MiB. Give the table itself.",
                path=path,
                size=_LARGEST >> 20,
            )
        )
    # The content decides, not the suffix: a renamed .xlsx is still one.
    read = _xlsx_sheets if content.startswith(_XLSX_START) else _csv_sheets
    sheets = {title: lines for title, lines in read(path, content).items() if lines}
    if not sheets:
        raise DataError(tr("{file} is empty ({path}). Put the label table there again.", file=path.name, path=path))
    tables = []
    for title, lines in sheets.items():
        name = tr("{file} (sheet {title!r})", file=path.name, title=title) if len(sheets) > 1 else path.name
        tables.append(_table(path, name, lines))
    fitting = [table for table in tables if table.has(*columns)]
    if any(table.rows != fitting[0].rows for table in fitting):
        raise DataError(
            tr(
                "{path} has {count} different sheets with the columns {columns}. Delete those that are not "
                "meant, or save the right one as CSV (UTF-8).",
                path=path,
                count=len(fitting),
                columns=", ".join(columns),
            )
        )
    return (fitting or tables)[0]


_Line = tuple[int, list[str]]  # its number and its cells, not all of them empty


def _table(path: Path, name: str, lines: list[_Line]) -> Table:
    columns = lines[0][1]
    keys = [_normalised(column) for column in columns]
    rows = []
    for line, cells in lines[1:]:
        # A short row lacks its last cells.
        padded = cells + [""] * (len(keys) - len(cells))
        rows.append((line, dict(zip(keys, padded, strict=False))))
    return Table(path, name, tuple(columns), rows)


def _csv_sheets(path: Path, content: bytes) -> dict[str, list[_Line]]:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise DataError(
            tr("{path} is not a text table in UTF-8. Save it as CSV (UTF-8) or .xlsx.", path=path)
        ) from None
    if "\0" in text:
        raise DataError(tr("{path} is not a text table. Save it as CSV (UTF-8) or .xlsx.", path=path))
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
        raise DataError(
            tr(
                "{file} line {start}: {error}. Correct it in the table, {path}.",
                file=path.name,
                start=start,
                error=error,
                path=path,
            )
        ) from None
    return {"": lines}


def _xlsx_sheets(path: Path, content: bytes) -> dict[str, list[_Line]]:
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            # What a part declares is all that is read of it.
            size = sum(part.file_size for part in parts.infolist())
        if size > _LARGEST:
            raise DataError(
                tr(
                    "{path} is too large for a label table: it unpacks to {size} MiB. Get it again.",
                    path=path,
                    size=size >> 20,
                )
            )
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        try:
            return {sheet.title: _sheet_lines(sheet) for sheet in book.worksheets}
        finally:
            book.close()
    except DataError:
        raise
    except Exception as error:  # openpyxl raises whatever a damaged part leads to
        raise DataError(
            tr("{path} is damaged or not an Excel table ({error}). Get it again.", path=path, error=error)
        ) from None


def _sheet_lines(sheet) -> list[_Line]:
    sheet.reset_dimensions()  # some programs write wrong ones, and rows would be missed
    lines = (
        (number, ["" if cell is None else str(cell).strip() for cell in cells])
        for number, cells in enumerate(sheet.iter_rows(values_only=True), 1)
    )
    return [(number, cells) for number, cells in lines if any(cells)]


def _normalised(column: str) -> str:
    return "".join(column.split()).replace("_", "").casefold()
