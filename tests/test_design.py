"""The two packages: palm_utils, which a student reads, stays small, and its arrows run one way."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import palm_utils

ROOT = Path(__file__).resolve().parents[1]
STUDENTS = ROOT / "palm_utils"
EVERY_FILE = sorted([*STUDENTS.rglob("*.py"), *(ROOT / "palm_course").rglob("*.py")])
# The command, and the table of old names: they open palm_course when they are asked to.
DOORS = {STUDENTS / "__init__.py", STUDENTS / "__main__.py"}


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def is_old_name(path):
    """Whether a file is a docstring and one import line: it keeps an old name alive."""
    body = tree(path).body
    return len(body) == 2 and isinstance(body[1], ast.ImportFrom)


OWN = [path for path in EVERY_FILE if path.is_relative_to(STUDENTS) and not path.is_relative_to(STUDENTS / "sample")]
MODULES = [path for path in OWN if path not in DOORS and not is_old_name(path)]


def imports(node, *, inside_functions):
    """Yield the modules of ours that a tree imports by name, such as palm_utils.files."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names if alias.name.startswith("palm_"))
        elif isinstance(child, ast.ImportFrom) and (child.module or "").startswith("palm_"):
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif inside_functions or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imports(child, inside_functions=inside_functions)


def name_of(path):
    """The module or folder of palm_utils that a file is, or is in."""
    return path.relative_to(STUDENTS).parts[0].removesuffix(".py")


def lines(paths):
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


# how much there is -----------------------------------------------------------------------------------


def test_palm_utils_is_read_in_an_afternoon():
    assert len(MODULES) <= 13, [path.name for path in MODULES]
    assert lines(OWN) <= 2800


def test_both_packages_together():
    # The modules of single chapters' exercises grow with the notebooks, not with the machinery.
    assert lines(path for path in EVERY_FILE if not path.match("exercises/chapter_*.py")) <= 10_500


@pytest.mark.parametrize(("module", "most"), [("palm_utils.readers", 8), ("palm_utils.training", 12)])
def test_what_an_import_loads_of_ours(module, most):
    code = f"import json, sys, {module}; print(json.dumps([m for m in sys.modules if m.startswith('palm_')]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    assert module in loaded and len(loaded) <= most, loaded


# which way the arrows run ----------------------------------------------------------------------------

# The package's docstring lists its modules from the bottom up.
ORDER = re.findall(r"^(\w+)  +\S", palm_utils.__doc__, re.MULTILINE)


def test_the_docstring_of_palm_utils_lists_its_modules():
    assert {name_of(path) for path in MODULES} | {"sample"} == set(ORDER)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(STUDENTS)))
def test_a_module_imports_only_from_those_above_it_in_the_list(path):
    name = name_of(path)
    allowed = set(ORDER[: ORDER.index(name) + 1]) | ({"sample"} if name in ("datasets", "readers") else set())
    used = {module.split(".")[1] for module in imports(tree(path), inside_functions=True) if module.count(".")}
    assert used & {name_of(file) for file in EVERY_FILE if file.is_relative_to(STUDENTS)} <= allowed


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(STUDENTS)))
def test_palm_utils_knows_nothing_of_palm_course(path):
    assert [m for m in imports(tree(path), inside_functions=False) if m.startswith("palm_course")] == []


def test_a_student_sees_one_error_not_the_one_behind_it_too():
    found = {
        f"{path.name}:{node.lineno}"
        for path in EVERY_FILE
        for handler in ast.walk(tree(path))
        if isinstance(handler, ast.ExceptHandler)
        for node in ast.walk(handler)
        if isinstance(node, ast.Raise) and node.exc and not isinstance(node.cause, ast.Constant)
    }
    assert found == set()


def test_modules_are_imported_by_string_only_where_names_are_looked_up():
    found = {
        str(path.relative_to(ROOT))
        for path in EVERY_FILE
        for node in ast.walk(tree(path))
        if {"import_module", "__import__"} & {getattr(node, "id", None), getattr(node, "attr", None)}
        or (isinstance(node, ast.alias) and node.name == "import_module")
    }
    # installed.py tries whether other people's packages can be imported.
    assert found == {"palm_utils/__init__.py", "palm_course/command.py", "palm_course/installed.py"}
