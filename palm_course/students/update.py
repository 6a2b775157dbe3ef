"""`python -m palm_utils update`: the course's newest version, with the student's answers in it.

`git pull` refuses to touch an edited notebook; stash and merge leave conflict markers in it that Jupyter cannot open.
"""

import argparse
from pathlib import Path

from palm_course import chapters
from palm_course.chapters import UnreadableNotebook, load
from palm_course.students.reset import GitFailed, carry_answers, git, keep_copy, write
from palm_utils.messages import CourseError, Text, mark, tr


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = tr(
        "Like `git pull`, but a notebook that you have edited and that has a new version is kept beside it "
        "as NAME.mine.ipynb, and its answers are carried over. Save and close them in JupyterLab first."
    )


def run(args: argparse.Namespace) -> int:
    head = git("rev-parse", "--verify", "HEAD").decode().strip()
    git("fetch")
    try:
        upstream = git("rev-parse", "--verify", "@{upstream}").decode().strip()
    except GitFailed as error:
        remedy = Text("`git branch --set-upstream-to=origin/main` tells git where the course is")
        raise CourseError("{error}: {remedy}", error=error, remedy=remedy) from None
    base = git("merge-base", head, upstream).decode().strip()
    if base == upstream:
        print(tr("This is the newest version of the course."))
        return 0
    if base != head:
        template = mark(
            "You have commits of your own, and git cannot merge notebooks. `git branch mine` keeps the commits, "
            "`git reset --soft {commit}` makes them uncommitted changes again; then update once more."
        )
        raise CourseError(template, commit=base[:10])
    edited = _advance(head, upstream)
    print(git("log", "--oneline", "--no-decorate", f"{head}..{upstream}").decode(errors="replace").rstrip())
    for path, copy, base in edited:
        print("\n".join(_carry(path, copy, base)))
    return 0


def _advance(head: str, upstream: str) -> list[tuple[Path, Path, bytes]]:
    """Bring the working copy to the new version; where git refuses, everything is as before.

    Returns the notebooks that both sides have changed: the path, the student's copy, the version that it began as.
    """
    edited = []
    try:
        for name in sorted(_changed(head) & _changed(head, upstream)):
            path = chapters.FOLDER / name
            if path.exists():  # one that was deleted comes back
                edited.append((path, keep_copy(path), git("cat-file", "--filters", f"{head}:./{name}")))
            git("checkout", head, "--", name)
        git("merge", "--ff-only", upstream)
    except BaseException:
        for path, copy, _ in edited:
            copy.replace(path)
        raise
    return edited


def _changed(*commits: str) -> set[str]:
    """Return the notebooks that differ between two commits, or between one and the working copy."""
    listed = git("diff", "--name-only", "--no-renames", "-z", "--relative", *commits, "--", ".").decode().split("\0")
    return {name for name in listed if name.endswith(".ipynb")}


def _carry(path: Path, copy: Path, base: bytes) -> list[str]:
    names = {"file": path.name, "copy": copy.name}
    if not path.exists():
        return [tr("{file}: the course no longer has it; yours is {copy}", **names)]
    try:
        book, lines = carry_answers(load(copy), path.read_bytes(), base)
    except UnreadableNotebook as error:
        return [tr("{file}: new; yours is {copy}, which cannot be read: {error}", error=error, **names)]
    write(path, book)
    return [tr("{file}: new; yours is {copy}", **names), *(f"  {line}" for line in lines)]
