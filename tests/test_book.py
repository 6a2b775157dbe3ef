"""What the reading copy makes of links, docstrings, figures, the README and the results."""

import re
import sys
from importlib import import_module
from pathlib import Path

import nbformat
import pytest

from palm_course.results import stored

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "book"))

pages, readme, results_page, words = map(import_module, ("pages", "readme", "results_page", "words"))
WORDS = words.WORDS
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


@pytest.mark.parametrize(
    ("edition", "page", "text", "expected"),
    [
        ("en", "01_lenet_mnist", "see [2](02_ichallenge_pm.ipynb#top)", "see [2](02_ichallenge_pm.ipynb#top)"),
        ("en", "01_lenet_mnist", "[results](../results/)", "[results](results.md)"),
        ("en", "index", "[`palm_utils`](palm_utils/__init__.py)", "[`palm_utils`](api.md)"),
        ("en", "solutions/01_lenet_mnist", "[1](../01_lenet_mnist.ipynb)", "[1](../01_lenet_mnist.ipynb)"),
        ("zh", "index", "[1](notebooks/zh/01_lenet_mnist.ipynb)", "[1](01_lenet_mnist.ipynb)"),
        ("zh", "glossary", "[1](../notebooks/01_lenet_mnist.ipynb)", "[1](01_lenet_mnist.ipynb)"),
        ("en", "index", "[1](notebooks/zh/01_lenet_mnist.ipynb)", '<a href="zh/01_lenet_mnist.html">1</a>'),
        ("en", "solutions/03_alexnet", "[3](../zh/03_alexnet.ipynb)", '<a href="../zh/03_alexnet.html">3</a>'),
        ("zh", "index", "[data](data/README.zh-CN.md)", "[data](data.md)"),
        ("en", "index", "[data](data/README.zh-CN.md)", '<a href="zh/data.html">data</a>'),
        ("en", "01_lenet_mnist", "[`LICENSE`](../LICENSE) and [tests](../tests/)", "`LICENSE` and tests"),
    ],
)  # fmt: skip
def test_links_lead_to_pages_and_what_is_no_page_is_plain_text(edition, page, text, expected):
    assert pages.relink(text, edition, page) == expected


@pytest.mark.parametrize(
    "text", ["[a](https://example.org/x)", "[a](#here)", "`[a](b.md)`", "```\n[a](b.md)\n```", "![a](picture.png)"]
)
def test_other_links_and_code_stay(text):
    assert pages.relink(text, "en", "01_lenet_mnist") == text


@pytest.mark.parametrize("path", [*CHAPTERS, *(ROOT / "notebooks" / "zh").glob("0*.ipynb")], ids=lambda path: path.stem)
def test_docutils_takes_two_digits_behind_frac_for_one_number(path):
    formulas = " ".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    assert re.findall(r"\\[dt]?frac\s*\d\d?", formulas) == []


def test_where_the_repository_is_hosted_links_lead_there(monkeypatch):
    monkeypatch.setattr(pages, "REPOSITORY", "https://example.org/us/course")
    hosted = "[tests](https://example.org/us/course/blob/main/tests)"
    assert pages.relink("[tests](../tests/)", "en", "01_lenet_mnist") == hosted


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_figure_of_a_chapter_is_described_and_one_is_its_picture(path):
    book = nbformat.read(path, as_version=4)
    assert pages.PICTURES[path.stem] in {cell.id for cell in book.cells}
    before = [(cell.source, cell.get("outputs")) for cell in book.cells if cell.cell_type == "code"]
    pages.prepare(book, "en", path.stem)
    assert before == [(cell.source, cell.get("outputs")) for cell in book.cells if cell.cell_type == "code"]
    figures = [cell for cell in book.cells if any("image/png" in o.get("data", {}) for o in cell.get("outputs", []))]
    assert all(re.fullmatch(r"Figure: .+", cell.metadata["mystnb"]["image"]["alt"]) for cell in figures)
    # A chapter that has just been edited is without outputs until `make course`.
    assert not figures or pages.picture_of(book, path.stem).startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_is_taken_apart_and_nothing_is_lost(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    about = readme.read(text)
    assert set(about.chapters) == {path.stem for path in CHAPTERS}
    assert all(len(cells) == 5 and all(cells) for cells in about.chapters.values())
    kept = len(about.intro) + len(about.below_chapters) + len(about.rest)
    elsewhere = [line for line in text.splitlines() if re.search(r"<img|^\|.*\(notebooks/", line)]
    # The title, the section's heading, the table's head, blank lines.
    assert 0 <= len(text) - kept - len("\n".join(elsewhere)) < 250


@pytest.mark.parametrize(
    "picture",
    [
        "[![the book](docs/images/book-front.png)](docs/images/book-front.png)",
        '<img src="docs/images/book-phone.png" width="200" alt="">',
    ],
)
def test_pictures_of_the_book_are_no_part_of_it(picture):
    assert readme.read(f"# A\n\nbefore {picture}after\n").intro == "before after"
    text = "[a](b.md) ![c](https://example.org/c.png)"
    assert readme.read(f"# A\n\n{text}\n").intro == text


def test_cards_are_html_that_escapes():
    about = readme.read("# A\n\nb\n\n## C\n\n| 1 | [x](notebooks/01_a.ipynb) | `a < b` | c | d |\n")
    front = readme.front(about, [("01_a", "1 x", "_static/a.png")], WORDS["en"])
    assert '<a class="card" href="01_a.html">' in front and "<code>a &lt; b</code>" in front


def test_the_packages_are_shown_without_old_names_and_single_exercises():
    assert {"palm_utils.datasets", "palm_utils.readers", "palm_utils.training"} <= set(pages.modules("palm_utils"))
    found = pages.modules("palm_course")
    assert {"palm_course.exercises", "palm_course.students.grade"} <= set(found)
    assert not any("chapter_0" in name or "._" in name for name in found)


@pytest.mark.parametrize("edition", ["en", "zh"])
def test_the_page_of_results_shows_what_is_stored(edition):
    page = results_page.page(edition, "Title", {"03_alexnet": "3 AlexNet"})
    for network in ("01_lenet_mnist:LeNet", "03_alexnet:AlexNet"):
        last = [history.last for history in stored.load(network, "tutorial").values()]
        assert f"| {stored.each(last)} |" in page


def test_without_results_the_page_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(stored, "FOLDER", tmp_path)
    page = results_page.page("en", "Title", {})
    assert "not measured yet" in page and "###" not in page
