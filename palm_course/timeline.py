"""The timeline of chapter 3: LeNet, fourteen quiet years, and what the networks of this course reached on ImageNet."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from palm_course.words import word, worded
from palm_utils.figures import BLUE, GREY, INK
from palm_utils.messages import mark

# ILSVRC: year, network or team, top-5 error in per cent, whether it is a convolutional network, and where its name goes
# (from the dot, in points). 2012 to 2015: ensembles, as entered; the papers give these figures.
ENTRIES = (
    (2010, "best entry", 28.2, False, (0, 9)),
    (2011, "best entry", 25.8, False, (0, 9)),
    (2012, mark("second best"), 26.2, False, (10, 7)),
    (2012, "AlexNet", 15.3, True, (10, 3)),
    (2014, "VGG", 7.3, True, (8, 6)),
    (2014, "GoogLeNet", 6.7, True, (-8, -15)),
    (2015, "ResNet", 3.57, True, (8, -4)),
)
# What had to come before: year, text.
BEFORE = ((2007, mark("programs on GPUs (CUDA)")), (2009, "ImageNet"), (2010, "ReLU"), (2012, mark("dropout")))


@worded
def draw() -> Figure:
    """Draw the top-5 errors of ILSVRC over the years, with LeNet of 1998 and what was missing until 2012."""
    fig, ax = plt.subplots(figsize=(8, 4.4))
    ax.axvspan(1998, 2012, color=GREY, alpha=0.1, linewidth=0)
    ax.plot(1998, 0.6, "D", color=BLUE, clip_on=False)
    first = word("LeNet reads digits\n(no ImageNet yet)")
    ax.annotate(first, (1998, 0.6), (6, 10), textcoords="offset points", color=BLUE)
    for row, (year, what) in enumerate(BEFORE):
        height = 20.5 - 4 * row
        ax.plot([year, year], [0, height], color=GREY, linewidth=1, linestyle=":")
        told, look = f"{year}: {word(what)}", {"ha": "right", "va": "center"}
        ax.annotate(told, (year, height), (-4, 0), textcoords="offset points", **look)
    for year, name, error, convolutional, place in ENTRIES:
        color = BLUE if convolutional else INK
        ax.plot(year, error, "o", color=color, markersize=8)
        ha = "left" if place[0] > 0 else "right" if place[0] < 0 else "center"
        text = f"{error:g}" if name == "best entry" else f"{word(name)} {error:g}"
        ax.annotate(text, (year, error), place, textcoords="offset points", ha=ha, color=color)
    ax.set(title=word("Errors on ImageNet's 1000 classes"), xlabel=word("year"), xlim=(1997, 2018.2), ylim=(0, 32))
    ax.set_ylabel(word("right class not in five guesses (%)"))
    ax.set_xticks(range(1998, 2017, 2))
    return fig
