"""Every page of the book, on a phone and on a desk, light and dark."""

import re

import pytest

from conftest import BOOK

PAGES = sorted(str(path.relative_to(BOOK).as_posix()) for path in BOOK.rglob("*.html"))

# Formulas that were not turned into MathML.
RAW_FORMULA = r"\$\$|\\\(|\\\[|\\frac|\\sqrt|\\sum"
DRAWN = "() => [...document.images].every(i => i.complete)"
NOT_DRAWN = "() => [...document.images].filter(i => !i.naturalWidth).map(i => i.src)"
WITHOUT_ALT = "() => [...document.images].filter(i => !i.hasAttribute('alt')).map(i => i.src)"
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# The page could hide what it cuts off: nothing of the text may reach over the edge, but for what scrolls by itself.
CUT_OFF = """() => [...document.querySelectorAll('article *')]
    .filter(e => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1)
    .filter(e => !e.closest('pre, .table-wrapper, .formula, .cell_output, .visually-hidden'))
    .map(e => e.outerHTML.slice(0, 120))"""
PROSE = """() => { const a = document.querySelector('article').cloneNode(true);
    a.querySelectorAll('pre, code, math').forEach(e => e.remove()); return a.textContent; }"""
UNSET = """() => [...document.querySelectorAll('math')]
    .filter(m => !m.getBoundingClientRect().width || m.querySelector('merror')).map(m => m.textContent)"""


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_is_whole_in_light_and_dark(open_page, path, width):
    watched = open_page(path, width, color_scheme="light")
    page = watched.page
    page.wait_for_function(DRAWN)
    assert page.evaluate(NOT_DRAWN) == []
    assert page.evaluate(WITHOUT_ALT) == []
    assert page.evaluate(UNSET) == []
    assert not re.search(RAW_FORMULA, page.evaluate(PROSE))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(TOO_WIDE) <= 0
        assert page.evaluate(CUT_OFF) == []
        if scheme == "light" or width > 1000:  # the width has no colours
            faults = faults_of_access(page, contrast=width > 1000, alone=scheme == "dark")
            assert not faults, "\n".join([scheme, *faults])
    assert watched.faults == []


def faults_of_access(page, *, contrast: bool, alone: bool = False, code: bool = False) -> list[str]:
    """Return what axe finds wrong.

    contrast: whether colours are looked at, which takes most of the time; alone: nothing else; code: those of
    the thousand words of code as well.
    """
    from axe_playwright_python.sync_playwright import Axe

    options = {"runOnly": ["color-contrast"]} if alone else {"rules": {"color-contrast": {"enabled": contrast}}}
    context = {"exclude": [] if code else [["div.highlight pre"]]}
    found = Axe().run(page, context=context, options=options).response["violations"]
    return [f"{v['id']}: {node['html'][:160]}" for v in found for node in v["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_of_code_can_be_told_from_its_ground(open_page, scheme):
    page = open_page(next(path for path in PAGES if path.startswith("01_")), color_scheme=scheme).page
    assert faults_of_access(page, contrast=True, alone=True, code=True) == []


def test_dark_and_light_differ_and_figures_keep_their_ground(open_page):
    background = "e => getComputedStyle(e).backgroundColor"
    chapter = next(path for path in PAGES if path.startswith("01_"))
    light, dark = (open_page(chapter, color_scheme=scheme).page for scheme in ("light", "dark"))
    assert light.locator("body").evaluate(background) != dark.locator("body").evaluate(background)
    assert dark.locator(".cell_output img").first.evaluate(background) == "rgb(255, 255, 255)"


def test_on_paper_there_is_the_text_alone(open_page):
    page = open_page(next(path for path in PAGES if path.startswith("01_"))).page
    page.emulate_media(media="print")
    assert page.locator("article h1").is_visible()
    for gone in (".sidebar-drawer", ".toc-drawer", ".mobile-header", ".copybtn", ".related-pages", ".skip-to-content"):
        assert not page.locator(gone).first.is_visible(), gone
    # Long lines of code are broken, not cut off.
    assert page.evaluate("() => [...document.querySelectorAll('pre')].every(e => e.scrollWidth <= e.clientWidth + 1)")
