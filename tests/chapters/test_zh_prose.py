"""The Chinese edition as text: what the English says, set as Chinese is, in the words of the glossary."""

import re

from editions import MARKDOWN, OTHER_WORDS, course, each_pair, edition, entries, inline, pair, prose, zh_form

__all__ = ["course", "edition", "entries", "pair", "prose"]  # fixtures


def build(source):
    """What a markdown text consists of (headings, lists, tables, …), paragraphs apart."""
    found = [token.type + token.tag for token in MARKDOWN.parse(source)]
    return [kind for kind in found if not kind.startswith(("paragraph", "inline"))]


@each_pair
def test_prose_has_the_same_build(prose):
    for english, chinese in prose:
        assert build(chinese.source) == build(english.source), english.id


# "two" and "50" may be words in one language and digits in the other; these are digits in both.
FIGURE = re.compile(r"\d+(?:,\d{3})+|\d+\.\d+|\d+%|\d{3,}")
# 134 million is 1.34 亿.
AMOUNT = re.compile(r"(\d[\d,.]*) ?(million|billion|万|亿)")
WORTH = {"million": 10**6, "billion": 10**9, "万": 10**4, "亿": 10**8}
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", re.S)


@each_pair
def test_prose_has_the_same_code_formulas_and_figures(prose):
    for english, chinese in prose:
        old, new = english.source.replace(" %", "%"), chinese.source
        fences, fences_new = ([t.content for t in MARKDOWN.parse(text) if t.type == "fence"] for text in (old, new))
        assert fences_new == fences, english.id
        code, code_new = ({t.content for t in inline(text, "code_inline")} for text in (old, new))
        assert code <= code_new <= code | set(" ".join(fences).split()), english.id
        assert sorted(FORMULA.findall(new)) == sorted(FORMULA.findall(old)), english.id
        assert figures_missing(old, new) == set(), english.id


def figures_missing(english, chinese):
    """The figures of the English text that the Chinese one has neither as they are nor as the same amount."""
    said = amounts(chinese).values()
    equal = {figure for figure, amount in amounts(english).items() if amount in said}
    return set(FIGURE.findall(english)) - set(FIGURE.findall(chinese)) - equal


def amounts(text):
    found = {figure.rstrip(",."): word for figure, word in AMOUNT.findall(text)}
    return {figure: round(float(figure.replace(",", "")) * WORTH[word]) for figure, word in found.items()}


@each_pair
def test_prose_is_set_as_chinese_is(prose):
    assert {cell.id: found for _, cell in prose if (found := zh_form.faults(cell.source))} == {}


@each_pair
def test_terms_are_those_of_the_glossary(entries):
    assert len(OTHER_WORDS) > 20
    for entry in entries:
        for word, right in OTHER_WORDS.items():
            assert word not in entry.chinese, f"{entry.name}: {word}; the course says {right}"
