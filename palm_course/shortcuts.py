"""Drawings for chapter 6: residual blocks side by side, and a whole ResNet with its shortcuts."""

from collections.abc import Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from palm_course.diagrams import flow
from palm_course.words import word, worded
from palm_utils.figures import BLUE, GREY, INK, ORANGE, RED

_END = (("+", "add"), ("ReLU", ""))


def blocks(columns: Sequence[tuple], *, title: str, size: tuple[float, float], rest: float = 1.0) -> Figure:
    """Draw blocks side by side, each from its input down to its ReLU.

    columns: (x, input, layers, shortcut): x in inches from the left; texts of the first box and of the layers; None for
    a plain block, "" for a free shortcut, else the text of the layer on it. size, rest (from box to box): in inches.
    """
    boxes, arrows = {}, []
    for number, (x, start, layers, shortcut) in enumerate(columns):
        ends = _END if shortcut is not None else _END[1:]
        steps = [(start, ""), *((text, "Conv2D") for text in layers), *ends]
        names = [f"{number}.{i}" for i in range(len(steps))]
        for i, (name, (text, kind)) in enumerate(zip(names, steps, strict=True)):
            boxes[name] = (x, size[1] - 0.4 - i * rest, text, kind)
        arrows += pairwise(names)
        if shortcut == "":
            arrows.append((names[0], names[-2], 0.6))
        elif shortcut:
            boxes[f"{number}.short"] = (x + 2.25, size[1] - 0.4, shortcut, "Conv2D")
            arrows += [(names[0], f"{number}.short"), (f"{number}.short", names[-2], 0.3)]
    return flow(boxes, arrows, title=title, size=size)


@worded
def network(stages: Sequence[tuple[str, Sequence[str], Sequence[bool]]], *, title: str) -> Figure:
    """Draw a ResNet from top to bottom, a stage in each row.

    stages: (name, texts of the boxes, shortcuts) of each row; shortcuts: for each box True where its shortcut is free,
    False where it has a projection; none for boxes that are no residual blocks.
    """
    high, wide, gap = 1.2, 1.12, 0.45
    width = 1.75 + max(len(texts) for _, texts, _ in stages) * (wide + gap)
    fig, ax = plt.subplots(figsize=(width, high * len(stages) + 0.3))
    for row, (name, texts, shortcuts) in enumerate(stages):
        y = -row * high
        ax.text(0.05, y, word(name), ha="left", va="center", fontsize=10)
        for i, text in enumerate(texts):
            x = 1.75 + i * (wide + gap)
            color = BLUE if shortcuts else ORANGE
            for look in ({"facecolor": color, "alpha": 0.18, "linewidth": 0}, {"fill": False, "edgecolor": color}):
                look = {"boxstyle": "round,pad=0,rounding_size=0.08", "linewidth": 1.2} | look
                ax.add_patch(FancyBboxPatch((x, y - 0.33), wide, 0.66, **look))
            ax.text(x + wide / 2, y, word(text), ha="center", va="center", fontsize=9, linespacing=1.15)
            arrow = {"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0}
            ax.annotate(
                "",
                xy=(x, y),
                xytext=(x - gap + (0.19 if i and shortcuts else 0), y),
                arrowprops=arrow | {"linewidth": 1.1},
            )
            if shortcuts:  # from the arrow before the block to the addition behind it
                look = {"color": GREY} if shortcuts[i] else {"color": RED, "linestyle": "--"}
                ax.plot([x - 0.18, x - 0.18, x + wide + 0.12], [y, y + 0.46, y + 0.46], linewidth=1.6, **look)
                end, start = (x + wide + 0.12, y + 0.07), (x + wide + 0.12, y + 0.46)
                ax.annotate("", xy=end, xytext=start, arrowprops=arrow | look | {"linewidth": 1.6})
                ax.text(x + wide + 0.12, y, "+", ha="center", va="center", fontsize=11, color=RED, weight="bold")
    ax.set(xlim=(0, width), ylim=(-high * (len(stages) - 1) - 0.6, 0.7), aspect="equal")
    ax.set_title(word(title), fontsize=11)
    ax.axis("off")
    return fig
