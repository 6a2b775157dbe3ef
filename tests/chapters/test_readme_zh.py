"""README.zh-CN.md beside README.md: all its parts, commands, links and figures, and a start for China besides."""

import re
import sys
from collections import Counter
from importlib import import_module
from itertools import pairwise

import pytest
from editions import MARKDOWN, OTHER_WORDS, ROOT, inline, zh_form

sys.path.append(str(ROOT / "book"))
readme = import_module("readme")

ENGLISH, CHINESE = "README.md", "README.zh-CN.md"
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in (ENGLISH, CHINESE)}
FOR_CHINA = "## 十分钟上手\n"  # with its subsections
FIGURE = re.compile(r"\d+\.\d+|\d+%")


def sections(text):
    """The text of each heading with what stands below it; first of all what stands above the title."""
    starts = [token.map[0] for token in MARKDOWN.parse(text) if token.type == "heading_open"]
    lines = text.splitlines(keepends=True)
    return ["".join(lines[start:end]) for start, end in zip([0, *starts], [*starts, None], strict=True)]


def links(text):
    """The targets of a text's links, in order."""
    return [token.attrs["href"] for token in inline(text, "link_open")]


def in_chinese(target):
    """What a link of README.md has to lead to in README.zh-CN.md: the Chinese page where there is one."""
    if target == CHINESE:
        return ENGLISH
    for found in (target.replace("notebooks/", "notebooks/zh/"), target.replace("README.md", "README.zh-CN.md")):
        if found != target and (ROOT / found).exists():
            return found
    return target


def facts(section):
    """What a section has in both languages, by what to call it."""
    tokens = MARKDOWN.parse(section)
    fences = [f"```{token.info}\n{token.content}" for token in tokens if token.type == "fence"]
    pictures = re.findall(r'<img\b[^>]*\bsrc="([^"]*)"|!\[[^\]]*\]\(([^)]*)\)', section)
    return {
        "headings": [token.tag for token in tokens if token.type == "heading_open"],
        "code blocks": [re.sub(r"\s+#.*", "", line) for fence in fences for line in fence.splitlines()],
        "links": sorted(links(section)),
        "pictures": [one or other for one, other in pictures],
        "rows of tables": rows(tokens),
        "lists": [token.type for token in tokens if token.type.endswith("list_open") or token.type == "list_item_open"],
        # A Chinese chapter is named with its folder: `make reset CH=zh/03`.
        "code": sorted({token.content.replace("zh/", "") for token in inline(section, "code_inline")}),
    }


def rows(tokens):
    """The rows of tables, each as the numbers of its cells that hold something."""
    found = []
    for token, content in pairwise(tokens):  # a row that is short of a cell has got an empty one
        if token.type == "tr_open":
            found.append([])
        elif token.type in ("th_open", "td_open"):
            found[-1].append(bool(content.content))
    return [str([number for number, filled in enumerate(row) if filled]) for row in found]


def differences(english, chinese):
    """What is not the same in two READMEs, each with the English heading below which it stands."""
    start, _, rest = chinese.partition(FOR_CHINA)
    shared = start + rest[rest.index("\n## ") + 1 :]
    ours, theirs = sections(english), sections(shared)
    if len(ours) != len(theirs):
        return [f"{len(ours) - 1} headings in one, {len(theirs) - 1} in the other"]
    found = []
    for old, new in zip(ours, theirs, strict=True):
        place = old.splitlines()[0] if old else "above the title"
        expected, shown = facts(old), facts(new)
        expected["links"] = sorted(in_chinese(target) for target in expected["links"])
        for what in shown:
            if missing := Counter(expected[what]) - Counter(shown[what]):
                found.append(f"{place}: {what}: missing {list(missing)}")
        missing = Counter(FIGURE.findall(old.replace(" %", "%"))) - Counter(FIGURE.findall(new))
        if missing:
            found.append(f"{place}: figures: missing {list(missing)}")
    return found


def test_everything_of_the_english_readme_is_in_the_chinese_one():
    assert differences(TEXTS[ENGLISH], TEXTS[CHINESE]) == []


def test_each_has_a_link_to_the_other_above_its_title():
    """There, the reading copy leaves it out: it has a language switch of its own."""
    for name, other in ((ENGLISH, CHINESE), (CHINESE, ENGLISH)):
        assert links(sections(TEXTS[name])[0]) == [other]
        assert other not in readme.read(TEXTS[name]).intro


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_and_picture_of_a_readme_is_there(name):
    for target in [*links(TEXTS[name]), *facts(TEXTS[name])["pictures"]]:
        assert re.match(r"[a-z]+:|#", target) or (ROOT / target.partition("#")[0]).exists(), target


def test_it_is_set_as_chinese_is():
    assert zh_form.faults(TEXTS[CHINESE]) == []


def test_its_terms_are_those_of_the_glossary():
    assert [word for word in OTHER_WORDS if word in TEXTS[CHINESE]] == []
