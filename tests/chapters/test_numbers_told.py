"""Each figure in the prose of a chapter, in both languages, is accounted for.

Its section's cells print it or compute with it, a stored result holds it, or the list below says where it is from.
"""

import re

import pytest
from editions import PAIRS, course, read

from palm_course.results import stored

__all__ = ["course"]  # a fixture

FIGURE = re.compile(r"(?<![\w.^])(\d[\d,]*(?:\.\d+)?)(?:\s*(million|billion|M|万|亿))?")
UNITS = {"": 1, "million": 1e6, "billion": 1e9, "M": 1e6, "万": 1e4, "亿": 1e8}
# What is read no figure in: code, addresses, headings, years, and the numbers of sections and figures.
_PLACES = r"\d+\.\d+(?:(?:,| and| to| 和|、| 至) ?\d+\.\d+)*"
ASIDE = re.compile(
    r"```.*?```|`[^`\n]*`|\]\([^)]*\)|^#.*?$|\b(?:19|20)\d\ds?\b"
    rf"|(?:sections?|figures?|exercises?|图|练习) ?{_PLACES}|{_PLACES}(?= ?节)",
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)
# By chapter: what the cells of the section neither print nor compute with.
FROM_ELSEWHERE = {
    "01": {
        "the range of a byte": "255",
        "products and sums that the sentence spells out": "153,600 2,416 4640",
        "an examiner's made-up loss, and ln 10": "9.7 2.3",
        "learning rates to try": "0.01 0.001",
    },
    "02": {
        "the data set: size of a photograph, eyes with PM and without": "2124 213 189 187",
        "quotients and differences of the numbers beside them": "99.8 399",
        "the name of the digest": "256",
        "the recipe: momentum and learning rate": "0.9 0.001",
        "an examiner's made-up accuracy": "0.53",
    },
    "03": {
        "errors on ImageNet, by the papers": "26.2 15.3",
        "a product that the sentence spells out": "784",
        "recipes, and the size of a layer": "0.001 0.9 4,096 0.95",
        "in test_results_told: the AUC": "0.92",
    },
    "04": {
        "sizes of the network's maps and fields": "256 512 112 212",
        "losses and a mean, in test_results_told": "0.12 0.13 0.17 95.1",
        "a figure of chapter 3": "7.3",
        "put into the formula of the standard error": "0.95 0.05",
    },
    "05": {
        "the paper: the weight of an auxiliary head, its table of channels": "0.3 192 832 1,024",
        "parameters of VGG-16": "134 million",
        "a question's choices, an examiner's made-up case": "0.75 0.53 0.98",
        "a mean, in test_results_told": "96.35",
    },
    "06": {
        "depths and errors, by the papers": "152 101 1202 6.4 7.0 7.9 3.8 billion 4.1 billion 3.6 4.49",
        "put into formulas, and ln 2": "1.1 0.9 0.1 0.693",
        "13 x 13 places; scale and bias of 512 and 384 channels": "169 1,024 768",
        "a change from epoch to epoch, a difference of means, in test_results_told": "2.5 3.1",
        "learning rates to try": "0.05 0.002",
    },
    "07": {
        "the MindSpore tutorial's accuracy": "0.754",
        "guessing among ten classes, smoothed labels, ln 91": "0.1 0.91 4.5 0.02",
        "the schedule's corners in its formula": "0.2 0.8 0.93",
        "sizes of bytes and photographs": "255 224",
        "parameters of ResNet-50, from section 7.4": "23.5 million",
        "the published recipe's batches": "1,024",
        "Student's t for 95 % and three runs": "4.3",
        "a run of section 7.7 on another processor": "94.3 98.0",
    },
    "08": {
        "the data set: eyes without PM, and normal ones": "187 189 161",
        "numbers that ResNet-50's last layer gets": "2,048",
        "photographs of RETFound, by its paper": "1.6 million",
        "what an examiner or an exercise asks": "0.53 0.08 0.05 0.01",
        "100 % minus the specificity printed, 2 of 252": "1.59 0.008",
    },
}


def figures(text):
    """Yield each figure of a text that says something: with a decimal point, or with three digits and more."""
    for number, unit in FIGURE.findall(ASIDE.sub(" ", text)):
        number = number.rstrip(",")
        if "." in number or len(number.replace(",", "").strip("0")) > 2:
            yield number, unit


def value(number, unit=""):
    return round(float(number.replace(",", "")) * UNITS[unit], 6)


def sections(notebook):
    """Yield the cells of each section, up to the references."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and re.search("^## ", cell.source, re.MULTILINE):
            yield cells
            cells = []
        cells.append(cell)
    yield cells


def printed(cells):
    """The numbers that code cells hold and print."""
    texts = [cell.source.replace("_", "") for cell in cells if cell.cell_type == "code"]
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    texts += [output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs]
    found = re.findall(r"\d[\d,]*(?:\.\d+)?(?:e-\d+)?", "\n".join(texts))
    return {value(each.rstrip(",")) for each in found}


def measured(chapter):
    """The accuracies, in percent, that the stored runs of a chapter reached, epoch by epoch."""
    paths = [*stored.FOLDER.glob(f"{chapter}*/*.json")]
    every = [stored.read(path, lambda content: content["history"]["epochs"]) for path in paths]
    return {round(100 * row["valid_accuracy"], 4) for rows in every for row in rows}


def is_among(number, unit, values):
    """Whether one of the values, as it is or as a percentage, is written so when it is rounded."""
    digits, wanted = len(number.partition(".")[2]), value(number)
    scaled = (each * times / UNITS[unit] for each in values for times in (1, 100))
    return any(abs(round(each, digits) - wanted) < 1e-9 for each in scaled)


@pytest.mark.parametrize("name", [path.name for path in PAIRS if path.parent.name == ""])
def test_every_figure_is_accounted_for(course, name):
    every = [read(course / path.name) for path in PAIRS if path.parent.name == ""]
    elsewhere = measured(name[:2]) | {each for notebook in every for each in printed(notebook.cells) if each >= 10_000}
    left = {}
    for cells in [*sections(read(course / name)), *sections(read(course / "zh" / name))]:
        here = printed(cells)
        for cell in cells:
            if cell.cell_type != "markdown" or re.search("^### (Exercise|练习)", cell.source, re.MULTILINE):
                continue
            text = re.split("^## (?:References|参考)", cell.source, flags=re.MULTILINE)[0]
            for figure in figures(text):
                if value(*figure) not in elsewhere and not is_among(*figure, here):
                    left.setdefault(value(*figure), []).append((cell.id, *figure))
    listed = {value(*figure) for text in FROM_ELSEWHERE[name[:2]].values() for figure in FIGURE.findall(text)}
    assert {number: where for number, where in left.items() if number not in listed} == {}
    assert listed <= {*left}, "listed, but printed now or told no more"


def test_a_figure_that_no_cell_prints_is_found():
    assert list(figures("At 95.5 % of 400 eyes, see section 2.7, `0.123`; 72 million and 256.")) == [
        ("95.5", ""),
        ("256", ""),
    ]
    assert is_among("95.5", "", {0.955}) and is_among("72", "million", {71_916_929.0})
    assert not is_among("95.6", "", {0.955, 95.5})
