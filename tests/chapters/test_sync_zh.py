"""tools/sync_zh.py, on a small course: what comes over from the English notebooks, and what stays Chinese."""

import nbformat
import pytest
from editions import sync_zh, zh_texts
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

CODE = 'def area(r):\n    """The area of a circle."""\n    x = r * r  # the square\n    return 3 * x  # [N, 3]'
CHINESE_CODE = 'def area(r):\n    """圆的面积。"""\n    x = r * r  # 平方\n    return 3 * x  # [N, 3]'


def store(path, *cells, **metadata):
    """Write a notebook of cells (id, cell)."""
    for name, cell in cells:
        cell.id = name
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell for _, cell in cells], metadata=metadata), path)


@pytest.fixture
def course(tmp_path):
    """An English course of one chapter with solutions; returns the folder of its notebooks."""
    folder = tmp_path / "notebooks"
    printed = new_output("stream", text="3\n")
    chapter = [
        ("a", new_markdown_cell("# Circles\n\nSee [the next](02_squares.ipynb) and [data](../data/README.md).")),
        ("b", new_markdown_cell("$$\\pi r^2$$")),
        ("c", new_code_cell(CODE, metadata={"tags": ["model"]})),
        ("d", new_code_cell("print(area(1))", outputs=[printed], execution_count=2, metadata={"tags": ["measured"]})),
    ]
    store(folder / "01_circles.ipynb", *chapter, palm_utils_outputs="stamp")
    store(folder / "solutions" / "01_circles.ipynb", ("s", new_markdown_cell("Solutions: `a[i](x)`")))
    return folder


CHINESE = {
    "a": "# 圆\n\n见[下一章](02_squares.ipynb)和[数据](../data/README.md)。",
    "c/1": "圆的面积。",
    "c/2": "平方",
    "s": "答案：`a[i](x)`",
}


def run(folder, *arguments):
    return sync_zh.main([*arguments, "--folder", str(folder.parent / "texts")], folder)


def file_of(folder, change=lambda text: text, chapter="01"):
    """Export a chapter; return the translators' file, changed so."""
    assert run(folder, "export", chapter) == 0
    (path,) = (folder.parent / "texts").glob(f"{chapter}*.md")
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    return path


def translate(folder, chapter="01", **chinese):
    """Export a chapter, write these translations into the file, and import it; returns the exit status."""

    def change(text):
        texts = zh_texts.from_file(text, "file")
        return zh_texts.to_file([zh_texts.Entry(n, e, (CHINESE | chinese).get(n, old), "new") for n, e, old in texts])

    file_of(folder, change, chapter)
    return run(folder, "import", chapter)


@pytest.fixture
def translated(course, capsys):
    """The same course with its Chinese edition."""
    assert translate(course) == 0
    capsys.readouterr()
    return course


def edit(path, name, source):
    book = nbformat.read(path, as_version=4)
    next(cell for cell in book.cells if cell.id == name).source = source
    nbformat.write(book, path)


def cells(path):
    return {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}


def in_chinese(folder):
    return cells(folder / "zh" / "01_circles.ipynb")


def content(folder):
    return {path: path.read_bytes() for path in sorted((folder / "zh").rglob("*")) if path.is_file()}


def test_what_is_there_to_translate():
    assert [span.text for span in zh_texts.texts("code", CODE)] == ["The area of a circle.", "the square"]
    assert [span.text for span in zh_texts.texts("code", CHINESE_CODE)] == ["圆的面积。", "平方"]
    remarks = "a = 1  # [N, c1 + c2[1], H]\nb = 2  # conv1\nc = 3  # [number of images, 10]\nd = 4  # noqa: F401\n# 图"
    assert [span.text for span in zh_texts.texts("code", remarks)] == ["[number of images, 10]", "图"]
    assert zh_texts.texts("code", "s = '# no comment'\n\"no docstring\"") == []
    assert zh_texts.texts("code", "%matplotlib inline\n# a comment") == []
    assert zh_texts.texts("markdown", "$$a_{in}$$ `code` $x$ <3>\n```\nprint(x)\n```\nhttps://example.org") == []
    assert [span.text for span in zh_texts.texts("markdown", "\nA word.\n")] == ["A word."]
    odd = "class Ä:\n    'Ä’s own'\n    ä = 'ß'  # ö is a letter\n\n    def f(self): r'''raw text'''"
    assert [span.text for span in zh_texts.remarks(odd)] == ["Ä’s own", "ö is a letter", "raw text"]


def test_the_chinese_notebook_is_the_same_program_with_chinese_texts(translated, capsys):
    english, chinese = cells(translated / "01_circles.ipynb"), in_chinese(translated)
    assert list(chinese) == list(english)
    assert chinese["c"].source == CHINESE_CODE
    assert chinese["b"] == english["b"] and chinese["d"] == english["d"]
    assert chinese["c"].metadata["tags"] == ["model"]
    assert nbformat.read(translated / "zh" / "01_circles.ipynb", as_version=4).metadata["palm_utils_outputs"] == "stamp"
    assert cells(translated / "zh" / "solutions" / "01_circles.ipynb")["s"].source == "答案：`a[i](x)`"
    before = content(translated)  # which a second run does not change
    assert run(translated) == 0
    assert capsys.readouterr().out == "zh/01_circles.ipynb: no change\nzh/solutions/01_circles.ipynb: no change\n"
    assert run(translated, "export", "01") == run(translated, "import", "01") == 0
    assert content(translated) == before


def test_prose_whose_english_changed_is_kept_and_listed(translated, capsys):
    edit(translated / "01_circles.ipynb", "a", "# Round things")
    for _ in range(2):
        run(translated)
        assert "  English changed since: a\n" in capsys.readouterr().out
        assert in_chinese(translated)["a"].source.startswith("# 圆")
    assert translate(translated, a="# 圆形") == 0
    assert "changed since" not in capsys.readouterr().out
    assert in_chinese(translated)["a"].source == "# 圆形"


def test_a_translation_of_english_that_changed_after_the_export_is_not_lost(translated, capsys):
    english = translated / "01_circles.ipynb"
    edit(english, "a", "# Round things")
    file_of(translated, lambda text: text.replace("# 圆\n", "# 圆形\n"))
    edit(english, "a", "# Round things, once more")
    assert run(translated, "import", "01") == 0
    assert "English changed since: a" in capsys.readouterr().out
    assert in_chinese(translated)["a"].source.startswith("# 圆形")


def test_chinese_remarks_stay_where_code_changes_and_a_changed_remark_is_listed(translated, capsys):
    def changed(code):
        return code.replace("3 * x", "np.pi * x").replace("r * r", "r**2")

    edit(translated / "01_circles.ipynb", "c", changed(CODE))
    run(translated)
    assert in_chinese(translated)["c"].source == changed(CHINESE_CODE)
    assert capsys.readouterr().out.startswith("zh/01_circles.ipynb: brought up to date\nzh/solutions")
    edit(translated / "01_circles.ipynb", "c", f"# a new remark\n{CODE.replace('the square', 'squared')}")
    run(translated)
    assert in_chinese(translated)["c"].source == f"# a new remark\n{CHINESE_CODE.replace('平方', 'squared')}"
    assert "  not translated: c/1, c/3\n" in capsys.readouterr().out


def test_of_edits_in_the_chinese_notebook_prose_is_kept_and_code_is_the_english_one_s_again(translated):
    edit(translated / "zh" / "01_circles.ipynb", "a", "# 圆形")
    edit(translated / "zh" / "01_circles.ipynb", "c", CHINESE_CODE.replace("3 * x", "4 * x"))
    run(translated)
    assert in_chinese(translated)["a"].source == "# 圆形"
    assert in_chinese(translated)["c"].source == CHINESE_CODE


def test_outputs_new_cells_and_order_come_from_the_english_chapter(translated, capsys):
    book = nbformat.read(translated / "01_circles.ipynb", as_version=4)
    first, *_, last = book.cells
    last.outputs = [new_output("stream", text="3.14\n")]
    store(translated / "01_circles.ipynb", ("d", last), ("e", new_markdown_cell("More.")), ("a", first))
    run(translated)
    chinese = in_chinese(translated)
    assert list(chinese) == ["d", "e", "a"]
    assert chinese["d"].outputs[0].text == "3.14\n"
    assert chinese["e"].source == "More." and chinese["a"].source.startswith("# 圆")
    assert "  not translated: e\n" in capsys.readouterr().out


def test_prose_follows_its_english_to_another_cell_and_notebook(translated):
    english = translated / "01_circles.ipynb"
    store(translated / "02_squares.ipynb", ("x", new_code_cell(CODE)), ("y", new_markdown_cell("Squares.")))
    edit(english, "b", "Solutions: `a[i](x)`")
    run(translated)
    assert in_chinese(translated)["b"].source == "答案：`a[i](x)`"
    assert translate(translated, "02", y="正方形。") == 0
    assert cells(translated / "zh" / "02_squares.ipynb")["x"].source == CHINESE_CODE


def test_what_the_package_says_to_the_student_is_said_in_chinese(translated, capsys):
    said = new_code_cell("import os\n\nprint('1 done', os.environ['PALM_LANG'])", metadata={"tags": ["progress"]})
    said.outputs = [new_output("stream", text="1 done\n")]
    silent = new_code_cell(said.source, metadata={"tags": ["progress"]})
    store(translated / "01_circles.ipynb", ("p", said), ("q", silent))
    assert run(translated) == 0
    chinese = in_chinese(translated)
    assert [output.text for output in chinese["p"].outputs] == ["1 done zh_CN\n"]
    assert chinese["q"].outputs == []
    before = content(translated)
    edit(translated / "01_circles.ipynb", "p", "1 / 0")
    assert run(translated) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert content(translated) == before


def test_links_point_to_chinese_chapters_where_there_are_some(translated):
    source = in_chinese(translated)["a"].source
    assert "[下一章](../02_squares.ipynb)" in source and "[数据](../../data/README.md)" in source
    store(translated / "02_squares.ipynb", ("y", new_markdown_cell("Squares.")))
    assert translate(translated, "02", y="正方形，[网页](https://example.org/x)，[前](01_circles.ipynb)。") == 0
    source = in_chinese(translated)["a"].source
    assert "[下一章](02_squares.ipynb)" in source and "[数据](../../data/README.md)" in source
    squares = cells(translated / "zh" / "02_squares.ipynb")["y"].source
    assert "[网页](https://example.org/x)，[前](01_circles.ipynb)" in squares


@pytest.mark.parametrize(
    "chinese", [{"c/2": "两行\n注释"}, {"c/1": '圆"""的面积'}, {"c/2": "→"}, {"c/1": "反斜杠\\"}, {"a": "$x$"}]
)
def test_a_translation_that_would_change_the_cell_is_refused_and_nothing_is_written(course, capsys, chinese):
    assert translate(course, **chinese) == 1
    assert "01_circles, cell " in capsys.readouterr().err
    assert not (course / "zh").exists()


def test_a_file_with_translations_that_were_not_imported_is_not_replaced(course, capsys):
    path = file_of(course, lambda text: text.replace("%% zh\n", "%% zh\n圆\n", 1))
    before = path.read_bytes()
    assert run(course, "export", "01") == 1
    assert "not imported (a)" in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [("%% zh\n", "", 'line 7: after each "%% NAME"'), ("%% a new\n", "", ""), ("%% a new\n", "%% zh\n%% a new\n", "")],
)
def test_a_damaged_file_is_refused(course, capsys, old, new, complaint):
    file_of(course, lambda text: text.replace(old, new, 1))
    assert run(course, "import", "01") == 1
    error = capsys.readouterr().err
    assert complaint in error and 'after each "%% NAME" comes one "%% zh"' in error
    assert not (course / "zh").exists()


def test_what_is_missing_on_either_side_is_listed(translated, capsys):
    file_of(translated)
    store(translated / "01_circles.ipynb", ("b", new_markdown_cell("$$\\pi r^2$$")))
    assert run(translated, "import", "01") == 0
    assert "a is in the English chapter no more" in capsys.readouterr().out
    store(translated / "02_squares.ipynb", ("y", new_markdown_cell("Squares.")))
    (translated / "solutions" / "01_circles.ipynb").unlink()
    run(translated)
    out = capsys.readouterr().out
    assert "zh/02_squares.ipynb: not begun" in out
    assert "zh/solutions/01_circles.ipynb: its English notebook is gone" in out


def test_unknown_chapters_and_missing_files_are_named(course, capsys):
    assert run(course, "export", "07") == 1
    assert "No chapter starts with '07'" in capsys.readouterr().err
    assert run(course, "import", "01") == 1
    assert "`export 01` writes it" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(course, "export")
    assert "say which chapter" in capsys.readouterr().err
