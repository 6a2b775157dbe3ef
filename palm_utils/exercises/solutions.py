"""Reference solutions: cells of the solution notebooks, and nowhere else."""

from pathlib import Path

from palm_utils.errors import CourseError

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "solutions"


def reference_source(number: str) -> str:
    """Return the source of the cell tagged "solution:NUMBER" in the chapter's solution notebook.

    Raises CourseError where the notebook, or the cell in it, is not there.
    """
    import nbformat  # loads slowly, and only this function needs it

    chapter = int(number.split(".")[0])
    notebooks = sorted(FOLDER.glob(f"{chapter:02d}_*.ipynb"))
    if not notebooks:
        raise CourseError(
            f"No solutions of chapter {chapter} in {FOLDER}. They are notebooks of the course's repository; "
            "install palm_utils from a checkout of it (pip install -e .) or read them there."
        )
    for cell in nbformat.read(notebooks[0], as_version=4).cells:
        if f"solution:{number}" in cell.metadata.get("tags", []):
            return cell.source
    raise CourseError(f"{notebooks[0]} has no cell tagged solution:{number}; restore it with git.")
