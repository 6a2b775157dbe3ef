"""Controls that change a figure while a student moves them, and the figure alone where there are none.

`explore(draw, threshold=Slider(0, 1, 0.01, start=0.5))` shows a slider and, below it, what draw(threshold=...) draws.
Without ipywidgets, and where nobody can move a control (nbval, nbconvert, the book), the figure for the starting values
is shown in its place: no state of a widget is stored in such a notebook.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Slider:
    """A number from `low` to `high` in steps of `step`."""

    low: float
    high: float
    step: float
    start: float

    def made(self, name: str):
        import ipywidgets

        shown = {"description": name, "continuous_update": False, "readout_format": ".3g"}
        return ipywidgets.FloatSlider(min=self.low, max=self.high, step=self.step, value=self.start, **shown)


@dataclass(frozen=True)
class Numbers:
    """A small table of numbers to edit; start: [rows, columns], what it holds at first."""

    start: np.ndarray

    def made(self, name: str):
        import ipywidgets
        import traitlets

        class Table(ipywidgets.GridBox):
            value = traitlets.Any()

        box = {"layout": ipywidgets.Layout(width="70px"), "step": 1}
        cells = [ipywidgets.FloatText(value=float(number), **box) for number in np.ravel(self.start)]
        columns = f"repeat({np.shape(self.start)[1]}, 76px)"
        table = Table(cells, layout=ipywidgets.Layout(grid_template_columns=columns))

        def read(_=None) -> None:
            table.value = np.array([cell.value for cell in cells]).reshape(np.shape(self.start))

        for cell in cells:
            cell.observe(read, "value")
        read()
        return table


def explore(draw: Callable[..., Figure], **controls: Slider | Numbers) -> None:
    """Show controls and the figure that draw(**values) returns for them; the figure alone where there is no front end.

    controls: by the name of draw's argument.
    """

    def shown(**values) -> None:
        draw(**values)
        plt.show()

    if not is_live():
        return shown(**{name: control.start for name, control in controls.items()})
    import ipywidgets
    from IPython.display import display

    made = {name: control.made(name) for name, control in controls.items()}
    display(ipywidgets.VBox([*made.values(), ipywidgets.interactive_output(shown, made)]))


def is_live() -> bool:
    """Tell whether this is a kernel with ipywidgets that JupyterLab, Notebook, VS Code or Colab has started."""
    try:
        import ipywidgets  # noqa: F401
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    # What a server, VS Code and Colab leave in the kernels that they start; nbclient and nbval leave nothing.
    signs = ("JPY_SESSION_NAME", "COLAB_RELEASE_TAG")
    return hasattr(shell, "kernel") and (
        any(map(os.environ.get, signs)) or "__vsc_ipynb_file__" in getattr(shell, "user_ns", {})
    )
