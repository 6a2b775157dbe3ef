"""The answers in a student's notebook, read from the file and run without the rest of it.

A chapter trains for minutes, and an answer needs next to nothing of it. So each statement of the notebook is read for
the names that it binds and uses; to get an answer, the statement that defines it is run, and before it whatever binds
the names that it uses, and so on.
"""

import ast
import contextlib
import linecache
import re
import symtable
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from palm_course.chapters import load, tags_of
from palm_course.exercises.registry import all_exercises, find
from palm_utils.messages import CourseError, tr

_MAGIC = re.compile(r"^([ \t]*)(?:(?:[\w, ]+=\s*)?[%!?].*|[\w.]+\?{1,2}[ \t]*)$", re.MULTILINE)
_TAG = re.compile(r"(?:exercise|check):(\d+)\.\d+")
_CHECK = re.compile(r"""^(?:\w+\.)?check\(\s*["'](\d+\.\d+)["']\s*,\s*(\w+)\s*,?\s*\)""", re.MULTILINE)


class _Statement(NamedTuple):
    node: ast.stmt  # on the top level of a cell
    file: str
    cell: int
    binds: set[str]
    uses: set[str]  # names that it may not bind itself


class Answers:
    """What a notebook holds for each exercise of its chapters, whose `numbers` are in order."""

    def __init__(self, cells: list[tuple[str, list[str]]], name: str) -> None:
        """Take code cells as (source, tags); `name` is what messages call the notebook."""
        self.name = name
        self._tags = [tags for _, tags in cells]
        # For each exercise, the name that its last check is given, and the cell of that check.
        self._checks = {n: (asked, i) for i, (source, _) in enumerate(cells) for n, asked in _CHECK.findall(source)}
        self._broken: dict[int, Exception] = {}
        self._statements: list[_Statement] = []
        for number, (source, _) in enumerate(cells):
            file = f"<{name}, code cell {number + 1}>"
            try:
                self._statements += [_Statement(node, file, number, *_names(node)) for node in _parse(source, file)]
            except (SyntaxError, ValueError) as error:
                self._broken[number] = error
            except (RecursionError, MemoryError):
                self._broken[number] = CourseError("it is nested too deeply")
        # The chapters, by tags. Some editors drop them; calls of the checks, or the names asked for, tell as well.
        tagged = {match[1] for tags in self._tags for tag in tags if (match := _TAG.fullmatch(tag))}
        checked = {number.split(".")[0] for number in self._checks}
        bound = {name for statement in self._statements for name in statement.binds}
        chapters = tagged or checked or {e.chapter for e in all_exercises() if e.name in bound}
        self.numbers = [exercise.number for exercise in all_exercises() if exercise.chapter in chapters]

    def is_missing(self, number: str) -> bool:
        """Tell whether there is nothing for an exercise, neither its stub nor an answer."""
        return not self.fault(number) and not self._binding(*self._wanted(number))

    def is_untouched(self, number: str) -> bool:
        """Tell whether an exercise is as it came: nothing in it but `raise NotImplementedError`."""
        binding = self._binding(*self._wanted(number))
        return not self.fault(number) and bool(binding) and _is_stub(binding[-1].node)

    def fault(self, number: str) -> str:
        """Return why the cell of an exercise is no Python, or ""."""
        error = self._broken.get(self._cell(f"exercise:{number}", -1))
        if isinstance(error, SyntaxError):
            values = {"error": error.msg, "line": error.lineno, "quoted": (error.text or "").strip()}
            return tr("its cell is not Python: {error} in line {line}: `{quoted}`.", **values)
        return tr("its cell is not Python: {error}.", error=error) if error else ""

    def run(self, number: str) -> Any:
        """Run what the answer to an exercise needs, and return it, a function or class; what that raises is raised."""
        name, end = self._wanted(number)
        namespace = {"__name__": "__main__", "display": lambda *objects, **options: None}
        for statement in self._needed(name, end, set()):
            exec(compile(ast.Module([statement.node], []), statement.file, "exec"), namespace)
        return namespace[name]

    def _cell(self, tag: str, otherwise: int) -> int:
        return next((number for number, tags in enumerate(self._tags) if tag in tags), otherwise)

    def _wanted(self, number: str) -> tuple[str, int]:
        """Return the name that the exercise's check is given, and the cell in which it is."""
        name, end = self._checks.get(number, ("", len(self._tags)))
        end = self._cell(f"check:{number}", end)
        return (name if name and self._binding(name, end) else find(number).name), end

    def _binding(self, name: str, end: int) -> list[_Statement]:
        """Return the statements that give a name its value in cell `end`, if cells run in their order."""
        everywhere = [statement for statement in self._statements if name in statement.binds]
        # A cell further down serves where none above binds the name: it was run out of order.
        binding = [statement for statement in everywhere if statement.cell <= end] or everywhere[:1]
        start = len(binding) - 1
        while start > 0 and name in binding[start].uses:  # x += 1 and Net.forward = … change what was there
            start -= 1
        return binding[max(start, 0) :]

    def _needed(self, name: str, end: int, seen: set[int]) -> Iterator[_Statement]:
        """Yield the statements that give a name its value in cell `end`, each after those that it needs itself."""
        for statement in self._binding(name, end) or self._binding("*", end):
            if id(statement) not in seen:
                seen.add(id(statement))
                for used in sorted(statement.uses - {name}):
                    yield from self._needed(used, end, seen)
                yield statement


def read(path: Path) -> Answers:
    """Return the answers in a notebook; raises UnreadableNotebook where it is none."""
    return Answers([(cell.source, tags_of(cell)) for cell in load(path).cells if cell.cell_type == "code"], path.name)


def _is_stub(node: ast.stmt) -> bool:
    """Tell whether a function, or each method of a class, is as the chapter brings it."""
    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
        return False
    body = node.body if ast.get_docstring(node) is None else node.body[1:]
    if isinstance(node, ast.ClassDef):
        return bool(body) and all(map(_is_stub, body))
    lines = map(ast.unparse, body)
    return [line for line in lines if line != "super().__init__()"] == ["raise NotImplementedError"]


def _parse(source: str, file: str) -> list[ast.stmt]:
    # Known to linecache, so that messages quote the student's own line.
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a backslash in a student's string is not ours to report
        try:
            return ast.parse(source, file).body
        except SyntaxError:
            # Jupyter's %magics and !commands: `pass` in their place keeps the numbers of the lines.
            with contextlib.suppress(SyntaxError):
                return ast.parse(_MAGIC.sub(r"\1pass", source), file).body
            raise


def _names(node: ast.stmt) -> tuple[set[str], set[str]]:
    """Return the names that a statement binds in its notebook, and those that it or a function in it uses."""
    binds, uses = set(), set()
    tables = [symtable.symtable(ast.unparse(node), "<statement>", "exec")]
    for table in tables:
        tables += table.get_children()
        shared = [s for s in table.get_symbols() if table.get_type() == "module" or s.is_global()]
        uses |= {symbol.get_name() for symbol in shared if symbol.is_referenced()}
        binds |= {symbol.get_name() for symbol in shared if symbol.is_assigned() or symbol.is_imported()}
    for target in getattr(node, "targets", [getattr(node, "target", None)]):
        changed = target
        while isinstance(changed, ast.Attribute | ast.Subscript):
            changed = changed.value
        # Net.forward = … and x += 1: Net and x are not what they were
        if isinstance(changed, ast.Name) and (changed is not target or isinstance(node, ast.AugAssign)):
            binds, uses = binds | {changed.id}, uses | {changed.id}
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = {alias.name for alias in node.names if not alias.asname}
        binds |= names & {"*"}
        uses |= {name.split(".")[0] for name in names if "." in name}  # import a.b adds to what import a.c has bound
    return binds, uses
