"""Reading label tables as students' programs leave them."""

import io
import os
import re
import zipfile

import pytest
from palm_archives import workbook, xlsx, zipped

from palm_course.getting.tables import LabelRow, read_fovea, read_labels, write_labels
from palm_utils.messages import DataError, DataNotFound

EXPECTED = [LabelRow("V0001.jpg", 0, 2), LabelRow("V0002.jpg", 1, 3)]
ROWS = [("imgName", "Label"), ("V0001.jpg", 0), ("V0002.jpg", 1)]
FOVEA = [("imgName", "Fovea_X", "Fovea_Y"), ("V0001.jpg", 1.5, 2)]


@pytest.fixture
def table(tmp_path):
    def write(content, name="labels.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize(
    "content",
    [
        "ID,imgName,Label,Fovea_X,Fovea_Y\n1,V0001.jpg,0,1.5,2\n2,V0002.jpg,1,3,4\n",
        "\ufeffimgName,Label\nV0001.jpg,0\nV0002.jpg,1\n",
        "imgName,Label\r\nV0001.jpg,0\r\nV0002.jpg,1\r\n",
        "imgName,Label\rV0001.jpg,0\rV0002.jpg,1\r",
        "imgName;Label\nV0001.jpg;0\nV0002.jpg;1\n",
        "imgName\tLabel\nV0001.jpg\t0\nV0002.jpg\t1\n",
        "Label,imgName\n0,V0001.jpg\n1,V0002.jpg\n",
        " IMG Name , label \n V0001.jpg , 0 \n V0002.jpg , 1 \n",
        "ImgName,LABEL\nV0001.jpg,0\nV0002.jpg,1\n",
        "imgName,Label\nV0001.jpg\u00a0,0\nV0002.jpg,\u00a01\n",
        "imgName,Label\nV0001.jpg,0.0\nV0002.jpg,1.0\n",
        'imgName;Label\nV0001.jpg;"0,0"\nV0002.jpg;"1,0"\n',
        'note,imgName,Label\n"blurred, dark",V0001.jpg,0\n"",V0002.jpg,1\n',
        "imgName,Label,\nV0001.jpg,0,\nV0002.jpg,1,,\n",
        "imgName,Label\nV0001.jpg,0\nV0002.jpg,1\nV0001.jpg,0\n",
        "imgName,Label\nV0001.jpg,0\nV0002.jpg,1\n\n  \n,,\n",
        "imgName,Label\nV0001.jpg,0\nV0002.jpg,1".encode("utf-16"),
        xlsx(("imgName", "Label"), ("V0001.jpg", 0), ("V0002.jpg", 1.0)),
        xlsx(("Label", "ImgName "), ("0", " V0001.jpg"), ("1.0 ", "V0002.jpg")),
        workbook({"notes": [("read me",)], "": [], "labels": ROWS}),
        workbook({"labels": ROWS, "copy": ROWS, "fovea": FOVEA}),
    ],
    ids=[
        *("as published", "BOM", "CRLF", "CR", "semicolons", "tabs", "other order", "spaces and case"),
        *("case", "hard spaces", "decimals", "decimal commas", "quoted commas", "commas at the end", "listed twice"),
        *("blank lines", "UTF-16", "xlsx", "xlsx of texts", "xlsx with other sheets", "xlsx with a copy"),
    ],
)
def test_tables_that_mean_the_same(table, content):
    assert read_labels(table(content)) == EXPECTED


@pytest.mark.parametrize("label", ["x", "2", "-1", "0.5", "", "nan", "True"])
def test_a_label_that_is_neither_0_nor_1(table, label):
    content = "imgName,Label\n" + "".join(f"V{i:04}.jpg,1\n" for i in range(15)) + f"V0099.jpg,{label}\n"
    with pytest.raises(DataError, match=rf"^labels\.csv line 17: label '{label}' is not 0 or 1"):
        read_labels(table(content))


def changed_part(content, end_of_name, change):
    """An Excel file with one part of it changed."""
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    return zipped({name: change(part) if name.endswith(end_of_name) else part for name, part in parts.items()})


TWO_SHEETS = workbook({"fovea": FOVEA, "Labels": [*ROWS, ("V0003.jpg", 2)]})
IS_DAMAGED = r"labels\.csv is damaged or not an Excel table .*Get it again"
REFUSED = {
    "short line": ("imgName,Label\nV0001.jpg,1\nV0002.jpg\n", r"line 3: label '' is not 0 or 1"),
    "two labels": (
        "imgName,Label\nV1.jpg,1\nV2.jpg,0\nV1.jpg,0\n",
        r"line 4: V1\.jpg has label 0, but line 2 gives it 1",
    ),
    "two labels, other case": ("imgName,Label\nV1.jpg,1\nv1.JPG,0\n", r"line 3: v1\.JPG has label 0, but line 2"),
    "blank lines": ("imgName,Label\n\nV0001.jpg,0\n\nV0002.jpg,x\n", r"line 5: label 'x'"),
    "separator named by Excel": ("sep=;\nimgName;Label\nV0001.jpg;0\nV0002.jpg;x\n", r"line 4: label 'x'"),
    # A cell over several lines counts where it starts.
    "cell of two lines": ('note,imgName,Label\n"dark\nblurred",V0001.jpg,1\n,V0002.jpg,x\n', r"line 4: label 'x'"),
    "quote never closed": ('imgName,Label\n"V0001.jpg,1\nV0002.jpg,0\n', r"line 2: label ''"),
    "column twice": ("imgName,Label,label\nV0001.jpg,1,0\n", r"labels\.csv has two columns 'Label'\. Delete"),
    "two sheets that could be meant": (
        workbook({"Labels": ROWS, "old": ROWS[:2], "notes": [("x",)]}),
        r"labels\.csv has 2 different sheets with the columns imgName, Label\. Delete",
    ),
    "one of two sheets": (TWO_SHEETS, r"labels\.csv \(sheet 'Labels'\) line 4: label '2' is not 0 or 1"),
    "half a sheet": (changed_part(xlsx(*ROWS), "sheet1.xml", lambda xml: xml[: len(xml) // 2]), IS_DAMAGED),
    "no workbook": (changed_part(xlsx(*ROWS), "workbook.xml", lambda xml: b"<html>"), IS_DAMAGED),
    "truncated": (xlsx(*ROWS)[:-40], IS_DAMAGED),
    "no name": ("imgName,Label\n,1\n", r"line 2: the image name is empty"),
    "no label column": ("imgName,PM\nV0001.jpg,1\n", "no column 'Label'; its first line names 'imgName', 'PM'"),
    "no name column": ("name,Label\nV0001.jpg,1\n", "no column 'imgName'; its first line names 'name', 'Label'"),
    "neither": ("a,b\nV0001.jpg,1\n", "no column 'imgName', 'Label'; its first line names 'a', 'b'"),
    "empty": (b"", "is empty"),
    "blank": (b"\n \n,\n", "is empty"),
    "header only": (b"imgName,Label\n", "no rows"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old .xls format"),
    "other encoding": (b"imgName,Label\nV\xff\xfe.jpg,1\n", "UTF-8"),
    "binary": (b"imgName\0,Label\nV0001.jpg,1\n", "not a text table"),
}


@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_named(table, content, said):
    with pytest.raises(DataError, match=said):
        read_labels(table(content))


def test_a_workbook_whose_labels_are_wrong_has_its_foveas(table):
    assert read_fovea(table(TWO_SHEETS)) == {"V0001.jpg": (1.5, 2.0)}


def test_rows_beyond_what_a_sheet_says_of_its_size_are_read(table):
    content = changed_part(xlsx(*ROWS), "sheet1.xml", lambda xml: xml.replace(b'ref="A1:B3"', b'ref="A1"'))
    assert read_labels(table(content)) == EXPECTED


def test_a_workbook_that_declares_too_little_is_not_read_beyond_that(table):
    bomb = changed_part(xlsx(*ROWS), "sheet1.xml", lambda xml: xml.replace(b"<row", b" " * 100_000 + b"<row", 1))
    with zipfile.ZipFile(io.BytesIO(bomb)) as parts:
        size = parts.getinfo("xl/worksheets/sheet1.xml").file_size
    with pytest.raises(DataError, match="damaged"):  # it declares too little, and is not read beyond that
        read_labels(table(bomb.replace(size.to_bytes(4, "little"), (500).to_bytes(4, "little"))))


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_table_that_is_missing_or_a_link_to_nothing_or_to_itself(tmp_path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "gone.csv")
    for name in ("gone.csv", "link.csv"):
        with pytest.raises(DataNotFound, match=f"no label table {re.escape(str(tmp_path / name))}"):
            read_labels(tmp_path / name)
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    with pytest.raises(DataError, match=rf"{re.escape(str(tmp_path / 'loop.csv'))} cannot be read"):
        read_labels(tmp_path / "loop.csv")


def test_fovea_is_read_where_there_is_one(table):
    content = "imgName;Fovea_X;Fovea Y\nV0001.jpg;1157,74;20\nV0002.jpg;;\n"
    assert read_fovea(table(content)) == {"V0001.jpg": (1157.74, 20.0)}
    assert read_fovea(table("imgName,Label\nV0001.jpg,1\n")) == {}
    with pytest.raises(DataError, match=r"line 2: the fovea's place 'left', '2' is not two numbers"):
        read_fovea(table("imgName,Fovea_X,Fovea_Y\nV0001.jpg,left,2\n"))


def test_written_labels_have_the_published_form_and_read_back(tmp_path):
    path = tmp_path / "labels.csv"
    write_labels(path, [("V0001.jpg", 0), ("V0002.jpg", 1)], {"V0001.jpg": (1157.74, 1019.9)})
    assert path.read_bytes() == (b"ID,imgName,Label,Fovea_X,Fovea_Y\n1,V0001.jpg,0,1157.74,1019.90\n2,V0002.jpg,1,,\n")
    assert read_labels(path) == EXPECTED
