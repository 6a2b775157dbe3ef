"""Finding one's way in the book: search, the other language, the next page, the look, the copy buttons."""

import re

import pytest

from conftest import BOOK

EDITIONS = {"en": "", "zh": "zh/"}


def pages_of(folder: str) -> list[str]:
    """Return the chapters' pages of an edition."""
    return sorted(path.name for path in (BOOK / folder).glob("[0-9][0-9]_*.html"))


def search(page, word: str) -> list[str]:
    """Type a word into the search box, and return the addresses of what is found."""
    page.locator("input.sidebar-search").fill(word)
    page.locator("input.sidebar-search").press("Enter")
    # Sphinx counts the results on the page once it has them all, or says that there are none.
    page.wait_for_function("() => document.querySelector('#search-results .search-summary')?.textContent.match(/\\S/)")
    page.wait_for_function("() => !document.querySelector('#search-progress')?.textContent")
    return [link.get_attribute("href") for link in page.locator("#search-results ul.search li > a").all()]


@pytest.mark.parametrize("folder", EDITIONS.values(), ids=EDITIONS)
@pytest.mark.parametrize(
    ("word", "chapter"), [("Inception", "05_googlenet"), ("残差", "06_resnet"), ("残差块", "06_resnet")]
)
def test_search_finds_words_of_both_languages(open_page, folder, word, chapter):
    watched = open_page(f"{folder}index.html")
    found = [re.sub(r"[?#].*", "", address) for address in search(watched.page, word)]
    # The glossary has the words of both languages; a chapter those of its own.
    expected = {"glossary.html"} if (BOOK / folder / "glossary.html").is_file() else set()
    if f"{chapter}.html" in pages_of(folder) and (word.isascii() or folder):
        expected.add(f"{chapter}.html")
    assert expected and expected <= set(found)
    assert watched.faults == []


def test_a_result_leads_to_the_word(open_page):
    watched = open_page("index.html")
    search(watched.page, "momentum")
    watched.page.locator("#search-results ul.search li > a").first.click()
    watched.page.wait_for_load_state("load")
    assert re.search("momentum", watched.page.locator("article").inner_text(), re.IGNORECASE)
    assert watched.faults == []


@pytest.mark.parametrize("width", [390, 1280])
def test_the_other_language_is_one_click_away(open_page, width):
    chinese = pages_of("zh/")
    for name in ["index.html", "results.html", *pages_of("")]:
        watched = open_page(name, width)
        page = watched.page
        assert page.locator("html").get_attribute("lang") == "en"
        # On a phone the sidebar is out of sight, and the switch stands above the text.
        switch = page.locator(".edition-switch a" if width > 1000 else ".edition-here")
        assert (switch.inner_text(), switch.get_attribute("lang")) == ("中文", "zh")
        switch.click()
        page.wait_for_load_state("load")
        there = name if name in chinese or name in ("index.html", "results.html") else "index.html"
        assert page.url == f"{watched.address}zh/{there}"
        assert page.locator("html").get_attribute("lang") == "zh-CN"
        assert (switch.inner_text(), switch.get_attribute("lang")) == ("English", "en")
        switch.click()
        page.wait_for_load_state("load")
        assert page.url == watched.address + there
        assert watched.faults == []


@pytest.mark.parametrize("folder", EDITIONS.values(), ids=EDITIONS)
def test_next_leads_through_the_whole_book(open_page, folder):
    watched = open_page(f"{folder}index.html")
    seen = [watched.page.url]
    while (following := watched.page.locator("a.next-page")).count():
        following.click()
        watched.page.wait_for_url(lambda url: url != seen[-1])
        assert watched.page.url not in seen
        before = watched.page.locator("a.prev-page").evaluate("link => link.href")
        assert before.partition("#")[0] == seen[-1].partition("#")[0]
        seen.append(watched.page.url)
    own = [path for path in (BOOK / folder).rglob("*.html") if folder or "zh" not in path.relative_to(BOOK).parts]
    assert len(seen) == len([path for path in own if path.name != "search.html"])


def test_code_is_copied_and_output_is_not_offered(open_page):
    watched = open_page(pages_of("")[0], permissions=["clipboard-read", "clipboard-write"])
    cell = watched.page.locator(".cell_input").first
    cell.hover()
    cell.locator("button.copybtn").click()
    watched.page.wait_for_function("() => navigator.clipboard.readText().then(text => text.length > 0)")
    copied = watched.page.evaluate("() => navigator.clipboard.readText()")
    assert copied.strip() == cell.locator("pre").inner_text().strip()
    assert watched.page.locator(".cell_output button.copybtn").count() == 0
