"""The English and the Chinese notebooks, pair by pair, for the tests that compare them."""

import functools
import importlib
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from course_notebooks import read_committed
from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks"
sys.path.append(str(ROOT / "tools"))
sync_zh, zh_form, zh_outputs, zh_speech, zh_texts = (
    importlib.import_module(name) for name in ("sync_zh", "zh_form", "zh_outputs", "zh_speech", "zh_texts")
)

# Below the folder of the notebooks: those of the English edition, and those that the Chinese one has as well.
ENGLISH = [path.relative_to(FOLDER) for path in sync_zh.find(FOLDER)]
PAIRS = [path for path in ENGLISH if (FOLDER / "zh" / path).is_file()]
each_pair = pytest.mark.parametrize("name", PAIRS, ids=lambda name: name.with_suffix("").as_posix())

MARKDOWN = MarkdownIt("commonmark").enable("table")


@functools.cache
def read(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The notebooks of both editions as git has them, where a student has edited them; else as they are."""
    folder = tmp_path_factory.mktemp("course") / "notebooks"
    for path in [*ENGLISH, *(Path("zh") / path for path in PAIRS)]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        committed = read_committed(FOLDER / path)
        if committed is None:
            shutil.copy(FOLDER / path, folder / path)
        else:
            nbformat.write(committed, folder / path)
    return folder


@pytest.fixture(scope="module")
def edition(course):
    return sync_zh.Edition(course)


@pytest.fixture
def entries(edition, course, name):
    """The texts of an English notebook with their translations."""
    return edition.entries([course / name])


@pytest.fixture
def pair(course, name):
    """The cells of an English notebook, each with the one in its place in the Chinese notebook."""
    english, chinese = read(course / name), read(course / "zh" / name)
    assert [(cell.id, cell.cell_type) for cell in chinese.cells] == [(c.id, c.cell_type) for c in english.cells]
    assert chinese.metadata == english.metadata
    return list(zip(english.cells, chinese.cells, strict=True))


@pytest.fixture
def prose(pair):
    """The markdown cells of such a pair."""
    return [(english, chinese) for english, chinese in pair if english.cell_type == "markdown"]


def inline(source, kind):
    """The tokens of one kind inside the paragraphs, headings and table cells of a markdown text."""
    return [child for token in MARKDOWN.parse(source) for child in token.children or [] if child.type == kind]


def glossary():
    """The rows of docs/glossary.md: English, Chinese, meaning in both."""
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    rows = [[column.strip() for column in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in rows if len(row) == 4 and not set(row[0]) <= {"-"} and row[0] != "English"]


# Other words for a term that mean something else as well.
ORDINARY = {"轮", "周期", "迭代", "标注", "标准化", "规范化"}
OTHER_WORDS = {
    word: row[1]
    for row in glossary()
    for listed in re.findall("又译：(.*?)。", row[3])
    for word in re.split("[、，]", listed)
    if word not in ORDINARY
}
OTHER_WORDS |= {
    "学习速率": "学习率",
    "激励函数": "激活函数",
    "下采样层": "池化",
    "过度拟合": "过拟合",
    "全链接": "全连接",
}
