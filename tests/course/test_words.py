"""Diagrams of words: in Chinese where there is a font, in English where there is none, and never boxes."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from palm_course import diagrams, drawings, dropout_drawing, inception_drawings, shortcuts, timeline, words


@pytest.fixture(autouse=True)
def _chinese_kernel(monkeypatch):
    monkeypatch.setenv("PALM_LANG", "zh")
    words._chinese.cache_clear()
    yield
    words._chinese.cache_clear()
    plt.close("all")


def every_diagram():
    yield drawings.convolution(np.ones((4, 4)), np.ones((2, 2)), padding=1)
    yield drawings.channels(np.ones((2, 4, 4)), np.ones((3, 2, 2, 2)))
    yield timeline.draw()
    yield dropout_drawing.draw()
    yield inception_drawings.both(192, 64, (96, 128), (16, 32), 32, side=56)
    yield shortcuts.blocks([(1, "x", ["3×3, 64\nbatch norm"], "")], title="stage 1", size=(4, 5))
    yield shortcuts.network([("stage 1\n64×56×56", ["global\naverage pool"], [])], title="before")
    yield diagrams.flow({"a": (1, 1, "8 comparison\nand screening", "")}, [], title="What builds on what")


def texts(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_words_are_chinese_and_every_character_has_a_glyph():
    if not words._fonts():
        pytest.skip("no font with Chinese characters")
    for figure in every_diagram():
        assert any("\u4e00" <= letter <= "\u9fff" for letter in texts(figure))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # matplotlib warns of a missing glyph
            figure.canvas.draw()
    assert plt.rcParams["font.family"] == ["sans-serif"], "curves drawn later are as before"


def test_without_a_font_they_are_english(monkeypatch):
    monkeypatch.setattr(words, "FONTS", ("No Such Font",))
    for figure in every_diagram():
        assert not any(letter >= "\u4e00" for letter in texts(figure))
    assert words.word("stride {stride}, padding {padding}", stride=2, padding=1) == "stride 2, padding 1"


def test_a_text_is_translated_as_a_whole_or_line_by_line(monkeypatch):
    monkeypatch.setattr(words, "_fonts", lambda: ("any",))
    said = [words.word(text) for text in ("8 comparison\nand screening", "3×3, 64\nbatch norm, ReLU", "x\ny", "")]
    assert said == ["8 比较\n与筛查", "3×3, 64\n批归一化，ReLU", "x\ny", ""]
