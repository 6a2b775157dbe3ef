"""The tasks of the course, the same on Windows, macOS and Linux: python course.py lists them.

Needs nothing but Python. `CH=03`, as make has it, is `--chapter 03`. What is no option of this program goes on to the
one that does the work: python course.py test-unit -k readers
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
WINDOWS = os.name == "nt"
# The time-out is for a dead kernel, which nbval would otherwise wait for.
NBVAL = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=900"]
SAMPLE = ["-m", "palm_utils", "data", "sample", "--if-needed"]
TINY, ONE_STEP = {"PALM_SAMPLE": "tiny"}, {"PALM_EPOCHS": "1", "PALM_IMAGES": "2"}
# The variables of make, and the options that they are here; those of OPTIONS count for every task.
VARIABLES = {"CH": "--chapter", "PYTHON": "--python", "PADDLE": "--paddle", "VENV": "--venv", "LOCKED": "--locked",
             "READY": "--ready", "PORT": "--port", "BROWSER": "--no-browser", "JOBS": "--numprocesses",
             "RUN_JOBS": "--jobs", "KEEP": "--keep-answers", "AGAIN": "--again", "ROUNDS": "--rounds",
             "QUICK": "--quick", "ROWS": "", "CASES": ""}  # fmt: skip
OPTIONS = {
    "--chapter": "such as 03, or zh/03 for the Chinese edition; several in quotes",
    "--python": "the Python to set up with, such as python3.12",
    "--paddle": "cpu or gpu; by default as before, or by what is here",
    "--venv": "the environment's folder (default: .venv)",
    "--locked": "exactly the versions of requirements-lock.txt",
    "--ready": "take the environment as it is",
    "--dry-run": "print what would be run",
}
FLAGS = ("LOCKED", "READY", "BROWSER", "KEEP", "AGAIN", "QUICK")
TASKS = {}


def task(line, variables=None):
    """Let a function be the task of its name. variables: of make; with any, if only "", it hands on other words."""

    def known(function):
        TASKS[function.__name__.replace("_", "-")] = function, line, variables
        return function

    return known


class Course:
    """What a task is given. options: of this program; more: what goes on to another; python: the environment's."""

    def __init__(self, options, more):
        self.options, self.more, self.chapter = options, more, options.chapter or ""
        self.venv = Path(options.venv).absolute() if options.venv else ROOT / ".venv"
        self.python = python_of(self.venv)

    def set_up(self, venv=None, requirements=None, **variables):
        """Make or mend an environment, the course's own or another; return its Python."""
        options = self.options
        if requirements is None and options.locked:
            requirements = "requirements-lock.txt"
        venv = ROOT / venv if venv else self.venv
        chosen = ["--requirements", requirements] if requirements else ["--paddle", options.paddle or ""]
        # Without a wish for a Python, set-up keeps the one that the environment has.
        python = [options.python] if options.python else [sys.executable, "--any-python"]
        self.run(python[0], "tools/setup_env.py", "--venv", venv, *chosen, *python[1:], **variables)
        return python_of(venv)

    def run(self, *command, cwd=ROOT, **variables):
        """Run a program and wait for its end; end with its status where it fails."""
        command = [str(word) for word in command]
        if self.options.dry_run:
            print(*(f"{name}={value}" for name, value in variables.items()), subprocess.list2cmdline(command))
            return
        try:
            process = subprocess.Popen(command, cwd=str(cwd), env=dict(os.environ, **variables))
        except OSError as error:
            sys.exit(f"{command[0]} cannot be started: {error}")
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        status = None
        while status is None:
            with contextlib.suppress(KeyboardInterrupt):  # the program has got it as well, and decides
                status = process.wait()
        if status == -9:
            print("It was ended from outside, probably for want of memory.", file=sys.stderr)
        if status:
            sys.exit(status if status > 0 else 128 - status)

    def pytest(self, *arguments, **variables):
        # One worker a notebook: nbval keeps a kernel for each, and splitting one over workers fails.
        workers = ["-n", "auto", "--dist", "loadfile"]
        self.run(self.python, "-m", "pytest", "-q", *workers, *arguments, *self.more, **TINY, **variables)

    def chapters(self):
        """Return the notebooks whose names start with the words of --chapter."""
        found = []
        for start in self.chapter.split():
            paths = sorted((ROOT / "notebooks").glob(start + "*.ipynb"))
            found += paths or sys.exit("no chapter starts with " + start)
        return [path.relative_to(ROOT).as_posix() for path in found]


def python_of(venv):
    return venv / ("Scripts/python.exe" if WINDOWS else "bin/python")


@task("make .venv and install everything")
def setup(course):
    if not course.options.ready:
        course.set_up()


@task("open JupyterLab on the course, at chapter 1", "PORT BROWSER")
def lab(course):
    setup(course)
    course.run(course.python, *SAMPLE)
    if not course.chapter:
        asked = [str(course.python), "-c", "from palm_utils import messages; print(messages.current())"]
        known = not course.options.dry_run and subprocess.run(asked, cwd=str(ROOT), stdout=subprocess.PIPE).stdout
        course.chapter = "zh/01" if known and known.startswith(b"zh") else "01"
    first = course.chapters()[0].partition("/")[2]
    options = ["--notebook-dir=notebooks", "--LabApp.news_url=None", "--LabApp.default_url=/lab/tree/" + first]
    options += ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    course.run(course.python, "-m", "jupyterlab", *options, *course.more)


@task("re-execute every notebook on the tiny sample, and run the unit tests (or one chapter alone)", "JOBS")
def test(course):
    test_notebooks(course, *([] if course.chapter else ["tests"]))


@task("the unit tests alone", "JOBS")
def test_unit(course):
    setup(course)
    course.pytest("tests")


@task("the notebooks alone", "JOBS")
def test_notebooks(course, *others):
    chapters = course.chapters() or ["notebooks"]
    setup(course)
    course.run(course.python, *SAMPLE, **TINY)
    course.pytest(*NBVAL, *chapters, *others, **ONE_STEP)


@task("all tests with PaddlePaddle 2.6.2, the newest GPU build on PyPI", "JOBS")
def test_compat(course):
    course.python = course.set_up(".venv-compat", "requirements-compat.txt")
    course.options.ready = True
    test(course)


@task("slow tests: strange paths, rights, full disks, no network; killed, interrupted, at once, twice", "JOBS")
def test_hard(course):
    setup(course)
    course.pytest("tests/hard", PALM_HARD="1")


@task("all tests with other versions of Python, PaddlePaddle and the rest, an hour", "CASES")
def test_matrix(course):
    nox = course.set_up(".venv-nox", "tools/requirements-nox.txt")
    course.run(nox, "-m", "nox", *(word for case in course.more for word in ("-s", f"tests({case})")))


def program(name, line, variables="", *commands):
    """Add a task that is one program, or several; by default a command of palm_utils."""

    def run(course):
        setup(course)
        for command in commands or ["-m palm_utils " + name]:
            # Where the user is, whose paths may be relative.
            folder = ROOT if commands else Path.cwd()
            course.run(course.python, *command.split(), *course.chapter.split(), *course.more, cwd=folder)
        if name == "update":
            course.run(sys.executable, "course.py", "setup", "--venv", course.venv)  # as the new version does it

    TASKS[name] = run, line, variables


program("progress", "show which exercises are done")
program("reset", "put a fresh chapter in place, yours stays beside it", "KEEP")
program("update", "get the newest version of the course and keep your answers")
program("run", "execute the chapters into build/notebooks, on the real data where it is", "RUN_JOBS")
program("data", "show where each data set is, and get the real ones")
program("train", "train a chapter's network without its notebook")
program("predict", "say what a trained network makes of your own photographs")
program("grade", "score a folder of students' notebooks")
program("course", "make the chapters' outputs again, in place, on the real data", "RUN_JOBS AGAIN")
program("results", "measure both recipes of each network on the real data, what is not stored yet", "AGAIN")
program("choose", "compare candidate recipes by cross-validation on the training photographs")
program("sync-zh", "bring the Chinese edition in step with the English one", None, "tools/sync_zh.py")
program("messages", "bring the translations of palm_utils up to date with the code", None, "tools/messages.py")
program("lint", "check code and notebooks with ruff", None, "-m ruff check .", "-m ruff format --check .")


@task("check Python, packages, device, memory, data and disk; sets nothing up")
def doctor(course):
    there = course.python.exists() or course.options.dry_run
    course.run(course.python if there else sys.executable, "-m", "palm_utils", "doctor")


@task("measure how fast the course is, about 70 minutes", "ROWS ROUNDS QUICK")
def bench(course):
    setup(course)
    course.set_up(".venv-bench", "benchmarks/requirements.txt", PIP_RETRIES="1")
    course.run(course.python, "-m", "benchmarks", *course.more)


@task("make the reading copy: both editions with their stored outputs, a static site in build/book")
def book(course):
    course.run(course.set_up(".venv-book", "book/requirements.txt"), "book/build.py")


@task("open the book, and JupyterLab, in a real browser (Debian: apt install chromium)", "")
def test_browser(course):
    setup(course)
    book(course)
    python = course.set_up(".venv-browser", "tests/browser/requirements.txt")
    tests = ["-c", "tests/browser/pytest.ini", "tests/browser"]
    course.run(python, "-m", "pytest", "-q", *tests, *course.more, LAB_VENV=course.venv)


@task("remove what can be made again: environments, builds, the sample (never your data or notebooks)")
def clean(course):
    for pattern in (".venv", ".venv-*", "build", "data/sample", ".pytest_cache", ".ruff_cache", "*.egg-info"):
        for path in ROOT.glob(pattern):
            print("removing", path.relative_to(ROOT))
            if not course.options.dry_run:
                shutil.rmtree(str(path), ignore_errors=True)


def as_options(words, variables):
    """Return a task's words with CH=03 spelled --chapter=03; variables: of make, those that the task takes."""
    found = []
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or name not in VARIABLES:
            found.append(word)
        elif not value or (name not in variables and VARIABLES[name] not in OPTIONS):
            continue
        elif name in FLAGS:
            found += [VARIABLES[name]] if (value == "0") == (name == "BROWSER") else []
        else:
            found += [VARIABLES[name] + "=" + value] if VARIABLES[name] else value.split()
    return found


def options_of(name, words):
    """Return the options of a task and the words that go on to another program."""
    task, line, variables = TASKS[name]
    # A task that is another program has that one's --help.
    parser = argparse.ArgumentParser(
        "python course.py " + name, None, line, add_help=task.__name__ != "run", allow_abbrev=False
    )
    for option, text in OPTIONS.items():
        flag = {"action": "store_true"} if option in ("--locked", "--ready", "--dry-run") else {}
        parser.add_argument(option, help=text, **flag)
    options, more = parser.parse_known_args(as_options(words, (variables or "").split()))
    if more and variables is None:
        parser.error("unknown: " + " ".join(more))
    return options, more


def writable_home():
    """Let HOME be a folder of this user's below the temporary folder where Jupyter and others cannot write into it."""
    if WINDOWS or os.access(os.environ.get("HOME") or "/nowhere", os.W_OK):
        return
    folder = Path(tempfile.gettempdir(), f"palm-home-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid == os.getuid():  # and not what another user has put there
        os.environ["HOME"] = str(folder)


def main(words):
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console may lack characters of a path
            stream.reconfigure(errors="replace")
    name = words[0] if words else "help"
    if name not in TASKS:
        print("python course.py TASK, or make TASK; setup --help lists the options that all tasks take.\n")
        for task_name, (_, line, variables) in TASKS.items():
            options = " ".join(VARIABLES[variable] or variable.lower() for variable in (variables or "").split())
            print(f"  {task_name:15} {line}", options and f"[{options}]")
        return 0 if name in ("help", "-h", "--help") else f"\nThere is no task {name}."
    options, more = options_of(name, words[1:])
    # This clone's kernel comes before one of the same name that is installed for the user.
    config = [str(ROOT / "tools" / "jupyter"), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    os.environ.update(PYTHONUTF8="1", JUPYTER_PREFER_ENV_PATH="1", JUPYTER_CONFIG_PATH=os.pathsep.join(config))
    writable_home()
    TASKS[name][0](Course(options, more))
    return 0


if __name__ == "__main__":
    if sys.version_info < (3, 8):  # noqa: UP036 - an older one cannot read the doctor
        sys.exit("The course needs Python 3.10 to 3.13; {} is {}.{}.".format(sys.executable, *sys.version_info))
    sys.exit(main(sys.argv[1:]))
