"""What the reading copy makes of links, docstrings, figures, the README and the results."""

import re
import sys
from importlib import import_module
from pathlib import Path

import nbformat
import pytest

from palm_course.results import stored
from palm_utils.messages import DataError

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "book"))

NAMES = ("api_pages", "docstrings", "hosting", "links", "notebook_pages", "readme", "results_page", "words")
api_pages, docstrings, hosting, links, notebook_pages, readme, results_page, words = map(import_module, NAMES)
WORDS = words.WORDS

PAGES = {
    "notebooks/02_ichallenge_pm.ipynb": "02_ichallenge_pm.ipynb",
    "results": "results.md",
    "README.md": "guide.md",
    "notebooks/zh/01_lenet_mnist.ipynb": "zh/01_lenet_mnist.html",
}


def relinked(text, place="notebooks/01_lenet_mnist.ipynb", page="01_lenet_mnist.ipynb", repository=""):
    return links.relink(text, place, page, PAGES, repository)


def test_links_between_chapters_lead_to_pages():
    assert relinked("see [chapter 2](02_ichallenge_pm.ipynb#top)") == "see [chapter 2](02_ichallenge_pm.ipynb#top)"
    assert relinked("[results](../results/)") == "[results](results.md)"
    assert relinked("[chapter 2](../02_ichallenge_pm.ipynb)", "notebooks/solutions/x.ipynb", "solutions/x.ipynb") == (
        "[chapter 2](../02_ichallenge_pm.ipynb)"
    )


def test_a_link_into_the_other_edition_is_html():
    assert relinked("[中文](zh/01_lenet_mnist.ipynb)") == '<a href="zh/01_lenet_mnist.html">中文</a>'


def test_links_into_the_repository_need_a_host():
    text = "[`LICENSE`](../LICENSE) and [tests](../tests/)"
    assert relinked(text) == "`LICENSE` and tests"
    at = "https://example.org/us/course"
    hosted = f"[`LICENSE`]({at}/blob/main/LICENSE) and [tests]({at}/blob/main/tests)"
    assert relinked(text, repository=at) == hosted


@pytest.mark.parametrize(
    "text",
    ["[a](https://example.org/x)", "[a](#here)", "`[a](b.md)`", "```\n[a](b.md)\n```", "![a](picture.png)"],
)
def test_other_links_and_code_stay(text):
    assert relinked(text) == text


def test_hosting_is_one_setting():
    assert hosting.REPOSITORY == "" or hosting.REPOSITORY.startswith("https://")
    assert hosting.source_url("a b.py", "") == hosting.run_url("x.ipynb", "") == ""
    assert hosting.source_url("a b.py", "https://h.org/r") == "https://h.org/r/blob/main/a%20b.py"
    assert hosting.run_url("n/x.ipynb", "https://h.org/r").endswith("https%3A%2F%2Fh.org%2Fr/main?labpath=n%2Fx.ipynb")


def test_docstrings_become_restructuredtext():
    text = """Return *all* of `files_`.

labels: of shape [N], as
   read. Used as::

    f(*args)

Raises:
    DataError: the file `x` is damaged; it
        names the line_.
    OSError: never."""
    assert docstrings.to_rst(text.splitlines()) == [
        "Return \\*all\\* of \\ ``files_``\\ .",
        "",
        "labels: of shape [N], as read. Used as::",
        "",
        "       f(*args)",
        "",
        "Raises:",
        "",
        "- ``DataError``: the file \\ ``x``\\  is damaged; it names the line\\_.",
        "- ``OSError``: never.",
        "",
    ]


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ('figures.image_grid(images, title="Twelve digits")', "Twelve digits"),
        ('figures.image_grid(images, title=f"A {x} of {y}")', "A … of …"),
        ('title = "Two\\n lines"\nfigures.bars(a, title)', "Two lines"),
        ('t = "By name"\nfigures.bars(a, title=t)', "By name"),
        ('fig.suptitle("Above")', "Above"),
        ("plt.plot(x)", ""),
        ("not python", ""),
    ],
)
def test_the_title_of_a_figure_is_read_from_its_cell(source, title):
    assert notebook_pages.figure_title(source) == title


def test_every_figure_of_the_chapters_is_described():
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        book = nbformat.read(path, as_version=4)
        before = [(cell.source, cell.get("outputs")) for cell in book.cells if cell.cell_type == "code"]
        notebook_pages.prepare(book, lambda text: text, WORDS["en"])
        assert before == [(cell.source, cell.get("outputs")) for cell in book.cells if cell.cell_type == "code"]
        for cell in book.cells:
            if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
                assert re.fullmatch(r"Figure(: | in the section ).+", cell.metadata["mystnb"]["image"]["alt"])


def test_every_chapter_has_a_picture():
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        book = nbformat.read(path, as_version=4)
        outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
        assert notebook_pages.PICTURES[path.stem] in {cell.id for cell in book.cells}
        # A chapter that has just been edited is without outputs until `make course`.
        if any("image/png" in output.get("data", {}) for output in outputs):
            assert notebook_pages.picture_of(book, path.stem).startswith(b"\x89PNG")


def test_the_readme_is_taken_apart_and_nothing_is_lost():
    text = readme.without_pictures((ROOT / "README.md").read_text(encoding="utf-8"))
    about = readme.read(text)
    chapters = {path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")}
    assert set(about.chapters) == chapters
    assert all(c.title and c.builds and c.claim and c.measured for c in about.chapters.values())
    for part in (about.intro, about.below_chapters, about.rest):
        assert part and set(part.splitlines()) <= set(text.splitlines())
    rows = [line for line in text.splitlines() if line.startswith("|") and "(notebooks/" in line]
    assert len(rows) == len(chapters)
    kept = len(about.intro) + len(about.below_chapters) + len(about.rest) + len("\n".join(rows))
    assert 0 <= len(text) - kept < 250  # the title, the section's heading, the table's head, blank lines


@pytest.mark.parametrize(
    "picture",
    [
        "![the book](docs/images/book-front.png)",
        "[![the book](docs/images/book-front.png)](docs/images/book-front.png)",
        '<img src="docs/images/book-phone.png" width="200" alt="">',
    ],
)
def test_pictures_of_the_book_are_no_part_of_it(picture):
    assert readme.read(f"# A\n\nbefore {picture}after\n").intro == "before after"


def test_pictures_from_elsewhere_and_links_stay():
    text = "[a](b.md) ![c](https://example.org/c.png)"
    assert readme.read(f"# A\n\n{text}\n").intro == text


def test_cards_are_html_that_escapes():
    chapter = readme.read("# A\n\nb\n\n## C\n\n| 1 | [x](notebooks/01_a.ipynb) | `a < b` | c | d |\n").chapters["01_a"]
    card = readme.cards([("01_a", chapter, "_static/a.png")], WORDS["en"])
    assert '<a class="card" href="01_a.html">' in card and "<code>a &lt; b</code>" in card


def test_both_languages_have_the_same_words():
    assert WORDS["en"].keys() == WORDS["zh"].keys()


def test_modules_are_listed_in_the_order_of_the_package():
    found = api_pages.modules(ROOT / "palm_utils")
    assert {"datasets", "readers", "training"} <= set(found)
    assert all(api_pages.summary(ROOT / "palm_utils", name) for name in found)
    assert ":imported-members:" in api_pages.page(ROOT / "palm_utils", "datasets")
    assert ":imported-members:" not in api_pages.page(ROOT / "palm_utils", "readers")


@pytest.mark.parametrize("edition", ["en", "zh"])
def test_the_page_of_results_shows_what_is_stored(edition):
    page = results_page.page(edition, "Title", {"03_alexnet": "3 AlexNet"})
    for network in ("01_lenet_mnist:LeNet", "03_alexnet:AlexNet"):
        for history in stored.load(network, "tutorial").values():
            assert f"| {100 * history.last['valid_accuracy']:.1f} |" in page
    assert f"| {stored.spread([100 * h.last['valid_accuracy'] for h in _alexnet()])} |" in page


def _alexnet():
    return stored.load("03_alexnet:AlexNet", "tutorial").values()


def test_without_results_the_page_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(stored, "FOLDER", tmp_path)
    page = results_page.page("en", "Title", {})
    assert "not measured yet" in page and "###" not in page


def test_a_damaged_result_stops_the_book(monkeypatch, tmp_path):
    monkeypatch.setattr(stored, "FOLDER", tmp_path)
    path = tmp_path / "03_alexnet" / "AlexNet-tutorial-seed0.json"
    path.parent.mkdir()
    path.write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="not a stored result"):
        results_page.page("en", "Title", {})
