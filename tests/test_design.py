"""The architecture as palm_utils/__init__.py states it: who may import whom."""

import ast
import re
from pathlib import Path

import pytest

import palm_utils

PACKAGE = Path(palm_utils.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


def stated_order() -> list[str]:
    """Top-level module names in the order of the table in the package's docstring."""
    table = re.findall(r"^    ([\w, ]+?) {2,}", palm_utils.__doc__, re.M)
    return [name for line in table for name in line.split(", ")]


def top_level(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Top-level names of the package's modules that a file imports, absolutely or relatively."""
    names = set()
    package = ["palm_utils", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            modules = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        names |= {m.split(".")[1] for m in modules if m.startswith("palm_utils.")}
    return names & {top_level(m) for m in MODULES}


def test_every_module_has_a_place_in_the_table():
    assert {top_level(m) for m in MODULES} - {"__init__"} == set(stated_order())


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    order, own = stated_order(), top_level(path)
    if own == "__init__":
        assert imported(path) == set()
        return
    allowed = set(order[: order.index(own) + 1])
    assert imported(path) <= allowed


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_module_is_longer_than_300_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
