"""Every chapter twice in one kernel, in another folder than its own, and some cells a third time."""

import os

import nbformat
import places
import pytest
from nbclient import NotebookClient

CHAPTERS = sorted((places.ROOT / "notebooks").glob("0?_*.ipynb"))


def copies(cells):
    """Cells to be run once more; ids are unique in a notebook."""
    return [nbformat.v4.new_code_cell(cell.source, metadata=cell.metadata) for cell in cells]


@pytest.mark.parametrize("path", CHAPTERS, ids=[path.stem[:2] for path in CHAPTERS])
def test_a_chapter_twice_in_one_kernel_and_another_folder(path, tmp_path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    # What readers do after a look at the results: change a network and train it again, or train it for longer.
    models = [cell for cell in cells if "model" in cell.metadata.get("tags", [])]
    trainings = [cell for cell in cells if "train_pm(" in cell.source or ".fit(" in cell.source]
    once_more = models + [cell for cell in trainings if cell not in models]
    book = nbformat.v4.new_notebook(cells=[*cells, *copies(cells), *copies(once_more), *copies(trainings)])
    environment = os.environ | {"PALM_SAMPLE": "tiny", "PALM_EPOCHS": "1", "PALM_THREADS": "1", "PALM_LANG": "en"}
    environment.pop("MPLBACKEND", None)
    client = NotebookClient(book, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=environment)
    assert all(cell.execution_count for cell in book.cells)
