"""A student's answers put into another version of a chapter.

nbgitpuller, the usual tool for "the newest version, and keep my edits", merges line by line: where both sides have
changed a notebook, it keeps one side or makes a file that Jupyter cannot open. Here an answer is a cell. It goes
where its exercise is now, and everything else is the course's new version.
"""

import ast
import re
from typing import Any

from palm_course.students.answers import tags_of
from palm_utils.messages import mark, tr, trn


def carry_answers(mine: Any, fresh: bytes, base: bytes | None = None) -> tuple[bytes, list[str]]:
    """Return the notebook `fresh` with the answers of the notebook `mine`, and lines that say which they are.

    base: the version of the course that the student started from, where it is not `fresh`. An answer belongs
    to the exercise whose function or class it defines, or else to that of its number while this still asks for
    the same. What is not carried over is said: answers without an exercise, and cells that the student has added.
    """
    import nbformat

    book, start = (nbformat.reads(content.decode("utf-8"), as_version=4) for content in (fresh, base or fresh))
    stubs = {tag: cell for cell in book.cells if (tag := exercise_of(cell))}
    came = {tag: cell.source for cell in start.cells if (tag := exercise_of(cell))}
    answers = [cell for cell in mine.cells if (tag := exercise_of(cell)) and cell.source != came.get(tag)]
    homes = _homes(answers, {tag: cell.source for tag, cell in stubs.items()}, came)
    homeless = [exercise_of(cell) for number, cell in enumerate(answers) if number not in homes.values()]
    carried = [tag for tag, number in homes.items() if answers[number].source != stubs[tag].source]
    for tag in carried:
        stubs[tag].source, stubs[tag].outputs, stubs[tag].execution_count = answers[homes[tag]].source, [], None
    known = {cell.source.strip() for cell in [*start.cells, *book.cells]} | {""}
    own = sum(not exercise_of(cell) and cell.source.strip() not in known for cell in mine.cells)
    return (nbformat.writes(book) + "\n").encode(), _lines(sorted(carried), homeless, own)


def _homes(answers: list, stubs: dict[str, str], came: dict[str, str]) -> dict[str, int]:
    """Return, by the tag of an exercise, which of the answers belongs to it."""
    homes: dict[str, int] = {}
    for number, cell in enumerate(answers):  # those that define what an exercise asks for have the first choice
        for tag, stub in stubs.items():
            if set(_defined(stub)) & set(_defined(cell.source)):
                homes.setdefault(tag, number)
    for number, cell in enumerate(answers):
        tag = exercise_of(cell)
        same = tag in stubs and _defined(stubs[tag]) == _defined(came.get(tag, ""))
        if same and number not in homes.values():
            homes.setdefault(tag, number)
    return homes


def _lines(carried: list[str], homeless: list[str], own: int) -> list[str]:
    told = mark("answers carried over: {numbers}") if carried else mark("there are no answers to carry over")
    lines = [tr(told, numbers=_list(carried))]
    if homeless:
        told = mark("the chapter has no exercise for your {numbers} any more; see your copy")
        lines.append(tr(told, numbers=_list(homeless)))
    if own:
        said = trn(
            "of your own, new or changed, and in your copy only: {count} cell",
            "of your own, new or changed, and in your copy only: {count} cells",
            own,
        )
        lines.append(said)
    return lines


def exercise_of(cell: Any) -> str:
    """Return the tag that says which exercise's answer a cell holds, or ""."""
    return next((tag for tag in tags_of(cell) if tag.startswith("exercise:")), "")


def _list(tags: list[str]) -> str:
    return ", ".join(tag.removeprefix("exercise:") for tag in tags)


def _defined(source: str) -> list[str]:
    # Of unfinished code too, which cannot be parsed.
    try:
        nodes = ast.parse(source).body
    except (SyntaxError, ValueError):
        return re.findall(r"^(?:def|class)\s+(\w+)", source, re.MULTILINE)
    return [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]
