"""Reading label tables as students' programs leave them."""

import pytest
from palm_archives import xlsx

from palm_utils.datasets.labels import LabelRow, read_fovea, read_labels, write_labels
from palm_utils.errors import DataError, DataNotFound

EXPECTED = [LabelRow("V0001.jpg", 0, 2), LabelRow("V0002.jpg", 1, 3)]


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
        "imgName,Label\nV0001.jpg,0.0\nV0002.jpg,1.0\n",
        'imgName;Label\nV0001.jpg;"0,0"\nV0002.jpg;"1,0"\n',
        'note,imgName,Label\n"blurred, dark",V0001.jpg,0\n"",V0002.jpg,1\n',
        "imgName,Label\nV0001.jpg,0\nV0002.jpg,1\nV0001.jpg,0\n",
        "imgName,Label\nV0001.jpg,0\nV0002.jpg,1\n\n  \n,,\n",
        "imgName,Label\nV0001.jpg,0\nV0002.jpg,1".encode("utf-16"),
        xlsx(("imgName", "Label"), ("V0001.jpg", 0), ("V0002.jpg", 1.0)),
    ],
    ids=[
        *("as published", "BOM", "CRLF", "CR", "semicolons", "tabs", "other order", "spaces and case"),
        *("decimals", "decimal commas", "quoted commas", "listed twice", "blank lines", "UTF-16", "xlsx"),
    ],
)
def test_tables_that_mean_the_same(table, content):
    assert read_labels(table(content)) == EXPECTED


def test_blank_lines_count_in_line_numbers(table):
    rows = read_labels(table("imgName,Label\n\nV0001.jpg,0\n\nV0002.jpg,1\n"))
    assert [row.line for row in rows] == [3, 5]


@pytest.mark.parametrize("label", ["x", "2", "-1", "0.5", "", "nan", "True"])
def test_a_label_that_is_neither_0_nor_1(table, label):
    content = "imgName,Label\n" + "".join(f"V{i:04}.jpg,1\n" for i in range(15)) + f"V0099.jpg,{label}\n"
    with pytest.raises(DataError, match=rf"^labels\.csv line 17: label '{label}' is not 0 or 1"):
        read_labels(table(content))


def test_a_short_line_lacks_its_label(table):
    with pytest.raises(DataError, match=r"line 3: label '' is not 0 or 1"):
        read_labels(table("imgName,Label\nV0001.jpg,1\nV0002.jpg\n"))


def test_two_labels_for_one_photograph(table):
    content = "imgName,Label\nV0001.jpg,1\nV0002.jpg,0\nV0001.jpg,0\n"
    with pytest.raises(DataError, match=r"line 4: V0001\.jpg has label 0, but line 2 gives it 1"):
        read_labels(table(content))


def test_a_label_without_a_name(table):
    with pytest.raises(DataError, match=r"line 2: the image name is empty"):
        read_labels(table("imgName,Label\n,1\n"))


@pytest.mark.parametrize(
    ("header", "missing"),
    [("imgName,PM", "'Label'"), ("name,Label", "'imgName'"), ("a,b", "'imgName' and no")],
)
def test_missing_columns_are_named_with_those_found(table, header, missing):
    with pytest.raises(DataError) as caught:
        read_labels(table(f"{header}\nV0001.jpg,1\n"))
    assert f"no column {missing}" in str(caught.value)
    assert all(repr(column) in str(caught.value) for column in header.split(","))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n \n,\n", "is empty"),
        (b"imgName,Label\n", "no rows"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old .xls format"),
        (b"PK\x03\x04 but no more", "damaged or not an Excel table"),
        (b"imgName,Label\nV\xff\xfe.jpg,1\n", "UTF-8"),
        (b"imgName\0,Label\nV0001.jpg,1\n", "not a text table"),
    ],
    ids=["empty", "blank", "header only", "xls", "broken xlsx", "other encoding", "binary"],
)
def test_what_is_no_table(table, content, said):
    with pytest.raises(DataError, match=said):
        read_labels(table(content))


def test_a_missing_table(tmp_path):
    with pytest.raises(DataNotFound) as caught:
        read_labels(tmp_path / "labels.csv")
    assert str(tmp_path / "labels.csv") in str(caught.value)


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
