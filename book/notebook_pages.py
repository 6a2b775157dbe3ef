"""Notebooks as the book shows them: links pointed at its pages, and pictures described in words."""

import ast
import base64
import re
from collections.abc import Callable

# The picture that stands for a chapter on the front page: the cell that draws it.
PICTURES = {
    "01_lenet_mnist": "ch01-030",
    "02_ichallenge_pm": "ch02-012",
    "03_alexnet": "ch03-053",
    "04_vgg": "ch04-027",
    "05_googlenet": "ch05-012",
    "06_resnet": "ch06-008",
    "07_highlevel_api_cifar10": "ch07-061",
    "08_summary": "ch08-045",
}


def prepare(book, relink: Callable[[str], str], words: dict[str, str]) -> None:
    """Change a notebook, as nbformat reads it, into what Sphinx is given. Code and outputs stay."""
    heading = ""
    for cell in book.cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#+ (.*)$", cell.source, re.MULTILINE)
            heading = headings[-1] if headings else heading
            cell.source = relink(cell.source)
        elif any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            title = figure_title(cell.source)
            alt = words["figure"].format(title) if title else words["figure_of"].format(heading)
            cell.metadata["mystnb"] = {"image": {"alt": alt}}
    # Lexer of the code cells; notebooks written by different Jupyters name it, or do not.
    book.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}


def figure_title(source: str) -> str:
    """Return the title that a cell gives its figure, "…" where it puts in a value; "" where none can be told."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    values = {
        node.targets[0].id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    given = [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "title"]
    given += [call.args[0] for call in calls if _name(call) in ("suptitle", "set_title") and call.args]
    given += [values["title"]] if "title" in values else []
    texts = (_text(values.get(node.id) if isinstance(node, ast.Name) else node) for node in given)
    return next((text for text in texts if text), "")


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _text(node: ast.AST | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return " ".join(node.value.split())
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
        return " ".join("".join(parts).split())
    return ""


def title_of(book) -> str:
    """Return a notebook's title as Markdown; "" where it has none."""
    first = book.cells[0].source if book.cells else ""
    match = re.match(r"# (.*)", first)
    return match[1].strip() if match else ""


def picture_of(book, chapter: str) -> bytes:
    """Return the PNG file that stands for a chapter; empty where its cell is not there or shows nothing."""
    for cell in book.cells:
        if cell.get("id") == PICTURES.get(chapter):
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    return base64.b64decode(output["data"]["image/png"])
    return b""
