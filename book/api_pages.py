"""The pages on palm_utils: one for each module, from its docstrings."""

import ast
import html
import re
from pathlib import Path


def modules(package: Path) -> list[str]:
    """Return the names of the package's public modules, in the order in which its docstring lists them."""
    names = {p.stem for p in package.glob("*.py")} | {p.parent.name for p in package.glob("*/__init__.py")}
    names = {name for name in names if not name.startswith("_")}
    # Its table: names, two blanks or more, what they are about.
    rows = re.findall(r"^ {4}(\w+(?:, \w+)*)  ", ast.get_docstring(_tree(package / "__init__.py")) or "", re.MULTILINE)
    listed = dict.fromkeys(name for row in rows for name in row.split(", ") if name in names)
    return [*listed, *sorted(names - set(listed))]


def summary(package: Path, module: str) -> str:
    """Return the first line of a module's docstring."""
    return (ast.get_docstring(_tree(_file(package, module))) or "").partition("\n")[0]


def page(package: Path, module: str) -> str:
    """Return a module's page as reStructuredText."""
    name = f"palm_utils.{module}"
    # A package shows what it hands out, wherever that is defined.
    imported = module_has_all(package, module)
    options = ["   :imported-members:"] if imported else []
    return "\n".join([name, "=" * len(name), "", f".. automodule:: {name}", *options, ""])


def index(package: Path, title: str, words: dict[str, str], address: str) -> str:
    """Return the page that lists the modules; `address` of a module's page with {} for its name."""
    lines = [f"# {title}", "", f"| {words['module']} | {words['about']} |", "|---|---|"]
    for name in modules(package):
        about = html.escape(summary(package, name)).replace("`", "").replace("|", "\\|")
        lines.append(f'| <a href="{address.format(name)}"><code>{name}</code></a> | <span lang="en">{about}</span> |')
    return "\n".join([*lines, "", ""])


def module_has_all(package: Path, module: str) -> bool:
    """Tell whether a module says in `__all__` what it hands out."""
    targets = [node for node in _tree(_file(package, module)).body if isinstance(node, ast.Assign)]
    return any(isinstance(t, ast.Name) and t.id == "__all__" for node in targets for t in node.targets)


def _file(package: Path, module: str) -> Path:
    alone = package / f"{module}.py"
    return alone if alone.is_file() else package / module / "__init__.py"


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
