"""`python -m palm_utils update`: the course's newest version, with the student's answers in it.

`git pull` refuses to touch a notebook that was edited, and its ways round that (stash, autostash, merging)
leave conflict markers in a file that Jupyter then cannot open.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from palm_course import chapters as notebooks
from palm_course.students.answers import UnreadableNotebook, load
from palm_course.students.reset import GitFailed, carry_answers, git, keep_copy
from palm_utils.files import replacing
from palm_utils.messages import CourseError, tr


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser(
        "update",
        help=tr("get the course's newest version and keep your answers"),
        description=tr(
            "Like `git pull`, but a notebook that you have edited and that has a new version is kept beside it "
            "as NAME.mine.ipynb, and its answers are carried over. Save and close them in JupyterLab first."
        ),
    )
    parser.set_defaults(run=run)


@dataclass(frozen=True)
class _Edited:
    """A notebook that the student has edited and that the course has a new version of."""

    path: Path
    mine: bytes
    base: bytes
    """The version of the course that the student started from."""
    copy: Path


def run(args: argparse.Namespace) -> int:
    """Update the working copy, and say of each notebook concerned what became of it."""
    head = git("rev-parse", "--verify", "HEAD").decode().strip()
    git("fetch")
    try:
        upstream = git("rev-parse", "--verify", "@{upstream}").decode().strip()
    except GitFailed as error:
        remedy = tr("`git branch --set-upstream-to=origin/main` tells git where the course is")
        raise CourseError(f"{error}: {remedy}") from None
    base = git("merge-base", head, upstream).decode().strip()
    if base == upstream:
        print(tr("This is the newest version of the course."))
        return 0
    if base != head:
        raise CourseError(
            tr(
                "You have commits of your own, and git cannot merge notebooks. `git branch mine` keeps the commits, "
                "`git reset --soft {commit}` makes them uncommitted changes again; then update once more.",
                commit=base[:10],
            )
        )
    with _aside(head, upstream) as edited:
        git("merge", "--ff-only", upstream)
    print(git("log", "--oneline", "--no-decorate", f"{head}..{upstream}").decode(errors="replace").rstrip())
    for notebook in edited:
        print("\n".join(_carry(notebook)))
    return 0


@contextmanager
def _aside(head: str, upstream: str) -> Iterator[list[_Edited]]:
    """Put the notebooks that both sides have changed back as git has them; where the block raises, undo that."""
    names = _changed(head) & _changed(head, upstream)
    edited: list[_Edited] = []
    try:
        for name in sorted(names):
            path = notebooks.FOLDER / name
            if path.exists():  # one that was deleted comes back
                base = git("cat-file", "--filters", f"{head}:./{name}")
                edited.append(_Edited(path, path.read_bytes(), base, keep_copy(path)))
            git("checkout", head, "--", name)
        yield edited
    except BaseException:
        for notebook in edited:
            with replacing(notebook.path) as temporary:
                temporary.write_bytes(notebook.mine)
            notebook.copy.unlink()
        raise


def _changed(*commits: str) -> set[str]:
    """Return the notebooks that differ between two commits, or between one and the working copy."""
    listed = git("diff", "--name-only", "-z", "--relative", *commits, "--", ".").decode().split("\0")
    return {name for name in listed if name.endswith(".ipynb")}


def _carry(notebook: _Edited) -> list[str]:
    path, copy = notebook.path, notebook.copy.name
    if not path.exists():
        return [tr("{file}: the course no longer has it; yours is {copy}", file=path.name, copy=copy)]
    try:
        book, lines = carry_answers(load(notebook.copy), path.read_bytes(), notebook.base)
    except UnreadableNotebook as error:
        return [
            tr("{file}: new; yours is {copy}, which cannot be read: {error}", file=path.name, copy=copy, error=error)
        ]
    with replacing(path) as temporary:
        temporary.write_bytes(book)
    return [tr("{file}: new; yours is {copy}", file=path.name, copy=copy), *(f"  {line}" for line in lines)]
