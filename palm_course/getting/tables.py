"""Label tables of iChallenge-PM: read as students' programs leave them, written as they were published.

A table is a .csv or .xlsx file whose first row names its columns. Students open tables in Excel, so the order, case and
spacing of the columns, the separator and the encoding may all differ, and a workbook may have further sheets.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from palm_utils.datasets import HEADER
from palm_utils.files import replacing
from palm_utils.messages import DataError, DataNotFound, Text, mark

_Line = tuple[int, list[str]]  # its number and its cells, not all of them empty


@dataclass(frozen=True)
class LabelRow:
    name: str  # of the photograph's file
    label: int  # 1 for pathologic myopia, or 0
    line: int  # of the table


def read_labels(csvfile: str | Path) -> list[LabelRow]:
    """Read file names and labels from the columns `imgName` and `Label` of a .csv or .xlsx table, in its order.

    Blank lines are skipped; a photograph listed twice with the same label counts once. Raises DataNotFound for no such
    file, and DataError, which names the line, for a table that is empty, damaged, ambiguous or wrong.
    """
    found: dict[str, LabelRow] = {}
    table, rows = _read(Path(csvfile), "imgName", "Label")
    for line, (name, text) in rows:
        where = Text("{table} line {line}", table=table, line=line)
        if not name:
            raise DataError("{where}: the image name is empty. Fill it in, or delete the line.", where=where)
        label = _number(text)
        if label not in (0, 1):
            raise DataError("{where}: label {text!r} is not 0 or 1. Correct it in the table.", where=where, text=text)
        known = found.setdefault(name.casefold(), LabelRow(name, int(label), line))
        if known.label != label:
            values = {"where": where, "name": name, "label": int(label), "line": known.line, "other": known.label}
            raise DataError(
                "{where}: {name} has label {label}, but line {line} gives it {other}. Delete the line that is wrong.",
                **values,
            )
    if not found:
        template = mark("{table} has no rows below its first line. Put the whole table there: {path}.")
        raise DataError(template, table=table, path=csvfile)
    return list(found.values())


def read_fovea(path: Path) -> dict[str, tuple[float, float]]:
    """Read `{imgName: (Fovea_X, Fovea_Y)}` in pixels; empty where the table has no such columns. Raises DataError."""
    table, rows = _read(path, "imgName", "Fovea_X", "Fovea_Y", optional=True)
    fovea = {}
    for line, (name, x, y) in rows:
        if x and y:
            fovea[name] = _number(x), _number(y)
        if None in fovea.get(name, ()):
            values = {"table": table, "line": line, "x": x, "y": y}
            raise DataError(
                "{table} line {line}: the fovea's place {x!r}, {y!r} is not two numbers. Correct it in the table, or "
                "leave it empty.",
                **values,
            )
    return fovea


def write_labels(csvfile: Path, labels: Iterable[tuple[str, int]], fovea: Mapping[str, tuple[float, float]]) -> None:
    """Write `labels.csv`: photographs numbered from 1 in the order given, blank fovea where unknown."""
    with replacing(csvfile) as temporary, open(temporary, "w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(HEADER)
        for number, (name, label) in enumerate(labels, 1):
            # Hundredths of a pixel, as the published tables have them.
            place = [f"{value:.2f}" for value in fovea[name]] if name in fovea else ["", ""]
            writer.writerow([number, name, label, *place])


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))  # where the comma is the decimal sign, Excel writes it into the table
    except ValueError:
        return None


def _read(path: Path, *columns: str, optional: bool = False) -> tuple[str | Text, list[_Line]]:
    """Return the name of a table (of several sheets, the one with these columns), and its lines below the first."""
    sheets = _sheets(path)
    if not sheets:
        raise DataError("{file} is empty ({path}). Put the label table there again.", file=path.name, path=path)
    keys = {title: [_normalised(cell) for cell in lines[0][1]] for title, lines in sheets.items()}
    wanted = [_normalised(column) for column in columns]
    fitting = [title for title in sheets if set(wanted) <= set(keys[title])]
    if optional and not fitting:
        return path.name, []
    title = (fitting or list(sheets))[0]
    name = Text("{file} (sheet {title!r})", file=path.name, title=title) if len(sheets) > 1 else path.name
    counts = {column: keys[title].count(_normalised(column)) for column in columns}
    if missing := [column for column, count in counts.items() if count == 0]:
        absent, there = (", ".join(map(repr, columns)) for columns in (missing, sheets[title][0][1]))
        values = {"table": name, "missing": absent, "columns": there, "header": ",".join(HEADER), "path": path}
        raise DataError(
            "{table} has no column {missing}; its first line names {columns}. Write {header} in the first line of "
            "{path}.",
            **values,
        )
    if twice := [column for column, count in counts.items() if count > 1]:
        told = {"table": name, "column": twice[0], "path": path}
        raise DataError("{table} has two columns {column!r}. Delete the one that is wrong: {path}.", **told)
    picked = []
    for title in fitting:
        places = [keys[title].index(key) for key in wanted]
        # A short row lacks its last cells.
        rows = [(line, [*cells, *[""] * len(keys[title])]) for line, cells in sheets[title][1:]]
        picked.append([(line, [cells[place] for place in places]) for line, cells in rows])
    if any(rows != picked[0] for rows in picked):
        values = {"path": path, "count": len(fitting), "columns": ", ".join(columns)}
        raise DataError(
            "{path} has {count} different sheets with the columns {columns}. Delete those that are not meant, or save "
            "the right one as CSV (UTF-8).",
            **values,
        )
    return name, picked[0]


def _normalised(column: str) -> str:
    return "".join(column.split()).replace("_", "").casefold()


def _sheets(path: Path) -> dict[str, list[_Line]]:
    """Return the lines of each sheet of a workbook by its title, those of a text table by ""; none is blank."""
    absent = mark("There is no label table {path}. `python -m palm_utils data` shows where the data sets are.")
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise DataNotFound(absent, path=path) from None
    except OSError as error:  # not ours to read, a link that leads to itself
        told = {"path": path, "error": error.strerror}
        raise DataError("{path} cannot be read ({error}). Put the label table there again.", **told) from None
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise DataError("{path} is in Excel's old .xls format. Save it as .xlsx or .csv.", path=path)
    # The content decides, not the suffix: a renamed .xlsx is still one.
    sheets = _workbook(path, content) if content.startswith(b"PK\x03\x04") else {"": _text_lines(path, content)}
    for title, lines in sheets.items():
        stripped = [(line, [cell.strip() for cell in cells]) for line, cells in lines]
        sheets[title] = [(line, cells) for line, cells in stripped if any(cells)]
    return {title: lines for title, lines in sheets.items() if lines}


def _text_lines(path: Path, content: bytes) -> list[_Line]:
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise DataError("{path} is not a text table in UTF-8. Save it as CSV (UTF-8) or .xlsx.", path=path)
    # csv.Sniffer guesses from the whole text and fails on short tables; the first line suffices.
    separator = max(",;\t", key=text.lstrip().partition("\n")[0].count)
    # Excel may write which separator it took into a line of its own.
    text = re.sub(r"^sep=.?(?=[\r\n])", "", text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    lines, start = [], 1
    try:
        for cells in reader:
            lines.append((start, cells))
            start = reader.line_num + 1  # a quoted cell can go over several lines
    except csv.Error as error:
        template = mark("{file} line {start}: {error}. Correct it in the table, {path}.")
        raise DataError(template, file=path.name, start=start, error=error, path=path) from None
    return lines


def _workbook(path: Path, content: bytes) -> dict[str, list[_Line]]:
    import openpyxl

    try:
        sheets = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True).worksheets
        for sheet in sheets:
            sheet.reset_dimensions()  # some programs write wrong ones, and rows would be missed
        return {
            sheet.title: [(line, ["" if cell is None else str(cell) for cell in cells]) for line, cells in rows]
            for sheet, rows in ((sheet, enumerate(sheet.iter_rows(values_only=True), 1)) for sheet in sheets)
        }
    except Exception as error:  # openpyxl raises whatever a damaged part leads to
        template = mark("{path} is damaged or not an Excel table ({error}). Get it again.")
        raise DataError(template, path=path, error=error) from None
