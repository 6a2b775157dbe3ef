"""The two packages: palm_utils is what a student reads and knows nothing of palm_course."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "palm_utils").rglob("*.py"))
# The command, and the names under which notebooks know what has moved, are doors: opened when asked for.
DOORS = {"__init__.py", "__main__.py"}


def imported(path: Path, *, at_import: bool) -> set[str]:
    """The packages of the course that a file imports; at_import: only what runs when it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    found = set()
    for node in ast.walk(tree):
        if at_import and node in inside:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return {name for name in found if name.split(".")[0] == "palm_course"}


def is_old_name(path: Path) -> bool:
    """Whether a file is a docstring and one import line: it keeps an old name alive."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return len(body) == 2 and isinstance(body[1], ast.ImportFrom)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_palm_utils_imports_nothing_of_palm_course(path):
    if path.name in DOORS or is_old_name(path):
        return
    assert imported(path, at_import=True) == set()
