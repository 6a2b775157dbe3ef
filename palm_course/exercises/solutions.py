"""Reference solutions: cells of the solution notebooks, and nowhere else.

Those of the Chinese edition, in zh/solutions, are the same programs with Chinese comments.
"""

from pathlib import Path

from palm_utils.messages import CHINESE, CourseError, current, tr

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "solutions"


def reference_source(number: str) -> str:
    """Return the source of the cell tagged "solution:NUMBER" in the chapter's solution notebook.

    Raises CourseError where the notebook, or the cell in it, is not there.
    """
    import nbformat  # loads slowly, and only this function needs it

    chapter = int(number.split(".")[0])
    chinese = FOLDER.parent / "zh" / FOLDER.name
    folders = [chinese, FOLDER] if current() == CHINESE else [FOLDER]
    notebooks = [path for folder in folders for path in sorted(folder.glob(f"{chapter:02d}_*.ipynb"))]
    if not notebooks:
        raise CourseError(
            tr(
                "No solutions of chapter {chapter} in {folder}. They are notebooks of the course's repository; "
                "install palm_utils from a checkout of it (pip install -e .) or read them there.",
                chapter=chapter,
                folder=FOLDER,
            )
        )
    for cell in nbformat.read(notebooks[0], as_version=4).cells:
        if f"solution:{number}" in cell.metadata.get("tags", []):
            return cell.source
    raise CourseError(
        tr("{file} has no cell tagged solution:{number}; restore it with git.", file=notebooks[0], number=number)
    )
