"""The Chinese edition: the same notebooks as the English ones, as `make sync-zh` leaves them."""

import copy
import os
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from editions import ENGLISH, FOLDER, PAIRS, course, each_pair, edition, entries, inline, pair, prose, read
from matplotlib.text import Text
from test_figures import every_figure

from palm_utils.history import History

__all__ = ["course", "edition", "entries", "pair", "prose"]  # fixtures

# Chapters, with their solutions, that have no Chinese edition yet.
NOT_YET: set[str] = set()
CHINESE = re.compile(r"[\u3400-\u9fff]")
# What a first cell says in a kernel without the course, in both languages.
GUARD = re.compile(r"raise ModuleNotFoundError\(.*?\n    \)", re.S)


def test_every_chapter_has_a_chinese_edition_but_those_that_are_listed():
    assert {path for path in ENGLISH if path not in PAIRS} == {path for path in ENGLISH if path.stem in NOT_YET}
    assert {path.stem for path in ENGLISH} >= NOT_YET


@each_pair
def test_no_figure_of_a_chapter_s_own_code_needs_glyphs_that_its_font_may_lack(pair):
    """All that it shows are strings of the code, the English notebook's. Diagrams of words: course/test_words.py."""
    code = {cell.id: GUARD.sub("", cell.source) for cell, _ in pair if cell.cell_type == "code"}
    assert [name for name, source in code.items() if CHINESE.search(source)] == []


def test_curves_and_pictures_of_the_package_stay_english(monkeypatch):
    monkeypatch.setenv("PALM_LANG", "zh")
    history = History()
    history.add(0, 0.7, 0.6, 0.5, seconds=1.0)
    drawn = [text.get_text() for figure in every_figure(history) for text in figure.findobj(Text)]
    plt.close("all")
    assert "not PM" in drawn and len(drawn) > 100
    assert [text for text in drawn if CHINESE.search(text)] == []


@each_pair
def test_everything_is_translated_from_today_s_english(entries):
    assert [entry.name for entry in entries if entry.state != "done"] == []
    assert [entry.name for entry in entries if not CHINESE.search(entry.chinese)] == []


def without_pixels(cell):
    """The cell; of an image there is only that it is there: its bytes depend on the fonts and on matplotlib."""
    cell = copy.deepcopy(cell)
    for output in cell.get("outputs", []):
        output.get("data", {}).update({kind: "" for kind in output.get("data", {}) if kind.startswith("image/")})
    return cell


def test_sync_finds_nothing_to_do(edition, course):
    """Among the rest: what the exercises' checks have printed is what they say in Chinese today."""
    books = edition.translate([course / name for name in PAIRS])
    for name in PAIRS:
        found = read(course / "zh" / name)
        assert books[course / name].metadata == found.metadata
        for expected, cell in zip(books[course / name].cells, found.cells, strict=True):
            assert without_pixels(cell) == without_pixels(expected), cell.id


def test_the_same_english_has_the_same_chinese(edition):
    found = {}
    for entry in edition.entries(edition.begun):
        assert found.setdefault(entry.english, entry.chinese) == entry.chinese, entry.name


def links(cell):
    return [token.attrs["href"] for token in inline(cell.source, "link_open")]


@each_pair
def test_links_lead_to_the_same_places_in_chinese(prose, name):
    for english, chinese in prose:
        expected = []
        for link in links(english):
            target = Path(os.path.normpath(name.parent / link))
            if re.match(r"[a-z]+:|#", link):
                expected.append({link, re.sub(r"/docs/en/(.*)_en\.html", r"/docs/zh/\1_cn.html", link)})
            elif target in PAIRS:
                expected.append({Path(os.path.relpath(target, name.parent)).as_posix()})
            else:
                expected.append({Path(os.path.relpath(FOLDER / target, FOLDER / "zh" / name.parent)).as_posix()})
        found = links(chinese)
        assert len(found) == len(expected), english.id
        for link, allowed in zip(sorted(found), sorted(expected, key=min), strict=True):
            assert link in allowed, english.id


@pytest.mark.parametrize("path", [*ENGLISH, *(Path("zh") / path for path in PAIRS)], ids=lambda path: path.as_posix())
def test_every_relative_link_resolves(course, path):
    for cell in read(course / path).cells:
        for link in links(cell) if cell.cell_type == "markdown" else []:
            if not re.match(r"[a-z]+:|#", link):
                assert (FOLDER / path.parent / link.split("#")[0]).exists(), (cell.id, link)
