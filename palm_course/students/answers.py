"""The answers in a student's notebook, read from the file and run without the rest of it.

A chapter trains for minutes, and an answer needs next to nothing of it: imports, a helper, a constant. So
each statement of the notebook is read for the names that it binds and the names that it uses; to get an
answer, the statement that defines it is run, and before it whatever binds the names that it uses, and so on.
"""

import ast
import contextlib
import linecache
import re
import symtable
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palm_course.exercises import all_exercises, find
from palm_course.exercises.model import Exercise
from palm_utils.messages import CourseError, tr

_MAGIC = re.compile(r"^(\s*)[%!?].*$", re.MULTILINE)
_TAG = re.compile(r"(?:exercise|check):(\d+)\.\d+")


class UnreadableNotebook(CourseError):
    """A file that is no notebook, or a damaged one; the text says which and what is wrong."""


@dataclass(frozen=True)
class _Statement:
    """A statement on the top level of a cell, the names that it binds, and those of others that it uses."""

    node: ast.stmt
    file: str
    cell: int
    binds: frozenset[str]
    uses: frozenset[str]


class Answers:
    """What a notebook holds for each exercise of its chapters."""

    def __init__(self, cells: list[tuple[str, list[str]]], name: str) -> None:
        """Take code cells as (source, tags); `name` is what messages call the notebook."""
        self.name = name
        self._tags = [tags for _, tags in cells]
        self._broken: dict[int, SyntaxError | ValueError] = {}
        self._statements: list[_Statement] = []
        for number, (source, _) in enumerate(cells):
            try:
                self._statements += _statements(source, f"<{name}, code cell {number + 1}>", number)
            except (SyntaxError, ValueError) as error:
                self._broken[number] = error
        self.numbers = self._find_numbers()

    def is_missing(self, number: str) -> bool:
        """Tell whether there is nothing for an exercise, neither its stub nor an answer."""
        return self.fault(number) == "" and not self._binding(*self._wanted(number))

    def is_untouched(self, number: str) -> bool:
        """Tell whether an exercise is as it came; comments and empty lines do not count."""
        name, end = self._wanted(number)
        binding = self._binding(name, end)
        stub = ast.parse(find(number).stub).body
        return self.fault(number) == "" and bool(binding) and ast.dump(binding[-1].node) == ast.dump(stub[-1])

    def fault(self, number: str) -> str:
        """Return why the cell of an exercise is no Python, or ""."""
        error = self._broken.get(self._cell(f"exercise:{number}", -1))
        if error is None:
            return ""
        if isinstance(error, SyntaxError):
            quoted = (error.text or "").strip()
            return tr(
                "its cell is not Python: {error} in line {line}: `{quoted}`.",
                error=error.msg,
                line=error.lineno,
                quoted=quoted,
            )
        return tr("its cell is not Python: {error}.", error=error)

    def run(self, number: str) -> Any:
        """Run what the answer to an exercise needs, and return it: the student's function or class.

        Whatever the student's statements raise is raised; KeyError where they do not define it after all.
        """
        name, end = self._wanted(number)
        namespace = {"__name__": "__main__", "display": lambda *objects, **options: None}
        for statement in self._needed(name, end):
            code = compile(ast.Module([statement.node], []), statement.file, "exec")
            exec(code, namespace)
        return namespace[name]

    def _find_numbers(self) -> list[str]:
        """Return the exercises of the chapters that the notebook is of, in order."""
        tagged = {match[1] for tags in self._tags for tag in tags if (match := _TAG.fullmatch(tag))}
        # Some editors drop the tags; calls of the checks, or the names asked for, tell as well.
        checked = {number.split(".")[0] for number in self._checks()}
        bound = {name for statement in self._statements for name in statement.binds}
        chapters = tagged or checked or {_chapter(e) for e in all_exercises() if e.name in bound}
        return [exercise.number for exercise in all_exercises() if _chapter(exercise) in chapters]

    def _checks(self) -> dict[str, tuple[int, str]]:
        """Return, for each exercise, the last cell that checks it and the name that it checks."""
        found = {}
        for statement in self._statements:
            match statement.node:
                case ast.Expr(
                    value=ast.Call(
                        func=ast.Attribute(attr="check") | ast.Name(id="check"),
                        args=[ast.Constant(value=str(number)), ast.Name(id=name)],
                    )
                ):
                    found[number] = (statement.cell, name)
        return found

    def _cell(self, tag: str, otherwise: int) -> int:
        return next((number for number, tags in enumerate(self._tags) if tag in tags), otherwise)

    def _wanted(self, number: str) -> tuple[str, int]:
        """Return the name that the exercise's check is given, and the cell in which it is."""
        end, name = self._checks().get(number, (len(self._tags), ""))
        end = self._cell(f"check:{number}", end)
        return (name if name and self._binding(name, end) else find(number).name), end

    def _binding(self, name: str, end: int) -> list[_Statement]:
        """Return the statements that give a name its value in cell `end`, if cells run in their order."""
        binding = [statement for statement in self._statements if name in statement.binds]
        # A cell further down serves where none above binds the name: it was run out of order.
        binding = [statement for statement in binding if statement.cell <= end] or binding[:1]
        start = len(binding) - 1
        while start > 0 and name in binding[start].uses:  # x += 1 and Net.forward = … change what was there
            start -= 1
        return binding[max(start, 0) :]

    def _needed(self, name: str, end: int) -> list[_Statement]:
        needed: list[_Statement] = []
        seen: set[int] = set()

        def need(name: str) -> None:
            for statement in self._binding(name, end) or self._binding("*", end):
                if id(statement) not in seen:
                    seen.add(id(statement))
                    for used in sorted(statement.uses - {name}):
                        need(used)
                    needed.append(statement)

        need(name)
        return needed


def read(path: Path) -> Answers:
    """Return the answers in a notebook; raises UnreadableNotebook where it is none."""
    return Answers([(cell.source, tags_of(cell)) for cell in load(path).cells if cell.cell_type == "code"], path.name)


def load(path: Path) -> Any:
    """Return a notebook in today's format; raises UnreadableNotebook, whatever is wrong with the file."""
    import nbformat  # loads slowly

    if not path.is_file():  # reading a pipe would wait for ever
        raise UnreadableNotebook(tr("{file} is not there, or is not a file", file=path.name))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about identifiers of cells that older editors did not write
            book = nbformat.reads(path.read_bytes().decode("utf-8-sig"), as_version=4)
        for cell in book.cells:
            tags_of(cell), cell.cell_type, cell.source + ""
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        fault = tr("{file} is not a notebook, or a damaged one ({error})", file=path.name, error=text)
        raise UnreadableNotebook(fault) from None
    return book


def tags_of(cell: Any) -> list[str]:
    """Return the tags of a notebook's cell."""
    return [str(tag) for tag in cell.get("metadata", {}).get("tags") or []]


def _chapter(exercise: Exercise) -> str:
    return exercise.number.split(".")[0]


def _statements(source: str, file: str, cell: int) -> Iterator[_Statement]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a backslash in a student's string is not ours to report
        tree = _parse(source, file)
        # Known to linecache, so that messages quote the student's own line.
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        for node in tree.body:
            binds, uses = _names(node)
            yield _Statement(node, file, cell, frozenset(binds), frozenset(uses))


def _parse(source: str, file: str) -> ast.Module:
    try:
        return ast.parse(source, file)
    except SyntaxError:
        # Jupyter's %magics and !commands: `pass` in their place keeps the numbers of the lines.
        plain = _MAGIC.sub(r"\1pass", source)
        if plain == source:
            raise
        with contextlib.suppress(SyntaxError):
            return ast.parse(plain, file)
        raise
    except (RecursionError, MemoryError):
        raise ValueError(tr("it is nested too deeply")) from None


def _names(node: ast.stmt) -> tuple[set[str], set[str]]:
    """Return the names that a statement binds in its notebook, and those that it or a function in it uses."""
    binds, uses = set(), set()
    tables = [symtable.symtable(ast.unparse(node), "<statement>", "exec")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            on_top = table.get_type() == "module"
            if (on_top or symbol.is_global()) and symbol.is_referenced():
                uses.add(symbol.get_name())
            if (on_top or symbol.is_declared_global()) and (
                symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
            ):
                binds.add(symbol.get_name())
    for target in _targets(node):
        if isinstance(node, ast.AugAssign) and isinstance(target, ast.Name):
            uses.add(target.id)
        while isinstance(target, ast.Attribute | ast.Subscript):
            target = target.value
            if isinstance(target, ast.Name):  # Net.forward = …: Net is not what it was
                binds.add(target.id)
                uses.add(target.id)
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        binds.add("*")
    if isinstance(node, ast.Import):  # import a.b adds to what import a.c has bound
        uses |= {alias.name.split(".")[0] for alias in node.names if "." in alias.name and not alias.asname}
    return binds, uses


def _targets(node: ast.stmt) -> list[ast.expr]:
    match node:
        case ast.Assign(targets=targets):
            return targets
        case ast.AugAssign(target=target):
            return [target]
    return []
