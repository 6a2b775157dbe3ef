"""A student's first hour in JupyterLab, in a copy of the course: chapter 1 run, an exercise answered."""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from conftest import ROOT, Watched

COURSE = ("Makefile", "course.py", "pyproject.toml", "conftest.py", "data/README.md")
FOLDERS = ("notebooks", "palm_utils", "palm_course", "results", "tools")
VENV = Path(os.environ.get("LAB_VENV") or ROOT / ".venv").resolve()
CHAPTER = "01_lenet_mnist.ipynb"
EDITIONS = {"en": "", "zh": "zh/"}
LIMIT = 600_000  # ms: for a machine that does other things as well; everything here waits for what it is about

# A cell waits its turn, or has run.
BEGUN = """() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
    .some(prompt => /\\[(\\*|\\d+)\\]/.test(prompt.innerText))"""
# Every cell has a number, or one has shown an error, after which Jupyter runs no more.
RUN_OR_FAILED = """count => {
    const numbered = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
        .filter(prompt => /\\[\\d+\\]/.test(prompt.innerText));
    return numbered.length === count || document.querySelector('[data-mime-type="application/vnd.jupyter.error"]');
}"""
WRONG = "def conv_output_size(size, kernel, stride=1, padding=0):\n    return size - kernel\n"


@pytest.fixture(scope="session")
def copy(tmp_path_factory):
    """A copy of the course, its notebooks without outputs: what is seen later was made in the browser."""
    if os.name == "nt" or shutil.which("make") is None:
        pytest.skip("`make lab` needs make")
    if not (VENV / "bin" / "jupyter").exists():
        pytest.fail(f"there is no environment of the course in {VENV}: make setup")
    folder = tmp_path_factory.mktemp("course")
    ignored = shutil.ignore_patterns("checkpoints", "__pycache__", ".ipynb_checkpoints", "*.mine*", "output")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in COURSE:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for path in folder.glob("notebooks/**/*.ipynb"):
        book = json.loads(path.read_text(encoding="utf-8"))
        for cell in book["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
        path.write_text(json.dumps(book), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def lab(copy, tmp_path_factory):
    """JupyterLab as `make lab` starts it: (address, token)."""
    home = tmp_path_factory.mktemp("jupyter")
    # All cells are kept in the page, so that those out of sight can be looked at too.
    settings = home / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"windowingMode": "none"}), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex()
    folders = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    env = os.environ | folders | {
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_TOKEN": token,
        "PALM_SAMPLE": "tiny",
        "PALM_EPOCHS": "1",
        "PYTHONPATH": str(copy),  # the copy's packages, not those that the environment was made with
    }  # fmt: skip
    command = ["make", "lab", "READY=1", f"VENV={VENV}", "BROWSER=0", f"PORT={port}"]
    # A group of its own: make, the server and the kernels end together.
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8", "errors": "replace"}
    server = subprocess.Popen(command, cwd=copy, env=env, start_new_session=True, **pipes)
    try:
        said = []
        for line in server.stdout:  # Jupyter names its address once it answers
            said.append(line)
            if f"://localhost:{port}/lab" in line:
                break
        else:
            pytest.fail(f"make lab ended with {server.wait()}:\n{''.join(said)[-2000:]}")
        # What else it says is read too, or it would stop once the pipe is full.
        threading.Thread(target=server.stdout.read, daemon=True).start()
        yield f"http://localhost:{port}/", token
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


class Notebook:
    """A notebook that is open in JupyterLab, its cells counted as in the file."""

    def __init__(self, page, file: Path):
        self.page = page
        self.cells = json.loads(file.read_text(encoding="utf-8"))["cells"]

    def tagged(self, tag: str) -> int:
        return next(i for i, cell in enumerate(self.cells) if tag in cell["metadata"].get("tags", []))

    def cell(self, index: int):
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def output(self, index: int):
        return self.cell(index).locator(".jp-OutputArea-output")

    def prompt(self, index: int) -> str:
        return self.cell(index).locator(".jp-InputPrompt").inner_text()

    def run(self, index: int) -> str:
        """Run a cell with Shift+Enter and return what it shows once it has run."""
        before = self.prompt(index)
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        self.page.wait_for_function(
            """([index, before]) => {
                const cell = document.querySelectorAll('.jp-Notebook .jp-Cell')[index];
                const prompt = cell.querySelector('.jp-InputPrompt').innerText;
                return prompt !== before && /\\[\\d+\\]/.test(prompt);
            }""",
            arg=[index, before],
            timeout=LIMIT,
        )
        return "\n".join(self.output(index).all_inner_texts())

    def run_all(self) -> None:
        """Ask for all cells to be run, until the first of them begins: on a slow machine JupyterLab may miss it."""
        from playwright.sync_api import TimeoutError

        for attempt in reversed(range(5)):
            self.page.get_by_role("menuitem", name="Run", exact=True).click()
            self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
            try:
                return self.page.wait_for_function(BEGUN, timeout=60_000)
            except TimeoutError:
                if not attempt:
                    raise

    def write(self, index: int, source: str) -> None:
        """Put `source` in the place of what a cell holds."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(source)


@pytest.mark.parametrize("folder", EDITIONS.values(), ids=EDITIONS)
def test_chapter_1_runs_and_tells_right_from_wrong(browser, copy, lab, folder):
    address, token = lab
    file = copy / "notebooks" / folder / CHAPTER
    if not file.is_file():
        pytest.skip(f"there is no {folder}{CHAPTER} yet")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(LIMIT)
    watched = Watched(context.new_page(), address)
    page, notebook = watched.page, Notebook(watched.page, file)
    # Each edition in a workspace of its own: JupyterLab would open the other's notebook again.
    watched.open(f"lab/workspaces/{folder.strip('/') or 'en'}/tree/{folder}{CHAPTER}?token={token}")
    # What is asked for earlier, when the page holds only the first cells, runs only those.
    page.wait_for_function(
        "count => document.querySelectorAll('.jp-Notebook .jp-Cell').length === count", arg=len(notebook.cells)
    )
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']")

    notebook.run_all()
    codes = [i for i, cell in enumerate(notebook.cells) if cell["cell_type"] == "code" and cell["source"]]
    page.wait_for_function(RUN_OR_FAILED, arg=len(codes), timeout=LIMIT)
    assert [i for i in codes if not re.fullmatch(r"\[\d+\]:", notebook.prompt(i).strip())] == []
    assert "SAMPLE" in "".join(notebook.output(codes[0]).all_inner_texts())
    curve = next(i for i in codes if "training_curves" in "".join(notebook.cells[i]["source"]))
    drawn = notebook.output(curve).locator("img")
    assert drawn.count() == 1 and drawn.evaluate("image => image.naturalWidth") > 300

    stub, check, progress = (notebook.tagged(tag) for tag in ("exercise:1.1", "check:1.1", "progress"))
    assert not re.search("[✓✗]", "".join(notebook.output(check).all_inner_texts()))
    notebook.write(stub, WRONG)
    notebook.run(stub)
    wrong = notebook.run(check)
    assert "✗" in wrong and "conv_output_size(" in wrong and "Traceback" not in wrong
    assert re.search(r"✗\s*1\.1", notebook.run(progress))

    notebook.write(stub, solution(folder))
    notebook.run(stub)
    right = notebook.run(check)
    assert "✓" in right and "✗" not in right
    assert re.search(r"✓\s*1\.1", notebook.run(progress))
    # The exercises answer in the notebook's language.
    assert all(bool(re.search("[\u4e00-\u9fff]", text)) == bool(folder) for text in (wrong, right))
    assert watched.faults == []
    context.close()


def solution(folder: str) -> str:
    cells = json.loads((ROOT / "notebooks" / folder / "solutions" / CHAPTER).read_text(encoding="utf-8"))["cells"]
    return next("".join(c["source"]) for c in cells if "solution:1.1" in c["metadata"].get("tags", []))
