"""Chapters from outside Jupyter: executing them (`python -m palm_utils run`), and using their networks."""

import ast
import contextlib
import copy
import hashlib
import linecache
import os
import re
import textwrap
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

from palm_utils import machine
from palm_utils.files import replacing
from palm_utils.messages import CourseError, Text, mark, tr

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
# A kernel warns on the terminal that it talks to this process unencrypted; it does so over localhost.
_QUIET = ["--IPKernelApp.log_level=ERROR"]
_STAMP = "palm_utils_outputs"
_CHAPTER = re.compile(r"\d\d_[a-z0-9_]+")
DIED = mark("the kernel died, probably for want of memory: close other kernels and programs, see README.md")
_WIDGET = "application/vnd.jupyter.widget-view+json"


class NotebookFailed(CourseError):
    """A notebook cannot be executed; the text says which cell raised what."""


class UnreadableNotebook(NotebookFailed):
    """A file that is no notebook, or a damaged one; the text says which and what is wrong."""


def add_options(parser) -> None:
    parser.add_argument("chapters", nargs="*", help=tr("01, 02_ichallenge_pm, …; all of them by default"))
    there = FOLDER.parent / "build" / "notebooks"
    parser.add_argument("--to", type=Path, default=there, help=tr("folder of the results"))
    parser.add_argument("--jobs", type=int, default=1, help=tr("chapters executed at the same time"))


def run(args) -> int:
    paths = [path for name in args.chapters or [""] for path in find(name)]
    # Chapters that run at the same time share the cores.
    at_once = max(1, min(args.jobs, len(paths)))
    env = os.environ | {"PALM_THREADS": str(max(1, machine.thread_count() // at_once))}

    def one(path: Path) -> str:
        execute(path, args.to / path.name, env=env)
        return f" -> {args.to / path.name}"

    return execute_all(paths, args.jobs, one)


def execute_all(paths: list[Path], jobs: int, one: Callable[[Path], str]) -> int:
    """Call `one`, which returns the end of a line or raises NotebookFailed, for each notebook; return exit status."""

    def reported(path: Path) -> bool:
        started = time.perf_counter()
        print(tr("{chapter}: running", chapter=path.stem), flush=True)
        said, values = mark("{chapter}: done in {seconds:.0f} s{end}"), {"chapter": path.stem}
        try:
            values["end"] = one(path)
        except NotebookFailed as error:
            said, values["error"] = mark("{chapter}: FAILED after {seconds:.0f} s\n{error}"), error
        print(tr(said, seconds=time.perf_counter() - started, **values), flush=True)
        return "end" in values

    pool = ThreadPoolExecutor(max_workers=max(1, jobs))
    try:
        return 0 if all(list(pool.map(reported, paths))) else 1
    except KeyboardInterrupt:
        # A kernel ends when the process that started it is gone; waiting for it could take hours.
        print(tr("interrupted"), flush=True)
        os._exit(130)


def find(name: str = "", folder: Path | None = None) -> list[Path]:
    """Return the chapters whose file name starts with `name` ("02"), sorted; raises CourseError when there is none."""
    folder = folder or FOLDER
    # Not what JupyterLab and people put beside a chapter: 01_lenet_mnist-Copy1.ipynb.
    chapters = sorted(path for path in folder.glob("*.ipynb") if _CHAPTER.fullmatch(path.stem))
    found = [path for path in chapters if path.name.startswith(name)]
    if not found:
        values = {"name": name, "folder": folder, "known": ", ".join(path.stem for path in chapters) or "none"}
        raise CourseError("No chapter starts with {name!r} in {folder}; there are: {known}", **values)
    return found


def load(path: Path):
    """Return a notebook in today's format; raises UnreadableNotebook, whatever is wrong with the file."""
    import nbformat  # loads slowly

    if not path.is_file():  # reading a pipe would wait for ever
        raise UnreadableNotebook("{file} is not there, or is not a file", file=path.name)
    content = b""
    try:
        content = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about identifiers of cells that older editors did not write
            book = nbformat.reads(content.decode("utf-8-sig"), as_version=4)
        for cell in book.cells:
            tags_of(cell), cell.cell_type, cell.source + ""
    except Exception as error:
        values = {"file": path.name, "error": " ".join(str(error).split())[:200]}
        if re.search(rb"^<{7}", content, re.MULTILINE):
            values["error"] = Text("with git's conflict markers in it")
        text = mark("{file} is not a notebook, or a damaged one ({error})")
        if _CHAPTER.fullmatch(path.stem) and path.parent in (FOLDER, FOLDER / "zh"):
            text = mark("{file} is not a notebook, or a damaged one ({error}); `{command}` puts a fresh one in place")
            start = path.relative_to(FOLDER).as_posix().partition("_")[0]
            values["command"] = f"python course.py reset --chapter {start}"
        raise UnreadableNotebook(text, **values) from None
    return book


def tags_of(cell) -> list[str]:
    return [str(tag) for tag in cell.get("metadata", {}).get("tags") or []]


def definitions(path: Path) -> ModuleType:
    """Return what a chapter's imports and its cells tagged `model` define; raises CourseError without such a cell."""
    cells = _code(load(path))
    models = [cell for cell in cells if "model" in tags_of(cell)]
    if not models:
        raise CourseError("{file} has no cell tagged 'model'", file=path.name)
    module = ModuleType(path.stem)
    for statement in _imports(cell for cell in cells if cell not in models):
        with contextlib.suppress(ImportError):  # one that a model needs is missed when the model is made
            _run(statement, f"<imports of {path.name}>", module)
    for number, cell in enumerate(models):
        _run(cell.source, f"<{path.name}, model cell {number}>", module)
    return module


def _code(book) -> list:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def _imports(cells: Iterable) -> Iterator[str]:
    """Yield the import statements of cells; a student's may hold magics or be unfinished."""
    for cell in cells:
        with contextlib.suppress(SyntaxError):
            nodes = [] if _of_student(cell) else ast.parse(cell.source).body
            yield from (ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom))


def _run(source: str, name: str, module: ModuleType) -> None:
    # Known to linecache, so that tracebacks and inspect.getsource show the notebook's own lines.
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), module.__dict__)


def execute(
    path: Path, target: Path, *, env: dict[str, str] | None = None, stamp: Callable[[], str] | None = None
) -> None:
    """Execute a notebook in a fresh kernel, in its own folder, and store it with outputs at `target`.

    env: environment of the kernel, by default this process's. stamp: called when all cells have run; what it returns is
    what `stamp_of` tells of the notebook, until it is executed again. Raises NotebookFailed when a cell raises; what is
    at `target` then stays, and what was executed lies beside it as NAME.failed.ipynb (in place: NAME.ipynb.failed).
    """
    book = load(path)
    book.metadata.pop(_STAMP, None)
    _execute_book(book, path, target, env)
    if stamp is not None:
        book.metadata[_STAMP] = stamp()
    _write(tidy(book), target)


def execute_tagged(path: Path, tag: str, *, env: dict[str, str], stamp: Callable[[], str]) -> None:
    """Execute, in place, only the cells with a tag, in a fresh kernel; all others keep their outputs.

    Before them run the chapter's first code cell, which imports and seeds, and the imports of the others;
    nothing else that they use may come from cells without the tag. env, stamp and errors as in `execute`.
    """
    import nbformat

    book = load(path)
    code = _code(book)
    tagged = [cell for cell in code if tag in tags_of(cell)]
    imports = "\n".join(_imports(cell for cell in code[1:] if cell not in tagged))
    part = nbformat.v4.new_notebook(metadata=copy.deepcopy(book.metadata))
    part.cells = [nbformat.v4.new_code_cell(source) for source in (code[0].source, imports)]
    part.cells += [nbformat.v4.new_code_cell(cell.source) for cell in tagged]
    _execute_book(part, path, path, env)
    for cell, executed in zip(tagged, part.cells[2:], strict=True):
        cell.outputs = executed.outputs
    # Numbered as a run from top to bottom does, also those that came in since.
    for number, cell in enumerate(code, start=1):
        for counted in (cell, *(output for output in cell.outputs if "execution_count" in output)):
            counted["execution_count"] = number
    book.metadata[_STAMP] = stamp()
    _write(tidy(book), path)


def _execute_book(book, path: Path, target: Path, env: dict[str, str] | None) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    # No time-out: how long a chapter trains depends on the machine. Timing of cells would change every run.
    options = {"timeout": None, "record_timing": False, "kernel_name": "python3", "extra_arguments": _QUIET}
    begun: list[int] = []
    options["on_cell_execute"] = lambda cell, cell_index: begun.append(cell_index)
    client = NotebookClient(book, resources={"metadata": {"path": str(path.parent)}}, **options)
    try:
        client.execute(**({} if env is None else {"env": env}))
    except (CellExecutionError, DeadKernelError) as error:
        in_place = path.resolve() == target.resolve()
        left = target.with_name(f"{target.name}.failed" if in_place else f"{target.stem}.failed.ipynb")
        _write(tidy(book), left)
        told = {"number": begun[-1], "source": textwrap.indent(book.cells[begun[-1]].source, " " * 4)}
        failure = Text("cell {number}: {died}\n{source}", died=Text(DIED), **told)
        if isinstance(error, CellExecutionError):  # told without the colours and frames of a notebook's traceback
            failure = Text("cell {number} raised {error}\n{source}", error=f"{error.ename}: {error.evalue}", **told)
        raise NotebookFailed("{failure}\nExecuted so far: {left}", failure=failure, left=left) from None


def code_digest(book, tag: str, tagged: bool) -> str:
    """Return a digest of the code of the cells with a tag, or of those without; exercises are the student's."""
    code = [cell.source for cell in _code(book) if not _of_student(cell) and (tag in tags_of(cell)) == tagged]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()[:16]


def stamp_of(book) -> str | None:
    return book.metadata.get(_STAMP)


def _of_student(cell) -> bool:
    return any(tag.startswith(("exercise:", "check:", "progress")) for tag in tags_of(cell))


def tidy(book):
    """Drop what only a live kernel can show, progress widgets and their state; join what came in several pieces."""
    book.metadata.pop("widgets", None)
    for cell in _code(book):
        outputs, cell.outputs = cell.outputs, []
        for output in (o for o in outputs if _WIDGET not in o.get("data", {})):
            # Where a kernel divides the text of a stream changes from run to run.
            if output.get("name") and cell.outputs and cell.outputs[-1].get("name") == output["name"]:
                cell.outputs[-1]["text"] += output["text"]
            else:
                cell.outputs.append(output)
    return book


def _write(book, target: Path) -> None:
    import nbformat

    with replacing(target) as temporary:
        nbformat.write(book, temporary)
